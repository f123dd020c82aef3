"""Nodes, storage, budgets and groups back to API objects. See ``encode``."""

from collections.abc import Iterator

from batchsched.snapshot.api_reservation import reservation_object
from batchsched.snapshot.encode import (
    Object,
    amounts,
    api_object,
    in_tree_source,
    label_selector,
    listed,
    metadata,
    node_selector,
    present,
)
from batchsched.snapshot.encode_groups import group_objects
from batchsched.snapshot.encode_pod import PodWriter
from batchsched.snapshot.node import Node
from batchsched.snapshot.snapshot import PodDisruptionBudget, Snapshot
from batchsched.snapshot.storage import (
    CSIDriver,
    CSINode,
    CSIStorageCapacity,
    PersistentVolume,
    PersistentVolumeClaim,
    ResourceClaim,
    StorageClass,
    VolumeAttachment,
)

STORAGE = "storage.k8s.io/v1"


def written(snapshot: Snapshot) -> bytes:
    """A snapshot as a file: a JSON List that is read as an equal snapshot."""
    return listed(_objects(snapshot))


def _objects(snapshot: Snapshot) -> Iterator[Object]:
    """Every object, kind by kind, each sorted as the snapshot is."""
    yield from map(_node, snapshot.nodes)
    yield from map(PodWriter().pod, snapshot.pods)
    for name, labels in snapshot.namespaces:
        yield api_object("v1", "Namespace", metadata(name, labels=labels))
    yield from group_objects(snapshot)
    yield from map(_claim, snapshot.claims)
    yield from map(_volume, snapshot.volumes)
    yield from map(_storage_class, snapshot.storage_classes)
    yield from map(_csi_node, snapshot.csi_nodes)
    yield from map(_csi_driver, snapshot.csi_drivers)
    yield from map(_capacity, snapshot.csi_capacities)
    yield from map(_attachment, snapshot.attachments)
    yield from map(_resource_claim, snapshot.resource_claims)
    yield from map(_budget, snapshot.budgets)
    for namespace, name, selector in snapshot.services:
        spec = {"selector": dict(selector)}
        yield api_object("v1", "Service", metadata(name, namespace), spec=spec)
    if snapshot.reservation is not None:
        yield reservation_object(snapshot.reservation)


def _node(node: Node) -> Object:
    taints = [present(key=t.key, value=t.value or None, effect=t.effect) for t in node.taints]
    status = {
        "allocatable": amounts(node.allocatable),
        "images": [{"names": [name], "sizeBytes": size} for name, size in node.images],
        "declaredFeatures": list(node.features),
    }
    spec = {"unschedulable": node.unschedulable or None, "taints": taints}
    meta = metadata(node.name, uid=node.uid, labels=node.labels)
    return api_object("v1", "Node", meta, spec=spec, status=status)


def _claim(claim: PersistentVolumeClaim) -> Object:
    notes = (
        ("pv.kubernetes.io/bind-completed", "yes" if claim.bound else ""),
        ("volume.kubernetes.io/selected-node", claim.selected_node or ""),
    )
    meta = metadata(
        claim.name,
        claim.namespace,
        uid=claim.uid,
        annotations=tuple(note for note in notes if note[1]),
        owner=claim.owner,
        deleting=claim.deleting,
    )
    found = api_object("v1", "PersistentVolumeClaim", meta, status={"phase": claim.phase})
    requests = {"requests": {"storage": str(claim.request_bytes)}}
    spec = present(
        storageClassName=claim.storage_class,
        volumeName=claim.volume_name or None,
        volumeAttributesClassName=claim.attributes_class or None,
        accessModes=list(claim.access_modes),
        volumeMode=claim.volume_mode,
        resources=requests if claim.request_bytes else None,
        selector=label_selector(claim.selector),
    )
    return {**found, "spec": spec}


def _volume(volume: PersistentVolume) -> Object:
    if volume.in_tree is not None:
        source = in_tree_source(volume.in_tree, volume.handle or "")
    elif volume.driver is not None:
        source = {"csi": {"driver": volume.driver, "volumeHandle": volume.handle}}
    else:
        source = {}
    affinity = node_selector(volume.node_affinity)
    claim = volume.claim and dict(zip(("namespace", "name", "uid"), volume.claim, strict=True))
    meta = metadata(volume.name, uid=volume.uid, labels=volume.labels, deleting=volume.deleting)
    found = api_object("v1", "PersistentVolume", meta, status={"phase": volume.phase})
    spec = present(
        storageClassName=volume.storage_class or None,
        capacity={"storage": str(volume.capacity_bytes)},
        accessModes=list(volume.access_modes),
        volumeMode=volume.volume_mode,
        nodeAffinity=None if affinity is None else {"required": affinity},
        claimRef=claim,
        volumeAttributesClassName=volume.attributes_class or None,
    )
    return {**found, "spec": {**spec, **source}}


def _storage_class(each: StorageClass) -> Object:
    note = (("storageclass.kubernetes.io/is-default-class", "true"),) if each.default else ()
    mode = "WaitForFirstConsumer" if each.wait_for_first_consumer else "Immediate"
    topologies = [
        {
            "matchLabelExpressions": [
                {"key": e.key, "values": list(e.values)} for e in term.expressions
            ]
        }
        for term in each.allowed_topologies or ()
    ]
    found = api_object(STORAGE, "StorageClass", metadata(each.name, annotations=note))
    parts = {"provisioner": each.provisioner, "volumeBindingMode": mode}
    return {**found, **parts, **({"allowedTopologies": topologies} if topologies else {})}


def _csi_node(each: CSINode) -> Object:
    migrated = ",".join(each.migrated)
    note = (("storage.alpha.kubernetes.io/migrated-plugins", migrated),) if migrated else ()
    drivers = [
        present(name=name, allocatable=None if count is None else {"count": count})
        for name, count in each.drivers
    ]
    meta = metadata(each.name, annotations=note)
    return api_object(STORAGE, "CSINode", meta, spec={"drivers": drivers})


def _csi_driver(each: CSIDriver) -> Object:
    spec = {
        "storageCapacity": each.storage_capacity,
        "preventPodSchedulingIfMissing": each.prevent_scheduling_if_missing,
    }
    return api_object(STORAGE, "CSIDriver", metadata(each.name), spec=spec)


def _capacity(each: CSIStorageCapacity) -> Object:
    found = api_object(STORAGE, "CSIStorageCapacity", metadata(each.name, each.namespace))
    capacity, most = each.capacity_bytes, each.maximum_volume_bytes
    return {
        **found,
        **present(
            storageClassName=each.storage_class,
            nodeTopology=label_selector(each.node_topology),
            capacity=None if capacity is None else str(capacity),
            maximumVolumeSize=None if most is None else str(most),
        ),
    }


def _attachment(each: VolumeAttachment) -> Object:
    source = {"persistentVolumeName": each.volume_name} if each.volume_name else {}
    spec = {"attacher": each.driver, "nodeName": each.node, "source": source}
    return api_object(STORAGE, "VolumeAttachment", metadata(each.name), spec=spec)


def _resource_claim(each: ResourceClaim) -> Object:
    meta = metadata(each.name, each.namespace, owner=each.owner, deleting=each.deleting)
    allocation = present(nodeSelector=node_selector(each.node_selector))
    status = present(
        allocation=allocation if each.allocated else None,
        reservedFor=[{"uid": uid} for uid in each.reserved_for],
    )
    found = api_object("resource.k8s.io/v1", "ResourceClaim", meta)
    return {**found, "status": status}


def _budget(budget: PodDisruptionBudget) -> Object:
    meta = metadata(budget.name, budget.namespace)
    found = api_object("policy/v1", "PodDisruptionBudget", meta)
    spec = present(selector=label_selector(budget.selector))
    return {**found, "spec": spec, "status": {"disruptionsAllowed": budget.disruptions_allowed}}
