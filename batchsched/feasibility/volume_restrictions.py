"""VolumeRestrictions: disks not to be mounted twice on a node, claims that one pod alone uses."""

from batchsched.feasibility.scene import Reasons, Scene, Verdict, refusal, stacked
from batchsched.snapshot.pod import Disk, Pod
from batchsched.snapshot.storage import READ_WRITE_ONCE_POD

NO_DISK = "node(s) had no available disk"
CLAIM_IN_USE = (
    "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode "
    "already in-use by another pod"
)
_EBS, _RBD = "awsElasticBlockStore", "rbd"


def conflict(one: Disk, other: Disk) -> bool:
    """Whether two mounts of a disk cannot be on one node: the same disk, not both read-only.

    An EBS disk is never shared; an rbd image is the same where the pools have a monitor in common.
    """
    if (one.kind, one.ids) != (other.kind, other.ids):
        return False
    if one.kind == _EBS:
        return True
    if one.kind == _RBD and not set(one.monitors) & set(other.monitors):
        return False
    return not (one.read_only and other.read_only)


def missing_claim(scene: Scene, pod: Pod) -> Reasons:
    """VolumeRestrictions' PreFilter: every claim that the pod names is there."""
    for ref in pod.spec.claims:
        if not ref.ephemeral and (pod.namespace, ref.name) not in scene.storage.claims:
            return (f'persistentvolumeclaim "{ref.name}" not found',)
    return ()


def disk_conflicts(scene: Scene) -> Verdict:
    """VolumeRestrictions, inline disks: against those that fixed pods mount on the node."""
    mounted: dict[Disk, list[int]] = {}
    for pod, node in scene.holding(lambda spec: spec.disks):
        for disk in pod.spec.disks:
            mounted.setdefault(disk, []).append(node)
    kinds, kind = scene.kinds(c.spec.disks for c in scene.classes)
    masks = []
    for each in kinds:
        mask = scene.none()
        for disk in each.spec.disks:
            for other, nodes in mounted.items():
                if conflict(disk, other):
                    mask[nodes] = True
        masks.append(mask)
    return refusal(stacked(masks, len(scene.nodes)), kind, NO_DISK)


def exclusive_claims(scene: Scene, pod: Pod) -> list[tuple[str, str]]:
    """The ReadWriteOncePod claims that a pod names; ephemeral volumes' are its own anyway."""
    keys = [(pod.namespace, ref.name) for ref in pod.spec.claims if not ref.ephemeral]
    found = [(key, scene.storage.claims.get(key)) for key in keys]
    return [key for key, claim in found if claim and READ_WRITE_ONCE_POD in claim.access_modes]


def claim_in_use(scene: Scene) -> Verdict:
    """VolumeRestrictions, ReadWriteOncePod: a claim in use anywhere is taken everywhere."""
    used = {
        (pod.namespace, ref.name)
        for pod, _ in scene.holding(lambda spec: spec.claims)
        for ref in pod.spec.claims
        if not ref.ephemeral
    }
    keys = [any(key in used for key in exclusive_claims(scene, c.pods[0])) for c in scene.classes]
    _, kind = scene.kinds(keys)
    masks = [scene.none() | taken for taken in dict.fromkeys(keys)]
    return refusal(stacked(masks, len(scene.nodes)), kind, CLAIM_IN_USE)


def volume_restrictions(scene: Scene) -> tuple[Verdict, ...]:
    """VolumeRestrictions, in the order in which kube-scheduler asks."""
    return (disk_conflicts(scene), claim_in_use(scene))
