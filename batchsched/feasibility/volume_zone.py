"""VolumeZone: zone and region labels of bound volumes, against those of the node.

A node that carries none of these labels passes: a cluster without zones has nothing to check. A
label of the volume may name several zones, joined by ``__``; the old label names match the node's
new ones.
"""

from batchsched.feasibility.columns import BoolArray
from batchsched.feasibility.scene import Reasons, Scene, Verdict, refusal, stacked
from batchsched.snapshot.labels import IN, Requirement
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.storage import PersistentVolume

NO_ZONE = "node(s) had no available volume zone"
_RENAMED = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
}
_LABELS = (*_RENAMED, *_RENAMED.values())


def missing_volume(scene: Scene, pod: Pod) -> Reasons:
    """VolumeZone's PreFilter: the volume behind every claim that the pod names is there."""
    for ref in pod.spec.claims:
        claim = scene.storage.claims.get((pod.namespace, ref.name))
        if claim is None or ref.ephemeral or not claim.volume_name:
            continue
        if claim.volume_name not in scene.storage.volumes:
            return (f'persistentvolume "{claim.volume_name}" not found',)
    return ()


def volume_zone(scene: Scene) -> Verdict:
    """VolumeZone: the node carries a value of each zone label of each bound volume."""
    keys = [_requirements(scene, c.pods[0]) for c in scene.classes]
    _, kind = scene.kinds(keys)
    zoned = scene.none()
    for label in _LABELS:
        zoned = zoned | scene.topology.domains(label).has_key
    masks = [zoned & ~_satisfied(scene, each) for each in dict.fromkeys(keys)]
    return refusal(stacked(masks, len(scene.nodes)), kind, NO_ZONE)


def _requirements(scene: Scene, pod: Pod) -> tuple[Requirement, ...]:
    """What the volumes of the claims that a pod names ask of nodes; sorted, without repeats."""
    found: set[Requirement] = set()
    for ref in pod.spec.claims:
        claim = scene.storage.claims.get((pod.namespace, ref.name))
        if claim is not None and not ref.ephemeral and claim.volume_name in scene.storage.volumes:
            found.update(_zones(scene.storage.volumes[claim.volume_name]))
    return tuple(sorted(found))


def _zones(volume: PersistentVolume) -> list[Requirement]:
    found = []
    for label, value in volume.labels:
        zones = {zone.strip() for zone in value.split("__")}
        if label in _LABELS and "" not in zones:
            found.append(Requirement(label, IN, tuple(sorted(zones))))
    return found


def _satisfied(scene: Scene, requirements: tuple[Requirement, ...]) -> BoolArray:
    """[N] whether every one is met; a node without the old label is asked for the new one."""
    mask = ~scene.none()
    for requirement in requirements:
        met = scene.terms.labels.satisfying(requirement)
        renamed = _RENAMED.get(requirement.key)
        if renamed is not None:
            lacking = ~scene.topology.domains(requirement.key).has_key
            modern = Requirement(renamed, IN, requirement.values)
            met = met | (lacking & scene.terms.labels.satisfying(modern))
        mask &= met
    return mask
