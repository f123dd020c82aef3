"""Draining by exhaustion: every way to move and to place, and every order of steps.

The end of each way is judged by the oracles of plans; then all orders are gone through, step by
step, each judged by the oracles on the cluster as it then is. Source: §O4 of
models/placement/FORMULATION.md.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot
from tests.oracles.cluster import Cluster, Key
from tests.oracles.evicting import Outcome, Scene
from tests.oracles.reading import selected
from tests.oracles.rules import broken


@dataclass(frozen=True, eq=False)
class Drains:
    """A cluster, how many pods may move that leave no empty node, and who has to have a place."""

    snapshot: Snapshot
    moves_max: int | None
    bound: frozenset[Key]

    @cached_property
    def scene(self) -> Scene:
        return Scene(self.snapshot, Allowance(moves_max=None, draining=True))

    def most(self) -> int:
        """The most empty nodes that can be reached step by step."""
        best = 0
        for end in self._ends:
            empty = len(self._empty(end))
            if empty > best and self._reachable(end):
                best = empty
        return best

    @cached_property
    def _ends(self) -> list[Outcome]:
        return [each for each in self.scene.outcomes() if self._allowed(each)]

    def _allowed(self, end: Outcome) -> bool:
        """Whether everybody leaves who may, for an empty node, or to make room."""
        pods, empty = self.scene.pods, self._empty(end)
        helping = [key for key in end.leaving if pods[key].node not in empty]
        few = self.moves_max is None or len(helping) <= self.moves_max
        few = few and end.places.keys() == self.bound
        return few and all(self._evictable(pods[key]) for key in end.leaving)

    def _evictable(self, pod: Pod) -> bool:
        own = self._budgets(pod)
        return len(own) < 2 and all(allowed > 0 for _, allowed in own)

    def _budgets(self, pod: Pod) -> list[tuple[str, int]]:
        return [
            (budget.name, budget.disruptions_allowed)
            for budget in self.snapshot.budgets
            if budget.namespace == pod.namespace and selected(budget.selector, dict(pod.labels))
        ]

    def _empty(self, end: Outcome) -> set[str]:
        stays = {
            stand.pod.key: stand.node.name
            for stand in self.scene.cluster.fixed
            if stand.node is not None and not stand.pod.deleting
        }
        moved = {key: to for key, to in end.leaving.items() if to is not None}
        used = {
            node
            for key, node in {**stays, **moved, **end.places}.items()
            if _occupies(self.scene.pods[key])
        }
        return {node.name for node in self.snapshot.nodes} - used

    def _reachable(self, end: Outcome) -> bool:
        """Whether some order of valid steps leads there."""
        moved = {key: to for key, to in end.leaving.items() if to is not None}
        left = {self.scene.pods[key].node for key in moved} & self._empty(end)
        nodes = tuple(
            replace(n, unschedulable=n.unschedulable or n.name in left) for n in self.snapshot.nodes
        )
        cluster = replace(self.snapshot, nodes=nodes)
        seen: set[frozenset[Key]] = set()
        everywhere = {**moved, **end.places}

        def walk(done: frozenset[Key]) -> bool:
            if len(done) == len(everywhere):
                return True
            if done in seen:
                return False
            seen.add(done)
            return any(
                self._holds(cluster, {key: everywhere[key] for key in done}, step)
                and walk(done | frozenset(step))
                for step in self._steps(end, moved, done)
            )

        return walk(frozenset())

    def _steps(
        self, end: Outcome, moved: Mapping[Key, str], done: frozenset[Key]
    ) -> Iterator[dict[Key, str]]:
        if end.places and not end.places.keys() <= done:
            yield dict(end.places)
        by_node: dict[str | None, list[Key]] = {}
        for key in sorted(moved.keys() - done):
            by_node.setdefault(self.scene.pods[key].node, []).append(key)
        for keys in by_node.values():
            for size in range(len(keys), 0, -1):
                for chosen in combinations(keys, size):
                    if self._within_budgets(chosen):
                        yield {key: moved[key] for key in chosen}

    def _within_budgets(self, keys: tuple[Key, ...]) -> bool:
        own = [each for key in keys for each in self._budgets_at(key)]
        taken = Counter(own)
        return all(count <= allowed for (_, _, allowed), count in taken.items())

    def _budgets_at(self, key: Key) -> list[tuple[str, str, int]]:
        pod = self.scene.pods[key]
        return [(pod.namespace, name, allowed) for name, allowed in self._budgets(pod)]

    @staticmethod
    def _holds(cluster: Snapshot, done: Mapping[Key, str], step: Mapping[Key, str]) -> bool:
        """Whether a step breaks no rule, with what was done before running."""
        pods = tuple(
            replace(pod, node=done[pod.key], phase="Running", requests=pod.spec.requests)
            if pod.key in done
            else replace(pod, node=None, phase="Pending")
            if pod.key in step
            else pod
            for pod in cluster.pods
        )
        return not any(broken(Cluster.of(replace(cluster, pods=pods)), dict(step)))


def _occupies(pod: Pod) -> bool:
    return pod.owner is None or pod.owner.kind not in {"DaemonSet", "Node"}
