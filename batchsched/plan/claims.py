"""Claims that wait for their first consumer: whether volumes can be found for all of them at once.

Each unbound claim of the placed pods gets one static volume that no other claim gets and that all
its users reach, or is provisioned where they all are. Whether that works out is a matching.
"""

from collections import deque
from collections.abc import Iterable, Mapping

from batchsched.plan.reading import meets_terms
from batchsched.plan.state import FinalState
from batchsched.plan.storage import Storage
from batchsched.snapshot.labels import Labels, selects
from batchsched.snapshot.storage import PersistentVolume, PersistentVolumeClaim, StorageClass

_NOBODY = "kubernetes.io/no-provisioner"


def is_bound(claim: PersistentVolumeClaim) -> bool:
    """Whether the claim has its volume, and both know it."""
    return bool(claim.volume_name) and claim.bound


def without_volume(
    state: FinalState, places: Mapping[tuple[str, str], frozenset[str]]
) -> list[tuple[str, str]]:
    """The claims that are left without a volume when as many as possible get one.

    Args:
        state: The final state.
        places: Unbound claim to the nodes of its users.
    """
    reach: dict[tuple[str, str], list[str]] = {}
    for key in sorted(places):
        claim = state.storage.claims[key]
        if not _made_there(state, claim, places[key]):
            static = static_volumes(state.storage, claim)
            reach[key] = [v.name for v in static if _reached(state, v, places[key])]
    taken: dict[str, tuple[str, str]] = {}
    given: dict[tuple[str, str], str] = {}
    return [key for key in reach if not _give(key, reach, taken, given)]


def _give(
    key: tuple[str, str],
    reach: Mapping[tuple[str, str], list[str]],
    taken: dict[str, tuple[str, str]],
    given: dict[tuple[str, str], str],
) -> bool:
    """Give a claim a volume, if need be by giving others another one (an augmenting path)."""
    wanted_by: dict[str, tuple[str, str]] = {}
    asking = deque([key])
    while asking:
        claim = asking.popleft()
        for volume in reach[claim]:
            if volume in wanted_by:
                continue
            wanted_by[volume] = claim
            if volume in taken:
                asking.append(taken[volume])
                continue
            passed: str | None = volume
            while passed is not None:
                taker = wanted_by[passed]
                before = given.get(taker)
                taken[passed], given[taker] = taker, passed
                passed = before
            return True
    return False


def static_volumes(storage: Storage, claim: PersistentVolumeClaim) -> list[PersistentVolume]:
    """The volumes that may serve a claim; one that is reserved for it rules out the others."""
    if claim.selected_node is not None:
        return []
    fitting = [v for v in storage.of_class(claim.storage_class or "") if _fits(v, claim)]
    for volume in fitting:
        if volume.claim is not None and _is_for(volume, claim):
            return [volume]
    return [volume for volume in fitting if _is_free(volume, claim)]


def _fits(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    return (
        volume.capacity_bytes >= claim.request_bytes
        and volume.volume_mode == claim.volume_mode
        and volume.attributes_class == claim.attributes_class
        and not volume.deleting
    )


def _is_for(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    namespace, name, uid = volume.claim or ("", "", "")
    return (namespace, name) == claim.key and uid in ("", claim.uid)


def _is_free(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    if volume.claim is not None or volume.phase != "Available":
        return False
    if claim.selector is not None and not selects(claim.selector, dict(volume.labels)):
        return False
    return all(mode in volume.access_modes for mode in claim.access_modes)


def _reached(state: FinalState, volume: PersistentVolume, nodes: Iterable[str]) -> bool:
    """Whether the volume can be used on every one of the nodes."""
    labels = state.census.labels
    return all(meets_terms(volume.node_affinity, node, labels[node]) for node in nodes)


def _made_there(state: FinalState, claim: PersistentVolumeClaim, nodes: frozenset[str]) -> bool:
    """Whether a volume can be made for the claim on the one node where its users are."""
    made_by = state.storage.class_of(claim)
    if len(nodes) > 1 or made_by is None or made_by.provisioner in ("", _NOBODY):
        return False
    (node,) = nodes
    labels = state.census.labels[node]
    if claim.selected_node not in (None, node):
        return False
    if made_by.allowed_topologies and not meets_terms(made_by.allowed_topologies, node, labels):
        return False
    return _has_space(state, made_by, claim.request_bytes, labels)


def _has_space(state: FinalState, made_by: StorageClass, size: int, labels: Labels) -> bool:
    """Whether the driver has room, where it says how much it has."""
    driver = state.storage.drivers.get(made_by.provisioner)
    if driver is None or not driver.storage_capacity or not size:
        return True
    for each in state.snapshot.csi_capacities:
        limit = each.maximum_volume_bytes
        limit = each.capacity_bytes if limit is None else limit
        enough = limit is not None and limit >= size
        if enough and each.storage_class == made_by.name and selects(each.node_topology, labels):
            return True
    return False
