"""Filters that read the node alone: unschedulable, name, taints, node affinity, declared features.

Source plugins: NodeUnschedulable, NodeName, TaintToleration, NodeAffinity, NodeDeclaredFeatures.
"""

import numpy as np

from batchsched.feasibility.columns import BoolArray, distinct
from batchsched.feasibility.node_terms import NAME_FIELD
from batchsched.feasibility.scene import Scene, Verdict, refusal, stacked
from batchsched.feasibility.taints import KEEP_OUT, intolerable, tolerates
from batchsched.snapshot.labels import IN
from batchsched.snapshot.node import Taint
from batchsched.snapshot.pod import NO_SCHEDULE, PodSpec

__all__ = [
    "intolerable",
    "named_nodes",
    "node_affinity",
    "node_declared_features",
    "node_name",
    "node_names",
    "node_unschedulable",
    "taint_toleration",
]

UNSCHEDULABLE = "node(s) were unschedulable"
WRONG_NAME = "node(s) didn't match the requested node name"
UNTOLERATED = "node(s) had untolerated taint(s)"
NODE_AFFINITY = "node(s) didn't match Pod's node affinity/selector"
NOT_NAMED = "node(s) didn't satisfy plugin(s) [NodeAffinity]"
AFFINITY_CONFLICT = "pod affinity terms conflict"
FEATURES = "node(s) didn't match Pod's required features"

_CORDONED = Taint("node.kubernetes.io/unschedulable", "", NO_SCHEDULE)


def node_unschedulable(scene: Scene) -> Verdict:
    """NodeUnschedulable: a cordoned node takes only pods that tolerate the cordon's taint."""
    kinds, kind = scene.kinds(c.spec.tolerations for c in scene.classes)
    cordoned = np.array([node.unschedulable for node in scene.nodes], dtype=np.bool_)
    bound = [not any(tolerates(t, _CORDONED) for t in c.spec.tolerations) for c in kinds]
    return refusal(np.outer(np.array(bound, dtype=np.bool_), cordoned), kind, UNSCHEDULABLE)


def node_name(scene: Scene) -> Verdict:
    """NodeName: a pod that names a node goes nowhere else."""
    kinds, kind = scene.kinds(c.spec.node_name for c in scene.classes)
    masks = [
        ~scene.terms.named([c.spec.node_name]) if c.spec.node_name else scene.none() for c in kinds
    ]
    return refusal(stacked(masks, len(scene.nodes)), kind, WRONG_NAME)


def taint_toleration(scene: Scene) -> Verdict:
    """TaintToleration: NoSchedule and NoExecute keep out who does not tolerate them."""
    kinds, kind = scene.kinds(c.spec.tolerations for c in scene.classes)
    masks = [scene.terms.intolerable(c.spec.tolerations, KEEP_OUT) > 0 for c in kinds]
    return refusal(stacked(masks, len(scene.nodes)), kind, UNTOLERATED)


def node_affinity(scene: Scene) -> Verdict:
    """NodeAffinity: nodeSelector and required node affinity."""
    kinds, kind = scene.kinds((c.spec.node_selector, c.spec.node_affinity) for c in scene.classes)
    masks = [~eligible(scene, c.spec) for c in kinds]
    return refusal(stacked(masks, len(scene.nodes)), kind, NODE_AFFINITY)


def eligible(scene: Scene, spec: PodSpec) -> BoolArray:
    """[N] whether the node passes the pod's nodeSelector and required node affinity."""
    return scene.terms.required(spec.node_selector, spec.node_affinity)


def named_nodes(spec: PodSpec) -> frozenset[str] | None:
    """The nodes to which node affinity narrows a pod down by name, or ``None`` where it does not.

    Every term has to name nodes for that; an empty set says that the terms contradict themselves.
    """
    if not spec.node_affinity:
        return None
    found: set[str] = set()
    for term in spec.node_affinity:
        named = [r.values for r in term.fields if r.key == NAME_FIELD and r.operator == IN]
        if not named:
            return None
        found |= frozenset(named[0]).intersection(*named[1:])
    return frozenset(found)


def node_names(scene: Scene) -> Verdict:
    """NodeAffinity's PreFilter: where affinity names nodes, no other node is looked at."""
    kinds, kind = scene.kinds(named_nodes(c.spec) for c in scene.classes)
    names = [named_nodes(c.spec) for c in kinds]
    masks = [~scene.terms.named(sorted(each)) if each else scene.none() for each in names]
    return refusal(stacked(masks, len(scene.nodes)), kind, NOT_NAMED)


def node_declared_features(scene: Scene) -> Verdict:
    """NodeDeclaredFeatures: the node declares every feature that the pod needs."""
    kinds, kind = scene.kinds(c.spec.features for c in scene.classes)
    features, of_node = distinct(node.features for node in scene.nodes)
    lacking = [[not set(c.spec.features) <= set(each) for each in features] for c in kinds]
    table = np.array(lacking, dtype=np.bool_).reshape(len(kinds), len(features))
    return refusal(table[:, of_node], kind, FEATURES)
