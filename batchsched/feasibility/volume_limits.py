"""NodeVolumeLimits: distinct volumes per CSI driver on a node, against what the node can attach.

A volume that several pods of a node use counts once. VolumeAttachments count too, where no pod on
the node explains them. A node without CSINode, or a driver without a count, has no limit.
"""

import numpy as np

from batchsched.feasibility.columns import BoolArray, IntArray, distinct
from batchsched.feasibility.scene import Scene, Verdict, refusal, stacked
from batchsched.feasibility.storage import Attachment, not_owner, owns

LIMIT = "node(s) exceed max volume count"
_UNLIMITED = 2**62


class Attached:
    """What is attached where: counts per driver and node, and the nodes of each volume."""

    def __init__(self, scene: Scene) -> None:
        """Count fixed pods' volumes, then attachments that none of them explains."""
        self.scene = scene
        on: set[tuple[Attachment, int]] = {
            (attachment, node)
            for pod, node in scene.holding(lambda spec: spec.claims or spec.inline_volumes)
            for attachment in scene.storage.attachments(pod)
        }
        self.nodes_of: dict[Attachment, list[int]] = {}
        for attachment, node in sorted(on):
            self.nodes_of.setdefault(attachment, []).append(node)
        self.counts: dict[str, IntArray] = {}
        for attachment, node in sorted(on | self._attachments()):
            self.count(attachment.driver)[node] += 1
        self.limits = self._limits()

    def count(self, driver: str) -> IntArray:
        """[N] volumes of the driver on each node."""
        return self.counts.setdefault(driver, np.zeros(len(self.scene.nodes), dtype=np.int64))

    def limit(self, driver: str) -> IntArray:
        """[N] how many volumes of the driver each node can attach; a very large number if any."""
        unlimited = np.full(len(self.scene.nodes), _UNLIMITED)
        return self.limits.get(driver, unlimited)

    def _attachments(self) -> set[tuple[Attachment, int]]:
        index = {node.name: i for i, node in enumerate(self.scene.nodes)}
        found = set()
        for each in self.scene.snapshot.attachments:
            volume = self.scene.storage.volumes.get(each.volume_name or "")
            known = volume is not None and volume.in_tree is None and volume.handle
            if known and volume is not None and each.driver and each.node in index:
                found.add((Attachment(each.driver, volume.handle or ""), index[each.node]))
        return found

    def _limits(self) -> dict[str, IntArray]:
        limits: dict[str, IntArray] = {}
        for i, node in enumerate(self.scene.nodes):
            csi_node = self.scene.storage.csi_nodes.get(node.name)
            for driver, count in csi_node.drivers if csi_node else ():
                if count is not None:
                    unlimited = np.full(len(self.scene.nodes), _UNLIMITED)
                    limits.setdefault(driver, unlimited)[i] = count
        return limits


def node_volume_limits(scene: Scene) -> tuple[Verdict, ...]:
    """NodeVolumeLimits: missing drivers that forbid, then the counts."""
    keys = [scene.storage.attachments(c.pods[0]) for c in scene.classes]
    if not any(keys):
        return ()
    attached = Attached(scene)
    found, kind = distinct(keys)
    missing = [_missing(scene, each) for each in found]
    masks = [_exceeded(scene, attached, each) for each in found]
    over = refusal(stacked(masks, len(scene.nodes)), kind, LIMIT)
    strangers = _strangers(scene, attached, found, kind)
    return (*_not_installed(scene, missing, kind), *strangers, over)


def _strangers(
    scene: Scene, attached: Attached, found: list[frozenset[Attachment]], kind: IntArray
) -> list[Verdict]:
    """Nodes that kube-scheduler cannot count: a pod there names an ephemeral claim of another's."""
    wanting = np.array([bool(each) for each in found], dtype=np.bool_)
    limited = scene.none()
    for limits in attached.limits.values():
        limited |= limits < _UNLIMITED
    refused: dict[int, str] = {}
    for pod, node in scene.holding(lambda spec: spec.claims):
        for ref in pod.spec.claims if limited[node] else ():
            claim = scene.storage.claims.get((pod.namespace, ref.name))
            if ref.ephemeral and claim is not None and not owns(pod, claim):
                refused.setdefault(node, not_owner(pod, claim))
    verdicts = []
    for node, reason in refused.items():
        mask = scene.none()
        mask[node] = True
        verdicts.append(refusal(np.outer(wanting, mask), kind, reason))
    return verdicts


def _exceeded(scene: Scene, attached: Attached, wanted: frozenset[Attachment]) -> BoolArray:
    """[N] whether the new volumes are too many for the node."""
    mask = scene.none()
    for driver in sorted({attachment.driver for attachment in wanted}):
        new = np.zeros(len(scene.nodes), dtype=np.int64)
        for attachment in wanted:
            if attachment.driver == driver:
                new += 1
                new[attached.nodes_of.get(attachment, [])] -= 1
        mask |= (new > 0) & (attached.count(driver) + new > attached.limit(driver))
    return mask


def _missing(scene: Scene, wanted: frozenset[Attachment]) -> dict[str, BoolArray]:
    """Drivers that forbid nodes where they are not installed, with those nodes [N]."""
    found = {}
    for driver in sorted({attachment.driver for attachment in wanted}):
        known = scene.storage.drivers.get(driver)
        if known is not None and known.prevent_scheduling_if_missing:
            nodes = [scene.storage.csi_nodes.get(node.name) for node in scene.nodes]
            present = [each is not None and driver in dict(each.drivers) for each in nodes]
            found[driver] = ~np.array(present, dtype=np.bool_)
    return found


def _not_installed(
    scene: Scene,
    missing: list[dict[str, BoolArray]],
    kind: IntArray,
) -> list[Verdict]:
    verdicts = []
    for driver in sorted({driver for each in missing for driver in each}):
        masks = [each.get(driver, scene.none()) for each in missing]
        reason = f"{driver} CSI driver is not installed on the node"
        verdicts.append(refusal(stacked(masks, len(scene.nodes)), kind, reason))
    return verdicts
