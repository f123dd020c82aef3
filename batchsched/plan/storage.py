"""Storage, as the checker reads it: claims, the volumes behind them, and what a node attaches.

Plain Python, said a second time on purpose; ``feasibility`` has its own reading.
"""

from collections.abc import Iterator
from typing import TypeAlias

from batchsched.snapshot.pod import ClaimRef, Pod
from batchsched.snapshot.snapshot import Snapshot
from batchsched.snapshot.storage import PersistentVolume, PersistentVolumeClaim, StorageClass

Volume: TypeAlias = tuple[str, str]
"""(driver, handle): what is attached to a node, once for all its pods."""

_SERVED_BY = {
    "kubernetes.io/aws-ebs": "ebs.csi.aws.com",
    "kubernetes.io/gce-pd": "pd.csi.storage.gke.io",
    "kubernetes.io/azure-disk": "disk.csi.azure.com",
    "kubernetes.io/cinder": "cinder.csi.openstack.org",
    "kubernetes.io/portworx-volume": "pxd.portworx.com",
}
_UNCOUNTED = ("kubernetes.io/azure-file", "kubernetes.io/vsphere-volume")


class Storage:
    """The storage objects of a snapshot by name."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Index them."""
        self.claims = {claim.key: claim for claim in snapshot.claims}
        self.volumes = {volume.name: volume for volume in snapshot.volumes}
        self.classes = {each.name: each for each in snapshot.storage_classes}
        self.drivers = {driver.name: driver for driver in snapshot.csi_drivers}
        self.csi_nodes = {node.name: node for node in snapshot.csi_nodes}
        self._of_class: dict[str, list[PersistentVolume]] = {}
        for volume in snapshot.volumes:
            self._of_class.setdefault(volume.storage_class, []).append(volume)

    def claims_of(self, pod: Pod) -> Iterator[tuple[ClaimRef, PersistentVolumeClaim | None]]:
        """Each claim that a pod names, with the claim if it exists."""
        for ref in pod.spec.claims:
            yield ref, self.claims.get((pod.namespace, ref.name))

    def volume_of(self, claim: PersistentVolumeClaim) -> PersistentVolume | None:
        """The volume that a claim names, if it exists."""
        return self.volumes.get(claim.volume_name) if claim.volume_name else None

    def of_class(self, name: str) -> list[PersistentVolume]:
        """The volumes of a storage class."""
        return self._of_class.get(name, [])

    def class_of(self, claim: PersistentVolumeClaim) -> StorageClass | None:
        """The storage class of a claim, if it exists."""
        return self.classes.get(claim.storage_class) if claim.storage_class else None

    def attaches(self, pod: Pod) -> set[Volume]:
        """The volumes with an attach limit that a pod brings to its node."""
        found = {
            (driver, handle)
            for plugin, driver, handle in pod.spec.inline_volumes
            if plugin in _SERVED_BY
        }
        for _, claim in self.claims_of(pod):
            volume = self._attached_for(claim) if claim else None
            if volume is not None:
                found.add(volume)
        return found

    def _attached_for(self, claim: PersistentVolumeClaim) -> Volume | None:
        volume = self.volume_of(claim)
        if volume is not None:
            uncounted = volume.in_tree is not None and volume.in_tree not in _SERVED_BY
            if uncounted or not volume.driver or not volume.handle:
                return None
            return volume.driver, volume.handle
        # Nothing is bound yet: a volume of its own, of whatever driver will make it.
        made_by = self.class_of(claim)
        if made_by is None or not made_by.provisioner or made_by.provisioner in _UNCOUNTED:
            return None
        driver = _SERVED_BY.get(made_by.provisioner, made_by.provisioner)
        return driver, f"unbound:{claim.namespace}/{claim.name}"
