"""Nodes, storage, budgets and owners, as far as a scheduler reads them. See ``api``."""

from typing import Annotated, Literal

from pydantic import Field

from batchsched.snapshot.api import (
    Amounts,
    Api,
    Count,
    Int32,
    LabelSelectorModel,
    NodeSelectorModel,
    NotEmpty,
    Object,
    ObjectRef,
    Quantity,
    StringMap,
)
from batchsched.snapshot.api_volumes import CSISource, InTreeSources

VolumeMode = Literal["Filesystem", "Block", ""]
AccessModes = list[Literal["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"]]


class TaintModel(Api):
    """A taint."""

    key: NotEmpty
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class ImageModel(Api):
    """An image on a node."""

    names: list[str] | None = None
    size_bytes: Annotated[int, Field(ge=0)] | None = None


class NodeSpecModel(Api):
    """``spec`` of a node."""

    unschedulable: bool | None = None
    taints: list[TaintModel] | None = None


class NodeStatusModel(Api):
    """``status`` of a node."""

    allocatable: Amounts | None = None
    images: list[ImageModel] | None = None
    declared_features: list[str] | None = None


class NodeModel(Object):
    """A Node."""

    spec: NodeSpecModel | None = None
    status: NodeStatusModel | None = None


class StorageRequests(Api):
    """``resources`` of a claim."""

    requests: Amounts | None = None


class PVCSpecModel(Api):
    """``spec`` of a claim."""

    storage_class_name: str | None = None
    volume_name: str | None = None
    volume_attributes_class_name: str | None = None
    access_modes: AccessModes | None = None
    volume_mode: VolumeMode | None = None
    resources: StorageRequests | None = None
    selector: LabelSelectorModel | None = None


class PhaseModel(Api):
    """``status`` with a phase."""

    phase: str | None = None


class PVCModel(Object):
    """A PersistentVolumeClaim."""

    spec: PVCSpecModel | None = None
    status: PhaseModel | None = None


class VolumeAffinityModel(Api):
    """``nodeAffinity`` of a volume."""

    required: NodeSelectorModel | None = None


class PVSpecModel(InTreeSources):
    """``spec`` of a volume."""

    storage_class_name: str | None = None
    capacity: Amounts | None = None
    access_modes: AccessModes | None = None
    volume_mode: VolumeMode | None = None
    node_affinity: VolumeAffinityModel | None = None
    volume_attributes_class_name: str | None = None
    claim_ref: ObjectRef | None = None
    csi: CSISource | None = None


class PVModel(Object):
    """A PersistentVolume."""

    spec: PVSpecModel
    status: PhaseModel | None = None


class TopologyExpressionModel(Api):
    """One expression of ``allowedTopologies``."""

    key: NotEmpty
    values: Annotated[list[str], Field(min_length=1)]


class TopologyTermModel(Api):
    """One term of ``allowedTopologies``."""

    match_label_expressions: list[TopologyExpressionModel] | None = None


class StorageClassModel(Object):
    """A StorageClass."""

    provisioner: str | None = None
    volume_binding_mode: Literal["Immediate", "WaitForFirstConsumer"] | None = None
    allowed_topologies: list[TopologyTermModel] | None = None


class AttachLimitModel(Api):
    """``allocatable`` of a driver on a node."""

    count: Count | None = None


class CSINodeDriverModel(Api):
    """One driver on a node."""

    name: NotEmpty
    allocatable: AttachLimitModel | None = None


class CSINodeSpecModel(Api):
    """``spec`` of a CSINode."""

    drivers: list[CSINodeDriverModel] | None = None


class CSINodeModel(Object):
    """A CSINode."""

    spec: CSINodeSpecModel | None = None


class CSIDriverSpecModel(Api):
    """``spec`` of a CSIDriver."""

    storage_capacity: bool | None = None
    prevent_pod_scheduling_if_missing: bool | None = None


class CSIDriverModel(Object):
    """A CSIDriver."""

    spec: CSIDriverSpecModel | None = None


class CSIStorageCapacityModel(Object):
    """A CSIStorageCapacity."""

    storage_class_name: NotEmpty
    node_topology: LabelSelectorModel | None = None
    capacity: Quantity | None = None
    maximum_volume_size: Quantity | None = None


class AttachmentSourceModel(Api):
    """``source`` of an attachment."""

    persistent_volume_name: str | None = None


class AttachmentSpecModel(Api):
    """``spec`` of an attachment."""

    attacher: NotEmpty
    node_name: NotEmpty
    source: AttachmentSourceModel | None = None


class VolumeAttachmentModel(Object):
    """A VolumeAttachment."""

    spec: AttachmentSpecModel


class AllocationModel(Api):
    """``status.allocation`` of a claim for devices."""

    node_selector: NodeSelectorModel | None = None


class ResourceClaimStatusModel(Api):
    """``status`` of a claim for devices."""

    allocation: AllocationModel | None = None
    reserved_for: list[ObjectRef] | None = None


class ResourceClaimModel(Object):
    """A ResourceClaim."""

    status: ResourceClaimStatusModel | None = None


class BudgetSpecModel(Api):
    """``spec`` of a budget."""

    selector: LabelSelectorModel | None = None


class BudgetStatusModel(Api):
    """``status`` of a budget."""

    disruptions_allowed: Int32 | None = None


class BudgetModel(Object):
    """A PodDisruptionBudget."""

    spec: BudgetSpecModel | None = None
    status: BudgetStatusModel | None = None


class PriorityClassModel(Object):
    """A PriorityClass."""

    value: Int32 | None = None
    global_default: bool | None = None
    preemption_policy: Literal["PreemptLowerPriority", "Never"] | None = None


class MapSelectorSpec(Api):
    """``spec`` with a plain map as selector (Service, ReplicationController)."""

    selector: StringMap | None = None


class MapSelectorModel(Object):
    """A Service or a ReplicationController."""

    spec: MapSelectorSpec | None = None


class SelectorSpec(Api):
    """``spec`` with a label selector."""

    selector: LabelSelectorModel | None = None


class SelectorModel(Object):
    """A ReplicaSet or a StatefulSet."""

    spec: SelectorSpec | None = None
