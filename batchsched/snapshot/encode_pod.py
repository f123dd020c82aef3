"""Pods back to API objects. See ``encode``.

What several containers ask for together stands in the first, which is all the same to a scheduler.
A pod that holds another amount than its spec asks for is one in the middle of a resize.
"""

from typing import Any

from batchsched.snapshot.encode import (
    Object,
    amounts,
    api_object,
    in_tree_source,
    label_selector,
    metadata,
    node_selector,
    node_term,
    present,
)
from batchsched.snapshot.pod import ClaimRef, Disk, Pod, PodAffinityTerm, PodSpec, TopologySpread

_WITH_DISKS = ("kubernetes.io/aws-ebs", "kubernetes.io/gce-pd")
"""Plugins whose inline volumes are disks as well."""
_REQUIRED, _PREFERRED = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)


class PodWriter:
    """Writes the pods of one snapshot, each shared spec once."""

    def __init__(self) -> None:
        """Have written nothing."""
        self._specs: dict[int, tuple[PodSpec, Object]] = {}

    def pod(self, pod: Pod) -> Object:
        """One pod."""
        if any(ref.ephemeral for ref in pod.spec.claims):
            spec = _spec(pod.spec, pod.name)
        else:
            known = self._specs.get(id(pod.spec))
            spec = known[1] if known else _spec(pod.spec, pod.name)
            self._specs[id(pod.spec)] = (pod.spec, spec)
        meta = metadata(
            pod.name,
            pod.namespace,
            uid=pod.uid,
            labels=pod.labels,
            annotations=pod.annotations,
            owner=pod.owner,
            deleting=pod.deleting,
            created=pod.created,
        )
        placed = {"nodeName": pod.node} if pod.node else {}
        return api_object("v1", "Pod", meta, spec={**spec, **placed}, status=_status(pod))


def _status(pod: Pod) -> Object:
    claims = [present(name=name, resourceClaimName=claim) for name, claim in pod.claim_names]
    status: Object = {
        "phase": pod.phase,
        "nominatedNodeName": pod.nominated_node,
        "startTime": pod.started,
        "resourceClaimStatuses": claims,
    }
    if pod.node and pod.requests != pod.spec.requests:
        # A resize that was refused for good is the one where what is held is exactly what is told.
        status["conditions"] = [{"type": "PodResizePending", "reason": "Infeasible"}]
        held = {"requests": amounts(pod.requests)}
        status["containerStatuses"] = [{"name": "c0", "resources": held}]
    return status


def _spec(spec: PodSpec, pod: str) -> Object:
    groups = {"podGroupName": spec.pod_group} if spec.pod_group else None
    user_namespaces = "UserNamespacesHostNetworkSupport" in spec.features
    return {
        "schedulerName": spec.scheduler_name,
        "containers": _containers(spec),
        "nodeSelector": dict(spec.node_selector),
        "affinity": _affinity(spec),
        "topologySpreadConstraints": [_spread(each) for each in spec.spread],
        "tolerations": [
            present(
                key=t.key or None,
                operator=t.operator,
                value=t.value or None,
                effect=t.effect or None,
            )
            for t in spec.tolerations
        ],
        "volumes": _volumes(spec, pod),
        "resourceClaims": [
            present(name=name, resourceClaimName=claim, resourceClaimTemplateName=template)
            for name, claim, template in spec.resource_claims
        ],
        "priority": spec.priority or None,
        "preemptionPolicy": "Never" if spec.preemption_never else "",
        "schedulingGates": [{"name": "gated"}] if spec.gated else [],
        "schedulingGroup": groups,
        "activeDeadlineSeconds": spec.deadline_s,
        **({"hostNetwork": True, "hostUsers": False} if user_namespaces else {}),
    }


def _containers(spec: PodSpec) -> list[Object]:
    """As many containers as there were, with as many of the images as they can hold."""
    found: list[Object] = [{"name": f"c{i}"} for i in range(spec.containers)]
    for container, image in zip(found, spec.images, strict=False):
        container["image"] = image
    found[0]["resources"] = {"requests": amounts(spec.requests)}
    if spec.host_ports:
        found[0]["ports"] = [
            {"containerPort": p.port, "hostPort": p.port, "protocol": p.protocol, "hostIP": p.ip}
            for p in spec.host_ports
        ]
    if "RestartAllContainersOnContainerExits" in spec.features:
        found[0]["restartPolicyRules"] = [{"action": "RestartAllContainers"}]
    return found


def _affinity(spec: PodSpec) -> Object:
    """All that stands under ``affinity``."""
    near: list[Object] = [
        {"weight": weight, "podAffinityTerm": _term(term)}
        for weight, term in spec.preferred_affinity
        if weight > 0
    ]
    apart: list[Object] = [
        {"weight": -weight, "podAffinityTerm": _term(term)}
        for weight, term in spec.preferred_affinity
        if weight < 0
    ]
    nodes = [{"weight": w, "preference": node_term(term)} for w, term in spec.preferred_nodes]
    parts = {
        "nodeAffinity": _rules(node_selector(spec.node_affinity), nodes),
        "podAffinity": _rules([_term(term) for term in spec.affinity] or None, near),
        "podAntiAffinity": _rules([_term(term) for term in spec.anti_affinity] or None, apart),
    }
    return {name: part for name, part in parts.items() if part}


def _rules(required: Any, preferred: list[Object]) -> Object:
    return present(**{_REQUIRED: required, _PREFERRED: preferred or None})


def _term(term: PodAffinityTerm) -> Object:
    return present(
        topologyKey=term.topology_key,
        labelSelector=label_selector(term.selector),
        namespaces=list(term.namespaces) or None,
        namespaceSelector=label_selector(term.namespace_selector),
    )


def _spread(each: TopologySpread) -> Object:
    return present(
        topologyKey=each.topology_key,
        maxSkew=each.max_skew,
        whenUnsatisfiable="DoNotSchedule" if each.hard else "ScheduleAnyway",
        labelSelector=label_selector(each.selector),
        minDomains=each.min_domains if each.min_domains > 1 else None,
        nodeAffinityPolicy=None if each.honor_node_affinity else "Ignore",
        nodeTaintsPolicy="Honor" if each.honor_node_taints else None,
    )


def _volumes(spec: PodSpec, pod: str) -> list[Object]:
    """Claims in their order, disks, other in-tree volumes, and images that no container has."""
    found = [_claim(ref, pod) for ref in spec.claims]
    found += [_disk(disk) for disk in spec.disks]
    for plugin, _, handle in spec.inline_volumes:
        if plugin not in _WITH_DISKS:
            found.append(in_tree_source(plugin, handle))
    found += [{"image": {"reference": image}} for image in spec.images[spec.containers :]]
    return [{"name": f"v{i}", **volume} for i, volume in enumerate(found)]


def _claim(ref: ClaimRef, pod: str) -> Object:
    if ref.ephemeral:
        return {"name": ref.name.removeprefix(f"{pod}-"), "ephemeral": {}}
    return {"persistentVolumeClaim": {"claimName": ref.name}}


def _disk(disk: Disk) -> Object:
    source: Object = {"readOnly": True} if disk.read_only else {}
    match disk.kind:
        case "gcePersistentDisk":
            source["pdName"] = disk.ids[0]
        case "awsElasticBlockStore":
            source["volumeID"] = disk.ids[0]
        case "iscsi":
            source["iqn"] = disk.ids[0]
        case _:
            pool, image = disk.ids
            source |= {"pool": pool, "image": image, "monitors": list(disk.monitors)}
    return {disk.kind: source}
