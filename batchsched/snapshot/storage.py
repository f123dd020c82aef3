"""Storage: claims, volumes, classes and what nodes can attach."""

from dataclasses import dataclass

from batchsched.snapshot.labels import LabelSelector, NodeSelectorTerm, Pairs
from batchsched.snapshot.pod import OwnerRef

READ_WRITE_ONCE_POD = "ReadWriteOncePod"


@dataclass(frozen=True, slots=True)
class PersistentVolumeClaim:
    """A claim; ``volume_name`` empty means unbound, ``bound`` that both sides agree on it."""

    namespace: str
    name: str
    uid: str = ""
    storage_class: str | None = None
    """``None`` and ``""`` differ: no class named, or none wanted."""
    volume_name: str = ""
    bound: bool = False
    """Has the annotation ``pv.kubernetes.io/bind-completed``; kube-scheduler asks no phase."""
    phase: str = ""
    access_modes: tuple[str, ...] = ()
    volume_mode: str = "Filesystem"
    request_bytes: int = 0
    selector: LabelSelector | None = None
    selected_node: str | None = None
    attributes_class: str = ""
    """``volumeAttributesClassName``."""
    deleting: bool = False
    owner: OwnerRef | None = None
    """Its controller, where it has one."""

    @property
    def key(self) -> tuple[str, str]:
        """``(namespace, name)``."""
        return (self.namespace, self.name)


@dataclass(frozen=True, slots=True)
class PersistentVolume:
    """A volume; ``driver`` and ``handle`` are CSI's, in-tree ones translated."""

    name: str
    uid: str = ""
    labels: Pairs = ()
    storage_class: str = ""
    capacity_bytes: int = 0
    access_modes: tuple[str, ...] = ()
    volume_mode: str = "Filesystem"
    node_affinity: tuple[NodeSelectorTerm, ...] | None = None
    claim: tuple[str, str, str] | None = None
    """``claimRef`` as (namespace, name, uid)."""
    phase: str = ""
    attributes_class: str = ""
    """``volumeAttributesClassName``."""
    deleting: bool = False
    driver: str | None = None
    handle: str | None = None
    in_tree: str | None = None
    """The plugin (``kubernetes.io/aws-ebs``) of an in-tree volume: its driver is in force on the
    nodes whose CSINode names the plugin in ``migrated``."""


@dataclass(frozen=True, slots=True)
class StorageClass:
    """A class; ``allowed_topologies`` are ORed terms, ``None`` where there is no restriction."""

    name: str
    provisioner: str = ""
    wait_for_first_consumer: bool = False
    allowed_topologies: tuple[NodeSelectorTerm, ...] | None = None
    default: bool = False


@dataclass(frozen=True, slots=True)
class CSINode:
    """Attach limits: ``(driver, allocatable count or None)``."""

    name: str
    drivers: tuple[tuple[str, int | None], ...] = ()
    migrated: tuple[str, ...] = ()
    """In-tree plugins whose volumes this node hands to CSI drivers, sorted."""


@dataclass(frozen=True, slots=True)
class CSIDriver:
    """What of a driver matters: whether it tracks capacity, and whether its absence forbids."""

    name: str
    storage_capacity: bool = False
    prevent_scheduling_if_missing: bool = False


@dataclass(frozen=True, slots=True)
class CSIStorageCapacity:
    """Free room of a storage class in one topology segment."""

    namespace: str
    name: str
    storage_class: str
    node_topology: LabelSelector | None = None
    capacity_bytes: int | None = None
    maximum_volume_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class VolumeAttachment:
    """A volume that is attached, or being attached, to a node."""

    name: str
    node: str
    driver: str
    volume_name: str | None = None


@dataclass(frozen=True, slots=True)
class ResourceClaim:
    """A DRA claim; honoured when it is allocated, out of reach otherwise."""

    namespace: str
    name: str
    allocated: bool = False
    node_selector: tuple[NodeSelectorTerm, ...] | None = None
    """Where the allocation can be used; ``None`` is anywhere."""
    reserved_for: tuple[str, ...] = ()
    """Uids of the pods it is reserved for."""
    deleting: bool = False
    owner: OwnerRef | None = None
    """Its controller, where it has one."""
