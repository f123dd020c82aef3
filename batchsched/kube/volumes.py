"""Volumes before the bind: what the claims of a pod need that wait for their first consumer. Pure.

As kube-scheduler's VolumeBinding does in PreBind: a claim that gets a static volume has that volume
reserved for it (``claimRef``), one that is provisioned is told for which node (an annotation), and
the pod is bound when controllers have done the rest. A claim whose volume or node was taken back
meanwhile is a refusal: the pod is decided anew.

``choices`` picks the volumes, on a snapshot; ``before_bind`` are the requests (see ``steps``).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from batchsched.cycle import Binding
from batchsched.kube.answers import CONFLICT, GONE
from batchsched.kube.steps import MERGE_PATCH, Call, Pause, Steps, Told, object_path
from batchsched.plan.claims import MADE, is_bound, static_volumes
from batchsched.plan.reading import meets_terms
from batchsched.plan.storage import Storage
from batchsched.snapshot import decode_cluster as decode
from batchsched.snapshot.api_cluster import PVModel
from batchsched.snapshot.labels import Labels
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.storage import PersistentVolume, PersistentVolumeClaim

SELECTED_NODE = "volume.kubernetes.io/selected-node"
BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"

NO_CLAIM = "volumes: a claim is not there any more"
NO_VOLUME = "volumes: no volume is left for a claim"
TAKEN = "volumes: the volume of a claim was taken by another"
GIVEN_UP = "volumes: the provisioner gave the node up"
ELSEWHERE = "volumes: a claim was bound to a volume that the node does not reach"
LATE = "volumes: a claim was not bound in time"

BOUND = ""
"""What a look at a claim gives when there is nothing to wait for any more."""
BOUND_IN_S = 600.0
"""kube-scheduler's bindTimeoutSeconds."""
LOOK_AFTER_S, LOOK_AFTER_S_MAX = 0.25, 4.0
CONFLICTS_MAX = 5
_NOBODY = "kubernetes.io/no-provisioner"


@dataclass(frozen=True, slots=True)
class Choice:
    """What a claim that waits gets: a static volume, or (``volume`` None) one made for the node."""

    namespace: str
    claim: str
    uid: str
    node: str
    labels: tuple[tuple[str, str], ...]
    """The node's."""
    volume: str | None = None
    written: bool = False
    """The claim is told already: only to be waited for."""


def choices(
    binding: Binding,
    pod: Pod,
    labels: Labels,
    storage: Storage,
    taken: Mapping[str, tuple[str, str]],
    planned: Mapping[str, str],
) -> tuple[Choice, ...] | str:
    """Choose for each claim of a pod that waits for its first consumer; a refusal if none is left.

    What the plan relies on is taken if it is free still: it was chosen for all pods at once.

    Args:
        binding: Where the pod goes.
        pod: The pod.
        labels: The node's labels.
        storage: The claims and volumes that are known.
        taken: Volumes that were given to claims and not yet seen to be.
        planned: Claim to volume, or to ``MADE``, as the plan has it.
    """
    waiting: list[PersistentVolumeClaim] = []
    for ref, claim in storage.claims_of(pod):
        if claim is None:
            return NO_CLAIM
        if not is_bound(claim) and ref.name not in [each.name for each in waiting]:
            waiting.append(claim)
    found: list[Choice] = []
    given = {key: name for name, key in taken.items()}
    for claim in sorted(waiting, key=lambda each: (each.request_bytes, each.name)):
        others = {name for key, name in given.items() if key != claim.key}
        wanted, provisioned = planned.get(claim.name), _is_provisioned(claim, storage)
        # A claim that several pods use has its volume, once one of them is on its way.
        volume = storage.volumes.get(given.get(claim.key, ""))
        if volume is None and (wanted != MADE or not provisioned):
            volume = _static(binding.node, claim, labels, storage, others, wanted)
        if volume is None and not provisioned:
            return NO_VOLUME
        if volume is not None:
            given[claim.key] = volume.name
        found.append(_choice(binding.node, claim, labels, volume))
    return tuple(found)


def _is_provisioned(claim: PersistentVolumeClaim, storage: Storage) -> bool:
    made_by = storage.class_of(claim)
    return made_by is not None and made_by.provisioner not in {"", _NOBODY}


def _choice(
    node: str, claim: PersistentVolumeClaim, labels: Labels, volume: PersistentVolume | None
) -> Choice:
    return Choice(
        namespace=claim.namespace,
        claim=claim.name,
        uid=claim.uid,
        node=node,
        labels=tuple(sorted(labels.items())),
        volume=volume.name if volume is not None else None,
        written=claim.selected_node == node,
    )


def _static(
    node: str,
    claim: PersistentVolumeClaim,
    labels: Labels,
    storage: Storage,
    others: Collection[str],
    wanted: str | None,
) -> PersistentVolume | None:
    """The wanted, else the smallest, volume that serves the claim there and is nobody else's."""
    fitting = [
        volume
        for volume in static_volumes(storage, claim)
        if volume.name not in others and meets_terms(volume.node_affinity, node, labels)
    ]
    return min(
        fitting,
        key=lambda volume: (volume.name != wanted, volume.capacity_bytes, volume.name),
        default=None,
    )


def before_bind(chosen: Sequence[Choice], begun_s: float) -> Steps:
    """Write the choices, and wait until every claim is bound."""
    for choice in chosen:
        if not choice.written:
            refusal = yield from (_provision(choice) if choice.volume is None else _reserve(choice))
            if refusal is not None:
                return refusal
    look_after_s = LOOK_AFTER_S
    open_choices = list(chosen)
    while open_choices:
        told = yield Pause(look_after_s)
        look_after_s = min(LOOK_AFTER_S_MAX, 2 * look_after_s)
        still = []
        for choice in open_choices:
            state = yield from _look(choice)
            if state is None:
                still.append(choice)
            elif state != BOUND:
                return state
        open_choices = still
        if open_choices and told.now_s >= begun_s + BOUND_IN_S:
            return LATE
    return None


def _provision(choice: Choice) -> Steps:
    """Tell the claim for which node a volume is to be made."""
    note = {"metadata": {"uid": choice.uid, "annotations": {SELECTED_NODE: choice.node}}}
    told = yield Call("PATCH", _claim_path(choice), note, MERGE_PATCH)
    if told.outcome.refusal == GONE:
        return NO_CLAIM
    return None if told.outcome.done else told.outcome.refusal


def _reserve(choice: Choice) -> Steps:
    """Reserve the volume for the claim, if it is free still: a conflict is looked at again."""
    assert choice.volume is not None
    for _ in range(CONFLICTS_MAX):
        told = yield Call("GET", _volume_path(choice.volume))
        if not told.outcome.done:
            return TAKEN if told.outcome.refusal == GONE else told.outcome.refusal
        volume = _json(told)
        owner = (volume.get("spec") or {}).get("claimRef") or {}
        if owner:
            return None if owner.get("uid") == choice.uid else TAKEN
        told = yield Call(
            "PATCH", _volume_path(choice.volume), _reservation(choice, volume), MERGE_PATCH
        )
        if told.outcome.refusal != CONFLICT:
            return None if told.outcome.done else told.outcome.refusal
    return CONFLICT


def _reservation(choice: Choice, volume: Mapping[str, Any]) -> dict[str, Any]:
    """The volume as the claim's; as kube-scheduler, it says that no person did it."""
    return {
        "metadata": {
            "resourceVersion": volume["metadata"]["resourceVersion"],
            "annotations": {BOUND_BY_CONTROLLER: "yes"},
        },
        "spec": {
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": choice.namespace,
                "name": choice.claim,
                "uid": choice.uid,
            }
        },
    }


def _look(choice: Choice) -> Steps:
    """See how far a claim is: ``BOUND``, None for not yet, else why it will not be."""
    told = yield Call("GET", _claim_path(choice))
    if not told.outcome.done:
        return _unseen(told, NO_CLAIM)
    claim = _json(told)
    if claim["metadata"].get("uid") != choice.uid:
        return NO_CLAIM
    notes = claim["metadata"].get("annotations") or {}
    bound_to = (claim.get("spec") or {}).get("volumeName")
    if bound_to and BIND_COMPLETED in notes:
        return (yield from _reached(choice, bound_to))
    if choice.volume is None:
        return None if notes.get(SELECTED_NODE) == choice.node else GIVEN_UP
    told = yield Call("GET", _volume_path(choice.volume))
    if not told.outcome.done:
        return _unseen(told, TAKEN)
    owner = (_json(told).get("spec") or {}).get("claimRef") or {}
    return None if owner.get("uid") == choice.uid else TAKEN


def _unseen(told: Told, gone: str) -> str | None:
    """What a look without an answer means: the next may be luckier, unless it is a real refusal."""
    if told.outcome.retry_after_s is not None:
        return None
    return gone if told.outcome.refusal == GONE else told.outcome.refusal


def _reached(choice: Choice, volume: str) -> Steps:
    """See that the node reaches the volume that the claim got."""
    if volume == choice.volume:
        return BOUND  # it was chosen because it does
    told = yield Call("GET", _volume_path(volume))
    if not told.outcome.done:
        return _unseen(told, ELSEWHERE)
    try:
        terms = decode.volume(PVModel.model_validate(_json(told))).node_affinity
    except ValidationError:
        return ELSEWHERE  # nobody can say where it may be used
    return BOUND if meets_terms(terms, choice.node, dict(choice.labels)) else ELSEWHERE


def _claim_path(choice: Choice) -> str:
    return object_path(
        "/api/v1", "persistentvolumeclaims", choice.claim, namespace=choice.namespace
    )


def _volume_path(name: str) -> str:
    return object_path("/api/v1", "persistentvolumes", name)


def _json(told: Told) -> dict[str, Any]:
    found = told.reply.json()
    return found if isinstance(found, dict) else {}
