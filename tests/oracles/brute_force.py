"""The optimum by exhaustion: every assignment of the pods, less what cannot matter.

A depth-first search over pods, highest priority first, each tried on every node and then on none.
It leaves out only what is proven useless: pods of one kind are interchangeable, so their nodes
ascend; a branch that can no longer reach the best counts is cut; and a branch in which a rule is
broken for good is cut. Whether an assignment is valid is said by ``rules.broken`` at the leaf, so a
cut that is too weak costs time only.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from batchsched.snapshot.pod import Pod
from tests.oracles.cluster import Cluster, Places, Stand, part_of
from tests.oracles.outlook import Outlook
from tests.oracles.reserved import held_back
from tests.oracles.rules import broken, pairwise, volume_binding, volume_limits
from tests.oracles.scores import is_small_better, tiers

NOWHERE = -1


class TooLargeError(Exception):
    """The search would take longer than a test may."""


@dataclass
class Optimum:
    """The best tiers and a plan that has them."""

    tiers: dict[str, int]
    places: Places
    visited: int
    leaves: int


@dataclass
class Branch:
    """Where the search stands; ``blocked`` and ``chosen`` are bit sets of (pod, node) cells."""

    places: Places = field(default_factory=dict)
    blocked: int = 0
    free: list[list[int]] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)


class Search:
    """One exhaustive search over one cluster."""

    def __init__(self, cluster: Cluster, visits_max: int) -> None:
        self.cluster, self.visits_max = cluster, visits_max
        self.nodes = cluster.snapshot.nodes
        kinds = {pod.key: kind_of(cluster, pod) for pod in cluster.pods}
        order = sorted(set(map(repr, kinds.values())))
        rank = {text: i for i, text in enumerate(order)}
        self.pods = sorted(
            cluster.pods,
            key=lambda p: (-p.spec.priority, self._group(p), rank[repr(kinds[p.key])], p.key),
        )
        self.same = [
            i > 0 and kinds[pod.key] == kinds[self.pods[i - 1].key]
            for i, pod in enumerate(self.pods)
        ]
        self.priorities = sorted({p.spec.priority for p in cluster.pods}, reverse=True)
        self.outlook = Outlook(cluster, self.pods)
        self.resources = sorted({r for pod in self.pods for r, _ in pod.spec.requests})
        self.requests = [self._vector(dict(pod.spec.requests)) for pod in self.pods]
        self.stands = [[Stand(pod, node, new=True) for node in self.nodes] for pod in self.pods]
        self.options = [self._options(i) for i in range(len(self.pods))]
        self.clashes = self._clashes()
        self.has_volumes = any(pod.spec.claims or pod.spec.inline_volumes for pod in self.pods)
        self.visited = self.leaves = 0

    def leaves_at_least(self, best: list[int]) -> Iterator[Places]:
        """Every valid assignment with counts not below ``best``, which the caller may raise."""
        yield from self._search(0, NOWHERE, self._root(), best)

    def count(self, places: Places) -> list[int]:
        """Placed pods by priority, highest first."""
        return [
            sum(pod.key in places for pod in self.pods if pod.spec.priority == priority)
            for priority in self.priorities
        ]

    def _search(self, i: int, before: int, branch: Branch, best: list[int]) -> Iterator[Places]:
        self.visited += 1
        if self.visited > self.visits_max:
            raise TooLargeError(f"{self.visited} branches")
        if self._reachable(i, branch) < best or not self._open(i, branch):
            return
        if i == len(self.pods):
            if not any(broken(self.cluster, branch.places)):
                self.leaves += 1
                yield dict(branch.places)
            return
        first = before if self.same[i] else 0
        for n in self.options[i] if first != NOWHERE or not self.same[i] else ():
            if n >= first and self._fits(i, n, branch):
                yield from self._search(i + 1, n, self._take(i, n, branch), best)
        yield from self._search(i + 1, NOWHERE, branch, best)

    def _reachable(self, i: int, branch: Branch) -> list[int]:
        """The counts if everyone who fits alone, among those not decided yet, were placed."""
        found = self.count(branch.places)
        places = self.outlook.placeable_groups(
            branch.places,
            [
                j
                for j in range(i, len(self.pods))
                if any(self._fits(j, n, branch) for n in self.options[j])
            ],
        )
        for j in places:
            found[self.priorities.index(self.pods[j].spec.priority)] += 1
        return found

    def _open(self, i: int, branch: Branch) -> bool:
        """Whether the rules that look at many pods can still be kept."""
        if not self.outlook.possible(branch.places, i):
            return False
        if not self.has_volumes or not branch.places:
            return True
        state = self.cluster.final(branch.places)
        return not any(volume_limits(self.cluster, state)) and not any(
            volume_binding(self.cluster, state)
        )

    def _fits(self, i: int, n: int, branch: Branch) -> bool:
        if branch.blocked >> (i * len(self.nodes) + n) & 1 or branch.counts[n] < 1:
            return False
        return all(q == 0 or q <= f for q, f in zip(self.requests[i], branch.free[n], strict=True))

    def _take(self, i: int, n: int, branch: Branch) -> Branch:
        free, counts = list(branch.free), list(branch.counts)
        free[n] = [f - q for q, f in zip(self.requests[i], free[n], strict=True)]
        counts[n] -= 1
        places = branch.places | {self.pods[i].key: self.nodes[n].name}
        return Branch(places, branch.blocked | self.clashes[i, n], free, counts)

    def _root(self) -> Branch:
        free, counts = [], []
        for node in self.nodes:
            here = [stand for stand in self.cluster.fixed if stand.node is node]
            taken = [sum(s.requests.get(r, 0) for s in here) for r in self.resources]
            room = self._vector(dict(node.allocatable))
            free.append([a - t for a, t in zip(room, taken, strict=True)])
            counts.append(dict(node.allocatable).get("pods", 0) - len(here))
        return Branch({}, 0, free, counts)

    def _vector(self, amounts: dict[str, int]) -> list[int]:
        return [amounts.get(r, 0) for r in self.resources]

    def _group(self, pod: Pod) -> int:
        return self.cluster.group_index.get(pod.key, NOWHERE)

    def _options(self, i: int) -> list[int]:
        """The nodes that node rules and fixed pods leave a pod."""
        allowed = self.cluster.allowed[self.pods[i].key]
        return [
            n
            for n, node in enumerate(self.nodes)
            if node.name in allowed
            and not any(
                clash
                for fixed in self.cluster.fixed
                for clash in pairwise(self.cluster, self.stands[i][n], fixed)
            )
        ]

    def _clashes(self) -> dict[tuple[int, int], int]:
        """For each cell the set of cells that it excludes."""
        cells = [(i, n) for i, options in enumerate(self.options) for n in options]
        found = dict.fromkeys(cells, 0)
        for at, (i, n) in enumerate(cells):
            for j, m in cells[at + 1 :]:
                if i != j and any(pairwise(self.cluster, self.stands[i][n], self.stands[j][m])):
                    found[i, n] |= 1 << (j * len(self.nodes) + m)
                    found[j, m] |= 1 << (i * len(self.nodes) + n)
        return found


def kind_of(cluster: Cluster, pod: Pod) -> object:
    """What pods must have in common to be interchangeable: all but their names.

    An ephemeral claim is the pod's own, and so is a place reserved for its uid.
    """
    own = (pod.key,) if any(ref.ephemeral for ref in pod.spec.claims) or pod.claim_names else ()
    nameless = replace(pod, name="", uid="", created="", annotations=())
    made = cluster.snapshot.reservation
    late = made is not None and held_back(pod, made)
    return nameless, cluster.group_index.get(pod.key), part_of(pod), own, late


def placed_optimum(cluster: Cluster, visits_max: int = 1_000_000) -> Optimum:
    """The optimum of the placed tiers alone."""
    search = Search(cluster, visits_max)
    best, places = [-1] * len(search.priorities), {}
    for found in search.leaves_at_least(best):
        places = found
        best[:] = search.count(found)
        if not best:
            break
        best[-1] += 1  # from here on only what is better
    values = tiers(cluster, places)
    return Optimum(
        {name: value for name, value in values.items() if name.startswith("placed/")},
        places,
        search.visited,
        search.leaves,
    )


def full_optimum(
    cluster: Cluster, packing: str = "fewest-nodes", visits_max: int = 300_000
) -> Optimum:
    """The optimum of every tier."""
    search = Search(cluster, visits_max)
    best: list[int] = [-1] * len(search.priorities)
    champion: tuple[tuple[int, ...], dict[str, int], Places] | None = None
    for places in search.leaves_at_least(best):
        best[:] = search.count(places)
        values = tiers(cluster, places, packing)
        rank = tuple(-v if is_small_better(name) else v for name, v in values.items())
        if champion is None or rank > champion[0]:
            champion = rank, values, places
    if champion is None:
        raise AssertionError("placing nothing is always valid")
    return Optimum(champion[1], champion[2], search.visited, search.leaves)
