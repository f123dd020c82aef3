"""Claims that wait for their first consumer: whether volumes can be found for all of them at once.

Each unbound claim of the placed pods gets one static volume that no other claim gets and that all
its users reach, or is provisioned where they all are. Whether that works out is a matching.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from batchsched.plan.reading import meets_terms
from batchsched.plan.state import FinalState
from batchsched.plan.storage import Storage
from batchsched.snapshot.labels import Labels, Pairs, selects
from batchsched.snapshot.storage import PersistentVolume, PersistentVolumeClaim, StorageClass

_NOBODY = "kubernetes.io/no-provisioner"


def is_bound(claim: PersistentVolumeClaim) -> bool:
    """Whether the claim has its volume, and both know it."""
    return bool(claim.volume_name) and claim.bound


Key = tuple[str, str]
"""Namespace and name, of a claim or a pod."""
MADE = ""
"""Instead of a volume's name: one is made where the pod goes."""


def without_volume(state: FinalState, places: Mapping[Key, frozenset[str]]) -> list[Key]:
    """The claims that are left without a volume when as many as possible get one.

    Args:
        state: The final state.
        places: Unbound claim to the nodes of its users.
    """
    needing = [key for key in sorted(places) if not _made_there(state, key, places[key])]
    given = _given(state, places, needing)
    return [key for key in needing if key not in given]


def volumes_of(state: FinalState) -> dict[Key, Pairs]:
    """Which volumes the unbound claims of placed pods get, chosen for all at once.

    Claims for which none can be made choose first; the others take what is left, as kube-scheduler
    has it, and where nothing is left one is made. Small claims get small volumes where they can.

    Returns:
        Pod to pairs of claim and volume (or ``MADE``); pods that need none are left out.
    """
    waiting = [
        (placed, claim.key)
        for placed in state.placed
        for _, claim in state.storage.claims_of(placed.pod)
        if claim is not None and not is_bound(claim)
    ]
    places: dict[Key, frozenset[str]] = {}
    for placed, key in waiting:
        places[key] = places.get(key, frozenset()) | {placed.node.name}
    made = {key for key, nodes in places.items() if _made_there(state, key, nodes)}
    sizes = {key: state.storage.claims[key].request_bytes for key in places}
    order = sorted(places, key=lambda key: (key in made, sizes[key], key))
    given = _given(state, places, order)
    found: dict[Key, set[tuple[str, str]]] = {}
    for placed, key in waiting:
        if key in given or key in made:
            found.setdefault(placed.pod.key, set()).add((key[1], given.get(key, MADE)))
    return {pod: tuple(sorted(pairs)) for pod, pairs in sorted(found.items())}


def _given(
    state: FinalState, places: Mapping[Key, frozenset[str]], order: Sequence[Key]
) -> dict[Key, str]:
    """Claim to static volume, for as many claims as possible; who comes first keeps one."""
    reach: dict[Key, list[str]] = {}
    for key in order:
        static = static_volumes(state.storage, state.storage.claims[key])
        fitting = [volume for volume in static if _reached(state, volume, places[key])]
        fitting.sort(key=lambda volume: (volume.capacity_bytes, volume.name))
        reach[key] = [volume.name for volume in fitting]
    taken: dict[str, Key] = {}
    given: dict[Key, str] = {}
    for key in order:
        _give(key, reach, taken, given)
    return given


def _give(
    key: Key, reach: Mapping[Key, list[str]], taken: dict[str, Key], given: dict[Key, str]
) -> None:
    """Give a claim a volume, if need be by giving others another one (an augmenting path)."""
    wanted_by: dict[str, Key] = {}
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
            return


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


def _made_there(state: FinalState, key: Key, nodes: frozenset[str]) -> bool:
    """Whether a volume can be made for the claim on the one node where its users are."""
    claim = state.storage.claims[key]
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
