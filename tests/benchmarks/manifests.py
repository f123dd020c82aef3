"""A snapshot as Kubernetes objects: the command is measured on a file, as people have it.

Says what the instances here use, and refuses what it does not know: an export that leaves something
out would be an easier problem. Reading it back gives an equal snapshot; a test holds that.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import orjson

from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.labels import LabelSelector, NodeSelectorTerm, Requirement
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import (
    OwnerRef,
    Pod,
    PodAffinityTerm,
    PodSpec,
    Quantities,
    TopologySpread,
)
from batchsched.snapshot.snapshot import Snapshot

Object = dict[str, Any]
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def export(snapshot: Snapshot) -> bytes:
    """A List of the snapshot's nodes, pod groups and pods, as JSON."""
    specs: dict[int, Object] = {}
    pods = [_pod(pod, specs.setdefault(id(pod.spec), _spec(pod.spec))) for pod in snapshot.pods]
    groups = [_group(group) for group in snapshot.groups]
    items = [*map(_node, snapshot.nodes), *groups, *pods]
    return orjson.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def _node(node: Node) -> Object:
    if node != Node(node.name, node.uid, node.labels, allocatable=node.allocatable):
        raise NotImplementedError(f"more than labels and room on {node.name}")
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": node.name, "uid": node.uid, "labels": dict(node.labels)},
        "status": {"allocatable": _amounts(node.allocatable)},
    }


def _group(group: PodGroup) -> Object:
    spec: Object = {"schedulingPolicy": {"gang": {"minCount": group.min_count}}}
    if group.required_topology is not None:
        spec["schedulingConstraints"] = {"topology": [{"key": group.required_topology}]}
    return {
        "apiVersion": "scheduling.k8s.io/v1beta1",
        "kind": "PodGroup",
        "metadata": {"namespace": group.namespace, "name": group.name},
        "spec": spec,
    }


def _pod(pod: Pod, spec: Object) -> Object:
    metadata: Object = {"namespace": pod.namespace, "name": pod.name, "uid": pod.uid}
    metadata |= {"labels": dict(pod.labels)} if pod.labels else {}
    metadata |= {"creationTimestamp": pod.created} if pod.created else {}
    metadata |= {"ownerReferences": [_owner(pod.owner)]} if pod.owner else {}
    placed = {"nodeName": pod.node} if pod.node else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": spec | placed,
        "status": {"phase": pod.phase},
    }


def _owner(owner: OwnerRef) -> Object:
    return {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
    }


KNOWN = (
    "requests",
    "priority",
    "node_affinity",
    "affinity",
    "anti_affinity",
    "spread",
    "pod_group",
)


def _spec(spec: PodSpec) -> Object:
    if replace(spec, **{name: getattr(PodSpec(), name) for name in KNOWN}) != PodSpec():
        raise NotImplementedError(f"a rule that instances have not had so far: {spec}")
    container = {"name": "main", "resources": {"requests": _amounts(spec.requests)}}
    made: Object = {"containers": [container], "priority": spec.priority}
    affinity: Object = {}
    if spec.node_affinity is not None:
        terms = [_node_term(term) for term in spec.node_affinity]
        affinity["nodeAffinity"] = {REQUIRED: {"nodeSelectorTerms": terms}}
    if spec.affinity:
        affinity["podAffinity"] = {REQUIRED: [_pod_term(term) for term in spec.affinity]}
    if spec.anti_affinity:
        affinity["podAntiAffinity"] = {REQUIRED: [_pod_term(term) for term in spec.anti_affinity]}
    made |= {"affinity": affinity} if affinity else {}
    if spec.spread:
        made["topologySpreadConstraints"] = [_spread(each) for each in spec.spread]
    if spec.pod_group is not None:
        made["schedulingGroup"] = {"podGroupName": spec.pod_group}
    return made


def _node_term(term: NodeSelectorTerm) -> Object:
    return {"matchExpressions": _requirements(term.expressions)}


def _pod_term(term: PodAffinityTerm) -> Object:
    if term.namespaces or term.namespace_selector is not None or term.selector is None:
        raise NotImplementedError(f"a term about other namespaces, or without selector: {term}")
    return {"topologyKey": term.topology_key, "labelSelector": _selector(term.selector)}


def _spread(constraint: TopologySpread) -> Object:
    said = TopologySpread(
        constraint.topology_key, constraint.max_skew, hard=True, selector=constraint.selector
    )
    if constraint != said or constraint.selector is None:
        raise NotImplementedError(f"a spread with policies, or without selector: {constraint}")
    return {
        "topologyKey": constraint.topology_key,
        "maxSkew": constraint.max_skew,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": _selector(constraint.selector),
    }


def _selector(selector: LabelSelector) -> Object:
    return {"matchExpressions": _requirements(selector.requirements)}


def _requirements(requirements: Iterable[Requirement]) -> list[Object]:
    return [
        {"key": each.key, "operator": each.operator, "values": list(each.values)}
        for each in requirements
    ]


def _amounts(quantities: Quantities) -> dict[str, str]:
    return {name: f"{amount}m" if name == "cpu" else str(amount) for name, amount in quantities}
