"""What can still become of a half-made plan: valid early cuts for the exhaustive search.

Affinity, spread and gangs look at many pods and can be mended by a pod yet to come, so they are
asked here optimistically: everybody undecided may still come, wherever it helps.
"""

from collections.abc import Iterable

from batchsched.snapshot.pod import Pod
from tests.oracles.cluster import Cluster, Places, Stand
from tests.oracles.rules import counted, eligible, matches_all


class Outlook:
    """Facts about one cluster that do not change during a search."""

    def __init__(self, cluster: Cluster, pods: list[Pod]) -> None:
        self.cluster, self.pods = cluster, pods
        self.index = {pod.key: i for i, pod in enumerate(pods)}
        self.groups = [
            (
                {self.index[k] for k in g.members},
                [(n, {self.index[k] for k in w}) for n, w in g.needs],
            )
            for g in cluster.groups
        ]
        self.domain = {
            (node.name, key): value for node in cluster.snapshot.nodes for key, value in node.labels
        }
        self.affinities = {i: self._affinity(i) for i, p in enumerate(pods) if p.spec.affinity}
        self.spreads = {i: self._spreads(i) for i in range(len(pods))}

    def placeable_groups(self, places: Places, candidates: list[int]) -> list[int]:
        """The candidates, less those of gangs that cannot reach their minimum any more."""
        left = set(candidates)
        for members, needs in self.groups:
            for need, who in needs:
                placed = sum(self.pods[i].key in places for i in who)
                if placed + len(who & left) < need:
                    left -= members
        return sorted(left)

    def possible(self, places: Places, decided: int) -> bool:
        """Whether gangs, affinity and spread can still be kept; ``decided`` pods are decided."""
        there = {self.index[key] for key in places}
        for members, needs in self.groups:
            for need, who in needs if members & there else ():
                if len(who & there) + sum(i >= decided for i in who) < need:
                    return False
        placed_pods = [(self.index[key], node) for key, node in places.items()]
        return all(
            self._met(i, node, placed_pods, decided) and self._level(i, node, placed_pods, decided)
            for i, node in placed_pods
        )

    def _affinity(self, i: int) -> tuple[list[str], set[int], list[Stand], bool]:
        """Keys, pods and fixed pods that meet the terms of pod ``i``, and if it does itself."""
        pod = self.pods[i]
        keys = sorted({term.topology_key for term in pod.spec.affinity})
        others = {
            j for j, q in enumerate(self.pods) if j != i and matches_all(self.cluster, pod, q)
        }
        fixed = [
            stand
            for stand in self.cluster.fixed
            if any(stand.domain(key) is not None for key in keys)
            and matches_all(self.cluster, pod, stand.pod)
        ]
        return keys, others, fixed, matches_all(self.cluster, pod, pod)

    def _met(self, i: int, node: str, placed: list[tuple[int, str]], decided: int) -> bool:
        if i not in self.affinities:
            return True
        keys, others, fixed, itself = self.affinities[i]
        if any(j >= decided for j in others):
            return True
        present = [
            n for j, n in placed if j in others and any((n, key) in self.domain for key in keys)
        ]
        if not present and not fixed:
            return itself
        return all(
            any(self.domain.get((n, key)) == self.domain[node, key] for n in present)
            or any(stand.domain(key) == self.domain[node, key] for stand in fixed)
            for key in keys
        )

    def _spreads(
        self, i: int
    ) -> list[tuple[str, int, int, dict[str, str], dict[str, int], set[int]]]:
        """For each hard constraint: key, skew, minimum, domains, fixed counts, pods it counts."""
        pod, found = self.pods[i], []
        for constraint in pod.spec.spread:
            if constraint.hard:
                key = constraint.topology_key
                nodes = {
                    n.name: dict(n.labels)[key] for n in eligible(self.cluster, pod, constraint)
                }
                base = dict.fromkeys(nodes.values(), 0)
                for stand in self.cluster.fixed:
                    if (
                        stand.node is not None
                        and stand.node.name in nodes
                        and counted(constraint.selector, pod.namespace, stand.pod)
                    ):
                        base[nodes[stand.node.name]] += 1
                members = {
                    j
                    for j, q in enumerate(self.pods)
                    if counted(constraint.selector, pod.namespace, q)
                }
                found.append(
                    (key, constraint.max_skew, constraint.min_domains, nodes, base, members)
                )
        return found

    def _level(self, i: int, node: str, placed: list[tuple[int, str]], decided: int) -> bool:
        for _key, skew, least_domains, nodes, base, members in self.spreads[i]:
            found = dict(base)
            for j, n in placed:
                if j in members and n in nodes:
                    found[nodes[n]] += 1
            to_come = sum(j >= decided for j in members)
            least = 0 if len(found) < least_domains else raised(found.values(), to_come)
            if found[nodes[node]] - least > skew:
                return False
        return True


def raised(counts: Iterable[int], more: int) -> int:
    """The greatest minimum that ``more`` pods can make, poured into the lowest domains."""
    levels = sorted(counts)
    for _ in range(more):
        levels[0] += 1
        levels.sort()
    return levels[0]
