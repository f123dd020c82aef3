"""What a scheduler that decides pod by pod can place at best: the yardstick of the cases.

Each pod in turn, highest priority first, goes to the feasible node that is least allocated
(kube-scheduler's default score); a gang is tried whole when its first pod's turn comes and undone
if it falls short. Ties are tried all ways, so the figure is what no luck improves.
"""

from batchsched.snapshot.pod import Pod
from tests.oracles.cluster import Cluster, Places, Stand
from tests.oracles.rules import (
    affinity,
    capacity,
    node_rules,
    pairwise,
    spread,
    volume_binding,
    volume_limits,
)
from tests.oracles.scores import used

UNSET = {"cpu": 100, "memory": 200 * 1024**2}
ENDINGS_MAX = 2_000


def greedy_placed(cluster: Cluster) -> int:
    """The most pods that a LeastAllocated scheduler places, over all ways to break ties."""
    ends: set[frozenset[tuple[tuple[str, str], str]]] = {frozenset()}
    for batch in _batches(cluster):
        ends = {after for before in ends for after in _after(cluster, dict(before), batch)}
        if len(ends) > ENDINGS_MAX:
            raise AssertionError("too many ties: give the nodes different sizes")
    return max(map(len, ends))


def _batches(cluster: Cluster) -> list[list[Pod]]:
    """Pods one by one, gangs together at their first pod's turn."""
    queue = sorted(cluster.pods, key=lambda pod: (-pod.spec.priority, pod.created, pod.key))
    found: dict[object, list[Pod]] = {}
    for pod in queue:
        group = cluster.group_index.get(pod.key)
        found.setdefault(pod.key if group is None else group, []).append(pod)
    return list(found.values())


def _after(
    cluster: Cluster, before: Places, batch: list[Pod]
) -> set[frozenset[tuple[tuple[str, str], str]]]:
    """All states that one batch can end in."""
    states = [before]
    for pod in batch:
        states = [state for old in states for state in _steps(cluster, old, pod)]
        states = [dict(items) for items in {frozenset(state.items()) for state in states}]
    members = {pod.key for pod in batch}
    needs = [need for g in cluster.groups if members & set(g.members) for need in g.needs]
    kept = [s if all(len(set(who) & set(s)) >= n for n, who in needs) else before for s in states]
    return {frozenset(state.items()) for state in kept}


def _steps(cluster: Cluster, before: Places, pod: Pod) -> list[Places]:
    """The states after one pod: on each of the best nodes, or as before if none is feasible."""
    scored = [
        (_least_allocated(cluster, before, pod, name), before | {pod.key: name})
        for name in cluster.nodes
        if _feasible(cluster, before | {pod.key: name}, pod)
    ]
    best = max((score for score, _ in scored), default=0)
    return [state for score, state in scored if score == best] or [before]


def _feasible(cluster: Cluster, places: Places, pod: Pod) -> bool:
    """Whether kube-scheduler's filters would let this pod come last."""
    state = cluster.final(places)
    me = next(stand for stand in state if stand.pod is pod)
    wrong = [
        *node_rules(cluster, {pod.key: places[pod.key]}),
        *capacity(cluster, state),
        *(w for other in state if other is not me for w in pairwise(cluster, me, other)),
        *affinity(cluster, state, me),
        *spread(cluster, state, me),
        *volume_limits(cluster, state),
        *volume_binding(cluster, state),
    ]
    return not wrong


def _least_allocated(cluster: Cluster, before: Places, pod: Pod, name: str) -> int:
    """NodeResourcesFit's LeastAllocated score for cpu and memory."""
    node = cluster.nodes[name]
    me = Stand(pod, node, new=True)
    state = [_with_defaults(stand) for stand in (*cluster.final(before), me)]
    taken, allocatable = used(tuple(state), node), dict(node.allocatable)
    shares = [
        max(0, allocatable[r] - taken.get(r, 0)) * 100 // allocatable[r]
        for r in UNSET
        if allocatable.get(r)
    ]
    return sum(shares) // max(1, len(shares))


class _Weighed(Stand):
    """A stand whose unset requests weigh something, as scoring has it."""

    @property
    def requests(self) -> dict[str, int]:
        return UNSET | super().requests


def _with_defaults(stand: Stand) -> Stand:
    return _Weighed(stand.pod, stand.node, stand.new)
