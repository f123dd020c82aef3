"""Which nodes a topology spread constraint counts: for the filter, the rule, the preference.

They carry the topology keys of all the pod's constraints of the same strictness, and pass what the
constraint's policies ask (nodeAffinityPolicy, nodeTaintsPolicy).
"""

import numpy as np

from batchsched.feasibility.columns import BoolArray, IntArray
from batchsched.feasibility.problem import Problem
from batchsched.feasibility.taints import KEEP_OUT
from batchsched.feasibility.topology import Topology
from batchsched.snapshot.pod import PodSpec, TopologySpread


def eligible_nodes(problem: Problem, index: int, constraint: TopologySpread) -> BoolArray:
    """[N] the nodes that count for one constraint of the class of this index."""
    return eligible(problem.topology, problem.classes[index].spec, constraint)


def eligible(topology: Topology, spec: PodSpec, constraint: TopologySpread) -> BoolArray:
    """[N] the nodes that count for one constraint of a pod with this spec."""
    mask: BoolArray = topology.terms.any_of(None)
    for each in spec.spread:
        if each.hard == constraint.hard:
            mask = mask & topology.domains(each.topology_key).has_key
    if constraint.honor_node_affinity:
        mask = mask & topology.terms.required(spec.node_selector, spec.node_affinity)
    if constraint.honor_node_taints:
        mask = mask & (topology.terms.intolerable(spec.tolerations, KEEP_OUT) == 0)
    return mask


def lifted(held: IntArray, coming: int, most: int) -> int:
    """How high the least of some counts can rise when so many pods come, ``most`` at the most."""
    low, high = int(held.min()), most
    while low < high:
        middle = (low + high + 1) // 2
        if int(np.maximum(middle - held, 0).sum()) <= coming:
            low = middle
        else:
            high = middle - 1
    return low
