"""Which of the kinds that we read a cluster serves, and under which path; absence is normal.

Most clusters have none of the group APIs, and one that has them may have got them a minute ago. So
there is no list that is read once: each kind is looked for when it is about to be listed, by two
small requests, in the newest version that we know how to read.
"""

from typing import Any, NamedTuple

from batchsched.kube.connection import OK, Connection
from batchsched.snapshot.kinds import GroupKind

NOT_FOUND = 404


class Resource(NamedTuple):
    """One kind that we read.

    Args:
        kind: Its API group and name.
        plural: What it is called in paths.
        versions: Those that we can read, newest first.
    """

    kind: GroupKind
    plural: str
    versions: tuple[str, ...] = ("v1",)

    @property
    def label(self) -> str:
        """As kubectl writes it: ``podgroups.scheduling.k8s.io``."""
        return f"{self.plural}.{self.kind[0]}" if self.kind[0] else self.plural


class Served(NamedTuple):
    """Where a kind is served."""

    version: str
    path: str
    """All objects of all namespaces."""


_GROUPS = ("v1", "v1beta1", "v1alpha3", "v1alpha2")

RESOURCES: tuple[Resource, ...] = (
    Resource(("", "Node"), "nodes"),
    Resource(("", "Pod"), "pods"),
    Resource(("", "Namespace"), "namespaces"),
    Resource(("", "PersistentVolumeClaim"), "persistentvolumeclaims"),
    Resource(("", "PersistentVolume"), "persistentvolumes"),
    Resource(("", "Service"), "services"),
    Resource(("", "ReplicationController"), "replicationcontrollers"),
    Resource(("apps", "ReplicaSet"), "replicasets"),
    Resource(("apps", "StatefulSet"), "statefulsets"),
    Resource(("batch", "Job"), "jobs"),
    Resource(("jobset.x-k8s.io", "JobSet"), "jobsets", ("v1", "v1beta1", "v1alpha2")),
    Resource(("policy", "PodDisruptionBudget"), "poddisruptionbudgets", ("v1", "v1beta1")),
    Resource(("resource.k8s.io", "ResourceClaim"), "resourceclaims", ("v1", "v1beta2", "v1beta1")),
    Resource(("scheduling.k8s.io", "PriorityClass"), "priorityclasses"),
    Resource(("scheduling.k8s.io", "PodGroup"), "podgroups", _GROUPS),
    Resource(("scheduling.k8s.io", "CompositePodGroup"), "compositepodgroups", _GROUPS[:-1]),
    Resource(("scheduling.x-k8s.io", "PodGroup"), "podgroups", ("v1", "v1beta1", "v1alpha1")),
    Resource(("scheduling.sigs.k8s.io", "PodGroup"), "podgroups", ("v1alpha1",)),
    Resource(("scheduling.volcano.sh", "PodGroup"), "podgroups", ("v1", "v1beta1", "v1alpha2")),
    Resource(("scheduling.run.ai", "PodGroup"), "podgroups", ("v2alpha2",)),
    Resource(("storage.k8s.io", "StorageClass"), "storageclasses"),
    Resource(("storage.k8s.io", "CSINode"), "csinodes"),
    Resource(("storage.k8s.io", "CSIDriver"), "csidrivers"),
    Resource(("storage.k8s.io", "CSIStorageCapacity"), "csistoragecapacities", ("v1", "v1beta1")),
    Resource(("storage.k8s.io", "VolumeAttachment"), "volumeattachments"),
)
"""Every kind that is read; tests hold the table against ``snapshot.objects.READ``."""


def served(connection: Connection, resource: Resource) -> Served | None:
    """Where a kind is served, in the newest version that we can read; ``None`` where it is not.

    Raises:
        ClusterError: The server cannot say.
    """
    group = resource.kind[0]
    if not group:
        return Served("v1", f"/api/v1/{resource.plural}")
    versions = _found(connection, f"/apis/{group}").get("versions") or ()
    offered = {entry.get("version") for entry in versions}
    for version in resource.versions:
        if version in offered:
            place = f"/apis/{group}/{version}"
            kinds = _found(connection, place).get("resources") or ()
            if any(entry.get("name") == resource.plural for entry in kinds):
                return Served(version, f"{place}/{resource.plural}")
    return None


def _found(connection: Connection, path: str) -> dict[str, Any]:
    """One document of discovery; an empty one where there is none.

    Raises:
        ClusterError: The server cannot say.
    """
    reply = connection.call("GET", path)
    if reply.status == NOT_FOUND:
        return {}
    found = reply.json()
    if reply.status != OK or not isinstance(found, dict):
        raise reply.refusal(f"GET {path}")
    return found
