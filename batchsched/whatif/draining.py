"""Draining: the most nodes that can stand empty with everybody placed, and the way there.

A plan says which pending pods have a place with nobody moved; those are to have one in the end.
Which nodes, is a second solve, over all places for them and for running pods that may move
(FORMULATION §O4). It says how the cluster ends, and bounds what any way can reach; the way itself
is found step by step, each verified. Where no order leads all the way, the answer is how far one
does, against the same bound.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

from batchsched.feasibility.running import leavers
from batchsched.objectives.drained import Drained, occupies
from batchsched.objectives.placed import Placed
from batchsched.plan.plan import Plan, PlanTier, tier
from batchsched.plan.reading import seat
from batchsched.profile import Profile, constraints_of, has_plug_ins
from batchsched.scheduler import Compiler, Limits, PlanDefectError, schedule, targets_of
from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.snapshot import Snapshot, Window
from batchsched.solver.model import Model
from batchsched.solver.places import Outcome, places_of
from batchsched.solver.solve import Solution, TierResult, solve
from batchsched.whatif.edits import settled
from batchsched.whatif.pins import PodKey, pins
from batchsched.whatif.steps import (
    Journey,
    Step,
    Wanted,
    ordered,
    put_to_the_verifier,
    without_places,
)

TRIES_PER_NODE_MAX = 10
"""Steps that are tried, valid or not, before the way ends where it is."""
BROKEN = "it has a part in a rule that is broken as it is"
PLAN_SHARE, STEPS_SHARE = 0.25, 0.25
"""Of the time limit, what the plan may take; and of what is left then, what is kept for the steps:
750 of them take 10 s."""


@dataclass(frozen=True, slots=True)
class Drain:
    """Which nodes are drained, in which steps, and how good that is."""

    plan: Plan
    """Which pending pods have a place, with nobody moved. Where, the steps say."""
    tiers: tuple[PlanTier, ...]
    """Nodes that are empty in the end, and pods that move."""
    empty_now: tuple[str, ...]
    """Nodes on which nothing runs that would have to leave."""
    drained: tuple[str, ...]
    """In the order of their steps."""
    steps: tuple[Step, ...]
    pinned: tuple[tuple[str, PodKey, str], ...]
    """Node, pod, and why it keeps the node from being drained; by node."""
    snapshot: Snapshot
    """As it is when all is done: drained nodes are cordoned."""


def drain_nodes(
    snapshot: Snapshot,
    window: Window,
    profile: Profile,
    limits: Limits,
    clock: Callable[[], float],
    *,
    moves_max: int | None = 0,
) -> Drain:
    """Find the most nodes that can be empty, and an order in which to drain them.

    Args:
        snapshot: The cluster.
        window: The pending pods.
        profile: Whose constraints hold; its objectives are not asked.
        limits: Of the whole.
        clock: Monotonic seconds.
        moves_max: How many pods may move from nodes that stay, ``None`` is any number.
    """
    start_s = clock()
    own = profile.model_copy(update={"objectives": ()})
    first = replace(limits, time_limit_s=PLAN_SHARE * limits.time_limit_s)
    plan = schedule(snapshot, window, own, first, clock)
    spent_s = 0.0 if limits.deterministic else clock() - start_s
    rest = replace(limits, time_limit_s=max(limits.time_limit_s - spent_s, 0.1))
    return drain_after(snapshot, plan, profile, rest, clock, moves_max=moves_max)


def drain_after(  # noqa: PLR0913 -- what schedule takes, and how many may move
    snapshot: Snapshot,
    plan: Plan,
    profile: Profile,
    limits: Limits,
    clock: Callable[[], float],
    *,
    moves_max: int | None = 0,
    leaving_max: int | None = None,
) -> Drain:
    """Find the most nodes that can be empty when the pods of a plan have been placed.

    Args:
        snapshot: The cluster, in which these pods are pending.
        plan: Evicts nobody. Its bindings are where to begin, not where pods have to be.
        profile: As above.
        limits: As above.
        clock: As above.
        moves_max: As above.
        leaving_max: How many pods may move at all, from whatever node.
    """
    start_s = clock()
    allowance = Allowance(moves_max=leaving_max, draining=True)
    left = _without_nominations(snapshot, plan)
    more = _patience(limits, clock, start_s, len(snapshot.nodes))
    question = _Question(left, plan, profile, moves_max, allowance, more)
    model = question.model()
    spent_s = 0.0 if limits.deterministic else clock() - start_s
    left_s = max((1 - STEPS_SHARE) * limits.time_limit_s - spent_s, 0.1)
    solution = solve(
        model, replace(limits, time_limit_s=left_s), clock, targets=targets_of(model, plan)
    )
    return question.drain(model, solution)


def _patience(
    limits: Limits, clock: Callable[[], float], start_s: float, nodes: int
) -> Callable[[], bool]:
    """Whether there is time to try another step; counted where work is counted, not time."""
    if limits.deterministic:
        tries = count(1)
        return lambda: next(tries) <= TRIES_PER_NODE_MAX * nodes
    return lambda: clock() - start_s < limits.time_limit_s


def empty_nodes(snapshot: Snapshot) -> set[str]:
    """The nodes on which nothing is that would have to leave them, nor is room kept for it."""
    return {node.name for node in snapshot.nodes} - {
        seat(pod)
        for pod in snapshot.pods
        if (pod.node or pod.nominated_node)
        and occupies(pod.owner)
        and not pod.terminal
        and not pod.deleting
    }


def _without_nominations(snapshot: Snapshot, plan: Plan) -> Snapshot:
    """Room that was kept for the plan's pods is kept no more: the plan has decided."""
    decided = {(each.namespace, each.name) for each in plan.bindings}
    decided |= {(each.namespace, each.name) for each in plan.unplaced}
    pods = tuple(
        replace(pod, nominated_node=None) if pod.nominated_node and pod.key in decided else pod
        for pod in snapshot.pods
    )
    return replace(snapshot, pods=pods)


@dataclass(eq=False)
class _Question:
    """Which nodes, and how to get there."""

    snapshot: Snapshot
    plan: Plan
    profile: Profile
    moves_max: int | None
    allowance: Allowance
    more: Callable[[], bool]

    def __post_init__(self) -> None:
        self.bound = {(each.namespace, each.name): each.node for each in self.plan.bindings}
        self.window = Window(tuple(pod for pod in self.snapshot.pods if pod.key in self.bound))
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
            self.allowance,
            (*self.rules, *more),
            more,
            has_plug_ins(self.profile),
        )

    def _staying(self) -> frozenset[PodKey]:
        """Who stays whatever is decided."""
        kept = {node for node, _ in self.pins.values()} if self.moves_max == 0 else set()
        return frozenset(
            each.pod.key
            for each in leavers(self.snapshot, self.window, self.allowance)
            if each.pod.key in self.pins or each.pod.node in kept
        )

    def drain(self, model: Model, solution: Solution) -> Drain:
        """The way to what was found, as far as it leads."""
        journey, whole = self._way(places_of(model, solution))
        return Drain(
            plan=self.plan,
            tiers=tuple(self._tiers(solution.tiers, journey, whole=whole)),
            empty_now=tuple(sorted(empty_nodes(self.snapshot))),
            drained=journey.drained,
            steps=journey.steps,
            pinned=tuple(sorted((node, key, why) for key, (node, why) in self.pins.items())),
            snapshot=journey.snapshot,
        )

    def _way(self, outcome: Outcome) -> tuple[Journey, bool]:
        """The way, and whether it leads all the way.

        Raises:
            PlanDefectError: It does, and where it leads breaks a rule.
        """
        wanted = self._wanted(outcome)
        start = self._start(wanted)
        journey = ordered(start, wanted, self.more)
        whole = len(journey.drained) == len(wanted.drained)
        everybody = {**journey.bound, **journey.moved}
        left = without_places(start.snapshot, everybody)
        _, violations = put_to_the_verifier(left, everybody, self.rules)
        moves = sum(map(len, (*wanted.drained.values(), *wanted.helping.values())))
        if violations and whole and len(journey.moved) == moves:
            raise PlanDefectError(violations)
        if violations or len(journey.bound) < len(self.bound):
            # Nobody may lose a place for an empty node: then all are placed, and no node is.
            wanted = Wanted(self.bound, {}, {})
            return ordered(self._start(wanted), wanted, self.more), False
        return journey, whole

    def _wanted(self, outcome: Outcome) -> Wanted:
        """Who moves, by the node that they leave; which of these are empty then."""
        leaving: dict[str, dict[PodKey, str]] = {}
        for pod in self.snapshot.pods:
            to = outcome.evictions.get(pod.key)
            if to is not None and pod.node is not None:
                leaving.setdefault(pod.node, {})[pod.key] = to
        moved = {key: to for pods in leaving.values() for key, to in pods.items()}
        empty = empty_nodes(settled(self.snapshot, {**outcome.placements, **moved}))
        return Wanted(
            bound=outcome.placements,
            drained={node: pods for node, pods in leaving.items() if node in empty},
            helping={node: pods for node, pods in leaving.items() if node not in empty},
        )

    def _start(self, wanted: Wanted) -> Journey:
        """The cluster with the nodes cordoned that will be drained."""
        nodes = tuple(
            replace(node, unschedulable=True) if node.name in wanted.drained else node
            for node in self.snapshot.nodes
        )
        return Journey(replace(self.snapshot, nodes=nodes), self.rules)

    @staticmethod
    def _tiers(
        results: Sequence[TierResult], journey: Journey, *, whole: bool
    ) -> Iterator[PlanTier]:
        """What the way came to, and the bounds on what any could."""
        for result in results:
            own, bound = result.tier, result.tier.sign * (result.bound + result.tier.constant)
            if own.name == "drained":
                yield tier(own.name, len(empty_nodes(journey.snapshot)), bound)
            elif own.name == "moves":
                moves = len(journey.moved)
                yield tier(own.name, moves, min(bound, moves) if whole else 0)
