"""Draining: the most nodes that can stand empty with everybody placed, and the way there.

Which nodes, is one solve: running pods may move, pending ones are placed first, then nodes are
emptied (FORMULATION §O4). That says how the cluster ends, and bounds what any way can reach; the
way itself is found step by step, each verified. Where no order leads all the way, the answer is how
far one does, against the same bound.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from batchsched.feasibility.running import leavers
from batchsched.objectives.drained import Drained, occupies
from batchsched.objectives.placed import Placed
from batchsched.plan.plan import PlanTier, tier
from batchsched.plan.reading import seat
from batchsched.profile import Profile, constraints_of, has_plug_ins
from batchsched.scheduler import Compiler, Limits, PlanDefectError, Progress, reasons_of, schedule
from batchsched.snapshot.snapshot import Snapshot, Window
from batchsched.solver.model import Model
from batchsched.solver.places import Outcome, places_of
from batchsched.solver.solve import Solution, TierResult, solve
from batchsched.whatif.edits import settled
from batchsched.whatif.pins import DRAINING, PodKey, pins
from batchsched.whatif.steps import (
    Journey,
    Step,
    Wanted,
    ordered,
    put_to_the_verifier,
    without_places,
)

BROKEN = "it has a part in a rule that is broken as it is"
STEPS_SHARE = 0.25
"""Of the time limit, what is kept for the steps: 750 of them take 10 s."""


@dataclass(frozen=True, slots=True)
class Drain:
    """Which nodes are drained, in which steps, and how good that is."""

    tiers: tuple[PlanTier, ...]
    """Pods placed by priority, nodes that are empty in the end, and pods that move."""
    empty_now: tuple[str, ...]
    """Nodes on which nothing runs that would have to leave."""
    drained: tuple[str, ...]
    """In the order of their steps."""
    steps: tuple[Step, ...]
    pinned: tuple[tuple[str, PodKey, str], ...]
    """Node, pod, and why it keeps the node from being drained; by node."""
    unplaced: tuple[tuple[PodKey, str, str], ...]
    """Pending pods that have no place in the end: who, reason, message."""
    snapshot: Snapshot
    """As it is when all is done: drained nodes are cordoned."""


def drain_nodes(  # noqa: PLR0913 -- what schedule takes, and how many may move
    snapshot: Snapshot,
    window: Window,
    profile: Profile,
    limits: Limits,
    clock: Callable[[], float],
    *,
    moves_max: int | None = 0,
    progress: Progress | None = None,
) -> Drain:
    """Find the most nodes that can be empty, and an order in which to drain them.

    Args:
        snapshot: The cluster.
        window: The pending pods; as many of them have a place as have one without draining.
        profile: Whose constraints hold; its objectives are not asked.
        limits: Of the whole.
        clock: Monotonic seconds.
        moves_max: How many pods may move from nodes that stay, ``None`` is any number.
        progress: Told of the search.
    """
    start_s = clock()
    question = _Question(snapshot, window, profile, moves_max, limits, clock)
    model = question.model()
    spent_s = 0.0 if limits.deterministic else clock() - start_s
    left_s = max((1 - STEPS_SHARE) * limits.time_limit_s - spent_s, 0.1)
    solution = solve(model, replace(limits, time_limit_s=left_s), clock, progress)
    return question.drain(model, solution)


@dataclass(eq=False)
class _Question:
    """Which nodes, and how to get there."""

    snapshot: Snapshot
    window: Window
    profile: Profile
    moves_max: int | None
    limits: Limits
    clock: Callable[[], float]

    def __post_init__(self) -> None:
        self.pins = pins(self.snapshot, self.window)
        self.rules = constraints_of(self.profile)

    def model(self) -> Model:
        """Running pods may move but for those that are pinned, or on a node that somebody pins.

        Who has a part in what is broken already is pinned, and known before nodes can be emptied:
        rows that count all moves would make that everybody.
        """
        alone = self._compiler(()).evicting(frozenset(self.pins)).problem.left_alone
        for pod in alone:
            self.pins.setdefault(pod.key, (pod.node or "", BROKEN))
        rule, placed = Drained(self.moves_max), Placed()
        model = self._compiler((rule,)).evicting(self._staying())
        for objective in (placed, rule):
            model.rank(objective.tiers(model))
        return model

    def _compiler(self, more: tuple[Drained, ...]) -> Compiler:
        return Compiler(
            self.snapshot,
            self.window,
            DRAINING,
            (*self.rules, *more),
            more,
            has_plug_ins(self.profile),
        )

    def _staying(self) -> frozenset[PodKey]:
        """Who stays whatever is decided."""
        kept = {node for node, _ in self.pins.values()} if self.moves_max == 0 else set()
        return frozenset(
            each.pod.key
            for each in leavers(self.snapshot, self.window, DRAINING)
            if each.pod.key in self.pins or each.pod.node in kept
        )

    def drain(self, model: Model, solution: Solution) -> Drain:
        """The way to what was found, as far as it leads."""
        outcome = places_of(model, solution)
        wanted = self._wanted(outcome)
        journey, whole = self._way(wanted)
        reasons = reasons_of(model.problem, outcome)
        return Drain(
            tiers=tuple(self._tiers(solution.tiers, outcome, journey, whole=whole)),
            empty_now=tuple(sorted(_empty(self.snapshot, self.window))),
            drained=journey.drained,
            steps=journey.steps,
            pinned=tuple(sorted((node, key, why) for key, (node, why) in self.pins.items())),
            unplaced=tuple(
                (pod.key, reasons[pod.key].reason, reasons[pod.key].message)
                for pod in self.window.pods
                if pod.key in reasons
            ),
            snapshot=journey.snapshot,
        )

    def _way(self, wanted: Wanted) -> tuple[Journey, bool]:
        """The way, and whether it leads all the way.

        Raises:
            PlanDefectError: It does, and where it leads breaks a rule.
        """
        start = self._start(wanted)
        journey = ordered(start, wanted)
        whole = len(journey.drained) == len(wanted.drained)
        everybody = {**journey.bound, **journey.moved}
        left = without_places(start.snapshot, everybody)
        _, violations = put_to_the_verifier(left, everybody, self.rules)
        moves = sum(map(len, (*wanted.drained.values(), *wanted.helping.values())))
        if violations and whole and len(journey.moved) == moves:
            raise PlanDefectError(violations)
        if violations or len(journey.bound) < len(wanted.bound):
            # Nobody may lose a place for an empty node: then all places, and no node.
            wanted = self._without_draining()
            return ordered(self._start(wanted), wanted), False
        return journey, whole

    def _wanted(self, outcome: Outcome) -> Wanted:
        """Who moves, by the node that they leave; which of these are empty then."""
        leaving: dict[str, dict[PodKey, str]] = {}
        for pod in self.snapshot.pods:
            to = outcome.evictions.get(pod.key)
            if to is not None and pod.node is not None:
                leaving.setdefault(pod.node, {})[pod.key] = to
        moved = {key: to for pods in leaving.values() for key, to in pods.items()}
        empty = _empty(settled(self.snapshot, {**outcome.placements, **moved}), self.window)
        return Wanted(
            bound=outcome.placements,
            drained={node: pods for node, pods in leaving.items() if node in empty},
            helping={node: pods for node, pods in leaving.items() if node not in empty},
        )

    def _start(self, wanted: Wanted) -> Journey:
        """The cluster with the nodes cordoned that will be drained, and no room kept for pods."""
        nodes = tuple(
            replace(node, unschedulable=True) if node.name in wanted.drained else node
            for node in self.snapshot.nodes
        )
        asked = {pod.key for pod in self.window.pods}
        pods = tuple(
            replace(pod, nominated_node=None) if pod.key in asked else pod
            for pod in self.snapshot.pods
        )
        return Journey(replace(self.snapshot, nodes=nodes, pods=pods), self.rules)

    def _without_draining(self) -> Wanted:
        """The pending pods placed, nobody moved."""
        own = self.profile.model_copy(update={"objectives": ()})
        plan = schedule(self.snapshot, self.window, own, self.limits, self.clock)
        bound = {(each.namespace, each.name): each.node for each in plan.bindings}
        return Wanted(bound, {}, {})

    def _tiers(
        self, results: Sequence[TierResult], outcome: Outcome, journey: Journey, *, whole: bool
    ) -> Iterator[PlanTier]:
        """What people read: of pods only those that were pending; of the way, what it came to."""
        priority = {pod.key: pod.spec.priority for pod in self.window.pods}
        hoped = Counter(priority[key] for key in outcome.placements)
        came = Counter(priority[key] for key in journey.bound)
        empty = len(_empty(journey.snapshot, self.window))
        moves = len(journey.moved)
        for result in results:
            own, bound = result.tier, result.tier.sign * (result.bound + result.tier.constant)
            if own.priority is not None and own.priority in priority.values():
                running = result.value + own.constant - hoped[own.priority]
                yield tier(own.name, came[own.priority], bound - running)
            elif own.name == "drained":
                yield tier(own.name, empty, bound)
            elif own.name == "moves":
                yield tier(own.name, moves, min(bound, moves) if whole else 0)


def _empty(snapshot: Snapshot, window: Window) -> set[str]:
    """The nodes on which nothing is that would have to leave them, nor is to come."""
    asked = {pod.key for pod in window.pods}
    return {node.name for node in snapshot.nodes} - {
        seat(pod)
        for pod in snapshot.pods
        if (pod.node or (pod.nominated_node and pod.key not in asked))
        and occupies(pod.owner)
        and not pod.terminal
        and not pod.deleting
    }
