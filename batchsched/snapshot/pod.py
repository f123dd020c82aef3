"""Pods: what a scheduler reads of them, and nothing else.

A ``PodSpec`` is immutable, hashable and shared: a thousand replicas of one controller hold the same
object. What differs from pod to pod (name, labels, where it runs, its phase) is in ``Pod``.
Quantities are integers: cpu in milli-cores, all else in units or bytes, rounded up.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from batchsched.snapshot.labels import LabelSelector, NodeSelectorTerm, Pairs

Quantities: TypeAlias = tuple[tuple[str, int], ...]
"""Sorted ``(resource, amount)``; amounts of zero are left out."""

NO_SCHEDULE, NO_EXECUTE, PREFER_NO_SCHEDULE = "NoSchedule", "NoExecute", "PreferNoSchedule"


@dataclass(frozen=True, slots=True, order=True)
class Toleration:
    """``operator`` is one of Equal, Exists, Gt, Lt; an empty ``effect`` means every effect."""

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""


@dataclass(frozen=True, slots=True, order=True)
class PodAffinityTerm:
    """One term of pod (anti-)affinity.

    ``namespaces`` and ``namespace_selector`` are as written; both absent means the pod's own
    namespace, an empty selector means every namespace. ``matchLabelKeys`` and
    ``mismatchLabelKeys`` are merged into ``selector`` by the reader, as the API server does.
    """

    topology_key: str
    selector: LabelSelector | None
    namespaces: tuple[str, ...] = ()
    namespace_selector: LabelSelector | None = None


@dataclass(frozen=True, slots=True, order=True)
class TopologySpread:
    """One topologySpreadConstraint; ``hard`` is ``whenUnsatisfiable: DoNotSchedule``."""

    topology_key: str
    max_skew: int
    hard: bool
    selector: LabelSelector | None
    min_domains: int = 1
    honor_node_affinity: bool = True
    honor_node_taints: bool = False


@dataclass(frozen=True, slots=True, order=True)
class HostPort:
    """A port on the node; ``ip`` is ``0.0.0.0`` when none was named."""

    port: int
    protocol: str = "TCP"
    ip: str = "0.0.0.0"  # noqa: S104 -- Kubernetes' wildcard, not an address that we listen on


@dataclass(frozen=True, slots=True, order=True)
class ClaimRef:
    """A PersistentVolumeClaim that the pod mounts; ``ephemeral`` ones must be owned by the pod."""

    name: str
    ephemeral: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Disk:
    """An inline disk that must not be mounted twice on one node.

    ``kind`` is gcePersistentDisk, awsElasticBlockStore, iscsi or rbd; ``ids`` identifies the disk
    (for rbd: pool, image); ``monitors`` are rbd's, of which one in common makes it the same disk.
    """

    kind: str
    ids: tuple[str, ...]
    read_only: bool = False
    monitors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PodSpec:
    """The part of a pod's spec that scheduling reads, decoded once for all its replicas."""

    scheduler_name: str = "default-scheduler"
    requests: Quantities = ()
    """What kube-scheduler's NodeResourcesFit counts: containers, sidecars, init, overhead."""
    node_name: str = ""
    node_selector: Pairs = ()
    node_affinity: tuple[NodeSelectorTerm, ...] | None = None
    """Required terms, ORed; ``None`` where the pod has no requirement, ``()`` matches no node."""
    preferred_nodes: tuple[tuple[int, NodeSelectorTerm], ...] = ()
    affinity: tuple[PodAffinityTerm, ...] = ()
    anti_affinity: tuple[PodAffinityTerm, ...] = ()
    preferred_affinity: tuple[tuple[int, PodAffinityTerm], ...] = ()
    """Weighted terms; anti-affinity ones have negative weights."""
    spread: tuple[TopologySpread, ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    host_ports: tuple[HostPort, ...] = ()
    claims: tuple[ClaimRef, ...] = ()
    disks: tuple[Disk, ...] = ()
    inline_volumes: tuple[tuple[str, str, str], ...] = ()
    """(in-tree plugin, CSI driver, handle) of inline disks, which count in attach limits too."""
    resource_claims: tuple[tuple[str, str | None, str | None], ...] = ()
    """DRA: (name in the pod, resourceClaimName, resourceClaimTemplateName)."""
    images: tuple[str, ...] = ()
    """Images of containers, init containers and image volumes, one entry each, in order."""
    containers: int = 1
    """Containers and init containers (ImageLocality's threshold grows with them)."""
    priority: int = 0
    preemption_never: bool = False
    gated: bool = False
    pod_group: str | None = None
    """``spec.schedulingGroup.podGroupName``."""
    features: tuple[str, ...] = ()
    """Declared features that the pod needs of its node (NodeDeclaredFeatures)."""
    deadline_s: int | None = None
    """``activeDeadlineSeconds``: when the kubelet ends it, counted from its start."""


@dataclass(frozen=True, slots=True, order=True)
class OwnerRef:
    """The controller of an object."""

    api_version: str
    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod. ``node`` is where it is bound, or ``None``."""

    namespace: str
    name: str
    uid: str = ""
    labels: Pairs = ()
    annotations: Pairs = ()
    """Only those that scheduling reads."""
    spec: PodSpec = field(default_factory=PodSpec)
    node: str | None = None
    phase: str = "Pending"
    deleting: bool = False
    nominated_node: str | None = None
    requests: Quantities = ()
    """What the pod holds where it runs: ``spec.requests``, or more during an in-place resize."""
    owner: OwnerRef | None = None
    created: str = ""
    """RFC 3339, as the API server wrote it."""
    claim_names: tuple[tuple[str, str | None], ...] = ()
    """DRA: ``status.resourceClaimStatuses``, name in the pod to ResourceClaim."""
    started: str = ""
    """RFC 3339: since when the kubelet knows of it; empty before that."""

    @property
    def key(self) -> tuple[str, str]:
        """``(namespace, name)``: the identity and the order of pods."""
        return (self.namespace, self.name)

    @property
    def full_name(self) -> str:
        """``namespace/name``, as people write it."""
        return f"{self.namespace}/{self.name}"

    @property
    def terminal(self) -> bool:
        """Whether it ended, and so holds nothing."""
        return self.phase in {"Succeeded", "Failed"}
