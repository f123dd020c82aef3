"""Storage, indexed: which claims a pod mounts, which volumes stand behind them, what nodes can attach.

Read by the volume filters; knows no node labels and decides nothing.
"""

from collections.abc import Hashable
from dataclasses import dataclass

from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot
from batchsched.snapshot.storage import PersistentVolume, PersistentVolumeClaim

NO_PROVISIONER = "kubernetes.io/no-provisioner"

_DRIVERS = {
    "kubernetes.io/aws-ebs": "ebs.csi.aws.com",
    "kubernetes.io/azure-disk": "disk.csi.azure.com",
    "kubernetes.io/cinder": "cinder.csi.openstack.org",
    "kubernetes.io/gce-pd": "pd.csi.storage.gke.io",
    "kubernetes.io/portworx-volume": "pxd.portworx.com",
}
"""In-tree plugins whose volumes CSI drivers serve, as NodeVolumeLimits counts them."""
_NOT_COUNTED = frozenset({"kubernetes.io/azure-file", "kubernetes.io/vsphere-volume"})
"""In-tree plugins that could be migrated, but whose migration the filter does not look at."""


@dataclass(frozen=True, slots=True, order=True)
class Attachment:
    """A volume as a node attaches it: what counts against the driver's limit, once a node."""

    driver: str
    handle: str


class Storage:
    """The storage objects of a snapshot, by name."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Index them."""
        self.claims = {claim.key: claim for claim in snapshot.claims}
        self.volumes = {volume.name: volume for volume in snapshot.volumes}
        self.classes = {each.name: each for each in snapshot.storage_classes}
        self.drivers = {driver.name: driver for driver in snapshot.csi_drivers}
        self.csi_nodes = {node.name: node for node in snapshot.csi_nodes}
        self.device_claims = {(c.namespace, c.name): c for c in snapshot.resource_claims}
        self.volumes_of_class: dict[str, list[PersistentVolume]] = {}
        self.reserved: dict[tuple[str, str], list[PersistentVolume]] = {}
        """Volumes by the claim that their claimRef names, bound or not."""
        for volume in snapshot.volumes:
            self.volumes_of_class.setdefault(volume.storage_class, []).append(volume)
            if volume.claim is not None:
                self.reserved.setdefault(volume.claim[:2], []).append(volume)
        self.matches: dict[Hashable, list[PersistentVolume]] = {}
        """Filled by VolumeBinding: the volumes that could serve claims of one shape."""

    def claims_of(self, pod: Pod) -> list[PersistentVolumeClaim]:
        """The claims of a pod that exist."""
        keys = [(pod.namespace, ref.name) for ref in pod.spec.claims]
        return [self.claims[key] for key in keys if key in self.claims]

    def waits(self, claim: PersistentVolumeClaim) -> bool:
        """Whether the claim is bound only when its first pod is placed (WaitForFirstConsumer)."""
        storage_class = self.classes.get(claim.storage_class or "")
        return storage_class is not None and storage_class.wait_for_first_consumer

    def attachments(self, pod: Pod) -> frozenset[Attachment]:
        """What a node attaches for the pod: its claims' volumes and its inline in-tree disks.

        A claim that is not bound yet counts for the driver that will provision it.
        """
        found = {
            Attachment(driver, handle)
            for plugin, driver, handle in pod.spec.inline_volumes
            if plugin in _DRIVERS
        }
        for claim in self.claims_of(pod):
            attachment = self.attachment(claim)
            if attachment is not None:
                found.add(attachment)
        return frozenset(found)

    def attachment(self, claim: PersistentVolumeClaim) -> Attachment | None:
        """What the claim attaches, or ``None`` where no limit can concern it."""
        volume = self.volumes.get(claim.volume_name) if claim.volume_name else None
        if volume is None:
            return self._of_class(claim)
        if not volume.driver or not volume.handle:
            return None
        if volume.in_tree is not None and volume.in_tree not in _DRIVERS:
            return None
        return Attachment(volume.driver, volume.handle)

    def _of_class(self, claim: PersistentVolumeClaim) -> Attachment | None:
        storage_class = self.classes.get(claim.storage_class or "")
        if storage_class is None or storage_class.provisioner in _NOT_COUNTED:
            return None
        driver = _DRIVERS.get(storage_class.provisioner, storage_class.provisioner)
        return Attachment(driver, f"claim {claim.namespace}/{claim.name}") if driver else None
