"""Help from others: running pods that end or are evicted, a priority that goes before theirs.

The fewest who have to go are found by letting the pods in question preempt everybody; what is said
is then tried as it would really be done: with the pods ended, or with preemption at their priority.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from batchsched.explain.facts import on_pods
from batchsched.explain.question import LEAST_S, Answer, PodKey, Question
from batchsched.explain.remedy import Remedy
from batchsched.explain.words import named
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot

USER_PRIORITY_MAX = 1_000_000_000
"""Kubernetes' own: what is above belongs to the system."""
TRIED_SHARE = 0.33
"""Of the time that is left, what it may take to see whom pods would evict: a good plan is enough, a
proof is not needed."""


@dataclass(frozen=True, slots=True)
class At:
    """The change that gives pods another priority, at which they may preempt.

    ``snapshot`` is that of which it is made instead of the one that is given.
    """

    unit: frozenset[PodKey]
    priority: int
    snapshot: Snapshot | None = field(default=None, compare=False)

    def __call__(self, snapshot: Snapshot) -> Snapshot:
        """Change it."""
        edit = on_pods(
            self.unit, lambda s: replace(s, priority=self.priority, preemption_never=False)
        )
        return edit(self.snapshot or snapshot)


@dataclass(frozen=True)
class Departures:
    """Who could make room.

    Attributes:
        snapshot: The cluster that the question is asked of.
        question: Whose answer is no.
        contested: Where other pending pods come first: the cluster before they had their places.
    """

    snapshot: Snapshot
    question: Question
    contested: Snapshot | None

    known: dict[Remedy, frozenset[PodKey] | None] = field(default_factory=dict)
    """Of each that was tried, who was evicted; ``None`` where it does not help."""

    def found(self) -> Iterator[Remedy]:
        """Wait for some pods to end; let some be evicted; go before them.

        Where it does not help to evict anybody, no priority does.
        """
        top = 1 + max((p.spec.priority for p in self._others), default=0)
        first = Remedy("priority", "", At(self.question.unit, top), preempting=True)
        if not self._helps(first):
            return
        yield from self._ended(self._evictions(first))
        evicting = list(self._evicted())
        yield from evicting
        yield from self._raised(enough=bool(evicting))

    def _ended(self, gone: frozenset[PodKey]) -> Iterator[Remedy]:
        """The fewest running pods whose end makes room."""

        def ended(snapshot: Snapshot) -> Snapshot:
            return replace(snapshot, pods=tuple(p for p in snapshot.pods if p.key not in gone))

        if gone:
            remedy = Remedy("wait", f"wait until {_names(gone)} ended", ended)
            if remedy.helps(self.question, self.snapshot):
                yield remedy

    def _evicted(self) -> Iterator[Remedy]:
        """Preemption as it would be, where it is not allowed yet, of who is of lower priority."""
        highest = max(pod.spec.priority for pod in self._unit)
        lower = any(pod.node and pod.spec.priority < highest for pod in self._others)
        if self.question.means.allowance.preemption or not lower:
            return
        remedy = self._among("evict", None, preempting=True)
        gone = self._evictions(remedy)
        if gone:
            whose = "of" if self.contested is None else "for all that is pending, which evicts"
            what = f"allow preemption (--preemption lower-priority) {whose} {_names(gone)}"
            yield replace(remedy, message=what)

    def _raised(self, *, enough: bool) -> Iterator[Remedy]:
        """The lowest priority that helps: against who else is pending, else by preemption too.

        Args:
            enough: Whether preemption helps at the priority that the pods have.
        """
        allowed = self.question.means.allowance.preemption
        ways = ([False] if self.contested is not None and not allowed else []) + [True]
        for preempting in ways:
            if preempting and enough:
                return
            remedy = self._lowest(preempting=preempting)
            if remedy is not None:
                gone = self._evictions(remedy) if preempting else ()
                how = "" if allowed else " and allow preemption"
                evicting = f"{how}, which evicts {_names(gone)}" if gone else ""
                yield replace(remedy, message=f"{remedy.message}{evicting}")
                return

    def _lowest(self, *, preempting: bool) -> Remedy | None:
        """The lowest priority that helps, if the highest does."""
        unit = self.question.unit
        own = min(pod.spec.priority for pod in self._unit)
        others = {pod.spec.priority for pod in self._others}
        above = sorted({p + 1 for p in others if own <= p < USER_PRIORITY_MAX})
        ways = [self._among("priority", At(unit, p), preempting=preempting) for p in above]
        if not ways or not self._helps(ways[-1]):
            return None
        low, high = -1, len(ways) - 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._helps(ways[middle]) else (middle, high)
        return replace(ways[high], message=f"raise the priority to {above[high]:,}")

    def _among(self, kind: str, change: At | None, *, preempting: bool) -> Remedy:
        """A remedy that is tried with all who are pending, where they are in the way."""
        if self.contested is None:
            return Remedy(kind, "", change or At(frozenset(), 0), preempting)
        instead = replace(change or At(frozenset(), 0), snapshot=self.contested)
        return Remedy(kind, "", instead, preempting, among_all=True)

    def _helps(self, remedy: Remedy) -> bool:
        self._evictions(remedy)
        return self.known[replace(remedy, message="")] is not None

    def _evictions(self, remedy: Remedy) -> frozenset[PodKey]:
        """Who is evicted where a remedy helps; nobody, if it does not."""
        remedy = replace(remedy, message="")
        if remedy not in self.known:
            self.known[remedy] = self._tried(remedy)
        return self.known[remedy] or frozenset()

    def _tried(self, remedy: Remedy) -> frozenset[PodKey] | None:
        question, changed = remedy.tried(self._question, self.snapshot)
        if question.means.left_s <= 0:
            return None
        plan = question.plan(changed)
        if question.answered(changed, plan) is not Answer.YES:
            return None
        return frozenset((each.namespace, each.name) for each in plan.evictions)

    @property
    def _question(self) -> Question:
        """The question, to be answered sooner."""
        means = self.question.means
        time_limit_s = min(means.limits.time_limit_s, max(TRIED_SHARE * means.left_s, LEAST_S))
        limits = replace(means.limits, time_limit_s=time_limit_s)
        return replace(self.question, means=replace(means, limits=limits))

    @property
    def _unit(self) -> list[Pod]:
        return [pod for pod in self.snapshot.pods if pod.key in self.question.unit]

    @property
    def _others(self) -> list[Pod]:
        return [p for p in self.snapshot.pods if p.key not in self.question.unit and not p.terminal]


def _names(keys: Iterable[PodKey]) -> str:
    return named([f"{namespace}/{name}" for namespace, name in sorted(keys)])
