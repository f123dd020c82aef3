"""How the oracles read claims and volumes (§C10, §C11, §C12): which choice is usable where."""

from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot
from batchsched.snapshot.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from tests.oracles.reading import selected, term_holds, terms_hold

ZONE_LABELS = (
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
)
Key = tuple[str, str]


class Storage:
    """The storage objects of a snapshot by name."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.claims = {c.key: c for c in snapshot.claims}
        self.volumes = {v.name: v for v in snapshot.volumes}
        self.classes = {c.name: c for c in snapshot.storage_classes}
        self.csi_nodes = {c.name: c for c in snapshot.csi_nodes}

    def claims_of(self, pod: Pod) -> list[PersistentVolumeClaim]:
        """The claims of a pod that exist, each once."""
        keys = sorted({(pod.namespace, ref.name) for ref in pod.spec.claims})
        return [self.claims[key] for key in keys if key in self.claims]

    def class_of(self, claim: PersistentVolumeClaim) -> StorageClass | None:
        return self.classes.get(claim.storage_class or "")

    def waits(self, claim: PersistentVolumeClaim) -> bool:
        """Whether the claim is unbound and will be bound for its first consumer."""
        found = self.class_of(claim)
        return not claim.volume_name and found is not None and found.wait_for_first_consumer

    def settled(self, claim: PersistentVolumeClaim) -> bool:
        """Whether the claim is bound on both sides."""
        return bool(claim.volume_name) and claim.bound

    def hopeless(self, pod: Pod) -> bool:
        """Whether no node can help: a claim is missing, lost, not the pod's, or not to be bound."""
        for ref in pod.spec.claims:
            claim = self.claims.get((pod.namespace, ref.name))
            if claim is None or claim.deleting or claim.phase == "Lost":
                return True
            if ref.ephemeral and (claim.owner is None or claim.owner.uid != pod.uid):
                return True
            if not self.settled(claim) and not self.waits(claim):
                return True
            if self.settled(claim) and claim.volume_name not in self.volumes:
                return True
        return False

    def bound_volumes(self, pod: Pod) -> list[PersistentVolume]:
        return [
            self.volumes[claim.volume_name]
            for claim in self.claims_of(pod)
            if self.settled(claim) and claim.volume_name in self.volumes
        ]

    def reaches(self, pod: Pod, node: Node) -> bool:
        """Whether the bound volumes of the pod are usable on the node, zone labels included."""
        return all(
            terms_hold(volume.node_affinity, node) and zones_agree(volume, node)
            for volume in self.bound_volumes(pod)
        )

    def choices(self, claim: PersistentVolumeClaim, node: Node) -> set[str]:
        """Static volumes, by name, that could serve an unbound claim on the node."""
        if claim.selected_node is not None:
            return set()
        return {
            volume.name
            for volume in self.snapshot.volumes
            if serves(volume, claim) and terms_hold(volume.node_affinity, node)
        }

    def provisions(self, claim: PersistentVolumeClaim, node: Node) -> bool:
        """Whether the claim's class could provision a volume on the node."""
        storage_class = self.class_of(claim)
        if storage_class is None or claim.selected_node not in {None, node.name}:
            return False
        if storage_class.provisioner in {"", "kubernetes.io/no-provisioner"}:
            return False
        allowed = storage_class.allowed_topologies
        if allowed and not any(term_holds(term, node) for term in allowed):
            return False
        drivers = {driver.name: driver for driver in self.snapshot.csi_drivers}
        driver = drivers.get(storage_class.provisioner)
        if driver is None or not driver.storage_capacity:
            return True
        return any(
            capacity.storage_class == storage_class.name
            and selected(capacity.node_topology, dict(node.labels))
            and (capacity.maximum_volume_bytes or capacity.capacity_bytes or 0)
            >= max(claim.request_bytes, 1)
            for capacity in self.snapshot.csi_capacities
        )

    def exclusive(self, pod: Pod) -> set[Key]:
        """The ReadWriteOncePod claims of a pod."""
        return {c.key for c in self.claims_of(pod) if "ReadWriteOncePod" in c.access_modes}

    def attached(self, pod: Pod, node: Node) -> set[tuple[str, str]]:
        """The CSI volumes, as (driver, handle), that the pod needs attached to the node."""
        migrated = self._migrated(node)
        found = {
            (driver, handle)
            for plugin, driver, handle in pod.spec.inline_volumes
            if plugin in migrated
        }
        for claim in self.claims_of(pod):
            volume = self.volumes.get(claim.volume_name)
            if volume is not None:
                if volume.driver and (volume.in_tree is None or volume.in_tree in migrated):
                    found.add((volume.driver, volume.handle or ""))
            elif not claim.volume_name and (storage_class := self.class_of(claim)):
                found.add((storage_class.provisioner, f"{claim.namespace}/{claim.name} to come"))
        return found

    def attachments(self, node: Node) -> set[tuple[str, str]]:
        """What VolumeAttachments say is attached to the node."""
        return {
            (attachment.driver, volume.handle or "")
            for attachment in self.snapshot.attachments
            if attachment.node == node.name
            and (volume := self.volumes.get(attachment.volume_name or "")) is not None
            and volume.driver
            and volume.in_tree is None
        }

    def limit(self, node: Node, driver: str) -> int | None:
        """How many volumes of the driver the node can attach, if there is a limit."""
        csi_node = self.csi_nodes.get(node.name)
        return dict(csi_node.drivers).get(driver) if csi_node else None

    def driver_missing(self, node: Node, driver: str) -> bool:
        """Whether the driver must be on the node and is not."""
        csi_node = self.csi_nodes.get(node.name)
        installed = {name for name, _ in csi_node.drivers} if csi_node else set()
        return driver not in installed and any(
            d.name == driver and d.prevent_scheduling_if_missing for d in self.snapshot.csi_drivers
        )

    def _migrated(self, node: Node) -> tuple[str, ...]:
        csi_node = self.csi_nodes.get(node.name)
        return csi_node.migrated if csi_node else ()


def zones_agree(volume: PersistentVolume, node: Node) -> bool:
    """Zone and region labels of a volume (``a__b`` is a set) against the node's, if it has any."""
    labels = dict(node.labels)
    if not any(key in labels for key in ZONE_LABELS):
        return True
    for key, value in volume.labels:
        if key in ZONE_LABELS:
            general = "topology.kubernetes.io/" + key.rpartition("/")[2]
            if labels.get(key, labels.get(general)) not in value.split("__"):
                return False
    return True


def serves(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    """Whether a static volume could be bound to the claim, nodes aside."""
    if volume.deleting or volume.capacity_bytes < claim.request_bytes:
        return False
    if volume.volume_mode != claim.volume_mode:
        return False
    if not set(claim.access_modes) <= set(volume.access_modes):
        return False
    if volume.claim is not None:
        namespace, name, uid = volume.claim
        return (namespace, name) == claim.key and uid in {"", claim.uid}
    return (
        volume.phase == "Available"
        and volume.storage_class == (claim.storage_class or "")
        and (claim.selector is None or selected(claim.selector, dict(volume.labels)))
    )
