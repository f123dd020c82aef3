"""Evictions by exhaustion: every way to keep, evict and move, with every way to place.

A plan that takes pods from their nodes leads to another cluster: the victims are gone, the moved
ones are pending, and the rules are what they always are. So each way is judged by the oracles of
plans that evict nobody; only who may go, and the order of what is wanted, is said here (§C14, §O1
and §O2 of models/placement/FORMULATION.md).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import combinations, product
from math import prod

from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot, Window, pending
from tests.oracles.cluster import Cluster, Key, Places, Stand, has_minimums
from tests.oracles.reading import selected
from tests.oracles.rules import broken, pairwise, reservation, slices

STAYS = "stays"
GONE = "gone"


@dataclass(frozen=True, eq=False)
class Outcome:
    """One way: what becomes of running pods that may go, and where the pending ones are."""

    leaving: Mapping[Key, str | None]
    places: Places
    scene: "Scene"

    @property
    def victims(self) -> list[Pod]:
        return [self.scene.pods[key] for key, to in self.leaving.items() if to is None]

    def placed(self, priority: int, *, preempting: bool = False) -> int:
        """Pods of a priority that are placed, or stay though they might go."""
        staying = [self.scene.pods[k] for k in self.scene.may_go if k not in self.leaving]
        back = [self.scene.pods[key] for key, to in self.leaving.items() if to is not None]
        new = [self.scene.pods[key] for key in self.places]
        new = [pod for pod in new if not (preempting and pod.spec.preemption_never)]
        return sum(pod.spec.priority == priority for pod in (*staying, *back, *new))

    def cost(self, priority: int) -> int:
        """What the evictions of a priority's pods cost: 1 for a victim, 2 for a move."""
        return sum(
            1 if to is None else 2
            for key, to in self.leaving.items()
            if self.scene.pods[key].spec.priority == priority
        )

    @property
    def valid(self) -> bool:
        """Whether all that leave may, for somebody, and no rule is broken then."""
        ways = [self.scene.may_go.get(key, (False, False)) for key in self.leaving]
        allowed = all(
            way[to is not None] for way, to in zip(ways, self.leaving.values(), strict=True)
        )
        moves = sum(to is not None for to in self.leaving.values())
        limit = self.scene.allowance.moves_max
        allowed = allowed and (limit is None or moves <= limit)
        after = Cluster.of(self.scene.after(self.leaving))
        return allowed and self.has_cause and self.keeps_gangs and not self.breaks_rules(after)

    def breaks_rules(self, after: Cluster) -> bool:
        """Whether a rule is broken in the cluster after all have left."""
        moved = {key: to for key, to in self.leaving.items() if to is not None}
        found = broken(after, self.places | moved)
        before = reservation(self.scene.cluster, after.final(self.places | moved))
        told = (each for each in found if not each.startswith(("C15", "C16")))
        return any(told) or any(before)  # those who left count in these two

    @property
    def has_cause(self) -> bool:
        """Whether each victim's priority is below that of a placed pod that preempts."""
        placed = [self.scene.pods[key] for key in self.places]
        able = [pod.spec.priority for pod in placed if not pod.spec.preemption_never]
        return all(any(p > v.spec.priority for p in able) for v in self.victims)

    @property
    def keeps_gangs(self) -> bool:
        """Whether a group that loses a member keeps its minimum, or nobody."""
        cluster = self.scene.cluster
        if any(slices(cluster, self.places)):
            return False
        index_of = cluster.group_index
        for index in {index_of[key] for key in self.leaving if key in index_of}:
            group, runs = cluster.snapshot.groups[index], cluster.running(index)
            stay = [s for s in runs if s.pod.key not in self.leaving]
            come = [key for key in self.places if index_of.get(key) == index]
            there = [*(s.pod for s in stay), *(self.scene.pods[key] for key in come)]
            if there and (group.goes_whole or not has_minimums(group, there)):
                return False
            key = group.required_topology
            if key is not None and come:
                ran = {stand.domain(key) for stand in runs} - {None}
                into = {dict(cluster.nodes[self.places[p]].labels).get(key) for p in come}
                if ran and ran != into:
                    return False
        return True

    def beyond_budgets(self) -> int:
        """Evictions that no budget allows, counted for each budget."""
        gone = [self.scene.pods[key] for key in self.leaving]
        total = 0
        for budget in self.scene.snapshot.budgets:
            theirs = [
                pod
                for pod in gone
                if pod.namespace == budget.namespace and selected(budget.selector, dict(pod.labels))
            ]
            total += max(0, len(theirs) - budget.disruptions_allowed)
        return total

    def robbed(self) -> int:
        """Groups that lose a running member."""
        index_of = self.scene.cluster.group_index
        return len({index_of[key] for key in self.leaving if key in index_of})


@dataclass(frozen=True, eq=False)
class Scene:
    """A cluster, and what may be done to it."""

    snapshot: Snapshot
    allowance: Allowance

    @cached_property
    def cluster(self) -> Cluster:
        return Cluster.of(self.snapshot)

    @cached_property
    def window(self) -> Window:
        return pending(self.snapshot)

    @cached_property
    def pods(self) -> dict[Key, Pod]:
        return {pod.key: pod for pod in self.snapshot.pods}

    @cached_property
    def may_go(self) -> dict[Key, tuple[bool, bool]]:
        """Who may go by what is allowed: (as a victim, to another node)."""
        if not self.window.pods and not self.allowance.draining:
            return {}
        found = {}
        for stand in self.cluster.fixed:
            ways = self._as_victim(stand), self._as_moved(stand)
            if self._is_free(stand) and any(ways):
                found[stand.pod.key] = ways
        return {key: ways for key, ways in found.items() if self.company(key) <= found.keys()}

    def company(self, key: Key) -> frozenset[Key]:
        """Who has to leave with a pod: of a group that goes whole, all that run."""
        index = self.cluster.group_index.get(key)
        if index is None or not self.snapshot.groups[index].goes_whole:
            return frozenset({key})
        return frozenset(stand.pod.key for stand in self.cluster.running(index))

    def _is_free(self, stand: Stand) -> bool:
        """Whether the pod runs, on a node of the cluster, and does not belong to that node."""
        owner = stand.pod.owner.kind if stand.pod.owner else ""
        runs = stand.pod.node is not None and not stand.pod.deleting
        return runs and stand.node is not None and owner not in {"DaemonSet", "Node"}

    def _as_victim(self, stand: Stand) -> bool:
        strong = [p.spec.priority for p in self.window.pods if not p.spec.preemption_never]
        index = self.cluster.group_index.get(stand.pod.key)
        if index is not None:
            group = self.snapshot.groups[index]
            if (
                group.problem
                or group.union
                or not has_minimums(group, [s.pod for s in self.cluster.running(index)])
            ):
                return False
        lower = any(priority > stand.pod.spec.priority for priority in strong)
        return self.allowance.preemption and lower

    def _as_moved(self, stand: Stand) -> bool:
        pod = stand.pod
        known = not pod.spec.resource_claims and not any(c.ephemeral for c in pod.spec.claims)
        same = pod.requests == pod.spec.requests
        free = pod.key not in self.cluster.group_index and pod.owner is not None
        return self.allowance.moves_max != 0 and known and same and free

    @cached_property
    def left_alone(self) -> frozenset[Key]:
        """Who might go, but has a part in what is broken already."""
        here = [s for s in self.cluster.fixed if s.pod.key in self.may_go]
        found = {
            stand.pod.key
            for a, b in combinations(here, 2)
            if any(True for text in pairwise(self.cluster, a, b) if not text.startswith("C9"))
            for stand in (a, b)
        }
        for node in self.snapshot.nodes:
            crowd = [s for s in self.cluster.fixed if s.node is node]
            for stand in (s for s in here if s.node is node):
                if self._is_crowded(stand, crowd, dict(node.allocatable)):
                    found.add(stand.pod.key)
        return frozenset(key for key in self.may_go if self.company(key) & found)

    def _is_crowded(self, stand: Stand, crowd: list[Stand], room: dict[str, int]) -> bool:
        """Whether the node holds too many pods, or too much of what the pod takes."""
        over = [
            resource
            for resource, amount in stand.requests.items()
            if amount > 0
            and sum(s.requests.get(resource, 0) for s in crowd) > room.get(resource, 0)
        ]
        storage, node = self.cluster.storage, stand.node
        assert node is not None
        others = [storage.attached(s.pod, node) for s in crowd if s is not stand]
        volumes = storage.attachments(node).union(*others, storage.attached(stand.pod, node))
        for driver, handle in storage.attached(stand.pod, node):
            limit = storage.limit(node, driver)
            total = sum(d == driver for d, _ in volumes)
            unshared = (driver, handle) not in storage.attachments(node)
            if limit is not None and total > limit and unshared:
                over.append(driver)
        return bool(over) or len(crowd) > room.get("pods", 0)

    @cached_property
    def ways(self) -> int:
        """How many ways there are, allowed or not."""
        names = [node.name for node in self.snapshot.nodes]
        kept = prod(len(self._ways(key, names)) for key in self.may_go)
        placed: int = (len(names) + 1) ** len(self.window.pods)
        return kept * placed

    def outcomes(self) -> Iterator[Outcome]:
        """Every way that is allowed and breaks no rule."""
        for leaving in self._leavings():
            moves = sum(to is not None for to in leaving.values())
            limit = self.allowance.moves_max
            if limit is None or moves <= limit:
                yield from self._placements(leaving)

    def all_ways(self) -> Iterator[tuple[dict[Key, str | None], Places]]:
        """Every way for those who may go and for those who wait, whatever it breaks."""
        names = [None, *(node.name for node in self.snapshot.nodes)]
        for leaving in self._leavings():
            for choice in product(names, repeat=len(self.window.pods)):
                asked = zip(self.window.pods, choice, strict=True)
                yield leaving, {pod.key: node for pod, node in asked if node is not None}

    def _leavings(self) -> Iterator[dict[Key, str | None]]:
        names = [node.name for node in self.snapshot.nodes]
        touched = [key for key in self.may_go if key not in self.left_alone]
        for chosen in product(*(self._ways(key, names) for key in touched)):
            ways = zip(touched, chosen, strict=True)
            yield {key: None if to == GONE else to for key, to in ways if to != STAYS}

    def _ways(self, key: Key, names: list[str]) -> list[str]:
        victim, moved = self.may_go[key]
        elsewhere = [name for name in names if name != self.pods[key].node]
        return [STAYS, *([GONE] if victim else []), *(elsewhere if moved else [])]

    def _placements(self, leaving: Mapping[Key, str | None]) -> Iterator[Outcome]:
        """Every way to place the pending pods in the cluster that then is."""
        after = Cluster.of(self.after(leaving))
        names = [node.name for node in self.snapshot.nodes]
        ways = [[None, *names] if pod.key in after.allowed else [None] for pod in self.window.pods]
        for choice in product(*ways):
            asked = zip(self.window.pods, choice, strict=True)
            places = {pod.key: node for pod, node in asked if node is not None}
            outcome = Outcome(leaving, places, self)
            if outcome.has_cause and outcome.keeps_gangs and not outcome.breaks_rules(after):
                yield outcome

    def after(self, leaving: Mapping[Key, str | None]) -> Snapshot:
        """The cluster without the victims, and with the moved pods pending."""
        victims = {key for key, to in leaving.items() if to is None}
        return replace(
            self.snapshot,
            pods=tuple(
                replace(pod, node=None, phase="Pending") if pod.key in leaving else pod
                for pod in self.snapshot.pods
                if pod.key not in victims
            ),
        )


def optimum(scene: Scene) -> dict[str, frozenset[int]]:
    """The tiers down to disruption, with the values that they have in best plans.

    That is one value; but what pods that do not preempt get without more victims is only the least
    they get, if others who do preempt leave room later.
    """
    left = list(scene.outcomes())
    touched = [scene.pods[key] for key in scene.may_go]
    weak = {k for k, ways in scene.may_go.items() if ways[0]} - scene.left_alone
    priorities = sorted({pod.spec.priority for pod in (*scene.window.pods, *touched)}, reverse=True)
    for priority in priorities:
        left = _least(left, _victims_of(priority))
        lower = {p for p in (scene.pods[k].spec.priority for k in weak) if p < priority}
        mild = [pod for pod in scene.window.pods if pod.spec.preemption_never]
        narrowed = left
        if lower and any(pod.spec.priority == priority for pod in mild):
            left = _most(left, partial(Outcome.placed, priority=priority, preempting=True))
            narrowed = left
            for below in sorted(lower, reverse=True):
                narrowed = _least(narrowed, _victims_of(below))
        value = max(outcome.placed(priority) for outcome in narrowed)
        left = [outcome for outcome in left if outcome.placed(priority) >= value]
    left = _least(left, Outcome.beyond_budgets)
    left = _least(left, lambda outcome: len(outcome.leaving))
    found = {f"placed/priority={p}": frozenset(o.placed(p) for o in left) for p in priorities}
    found["disruption/budgets"] = frozenset({left[0].beyond_budgets()})
    found["disruption"] = frozenset({len(left[0].leaving)})
    if scene.allowance.preemption:
        found["disruption/gangs"] = frozenset({min(outcome.robbed() for outcome in left)})
    return found


def _victims_of(priority: int) -> Callable[[Outcome], int]:
    return lambda outcome: sum(pod.spec.priority == priority for pod in outcome.victims)


def _least(outcomes: list[Outcome], measure: Callable[[Outcome], int]) -> list[Outcome]:
    values = [measure(outcome) for outcome in outcomes]
    least = min(values)
    return [o for o, value in zip(outcomes, values, strict=True) if value == least]


def _most(outcomes: list[Outcome], measure: Callable[[Outcome], int]) -> list[Outcome]:
    return _least(outcomes, lambda outcome: -measure(outcome))
