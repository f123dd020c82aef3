"""Fitting: the cheapest set of nodes that places the whole backlog, with a bound (FORMULATION §O4).

Copies of each shape are added to the snapshot, and ``packing/cheapest-nodes`` is the tier after
placed pods. Where all copies at once are more columns than a search goes through, the relaxation
says how many of each shape it opens: these are bought, what then has no place is a smaller backlog
that is asked again, and the set so found is where the search begins. The bound is always that of
the relaxation over all copies, or of the solve that had them all.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from batchsched.objectives.cheapest_nodes import CheapestNodes
from batchsched.plan.plan import Plan, tier
from batchsched.profile import Profile, Rule, constraints_of, objectives_of
from batchsched.scheduler import Compiler, Limits, Origin, Progress, schedule
from batchsched.snapshot.allowance import NOTHING
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod, PodSpec
from batchsched.snapshot.snapshot import Snapshot, Window
from batchsched.solver.budget import Budget
from batchsched.solver.openings import openings
from batchsched.whatif.edits import copies, settled, with_nodes
from batchsched.whatif.shapes import Shape, in_whole_numbers

LABEL = "batchsched.io/shape"
TIER = "packing/cheapest-nodes"
COLUMNS_MAX = 12_000
"""More than this are not searched at once (DESIGN: restricted models)."""
COPIES_MAX = 1_000
"""Of a shape of which there is no limit; a pod never needs more than one."""
ROUNDS_MAX = 8
"""Each asks for what the one before left, a small part of it: 8,879 pods, 18, then none."""
ROUNDING = 1e-6
"""What the relaxation's sums may be above a whole number by rounding errors."""
STEPS_PER_DOUBLE = 4
"""How finely pods are told apart by what they cost. With one step, openb's set is 5.8 % above the
bound, not 1."""
BUYING_SHARE, RELAXING_SHARE = 0.3, 0.25
"""Of the time limit, what one round of placing may take, and one relaxation."""


@dataclass(frozen=True, slots=True)
class Bought:
    """How many nodes of a shape, for what."""

    shape: str
    count: int
    price: float
    """Of one."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The cheapest set found, the plan that places everybody on it, and the proof."""

    bought: tuple[Bought, ...]
    cost: float
    bound: float
    gap: float
    status: Literal["Optimal", "Feasible", "Infeasible"]
    """Optimal or Feasible; Infeasible where pods are left, who then are in the plan."""
    plan: Plan
    snapshot: Snapshot
    """With the nodes that were bought, and no others."""


def fit_all(  # noqa: PLR0913 -- what schedule takes, and shapes
    snapshot: Snapshot,
    window: Window,
    profile: Profile,
    shapes: tuple[Shape, ...],
    limits: Limits,
    clock: Callable[[], float],
    *,
    origin: Origin | None = None,
    progress: Progress | None = None,
) -> Fit:
    """Find the cheapest set of nodes that places all pods of the window.

    Args:
        snapshot: The cluster.
        window: The backlog.
        profile: Whose constraints hold; its objectives are not asked.
        shapes: What can be had.
        limits: Of the whole.
        clock: Monotonic seconds.
        origin: For the plan's record.
        progress: Told of the last search.
    """
    start_s = clock()
    shop = _Shop.of(snapshot, window, profile, shapes, limits, clock)
    whole, start = shop.stocked(), None
    first = shop.relaxed(whole, window)
    apart = first is not None and first.columns > COLUMNS_MAX
    if first is not None and apart:
        whole, start = shop.buy(first)
    left_s = max(limits.time_limit_s - (clock() - start_s), 1.0)
    rest = limits if limits.deterministic else replace(limits, time_limit_s=left_s)
    plan = schedule(
        whole,
        window,
        shop.profile,
        rest,
        clock,
        before=start,
        origin=origin,
        progress=progress,
    )
    bounds = [] if first is None else [first.bound]
    bounds += [] if apart else [plan.tiers[-1].bound]
    return shop.fit(whole, plan, max(bounds, default=0))


@dataclass(frozen=True, slots=True)
class Asked:
    """What a relaxation opens of each shape, rounded up; the bound of its price; its columns."""

    counts: dict[str, int]
    bound: int
    columns: int


@dataclass(eq=False)
class _Shop:
    """The shapes as nodes of the snapshot, and what is bought of them."""

    snapshot: Snapshot
    window: Window
    profile: Profile
    shelves: dict[str, tuple[Node, ...]]
    """The copies of each shape, in the order in which they are taken."""
    prices: dict[str, int]
    scale: int
    limits: Limits
    clock: Callable[[], float]

    @classmethod
    def of(
        cls,
        snapshot: Snapshot,
        window: Window,
        profile: Profile,
        shapes: tuple[Shape, ...],
        limits: Limits,
        clock: Callable[[], float],
    ) -> "_Shop":
        """Stock the shelves."""
        prices, scale = in_whole_numbers(shapes)
        taken = frozenset(node.name for node in snapshot.nodes)
        shelves = {}
        for shape in shapes:
            most = COPIES_MAX if shape.count_max is None else shape.count_max
            count = min(most, len(window.pods))
            labels = tuple(sorted((dict(shape.node.labels) | {LABEL: shape.name}).items()))
            shelves[shape.name] = copies(replace(shape.node, labels=labels), count, taken)
        price = Rule(name=TIER, parameters={"label": LABEL, "prices": prices})
        own = profile.model_copy(update={"objectives": (price,)})
        return cls(snapshot, window, own, shelves, prices, scale, limits, clock)

    def stocked(self, counts: Mapping[str, int] | None = None) -> Snapshot:
        """The snapshot with so many of each shape, or with all there are."""
        nodes = (
            node
            for name, shelf in self.shelves.items()
            for node in (shelf if counts is None else shelf[: counts[name]])
        )
        return with_nodes(self.snapshot, tuple(nodes))

    def relaxed(self, snapshot: Snapshot, window: Window) -> Asked | None:
        """What the relaxation opens of each shape, everybody placed."""
        constraints, objectives = constraints_of(self.profile), objectives_of(self.profile)
        compiler = Compiler(snapshot, window, NOTHING, constraints, objectives, whole=True)
        model = compiler.model(Budget(0.0, None))
        for objective in objectives:
            model.rank(objective.tiers(model))
        limit_s = RELAXING_SHARE * self.limits.time_limit_s
        found = openings(model, limit_s, deterministic=self.limits.deterministic)
        if found is None:
            return None
        shares = dict.fromkeys(self.shelves, 0.0)
        price = objectives[-1]
        assert isinstance(price, CheapestNodes)  # the profile is ours
        for node, share in zip(price.charged_nodes(model), found.share.tolist(), strict=True):
            shares[dict(model.problem.nodes[node].labels)[LABEL]] += share
        counts = {name: math.ceil(share - ROUNDING) for name, share in shares.items()}
        return Asked(counts, -found.bound, model.columns)

    def buy(self, asked: Asked) -> tuple[Snapshot, Plan | None]:
        """Buy what the relaxation opens, and again for who is left.

        Returns:
            The snapshot with what was bought, and a plan of who goes where on it.
        """
        limits = replace(self.limits, time_limit_s=BUYING_SHARE * self.limits.time_limit_s)
        own = self.profile.model_copy(update={"objectives": ()})
        bought, plan = dict.fromkeys(self.shelves, 0), None
        ranked = self._dearest_first()
        window = Window(tuple(ranked[pod.key] for pod in self.window.pods))
        places: dict[tuple[str, str], str] = {}
        for _ in range(ROUNDS_MAX):
            for name, count in asked.counts.items():
                bought[name] = min(bought[name] + count, len(self.shelves[name]))
            snapshot = settled(_with_pods(self.stocked(bought), ranked), places)
            placed = schedule(snapshot, window, own, limits, self.clock)
            plan = placed if plan is None else _joined(plan, placed)
            places |= {(each.namespace, each.name): each.node for each in placed.bindings}
            window = Window(tuple(pod for pod in window.pods if pod.key not in places))
            again = self.relaxed(self._next(bought, places), window) if window.pods else None
            if again is None or not any(again.counts.values()):
                break
            asked = again
        return self.stocked(bought), plan

    def _dearest_first(self) -> dict[tuple[str, str], Pod]:
        """The backlog with priorities by what a pod costs: who is left should be cheap to place."""
        rank = {spec: self._rank(spec) for spec in {pod.spec for pod in self.window.pods}}
        groups = dict(self.snapshot.group_of)
        of_group: dict[int, int] = {}
        for pod in self.window.pods:
            if (group := groups.get(pod.key)) is not None:
                of_group[group] = max(of_group.get(group, 0), rank[pod.spec])
        ranked = {}
        specs: dict[tuple[PodSpec, int], PodSpec] = {}
        for pod in self.window.pods:
            group = groups.get(pod.key)
            priority = rank[pod.spec] if group is None else of_group[group]
            key = (pod.spec, priority)
            spec = specs.setdefault(key, replace(pod.spec, priority=priority))
            ranked[pod.key] = replace(pod, spec=spec)
        return ranked

    def _rank(self, spec: PodSpec) -> int:
        """By steps of a fifth, what it costs to have a share of the cheapest shape for it."""
        costs = [
            self.prices[name] * share
            for name, shelf in self.shelves.items()
            if shelf and (share := _dominant_share(spec, shelf[0])) <= 1
        ]
        return round(STEPS_PER_DOUBLE * math.log2(1 + min(costs, default=0.0)))

    def _next(self, bought: Mapping[str, int], places: Mapping[tuple[str, str], str]) -> Snapshot:
        """Who is placed runs, what was bought is there for nothing, and the rest has its price."""
        mine = {node.name for name, shelf in self.shelves.items() for node in shelf[: bought[name]]}
        stock = settled(_with_pods(self.stocked(), self._dearest_first()), places)
        nodes = tuple(_unpriced(node) if node.name in mine else node for node in stock.nodes)
        return replace(stock, nodes=nodes)

    def fit(self, snapshot: Snapshot, plan: Plan, bound: int) -> Fit:
        """What was bought, of what was offered, and how good that is."""
        used = {each.node for each in plan.bindings}
        counts = {
            name: sum(node.name in used for node in shelf) for name, shelf in self.shelves.items()
        }
        cost = sum(count * self.prices[name] for name, count in counts.items())
        proven = tier(TIER, cost, min(bound, cost))
        shelved = {node.name for shelf in self.shelves.values() for node in shelf}
        nodes = tuple(n for n in snapshot.nodes if n.name not in shelved or n.name in used)
        return Fit(
            bought=tuple(
                Bought(name, count, self.prices[name] / self.scale)
                for name, count in counts.items()
                if count
            ),
            cost=cost / self.scale,
            bound=proven.bound / self.scale,
            gap=proven.gap,
            status="Infeasible" if plan.unplaced else proven.status,
            plan=plan,
            snapshot=replace(snapshot, nodes=nodes),
        )


def _dominant_share(spec: PodSpec, node: Node) -> float:
    """The largest share of a resource of the node that the pod asks for."""
    room = dict(node.allocatable)
    return max(
        (amount / room[name] if room.get(name) else math.inf for name, amount in spec.requests),
        default=0.0,
    )


def _with_pods(snapshot: Snapshot, pods: Mapping[tuple[str, str], Pod]) -> Snapshot:
    return replace(snapshot, pods=tuple(pods.get(pod.key, pod) for pod in snapshot.pods))


def _unpriced(node: Node) -> Node:
    return replace(node, labels=tuple(each for each in node.labels if each[0] != LABEL))


def _joined(first: Plan, second: Plan) -> Plan:
    """A plan with the bindings of both: a place to start from, not to be carried out."""
    return first.model_copy(update={"bindings": [*first.bindings, *second.bindings]})
