"""PodTopologySpread, the hard constraints: the skew that one more pod would make.

Counts pods of the pod's own namespace that are not terminating, on nodes that carry the keys of all
the pod's hard constraints and that the constraint's policies include. Domains without any pod count
in the minimum. An empty selector counts nobody, and yet matches the pod itself.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from batchsched.feasibility.columns import BoolArray, IntArray
from batchsched.feasibility.problem import PodClass
from batchsched.feasibility.scene import Scene, Verdict, refusal, stacked
from batchsched.feasibility.selection import PodSelector
from batchsched.feasibility.spreading import eligible
from batchsched.snapshot.pod import TopologySpread

SPREAD = "node(s) didn't match pod topology spread constraints"
SPREAD_LABEL = SPREAD + " (missing required label)"
_PASS, _LABEL, _SKEW = 0, 1, 2

Codes: TypeAlias = npt.NDArray[np.int32]


def hard(pod_class: PodClass) -> tuple[TopologySpread, ...]:
    """The hard constraints of a class."""
    return tuple(constraint for constraint in pod_class.spec.spread if constraint.hard)


def pod_topology_spread(scene: Scene) -> Verdict:
    """PodTopologySpread: constraints in order, the first one that fails gives the reason."""
    keys = [_key(scene, i, c) for i, c in enumerate(scene.classes)]
    kinds, kind = scene.kinds(keys)
    rows = [
        _codes(scene, each, key[0]) for each, key in zip(kinds, dict.fromkeys(keys), strict=True)
    ]
    codes = np.array(rows, dtype=np.int32).reshape(len(kinds), len(scene.nodes))
    return Verdict(codes, kind, ((), (SPREAD_LABEL,), (SPREAD,)))


def _key(scene: Scene, index: int, pod_class: PodClass) -> tuple[tuple[bool, ...], object]:
    """What the filter reads of a class, first whether it matches each of its own constraints."""
    constraints = hard(pod_class)
    if not constraints:
        return ((), None)
    spec, selections = pod_class.spec, scene.selections
    own = tuple(bool(selections.classes(_who(pod_class, c))[index]) for c in constraints)
    policies = (spec.node_selector, spec.node_affinity, spec.tolerations)
    return (own, (pod_class.namespace, constraints, policies))


def _who(owner: PodClass, constraint: TopologySpread) -> PodSelector:
    """The pods that a constraint is about: those of the owner's namespace."""
    return PodSelector((owner.namespace,), None, constraint.selector)


def _codes(scene: Scene, owner: PodClass, own: tuple[bool, ...]) -> Codes:
    """[N] the code of one kind."""
    codes = np.zeros(len(scene.nodes), dtype=np.int32)
    for constraint, itself in zip(hard(owner), own, strict=True):
        domains = scene.topology.domains(constraint.topology_key)
        counted = eligible(scene.topology, owner.spec, constraint)
        skew = _skew(scene, owner, constraint, counted) + int(itself)
        skewed = skew[domains.of_node] > constraint.max_skew
        codes[(codes == _PASS) & ~domains.has_key] = _LABEL
        codes[(codes == _PASS) & skewed] = _SKEW
    return codes


def _skew(
    scene: Scene, owner: PodClass, constraint: TopologySpread, counted: BoolArray
) -> IntArray:
    """[D + 1] pods of each domain above the least; the last entry is for nodes without the key."""
    domains = scene.topology.domains(constraint.topology_key)
    counts = np.zeros(len(domains) + 1, dtype=np.int64)
    if constraint.selector is not None and constraint.selector.requirements:
        matching = scene.selections.fixed(_who(owner, constraint)) & scene.fixed.staying
        at = scene.fixed_node[matching & (scene.fixed_node >= 0)]
        np.add.at(counts, domains.of_node[at[counted[at]]], 1)
    present = np.unique(domains.of_node[counted])
    enough = len(present) >= max(constraint.min_domains, 1)
    return counts - (counts[present].min() if enough else 0)


def spread_keys(scene: Scene) -> Verdict:
    """The part of the filter that no other pod can change: the node carries every key."""
    kinds, kind = scene.kinds(tuple(s.topology_key for s in hard(c)) for c in scene.classes)
    masks = []
    for each in kinds:
        lacking = scene.none()
        for constraint in hard(each):
            lacking |= ~scene.topology.domains(constraint.topology_key).has_key
        masks.append(lacking)
    return refusal(stacked(masks, len(scene.nodes)), kind, SPREAD_LABEL)
