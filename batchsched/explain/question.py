"""The question: could these pods be placed on this cluster? Asked of ``schedule``, again and again.

Only the pods in question are in the window: who runs stays (or may be preempted, where that is
allowed), and no other pending pod competes, unless that is what is asked. An answer is no only
where it is proven. It takes no tier but the first ones, so the others are not solved: what packs
best takes longer to prove than who is placed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from batchsched.plan.plan import Plan
from batchsched.profile import Profile
from batchsched.scheduler import Limits, schedule
from batchsched.snapshot.allowance import NOTHING, Allowance
from batchsched.snapshot.snapshot import Snapshot, Window, pending

PodKey = tuple[str, str]
ALL_SHARE, LEAST_S = 0.5, 0.05
"""Of the time that is left, what it may take to decide on all that is pending; and what a question
is given where next to nothing is left."""


class Answer(Enum):
    """Yes has a verified plan, no has a proof, and unknown has neither."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Means:
    """With what questions are answered, and until when."""

    profile: Profile
    limits: Limits
    clock: Callable[[], float]
    end_s: float
    allowance: Allowance = NOTHING

    @property
    def left_s(self) -> float:
        """What is left of the time."""
        return self.end_s - self.clock()


@dataclass(frozen=True, slots=True)
class Question:
    """Whether pods are placed: one, or a group to its minimum.

    Attributes:
        unit: The pending pods in the window, by key.
        group: Their group as index into ``Snapshot.groups``, where its minimum has to be reached.
        pod: The pod that has to be placed, where one was asked for.
        among_all: Whether all other pending pods are decided on with them.
    """

    unit: frozenset[PodKey]
    group: int | None
    pod: PodKey | None
    means: Means
    among_all: bool = False

    def window(self, snapshot: Snapshot) -> Window:
        """The pods in question as this snapshot has them, or all that are pending."""
        window = pending(snapshot)
        if self.among_all:
            return window
        return Window(tuple(pod for pod in window.pods if pod.key in self.unit))

    def plan(self, snapshot: Snapshot, *, seed: int = 0, whole: bool = False) -> Plan:
        """What is decided.

        Args:
            snapshot: The cluster.
            seed: Of the solve.
            whole: Whether where the pods go matters, and not only which of them are placed.
        """
        means = self.means
        limits = replace(means.limits, seed=seed)
        if not limits.deterministic:
            left_s = means.left_s * (ALL_SHARE if self.among_all else 1.0)
            limits = replace(limits, time_limit_s=max(min(left_s, limits.time_limit_s), LEAST_S))
        profile = means.profile
        return schedule(
            snapshot,
            self.window(snapshot),
            profile if whole else profile.model_copy(update={"objectives": ()}),
            limits,
            means.clock,
            allowance=means.allowance,
        )

    def ask(self, snapshot: Snapshot, *, seed: int = 0) -> Answer:
        """Whether they are placed; unknown without asking where the time is up."""
        if self.means.left_s <= 0:
            return Answer.UNKNOWN
        return self.answered(snapshot, self.plan(snapshot, seed=seed))

    def answered(self, snapshot: Snapshot, plan: Plan) -> Answer:
        """What a plan says about them."""
        if self.is_placed(snapshot, plan):
            return Answer.YES
        tiers = [tier for tier in plan.tiers if tier.name.startswith("placed/")]
        proven = all(tier.status == "Optimal" for tier in tiers)
        return Answer.NO if proven else Answer.UNKNOWN

    def is_placed(self, snapshot: Snapshot, plan: Plan) -> bool:
        """Whether a plan places what was asked for."""
        bound = {(each.namespace, each.name) for each in plan.bindings}
        if self.pod is not None and self.pod not in bound:
            return False
        if self.group is None:
            return self.unit <= bound if self.pod is None else True
        group = snapshot.groups[self.group]
        states = {(each.namespace, each.name): each.status for each in plan.pod_groups}
        return states.get((group.namespace, group.name)) == "Placed"

    def most(self, snapshot: Snapshot) -> int | None:
        """Of a gang, the most of its pods that can run; ``None`` where that is not proven."""
        if self.group is None or self.means.left_s <= 0:
            return None
        groups = list(snapshot.groups)
        group = groups[self.group] = replace(groups[self.group], min_count=1, parts=())
        plan = self.plan(replace(snapshot, groups=tuple(groups)))
        names = (group.namespace, group.name)
        placed = [g.placed for g in plan.pod_groups if (g.namespace, g.name) == names]
        return placed[0] if placed and plan.status == "Optimal" else None


def settled(snapshot: Snapshot, plan: Plan, but: frozenset[PodKey]) -> Snapshot:
    """The cluster as a plan leaves it, where some pods (``but``) are still pending."""
    nodes = {(b.namespace, b.name): b.node for b in plan.bindings}
    gone = {(e.namespace, e.name): e.to for e in plan.evictions}
    pods = tuple(
        replace(pod, node=nodes[pod.key])
        if pod.key in nodes and pod.key not in but
        else replace(pod, node=gone[pod.key])
        if gone.get(pod.key) is not None
        else pod
        for pod in snapshot.pods
        if gone.get(pod.key, "") is not None
    )
    return replace(snapshot, pods=pods)
