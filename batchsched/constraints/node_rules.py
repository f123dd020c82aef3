"""Node rules: what a node alone decides about a pod.

Source: FORMULATION §C13; kube-scheduler's NodeUnschedulable, NodeName, TaintToleration,
NodeAffinity, VolumeZone, NodeDeclaredFeatures, DynamicResources (allocated claims). There is no
column for a pair that breaks one of them, and so nothing to post.
"""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass

from batchsched.feasibility.problem import Problem
from batchsched.plan.reading import cordoned_for, meets_terms, untolerated, wanted_by
from batchsched.plan.state import FinalState, Violation
from batchsched.snapshot.labels import Labels
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod, PodSpec
from batchsched.snapshot.storage import PersistentVolume, ResourceClaim
from batchsched.solver.model import IntArray, Model

_ZONE, _REGION = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"
_SUCCESSOR = {
    "failure-domain.beta.kubernetes.io/zone": _ZONE,
    "failure-domain.beta.kubernetes.io/region": _REGION,
    _ZONE: _ZONE,
    _REGION: _REGION,
}


@dataclass(frozen=True, slots=True)
class NodeRules:
    """A placed pod is on a node that may have it."""

    name: str = "node_rules"

    def post(self, model: Model) -> None:
        """Nothing: candidates hold it."""

    def reads(self, problem: Problem) -> Iterable[IntArray]:
        """Nothing: what it says keeps classes off for good."""
        del problem
        return ()

    def check(self, state: FinalState) -> Iterator[Violation]:
        """Ask each placed pod's node; equal specs on one node are asked once."""
        devices = {(c.namespace, c.name): c for c in state.snapshot.resource_claims}
        answers: dict[Hashable, str | None] = {}
        for placed in state.placed:
            pod, node = placed.pod, placed.node
            labels = state.census.labels[node.name]
            at = (id(pod.spec), node.name)
            if at not in answers:
                answers[at] = _by_spec(pod.spec, node, labels)
            problem = answers[at]
            if problem is None and pod.spec.claims:
                problem = _zone(state, pod, labels)
            if problem is None and pod.spec.resource_claims:
                problem = _devices(pod, devices, node, labels)
            if problem is not None:
                yield Violation(self.name, pod.full_name, node.name, problem)


def _by_spec(spec: PodSpec, node: Node, labels: Labels) -> str | None:
    """What the node and the spec alone say."""
    if cordoned_for(node, spec.tolerations):
        return "the node is unschedulable"
    if spec.node_name and spec.node_name != node.name:
        return f"the pod asks for node {spec.node_name}"
    taint = untolerated(node.taints, spec.tolerations)
    if taint is not None:
        return f"the taint {taint.key}={taint.value}:{taint.effect} is not tolerated"
    if not wanted_by(spec, node.name, labels):
        return "the node does not match the pod's node selector or affinity"
    lacking = [feature for feature in spec.features if feature not in node.features]
    if lacking:
        return f"the node does not declare {', '.join(lacking)}"
    return None


def _zone(state: FinalState, pod: Pod, labels: Labels) -> str | None:
    """Zone and region labels of volumes; a node without any such label is not asked."""
    if not any(label in labels for label in _SUCCESSOR):
        return None
    for ref, claim in state.storage.claims_of(pod):
        volume = state.storage.volume_of(claim) if claim is not None and not ref.ephemeral else None
        if volume is not None and not _in_zone(volume, labels):
            return f"volume {volume.name} is in another zone or region"
    return None


def _in_zone(volume: PersistentVolume, labels: Labels) -> bool:
    for label, value in volume.labels:
        successor = _SUCCESSOR.get(label)
        named = [part.strip() for part in value.split("__")]
        if successor is None or "" in named:
            continue
        if labels.get(label, labels.get(successor)) not in named:
            return False
    return True


def _devices(
    pod: Pod, devices: dict[tuple[str, str], ResourceClaim], node: Node, labels: Labels
) -> str | None:
    """Claims for devices are allocated, and their devices can be used from the node."""
    made = dict(pod.claim_names)
    for name, direct, _ in pod.spec.resource_claims:
        if direct is None and name not in made:
            return f"the claim for {name} has not been made yet"
        actual = direct if direct is not None else made[name]
        if actual is None:
            continue  # none was needed
        claim = devices.get((pod.namespace, actual))
        if claim is None or claim.deleting or not claim.allocated:
            return f"the resource claim {actual} is not there, or not allocated"
        if not meets_terms(claim.node_selector, node.name, labels):
            return f"the resource claim {actual} is allocated elsewhere"
    return None
