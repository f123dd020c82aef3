"""The filters in kube-scheduler's order: first what rejects a pod on every node, then node by node.

Order as in the default plugins of kube-scheduler 1.36. The first plugin that rejects gives the
reasons; a PreFilter that rejects speaks for all nodes.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from batchsched.feasibility.devices import dynamic_resources, unready_device_claim
from batchsched.feasibility.inter_pod import (
    affinity_keys,
    existing_anti_affinity,
    inter_pod_affinity,
    pod_anti_affinity,
)
from batchsched.feasibility.nodes import (
    AFFINITY_CONFLICT,
    named_nodes,
    node_affinity,
    node_declared_features,
    node_name,
    node_names,
    node_unschedulable,
    taint_toleration,
)
from batchsched.feasibility.ports import node_ports
from batchsched.feasibility.resources import node_resources_fit
from batchsched.feasibility.scene import Reasons, Scene, Verdict
from batchsched.feasibility.spread import pod_topology_spread, spread_keys
from batchsched.feasibility.volume_binding import unready_claim, volume_binding
from batchsched.feasibility.volume_limits import node_volume_limits
from batchsched.feasibility.volume_restrictions import missing_claim, volume_restrictions
from batchsched.feasibility.volume_zone import missing_volume, volume_zone
from batchsched.snapshot.pod import Pod

Filter = Callable[[Scene], Verdict | tuple[Verdict, ...]]

FILTERS: tuple[Filter, ...] = (
    node_names,
    node_unschedulable,
    node_name,
    taint_toleration,
    node_affinity,
    node_ports,
    node_resources_fit,
    volume_restrictions,
    node_volume_limits,
    volume_binding,
    volume_zone,
    pod_topology_spread,
    inter_pod_affinity,
    dynamic_resources,
    node_declared_features,
)
"""What kube-scheduler would say now."""

LASTING: tuple[Filter, ...] = (
    node_names,
    node_unschedulable,
    node_name,
    taint_toleration,
    node_affinity,
    node_ports,
    volume_restrictions,
    node_volume_limits,
    volume_binding,
    volume_zone,
    spread_keys,
    affinity_keys,
    pod_anti_affinity,
    existing_anti_affinity,
    dynamic_resources,
    node_declared_features,
)
"""The parts that no decision about pending pods can change; resources are counted apart."""


def prefilter(scene: Scene, pod: Pod) -> Reasons:
    """Why no node can take the pod now, whatever the node; empty where some might."""
    if named_nodes(pod.spec) == frozenset():
        return (AFFINITY_CONFLICT,)
    if pod.spec.claims:
        reasons = missing_claim(scene, pod) or unready_claim(scene, pod)
        reasons = reasons or missing_volume(scene, pod)
        if reasons:
            return reasons
    return unready_device_claim(scene, pod) if pod.spec.resource_claims else ()


def verdicts(scene: Scene, filters: tuple[Filter, ...]) -> list[Verdict]:
    """What each filter says, leaving out those that reject nobody."""
    found: list[Verdict] = []
    for each in filters:
        said = each(scene)
        found.extend(said if isinstance(said, tuple) else (said,))
    return [verdict for verdict in found if verdict.rejects]


def first_reasons(scene: Scene) -> tuple[npt.NDArray[np.int32], tuple[Reasons, ...]]:
    """What kube-scheduler would say now of every class on every node.

    Returns:
        Codes [C, N] into the tuple of reasons, whose entry 0 is empty: the pod fits.
    """
    codes = np.zeros((len(scene.classes), len(scene.nodes)), dtype=np.int32)
    table: dict[Reasons, int] = {(): 0}
    for i, pods in enumerate(scene.classes):
        codes[i] = table.setdefault(prefilter(scene, pods.pods[0]), len(table))
    for verdict in verdicts(scene, FILTERS):
        lookup = [table.setdefault(reasons, len(table)) for reasons in verdict.reasons]
        said = np.array(lookup, dtype=np.int32)[verdict.codes][verdict.kind]
        np.copyto(codes, said, where=codes == 0)
    return codes, tuple(table)
