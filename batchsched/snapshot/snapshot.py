"""The snapshot: an immutable, consistent view of one cluster, and the window of pods to place."""

from dataclasses import dataclass, field

from batchsched.snapshot.group import CompositePodGroup, PodGroup
from batchsched.snapshot.labels import LabelSelector, Pairs
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.reservation import Reservation
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


@dataclass(frozen=True, slots=True)
class PodDisruptionBudget:
    """How many of the pods that it selects may go."""

    namespace: str
    name: str
    selector: LabelSelector | None = None
    disruptions_allowed: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that a decision may depend on, each list sorted by its objects' identity.

    Pods of every phase are here; ``window`` and ``holding`` say which of them matter how.
    """

    nodes: tuple[Node, ...] = ()
    pods: tuple[Pod, ...] = ()
    namespaces: tuple[tuple[str, Pairs], ...] = ()
    """``(name, labels)`` of the Namespace objects that were given."""
    groups: tuple[PodGroup, ...] = ()
    group_of: tuple[tuple[tuple[str, str], int], ...] = ()
    """Pod key to index into ``groups``, for the pods that belong to one."""
    composites: tuple[CompositePodGroup, ...] = ()
    claims: tuple[PersistentVolumeClaim, ...] = ()
    volumes: tuple[PersistentVolume, ...] = ()
    storage_classes: tuple[StorageClass, ...] = ()
    csi_nodes: tuple[CSINode, ...] = ()
    csi_drivers: tuple[CSIDriver, ...] = ()
    csi_capacities: tuple[CSIStorageCapacity, ...] = ()
    attachments: tuple[VolumeAttachment, ...] = ()
    resource_claims: tuple[ResourceClaim, ...] = ()
    budgets: tuple[PodDisruptionBudget, ...] = ()
    services: tuple[tuple[str, str, Pairs], ...] = ()
    """``(namespace, name, selector)`` of Services with a selector (system-default spreading)."""
    others: tuple[tuple[str, int], ...] = ()
    """Kinds that were counted and left alone."""
    reservation: Reservation | None = None
    """What is kept for pods that have waited long."""


@dataclass(frozen=True, slots=True)
class Window:
    """The pods that are decided together: pending ones, sorted by key."""

    pods: tuple[Pod, ...] = field(default=())
    overdue: tuple[tuple[tuple[str, str], ...], ...] = ()
    """Gangs and single pods that were passed over too often, by the keys of their pods, in the
    order in which they are to be served. They need not be in the window."""
    now_s: float = 0.0
    """When it closed, in seconds since 1970."""


def pending(snapshot: Snapshot, scheduler_names: tuple[str, ...] = ()) -> Window:
    """The pods to be placed: unbound, not gated, not deleted, of one of the named schedulers.

    Args:
        snapshot: The cluster.
        scheduler_names: Whose pods; none named means everybody's.
    """
    return Window(
        tuple(
            pod
            for pod in snapshot.pods
            if pod.node is None
            and pod.phase in {"Pending", ""}
            and not pod.spec.gated
            and not pod.deleting
            and (not scheduler_names or pod.spec.scheduler_name in scheduler_names)
        )
    )


def holding(snapshot: Snapshot) -> tuple[Pod, ...]:
    """The pods that hold room on a node: bound, of any scheduler, not ended (terminating too)."""
    return tuple([pod for pod in snapshot.pods if pod.node is not None and not pod.terminal])
