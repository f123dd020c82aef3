"""Steps: an order in which nodes are drained so that every step is a valid plan by itself.

A step takes pods from one node, as many at once as their PodDisruptionBudgets allow, and has a
place for each; the next begins when their replacements run, and the budgets are as they were. All
nodes that will be drained are cordoned before the first step. Each step is put to the verifier as a
plan: on the cluster as it then is, those who leave are pending. Knows nothing of the model, nor
which nodes are worth it. Source: FORMULATION §O4.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from batchsched.plan.diff import diff
from batchsched.plan.plan import Binding, PlanSolver
from batchsched.plan.state import Violation
from batchsched.plan.verify import Check, final_state, verify
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot, Window, holding
from batchsched.whatif.edits import anew, of_node, settled
from batchsched.whatif.pins import Budgets

PodKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Step:
    """Some pods leave one node, or pending ones are bound; each with the node it comes to."""

    node: str | None
    """Which one they leave; ``None`` where pending pods are bound."""
    to: tuple[tuple[PodKey, str], ...]
    """In binding order."""


@dataclass(eq=False)
class Journey:
    """A cluster on the way, step by step.

    Attributes:
        snapshot: As it is now, with the nodes cordoned that will be drained.
        checks: The rules that hold at each step.
        steps: What was done.
    """

    snapshot: Snapshot
    checks: Sequence[Check]
    steps: tuple[Step, ...] = ()

    @property
    def bound(self) -> dict[PodKey, str]:
        """The pending pods that were bound, and where."""
        return {key: to for step in self.steps if step.node is None for key, to in step.to}

    @property
    def moved(self) -> dict[PodKey, str]:
        """The running pods that left their node, and where to."""
        return {key: to for step in self.steps if step.node is not None for key, to in step.to}

    @property
    def drained(self) -> tuple[str, ...]:
        """The nodes that are empty and cordoned by now, in the order of their steps."""
        there = (pod for pod in holding(self.snapshot) if not of_node(pod) and not pod.deleting)
        full = {pod.node for pod in there}
        closed = {node.name for node in self.snapshot.nodes if node.unschedulable}
        left = (step.node for step in self.steps if step.node is not None)
        return tuple(node for node in dict.fromkeys(left) if node in closed - full)

    def go(self, node: str | None, to: Mapping[PodKey, str]) -> "Journey | None":
        """Take a step; ``None`` where the verifier objects."""
        gone = without_places(self.snapshot, to)
        bindings, violations = put_to_the_verifier(gone, to, self.checks)
        if violations:
            return None
        order = tuple(((each.namespace, each.name), each.node) for each in bindings)
        done = settled(gone, to)
        return Journey(done, self.checks, (*self.steps, Step(node, order)))

    def empty(self, node: str, to: Mapping[PodKey, str]) -> "Journey | None":
        """Let pods leave a node in as many steps as their budgets ask for."""
        journey: Journey | None = self
        pods = [pod for pod in self.snapshot.pods if pod.key in to]
        for wave in waves(pods, Budgets(self.snapshot)):
            if journey is not None:
                journey = journey.go(node, {pod.key: to[pod.key] for pod in wave})
        return journey


def without_places(snapshot: Snapshot, leaving: Collection[PodKey]) -> Snapshot:
    """The snapshot in which the pods that leave have left, and their controllers made them anew."""
    pods = tuple(
        anew(pod) if pod.node is not None and pod.key in leaving else pod for pod in snapshot.pods
    )
    return replace(snapshot, pods=pods)


def put_to_the_verifier(
    snapshot: Snapshot, to: Mapping[PodKey, str], checks: Sequence[Check]
) -> tuple[list[Binding], tuple[Violation, ...]]:
    """Pending pods with their nodes, in binding order; and what is wrong with that."""
    window = Window(tuple(pod for pod in snapshot.pods if pod.key in to))
    state = final_state(snapshot, window, to)
    plan = diff(state, window, {}).plan([], PlanSolver())
    return list(plan.bindings), verify(plan, snapshot, window, checks)


def waves(pods: Sequence[Pod], budgets: Budgets) -> Iterator[list[Pod]]:
    """Pods of one node by turns, each budget used up at most once in a turn.

    Every budget that selects one of them allows one disruption at least.
    """
    left = list(pods)
    while left:
        taken: Counter[PodKey] = Counter()
        wave: list[Pod] = []
        later: list[Pod] = []
        for pod in left:
            own = budgets.of(pod)
            spent = any(taken[b.namespace, b.name] >= b.disruptions_allowed for b in own)
            (later if spent else wave).append(pod)
            taken.update(() if spent else ((b.namespace, b.name) for b in own))
        assert wave, "a pod is to leave that its budget never lets go"
        yield wave
        left = later


@dataclass(frozen=True, eq=False)
class Wanted:
    """Where everybody should be in the end.

    Attributes:
        bound: Pending pods and their nodes.
        drained: Of each node that should be empty, who leaves it and where to.
        helping: Of each other node that pods leave, the same.
    """

    bound: Mapping[PodKey, str]
    drained: Mapping[str, Mapping[PodKey, str]]
    helping: Mapping[str, Mapping[PodKey, str]]


def ordered(start: Journey, wanted: Wanted, more: Callable[[], bool]) -> Journey:
    """The farthest that valid steps lead: pending pods first, then nodes with few pods.

    Pods that only make room go where nothing else does. What then has no valid step is left.

    Args:
        start: The cluster as it is now.
        wanted: Where everybody should be.
        more: Whether another node may be tried; pending pods are always.
    """
    journey, bound = start, not wanted.bound
    drains = dict(sorted(wanted.drained.items(), key=lambda each: (len(each[1]), each[0])))
    helping = [(node, key, to) for node, pods in wanted.helping.items() for key, to in pods.items()]
    last = start
    while True:
        before = journey
        if not bound and (further := journey.go(None, wanted.bound)) is not None:
            journey, bound = further, True
        for node in list(drains):
            further = journey.empty(node, drains[node]) if more() else None
            if further is not None:
                journey = further
                del drains[node]
        if journey is not before:
            last = journey
        elif not drains and bound:
            return last
        elif (further := _helped(journey, helping, more)) is not None:
            journey = further
        else:
            return last


def _helped(
    journey: Journey, helping: list[tuple[str, PodKey, str]], more: Callable[[], bool]
) -> Journey | None:
    """Let one pod make room, the first that can; it is taken from the list."""
    for node, key, to in list(helping):
        further = journey.go(node, {key: to}) if more() else None
        if further is not None:
            helping.remove((node, key, to))
            return further
    return None
