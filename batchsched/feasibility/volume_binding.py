"""VolumeBinding: bound claims say where, unbound ones must find a volume or be provisioned there.

Claims of classes that bind immediately have to be bound already. Claims that wait for their first
pod take, smallest claim first, the smallest fitting volume that nobody claimed and that the node
can reach; what finds none must be provisionable at the node. Nodes of one answer share one
computation: everything here is a mask over nodes, and claims of the same shape are asked once.
"""

from dataclasses import dataclass

import numpy as np

from batchsched.feasibility.columns import BoolArray
from batchsched.feasibility.scene import Reasons, Scene, Verdict, refusal, stacked, verdict_of_all
from batchsched.feasibility.storage import NO_PROVISIONER, not_owner, owns, untranslatable
from batchsched.feasibility.volume_topology import reaches, usable
from batchsched.snapshot.labels import LabelSelector, NodeSelectorTerm, Pairs, selects
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.storage import PersistentVolume, PersistentVolumeClaim

IMMEDIATE = "pod has unbound immediate PersistentVolumeClaims"
NODE_CONFLICT = "node(s) didn't match PersistentVolume's node affinity"
NO_VOLUME = "node(s) didn't find available persistent volumes to bind"
NO_SPACE = "node(s) did not have enough free storage"
NO_SUCH_VOLUME = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"
_REASONS = (NODE_CONFLICT, NO_VOLUME, NO_SPACE, NO_SUCH_VOLUME)


@dataclass(frozen=True, slots=True)
class Bound:
    """What matters of a bound claim: where its volume can be used, if the volume is there."""

    exists: bool
    node_affinity: tuple[NodeSelectorTerm, ...] | None = None
    in_tree: str | None = None
    labels: Pairs = ()
    """Of an in-tree volume, whose zones they may say."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What matters of a claim that waits for its first pod."""

    storage_class: str
    volume_mode: str
    access_modes: tuple[str, ...]
    request_bytes: int
    selector: LabelSelector | None
    selected_node: str | None
    attributes_class: str
    reserved: tuple[str, ...]
    """Volumes that are reserved for this very claim, sorted."""


def unready_claim(scene: Scene, pod: Pod) -> Reasons:
    """VolumeBinding's PreFilter: claims exist, live, are the pod's own, bound if immediate."""
    claims = []
    for ref in pod.spec.claims:
        claim = scene.storage.claims.get((pod.namespace, ref.name))
        reason = _unready(pod, ref.name, claim, ephemeral=ref.ephemeral)
        if reason:
            return (reason,)
        if claim is not None:
            claims.append(claim)
    waiting = (c for c in claims if not is_bound(c))
    if all(scene.storage.waits(c) and not c.volume_name for c in waiting):
        return ()
    return (IMMEDIATE,)


def _unready(
    pod: Pod, name: str, claim: PersistentVolumeClaim | None, *, ephemeral: bool
) -> str | None:
    if claim is None and ephemeral:
        return (
            f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{name}"'
        )
    if claim is None:
        return f'persistentvolumeclaim "{name}" not found'
    if claim.phase == "Lost":
        return (
            f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume '
            f'"{claim.volume_name}"'
        )
    if claim.deleting:
        return f'persistentvolumeclaim "{name}" is being deleted'
    if ephemeral and not owns(pod, claim):
        return not_owner(pod, claim)
    return None


def is_bound(claim: PersistentVolumeClaim) -> bool:
    """Whether claim and volume agree on each other."""
    return claim.bound and bool(claim.volume_name)


def volume_binding(scene: Scene) -> tuple[Verdict, ...]:
    """VolumeBinding: for each node, all that stands against the pod's volumes there."""
    return (*_untranslatable(scene), _found_wanting(scene))


def _untranslatable(scene: Scene) -> list[Verdict]:
    """Nodes to which an in-tree volume was migrated, whose CSI driver cannot be told of it."""
    verdicts = []
    for c, pods in enumerate(scene.classes):
        for claim in scene.storage.claims_of(pods.pods[0]):
            volume = scene.storage.volumes.get(claim.volume_name) if is_bound(claim) else None
            reason = untranslatable(volume) if volume is not None else None
            if volume is not None and volume.in_tree is not None and reason is not None:
                kind = np.arange(len(scene.classes)) == c
                nodes = scene.storage.migrated(volume.in_tree, scene.nodes)
                rows = stacked([scene.none(), nodes], len(scene.nodes))
                verdicts.append(refusal(rows, kind.astype(np.int64), reason))
    return verdicts


def _found_wanting(scene: Scene) -> Verdict:
    keys = [_signature(scene, c.pods[0]) for c in scene.classes]
    _, kind = scene.kinds(keys)
    found = [_parts(scene, each) for each in dict.fromkeys(keys)]
    masks = [stacked(part, len(scene.nodes)) for part in zip(*found, strict=True)]
    parts = zip(_REASONS, masks, strict=True) if masks else ()
    return verdict_of_all(len(found), len(scene.nodes), kind, parts)


def _signature(scene: Scene, pod: Pod) -> tuple[Bound | Shape, ...]:
    """The pod's claims, reduced to what the answer depends on."""
    return tuple(
        _bound(scene, claim) if is_bound(claim) else shape(scene, claim)
        for claim in scene.storage.claims_of(pod)
    )


def _bound(scene: Scene, claim: PersistentVolumeClaim) -> Bound:
    volume = scene.storage.volumes.get(claim.volume_name)
    if volume is None:
        return Bound(exists=False)
    labels = volume.labels if volume.in_tree is not None else ()
    return Bound(
        exists=True, node_affinity=volume.node_affinity, in_tree=volume.in_tree, labels=labels
    )


def shape(scene: Scene, claim: PersistentVolumeClaim) -> Shape:
    """The shape of a claim that waits for its first pod."""
    reserved = scene.storage.reserved.get(claim.key, ())
    return Shape(
        claim.storage_class or "",
        claim.volume_mode,
        claim.access_modes,
        claim.request_bytes,
        claim.selector,
        claim.selected_node,
        claim.attributes_class,
        tuple(sorted(v.name for v in reserved if _refers_to(v, claim))),
    )


def _refers_to(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    """Whether a volume's claimRef is this claim; a claimRef without uid fits the name."""
    return volume.claim is not None and volume.claim[2] in {"", claim.uid}


def _parts(scene: Scene, signature: tuple[Bound | Shape, ...]) -> tuple[BoolArray, ...]:
    """[N] for each of ``_REASONS``: where it applies."""
    conflict, no_such = _bound_claims(scene, [s for s in signature if isinstance(s, Bound)])
    unmatched, no_space = _waiting_claims(scene, [s for s in signature if isinstance(s, Shape)])
    return (conflict, unmatched, no_space, no_such)


def _bound_claims(scene: Scene, claims: list[Bound]) -> tuple[BoolArray, BoolArray]:
    """[N] where a volume does not reach, and where it does not exist; the first claim decides."""
    conflict, no_such, undecided = scene.none(), scene.none(), ~scene.none()
    for claim in claims:
        if not claim.exists:
            return conflict, undecided
        failed = undecided & ~usable(scene, claim)
        conflict |= failed
        undecided &= ~failed
    return conflict, no_such


def _waiting_claims(scene: Scene, claims: list[Shape]) -> tuple[BoolArray, BoolArray]:
    """[N] where a claim finds neither volume nor provisioner, and where space is short."""
    unmatched, no_space = scene.none(), scene.none()
    for claim in claims:
        if claim.selected_node is not None:
            unmatched |= ~scene.terms.named([claim.selected_node])
    undecided = ~unmatched
    for claim, needed in _to_provision(scene, claims):
        failed = undecided & needed & ~provisionable(scene, claim)
        unmatched |= failed
        undecided &= ~failed
        failed = undecided & needed & ~spacious(scene, claim)
        no_space |= failed
        undecided &= ~failed
    return unmatched, no_space


def _to_provision(scene: Scene, claims: list[Shape]) -> list[tuple[Shape, BoolArray]]:
    """The claims that need a provisioner, and where: selected nodes first, then without volume."""
    found = [(claim, ~scene.none()) for claim in claims if claim.selected_node is not None]
    taken: dict[str, BoolArray] = {}
    free = [claim for claim in claims if claim.selected_node is None]
    free.sort(key=lambda claim: claim.request_bytes)
    found.extend((claim, ~_matched(scene, claim, taken)) for claim in free)
    return found


def _matched(scene: Scene, claim: Shape, taken: dict[str, BoolArray]) -> BoolArray:
    """[N] where the claim finds a volume; notes in ``taken`` which volume that is."""
    mask = scene.none()
    for volume in matching_volumes(scene, claim):
        here = reaches(scene, volume.node_affinity) & ~mask
        if volume.name in taken:
            here &= ~taken[volume.name]
        if here.any():
            mask |= here
            taken[volume.name] = taken.get(volume.name, scene.none()) | here
        if mask.all():
            break
    return mask


def matching_volumes(scene: Scene, claim: Shape) -> list[PersistentVolume]:
    """The volumes that could serve the claim, the best first; reserved ones rule out all others."""
    if claim not in scene.storage.matches:
        reserved = [scene.storage.volumes[name] for name in claim.reserved]
        same_class = [v for v in reserved if v.storage_class == claim.storage_class]
        found = [v for v in same_class if _is_large_enough(v, claim)][:1]
        if not found:
            every = scene.storage.volumes_of_class.get(claim.storage_class, [])
            found = [v for v in every if _is_available(v, claim) and _is_large_enough(v, claim)]
            found.sort(key=lambda volume: (volume.capacity_bytes, volume.name))
        scene.storage.matches[claim] = found
    return scene.storage.matches[claim]


def _is_large_enough(volume: PersistentVolume, claim: Shape) -> bool:
    return (
        volume.capacity_bytes >= claim.request_bytes
        and volume.volume_mode == claim.volume_mode
        and not volume.deleting
        and volume.attributes_class == claim.attributes_class
    )


def _is_available(volume: PersistentVolume, claim: Shape) -> bool:
    return (
        volume.claim is None
        and volume.phase == "Available"
        and (claim.selector is None or selects(claim.selector, dict(volume.labels)))
        and set(claim.access_modes) <= set(volume.access_modes)
    )


def provisionable(scene: Scene, claim: Shape) -> BoolArray:
    """[N] whether the claim's class provisions volumes that the node can reach."""
    storage_class = scene.storage.classes.get(claim.storage_class)
    if storage_class is None or storage_class.provisioner in {"", NO_PROVISIONER}:
        return scene.none()
    return scene.terms.any_of(storage_class.allowed_topologies or None)


def spacious(scene: Scene, claim: Shape) -> BoolArray:
    """[N] whether the provisioner, where it reports its capacity, has enough of it for the node."""
    storage_class = scene.storage.classes.get(claim.storage_class)
    driver = scene.storage.drivers.get(storage_class.provisioner) if storage_class else None
    if driver is None or not driver.storage_capacity or not claim.request_bytes:
        return ~scene.none()
    mask = scene.none()
    for each in scene.snapshot.csi_capacities:
        limit = each.maximum_volume_bytes
        limit = each.capacity_bytes if limit is None else limit
        enough = limit is not None and limit >= claim.request_bytes
        if each.storage_class == claim.storage_class and enough:
            mask |= scene.terms.selected(each.node_topology)
    return mask
