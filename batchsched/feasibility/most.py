"""How many pods of a class one node takes at most, whatever its room.

What a rule says of one class on one node needs no row: it is a bound of the column. Bounds keep
programs small, and whoever adds them up gets tighter coefficients.
"""

import numpy as np

from batchsched.feasibility.columns import BoolArray, IntArray
from batchsched.feasibility.inter_pod import resolved
from batchsched.feasibility.problem import PodClass
from batchsched.feasibility.scene import Scene
from batchsched.feasibility.selection import PodSelector
from batchsched.feasibility.spread import hard
from batchsched.feasibility.spreading import eligible, lifted
from batchsched.feasibility.volume_restrictions import conflict, exclusive_claims
from batchsched.snapshot.pod import TopologySpread


def most(scene: Scene) -> IntArray:
    """[C, N] a bound on the pods of each class on each node."""
    sizes = [1 if _clashes(scene, c) else c.size for c in scene.classes]
    bound = np.repeat(np.array(sizes, dtype=np.int64)[:, None], len(scene.nodes), axis=1)
    known: dict[object, IntArray] = {}
    for c, pods in enumerate(scene.classes):
        if pods.spec.anti_affinity:
            bound[c, _refusing(scene, c, pods)] = 1
        for constraint in hard(pods):
            if _counts_itself(scene, c, pods, constraint):
                spec = pods.spec
                asked = (spec.node_selector, spec.node_affinity, spec.tolerations, hard(pods))
                key = (constraint, pods.namespace, asked)
                if key not in known:
                    known[key] = _evenly(scene, pods, constraint)
                bound[c] = np.minimum(bound[c], known[key])
    return bound


def _clashes(scene: Scene, pods: PodClass) -> bool:
    """Whether two pods of a class have a port, a disk or a claim in the way of each other."""
    spec = pods.spec
    return (
        bool(spec.host_ports)
        or any(conflict(disk, disk) for disk in spec.disks)
        or (bool(spec.claims) and bool(exclusive_claims(scene, pods.pods[0])))
    )


def _refusing(scene: Scene, index: int, pods: PodClass) -> BoolArray:
    """[N] where pods of a class refuse each other: the node is in a domain of such a term."""
    there = scene.none()
    for key, who in resolved(pods.spec.anti_affinity, pods.namespace):
        if scene.selections.classes(who)[index]:
            there |= scene.topology.domains(key).has_key
    return there


def _counted(pods: PodClass, constraint: TopologySpread) -> PodSelector:
    return PodSelector((pods.namespace,), None, constraint.selector)


def _counts_itself(scene: Scene, index: int, pods: PodClass, constraint: TopologySpread) -> bool:
    """Whether a spread constraint counts the pods that have it; an empty selector counts nobody."""
    if constraint.selector is None or not constraint.selector.requirements:
        return False
    return bool(scene.selections.classes(_counted(pods, constraint))[index])


def _evenly(scene: Scene, pods: PodClass, constraint: TopologySpread) -> IntArray:
    """[N] how many may come where the emptiest domain gets as full as it can."""
    domains = scene.topology.domains(constraint.topology_key)
    inside = eligible(scene.topology, pods.spec, constraint)
    who = _counted(pods, constraint)
    staying = scene.selections.fixed(who) & scene.fixed.staying & (scene.fixed_node >= 0)
    nodes = scene.fixed_node[staying]
    held = np.bincount(domains.of_node[nodes[inside[nodes]]], minlength=len(domains))
    counted = np.flatnonzero(scene.selections.classes(who))
    coming = sum(scene.classes[c].size for c in counted.tolist())
    present = np.unique(domains.of_node[inside])
    least = 0
    if 0 < len(present) >= constraint.min_domains:
        least = lifted(held[present], coming, int(held[present].min()) + coming)
    room = np.maximum(constraint.max_skew + least - held, 0)
    bound = np.full(len(scene.nodes), np.iinfo(np.int64).max)
    bound[inside] = room[domains.of_node[inside]]
    return bound
