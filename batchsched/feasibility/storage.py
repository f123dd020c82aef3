"""Storage, indexed: the claims of a pod, the volumes behind them, what nodes attach for them.

Read by the volume filters; knows no node labels and decides nothing.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot
from batchsched.snapshot.storage import PersistentVolume, PersistentVolumeClaim

if TYPE_CHECKING:
    from collections.abc import Hashable

NO_PROVISIONER = "kubernetes.io/no-provisioner"

_DRIVERS = {
    "kubernetes.io/aws-ebs": "ebs.csi.aws.com",
    "kubernetes.io/azure-disk": "disk.csi.azure.com",
    "kubernetes.io/cinder": "cinder.csi.openstack.org",
    "kubernetes.io/gce-pd": "pd.csi.storage.gke.io",
    "kubernetes.io/portworx-volume": "pxd.portworx.com",
}
"""In-tree plugins whose volumes CSI drivers serve, as NodeVolumeLimits counts them."""
_OLD_ZONE, _ZONE = "failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"
_DASHES_IN_ZONE = 2
_NOT_COUNTED = frozenset({"kubernetes.io/azure-file", "kubernetes.io/vsphere-volume"})
"""In-tree plugins that could be migrated, but whose migration the filter does not look at."""


@dataclass(frozen=True, slots=True, order=True)
class Attachment:
    """A volume as a node attaches it: what counts against the driver's limit, once a node."""

    driver: str
    handle: str


def untranslatable(volume: PersistentVolume) -> str | None:
    """Why an in-tree disk cannot be told to its CSI driver, or ``None`` where it can.

    The name of a regional disk of GCE has its region, which is read off its zones.
    """
    labels = dict(volume.labels)
    zones = (labels.get(_OLD_ZONE) or labels.get(_ZONE) or "").split("__")
    if volume.in_tree != "kubernetes.io/gce-pd" or len(zones) == 1:
        return None
    problem = next((zone for zone in zones if zone.count("-") != _DASHES_IN_ZONE), None)
    if problem is not None:
        said = (
            f"zone in unexpected format, expected: {{locale}}-{{region}}-{{zone}}, got: {problem}"
        )
    elif len({zone.rpartition("-")[0] for zone in zones}) > 1:
        said = f"multiple or no regions gotten from zones, got: {sorted(set(zones))}"
    else:
        return None
    return f"could not translate pv: failed to get region from zones: {said}"


def owns(pod: Pod, claim: PersistentVolumeClaim) -> bool:
    """Whether the pod is the claim's controller, as of the claims of its ephemeral volumes."""
    return claim.owner is not None and claim.owner.uid == pod.uid


def not_owner(pod: Pod, claim: PersistentVolumeClaim) -> str:
    """What kube-scheduler says of an ephemeral volume whose claim is another's."""
    name = f"{claim.namespace}/{claim.name}"
    return f"PVC {name} was not created for pod {pod.full_name} (pod is not owner)"


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
        self._migrated: dict[str, npt.NDArray[np.bool_]] = {}
        self.matches: dict[Hashable, list[PersistentVolume]] = {}
        """Filled by VolumeBinding: the volumes that could serve claims of one shape."""

    def migrated(self, plugin: str, nodes: tuple[Node, ...]) -> npt.NDArray[np.bool_]:
        """[N] whether the node's CSINode says that the in-tree plugin was migrated there."""
        if plugin not in self._migrated:
            found = [self.csi_nodes.get(node.name) for node in nodes]
            there = [each is not None and plugin in each.migrated for each in found]
            self._migrated[plugin] = np.array(there, dtype=np.bool_)
        return self._migrated[plugin]

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
        if untranslatable(volume) is not None:
            return None
        return Attachment(volume.driver, volume.handle)

    def _of_class(self, claim: PersistentVolumeClaim) -> Attachment | None:
        storage_class = self.classes.get(claim.storage_class or "")
        if storage_class is None or storage_class.provisioner in _NOT_COUNTED:
            return None
        driver = _DRIVERS.get(storage_class.provisioner, storage_class.provisioner)
        return Attachment(driver, f"claim {claim.namespace}/{claim.name}") if driver else None
