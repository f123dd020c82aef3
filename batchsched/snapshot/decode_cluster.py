"""What nodes, storage and budgets mean to a scheduler. See ``api_cluster`` for their form."""

from batchsched.snapshot import api_cluster as api
from batchsched.snapshot.api import Metadata
from batchsched.snapshot.decode import (
    controller,
    label_selector,
    node_selector,
    pairs,
    quantities,
    requirement,
)
from batchsched.snapshot.decode_volumes import translated
from batchsched.snapshot.labels import IN, LabelSelector, NodeSelectorTerm
from batchsched.snapshot.node import Node, Taint
from batchsched.snapshot.quantities import AMOUNT_MAX, amount
from batchsched.snapshot.snapshot import PodDisruptionBudget
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

_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
_DEFAULT_CLASS = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)
_MIGRATED = "storage.alpha.kubernetes.io/migrated-plugins"


def namespace(metadata: Metadata) -> str:
    """The namespace of a namespaced object; kubectl's default where none is written."""
    return metadata.namespace or "default"


def node(model: api.NodeModel) -> Node:
    """A node: what can be allocated, never its capacity."""
    meta, spec = model.metadata, model.spec or api.NodeSpecModel()
    status = model.status or api.NodeStatusModel()
    images = {
        (name, image.size_bytes or 0) for image in status.images or () for name in image.names or ()
    }
    return Node(
        name=meta.name,
        uid=meta.uid or "",
        labels=pairs(meta.labels),
        unschedulable=bool(spec.unschedulable),
        taints=tuple(sorted({Taint(t.key, t.value or "", t.effect) for t in spec.taints or ()})),
        allocatable=quantities(status.allocatable, AMOUNT_MAX - 1),
        images=tuple(sorted(images)),
        features=tuple(sorted(set(status.declared_features or ()))),
    )


def claim(model: api.PVCModel) -> PersistentVolumeClaim:
    """A claim for a volume."""
    meta, spec = model.metadata, model.spec or api.PVCSpecModel()
    notes = meta.annotations or {}
    requests = (spec.resources and spec.resources.requests) or {}
    phase = (model.status and model.status.phase) or ""
    return PersistentVolumeClaim(
        namespace=namespace(meta),
        name=meta.name,
        uid=meta.uid or "",
        storage_class=notes.get(_CLASS_ANNOTATION, spec.storage_class_name),
        volume_name=spec.volume_name or "",
        attributes_class=spec.volume_attributes_class_name or "",
        bound="pv.kubernetes.io/bind-completed" in notes,
        phase=phase,
        access_modes=tuple(sorted(set(spec.access_modes or ()))),
        volume_mode=spec.volume_mode or "Filesystem",
        request_bytes=amount("storage", requests.get("storage", 0)),
        selector=label_selector(spec.selector),
        selected_node=notes.get("volume.kubernetes.io/selected-node") or None,
        deleting=meta.deletion_timestamp is not None,
        owner=controller(meta.owner_references),
    )


def volume(model: api.PVModel) -> PersistentVolume:
    """A volume, in-tree ones translated to their CSI drivers."""
    meta, spec, ref = model.metadata, model.spec, model.spec.claim_ref
    plugin, driver, handle = translated(spec, meta.labels or {}) or (None, None, None)
    if spec.csi is not None:
        plugin, driver, handle = None, spec.csi.driver, spec.csi.volume_handle or ""
    return PersistentVolume(
        name=meta.name,
        uid=meta.uid or "",
        labels=pairs(meta.labels),
        storage_class=(meta.annotations or {}).get(_CLASS_ANNOTATION, spec.storage_class_name)
        or "",
        capacity_bytes=amount("storage", (spec.capacity or {}).get("storage", 0)),
        access_modes=tuple(sorted(set(spec.access_modes or ()))),
        volume_mode=spec.volume_mode or "Filesystem",
        node_affinity=node_selector(spec.node_affinity.required) if spec.node_affinity else None,
        claim=(ref.namespace or "", ref.name or "", ref.uid or "") if ref else None,
        phase=(model.status and model.status.phase) or "",
        attributes_class=spec.volume_attributes_class_name or "",
        deleting=meta.deletion_timestamp is not None,
        driver=driver,
        handle=handle,
        in_tree=plugin,
    )


def storage_class(model: api.StorageClassModel) -> StorageClass:
    """A storage class."""
    notes = model.metadata.annotations or {}
    terms = tuple(
        NodeSelectorTerm(
            tuple(
                sorted(requirement(e.key, IN, e.values) for e in term.match_label_expressions or ())
            )
        )
        for term in model.allowed_topologies or ()
    )
    return StorageClass(
        name=model.metadata.name,
        provisioner=model.provisioner or "",
        wait_for_first_consumer=model.volume_binding_mode == "WaitForFirstConsumer",
        allowed_topologies=terms or None,
        default=any(notes.get(key) == "true" for key in _DEFAULT_CLASS),
    )


def csi_node(model: api.CSINodeModel) -> CSINode:
    """How many volumes of each driver a node can attach."""
    drivers = {
        driver.name: driver.allocatable.count if driver.allocatable else None
        for driver in (model.spec and model.spec.drivers) or ()
    }
    migrated = (model.metadata.annotations or {}).get(_MIGRATED, "")
    return CSINode(
        name=model.metadata.name,
        drivers=tuple(sorted(drivers.items())),
        migrated=tuple(sorted({name for name in migrated.split(",") if name})),
    )


def csi_driver(model: api.CSIDriverModel) -> CSIDriver:
    """What matters of a driver."""
    spec = model.spec or api.CSIDriverSpecModel()
    return CSIDriver(
        model.metadata.name,
        storage_capacity=bool(spec.storage_capacity),
        prevent_scheduling_if_missing=bool(spec.prevent_pod_scheduling_if_missing),
    )


def csi_capacity(model: api.CSIStorageCapacityModel) -> CSIStorageCapacity:
    """Free room of a class in one segment."""
    capacity, largest = model.capacity, model.maximum_volume_size
    return CSIStorageCapacity(
        namespace=namespace(model.metadata),
        name=model.metadata.name,
        storage_class=model.storage_class_name,
        node_topology=label_selector(model.node_topology),
        capacity_bytes=None if capacity is None else amount("storage", capacity),
        maximum_volume_bytes=None if largest is None else amount("storage", largest),
    )


def attachment(model: api.VolumeAttachmentModel) -> VolumeAttachment:
    """A volume on a node."""
    spec = model.spec
    source = spec.source.persistent_volume_name if spec.source else None
    return VolumeAttachment(model.metadata.name, spec.node_name, spec.attacher, source or None)


def resource_claim(model: api.ResourceClaimModel) -> ResourceClaim:
    """A claim for devices."""
    status = model.status or api.ResourceClaimStatusModel()
    allocation = status.allocation
    return ResourceClaim(
        namespace=namespace(model.metadata),
        name=model.metadata.name,
        allocated=allocation is not None,
        node_selector=node_selector(allocation.node_selector) if allocation else None,
        reserved_for=tuple(sorted({ref.uid for ref in status.reserved_for or () if ref.uid})),
        deleting=model.metadata.deletion_timestamp is not None,
        owner=controller(model.metadata.owner_references),
    )


def budget(model: api.BudgetModel, version: str) -> PodDisruptionBudget:
    """A disruption budget; in policy/v1beta1 an empty selector selects nothing."""
    selector = label_selector(model.spec.selector) if model.spec else None
    if version == "v1beta1" and selector == LabelSelector():
        selector = None
    allowed = (model.status and model.status.disruptions_allowed) or 0
    return PodDisruptionBudget(
        namespace(model.metadata), model.metadata.name, selector, max(allowed, 0)
    )
