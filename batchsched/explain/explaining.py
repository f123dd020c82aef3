"""The composition: from a name to an explanation.

First the pods alone on the cluster as it is: if they cannot be placed there, no competition is to
blame. Else all that is pending is decided together, and if they are left out, the question is asked
again of the cluster as that plan leaves it.
"""

from dataclasses import dataclass, replace

from batchsched.explain.explanation import Explanation, SaidFact, SaidRemedy
from batchsched.explain.facts import Fact, facts_of
from batchsched.explain.minimal import Search
from batchsched.explain.placed import Place, place_of
from batchsched.explain.question import Answer, Means, Question, settled
from batchsched.explain.remedies import Remedies
from batchsched.explain.remedy import Remedy
from batchsched.explain.subject import (
    Subject,
    group_index,
    of_pod_alone,
    pod_of,
    question_about_group,
    question_about_pod,
)
from batchsched.explain.words import RULES, Words
from batchsched.plan.plan import Plan
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot, pending

PENDING = "The cluster has room for it, but not with the pending pods that are placed before it."


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out, and what proves it.

    Attributes:
        explanation: For people and scripts.
        snapshot: The cluster that facts and remedies are changes of.
        question: Whose answer is no there.
        facts: The smallest set; all others dropped, it is still no.
        remedies: Each makes it yes.
    """

    explanation: Explanation
    snapshot: Snapshot
    question: Question | None = None
    facts: tuple[Fact, ...] = ()
    remedies: tuple[Remedy, ...] = ()


def explain(snapshot: Snapshot, subject: Subject, means: Means) -> Explanation:
    """Why a pod or a group is placed where it is, or is not.

    Args:
        snapshot: The cluster.
        subject: Whom it is about.
        means: Profile, limits, clock, and when an answer is due.

    Raises:
        InputError: Nobody has that name.
    """
    return find_out(snapshot, subject, means).explanation


def find_out(snapshot: Snapshot, subject: Subject, means: Means) -> Finding:
    """The same, with what proves it."""
    if subject.kind == "podgroup":
        found = question_about_group(snapshot, group_index(snapshot, subject), means)
        if found is None:
            said = _settled(subject, "Placed", "no member of the group is pending")
            return Finding(said, snapshot)
        return _Case(subject, *found).finding()
    pod = pod_of(snapshot, subject)
    if all(each.key != pod.key for each in pending(snapshot).pods):
        return Finding(_not_pending(subject, pod), snapshot)
    return _Case(subject, snapshot, question_about_pod(snapshot, pod, means)).finding()


def _settled(subject: Subject, status: str, message: str) -> Explanation:
    placed = status == "Placed"
    return Explanation(
        subject=subject.full_name,
        status="Placed" if placed else "Unplaced",
        proven=True,
        message=message,
    )


def _not_pending(subject: Subject, pod: Pod) -> Explanation:
    """A pod that nobody has to place."""
    if pod.terminal:
        return _settled(subject, "Placed", f"it has ended ({pod.phase})")
    if pod.node is not None:
        return _settled(subject, "Placed", f"it runs on {pod.node}")
    what = "it is being deleted" if pod.deleting else "its scheduling gates are not removed yet"
    return _settled(subject, "Unplaced", f"not to be placed: {what}")


class _Case:
    """One question, on the snapshot that it is asked of."""

    def __init__(self, subject: Subject, snapshot: Snapshot, question: Question) -> None:
        self.subject, self.snapshot, self.question = subject, snapshot, question
        self.why = ""
        self.contested: Snapshot | None = None

    def finding(self) -> Finding:
        """The answer, whatever it is."""
        plan = self.question.plan(self.snapshot)
        answer = self.question.answered(self.snapshot, plan)
        if answer is Answer.NO and self._only_the_pod_is_left(plan):
            self.snapshot = settled(self.snapshot, plan, frozenset({self.question.pod or ("", "")}))
            self.question = of_pod_alone(self.question)
            self.why = "Its gang has its minimum without it."
            answer = self.question.ask(self.snapshot)
        if answer is Answer.YES:
            plan = self._among_all.plan(self.snapshot, whole=True)
            if self.question.is_placed(self.snapshot, plan):
                return self._told(self._placed(plan))
            contested, self.snapshot = (
                self.snapshot,
                settled(self.snapshot, plan, self.question.unit),
            )
            answer = self.question.ask(self.snapshot)
            if answer is Answer.YES:
                plan = self.question.plan(self.snapshot, whole=True)
                return self._told(self._placed(plan))
            self.why, self.contested = PENDING, contested
        if answer is Answer.UNKNOWN:
            return self._told(self._unknown(plan))
        return self._unplaced(plan)

    def _told(self, explanation: Explanation) -> Finding:
        return Finding(explanation, self.snapshot, self.question)

    def _only_the_pod_is_left(self, plan: Plan) -> bool:
        """Whether a pod is left of a gang that is placed."""
        if self.question.pod is None or self.question.group is None:
            return False
        return replace(self.question, pod=None).is_placed(self.snapshot, plan)

    @property
    def _among_all(self) -> Question:
        """The question, with all that is pending."""
        return replace(self.question, among_all=True)

    def _placed(self, plan: Plan) -> Explanation:
        unit = self.question.unit
        nodes = [(b.name, b.node) for b in plan.bindings if (b.namespace, b.name) in unit]
        where = ", ".join(f"{name} on {node}" for name, node in nodes[:4])
        more = f" and {len(nodes) - 4} more" if len(nodes) > 4 else ""  # noqa: PLR2004 -- as above
        pod = self.question.pod or (min(unit) if len(unit) == 1 else None)
        said = f"can be placed: {where}{more}"
        if pod is None or pod[1] not in dict(nodes):
            place = Place("", (), complete=False)
        else:
            alone = of_pod_alone(replace(self.question, pod=pod))
            base = settled(self.snapshot, plan, alone.unit)
            place = place_of(base, alone, pod, dict(nodes)[pod[1]])
            said = f"{said}. With all others where they are, {place.nodes}"
        return Explanation(
            subject=self.subject.full_name,
            status="Placed",
            proven=plan.status == "Optimal",
            message=said,
            pods=self._pods(),
            alternatives=place.alternatives,
            all_alternatives=place.complete,
        )

    def _unknown(self, plan: Plan) -> Explanation:
        """What kube-scheduler would say, and what is known."""
        bounds = [f"{t.name} ≤ {t.bound}" for t in plan.tiers if t.name.startswith("placed/")]
        return Explanation(
            subject=self.subject.full_name,
            status="Unknown",
            proven=False,
            message=f"{self._message(plan)} No proof in time; {', '.join(bounds)}.",
            pods=self._pods(),
        )

    def _unplaced(self, plan: Plan) -> Finding:
        """The smallest set of facts, and what would help."""
        facts = facts_of(self.snapshot, self.question.unit, self.question.group)
        search = Search(self.snapshot, self.question, facts)
        core = search.core()
        index = {id(fact): i for i, fact in enumerate(facts)}
        kept = frozenset(index[id(fact)] for fact in core.facts)
        words = Words(search, kept, self.question.most(self.snapshot))
        remedies = tuple(
            Remedies(self.snapshot, self.question, core, words, self.contested).found()
        )
        message = " ".join(each for each in (self._message(plan), self.why) if each)
        said = Explanation(
            subject=self.subject.full_name,
            status="Unplaced",
            proven=core.proven,
            message=message,
            pods=self._pods(),
            facts=tuple(_said(words, i) for i in sorted(kept)),
            remedies=tuple(SaidRemedy(kind=r.kind, message=r.message) for r in remedies),
            all_remedies=self.question.means.left_s > 0,
        )
        return Finding(said, self.snapshot, self.question, core.facts, remedies)

    def _message(self, plan: Plan) -> str:
        """What kube-scheduler would say of the first of the pods."""
        left = [u.message for u in plan.unplaced if (u.namespace, u.name) in self.question.unit]
        return left[0] if left else ""

    def _pods(self) -> tuple[str, ...]:
        return tuple(f"{namespace}/{name}" for namespace, name in sorted(self.question.unit))


def _said(words: Words, i: int) -> SaidFact:
    fact = words.search.facts[i]
    message, nodes, pods = words.said(i)
    rule = RULES.get(fact.kind, "Gang")
    return SaidFact(rule=rule, kind=fact.kind, message=message, nodes=nodes, pods=pods)
