"""The requests that a write consists of, one generator for each kind of write. Pure.

A generator yields a request, is told what became of it, and returns why the write was refused, or
None. It sends nothing: retries, timeouts and the lease are the business of whoever runs it
(``writer``), so a sequence of requests is tested as a list of values. Every request carries the
pod's uid as precondition, because a name may belong to another pod by the time it arrives.
"""

from collections.abc import Generator
from dataclasses import dataclass, field
from string import ascii_letters, digits
from typing import Any, TypeAlias
from urllib.parse import quote

from batchsched.cycle import PodKey
from batchsched.daemon.ports import BindWrite, DeleteWrite, EvictWrite, NominateWrite
from batchsched.kube.answers import GONE, UID, Outcome
from batchsched.kube.connection import Reply

MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
_PLAIN = frozenset(f"{ascii_letters}{digits}-._~")
MESSAGE_BYTES_MAX = 1024
"""Of a condition or an event: what the API server takes."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request."""

    method: str
    path: str
    body: Any = None
    content_type: str = "application/json"
    query: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for others to do their part; meanwhile the write takes nobody's place."""

    seconds_s: float


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a request, and what time it is now."""

    outcome: Outcome = field(default_factory=Outcome)
    reply: Reply = field(default_factory=lambda: Reply(0))
    now_s: float = 0.0


Steps: TypeAlias = Generator[Call | Pause, Told, str | None]


def pod_path(pod: PodKey, subresource: str = "") -> str:
    """The path of a pod, or of a part of it."""
    return object_path("/api/v1", "pods", pod[1], namespace=pod[0], subresource=subresource)


def object_path(
    group: str, resource: str, name: str, *, namespace: str | None = None, subresource: str = ""
) -> str:
    """The path of an object: ``group`` is ``/api/v1`` or ``/apis/GROUP/VERSION``."""
    inside = f"/namespaces/{_quoted(namespace)}" if namespace is not None else ""
    part = f"/{subresource}" if subresource else ""
    return f"{group}{inside}/{resource}/{_quoted(name)}{part}"


def _quoted(name: str) -> str:
    """A name as a part of a path; nearly all of Kubernetes' are that as they are."""
    return name if _PLAIN.issuperset(name) else quote(name, safe="")


def bind(write: BindWrite) -> Steps:
    """Bind a pod; one that is on that very node is bound, whoever's answer was lost."""
    binding = write.binding
    namespace, name = binding.pod
    metadata: dict[str, Any] = {"namespace": namespace, "name": name, "uid": binding.uid}
    if write.notes:
        metadata["annotations"] = dict(write.notes)
    body = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": metadata,
        # Without the kind the API server copies no topology labels to the pod.
        "target": {"apiVersion": "v1", "kind": "Node", "name": binding.node},
    }
    path = pod_path(binding.pod, "binding")
    outcome = (yield Call("POST", path, body, query=_dry(write.dry_run))).outcome
    if outcome.done or outcome.assigned_to == binding.node:
        return None
    return outcome.refusal


def nominate(write: NominateWrite) -> Steps:
    """Write, or clear, the node that is kept for a pod."""
    body = {"metadata": {"uid": write.uid}, "status": {"nominatedNodeName": write.node}}
    path = pod_path(write.pod, "status")
    outcome = (yield Call("PATCH", path, body, MERGE_PATCH)).outcome
    return None if outcome.done else outcome.refusal


def evict(write: EvictWrite) -> Steps:
    """Evict a pod, budgets honoured; then say in its condition that it was preempted.

    In this order, because an eviction writes a condition of its own, which says that the pod was
    evicted, together with the deletion; and one that is refused must leave no condition at all. A
    pod that is gone by then needs none. The look before is because the API server tries an eviction
    of another pod of the same name again, for as long as the request may take.
    """
    namespace, name = write.pod
    told = yield Call("GET", pod_path(write.pod))
    found = told.reply.json() if told.outcome.done else None
    if told.outcome.refusal == GONE or (found and found["metadata"]["uid"] != write.uid):
        return None
    if not told.outcome.done:
        return told.outcome.refusal
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"namespace": namespace, "name": name},
        "deleteOptions": {"preconditions": {"uid": write.uid}},
    }
    path = pod_path(write.pod, "eviction")
    outcome = (yield Call("POST", path, body, query=_dry(write.dry_run))).outcome
    if outcome.refusal in {GONE, UID}:
        return None
    if not outcome.done:
        return outcome.refusal
    if not write.dry_run:
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "PreemptionByScheduler",
            "message": clipped(write.message),
        }
        status = {"metadata": {"uid": write.uid}, "status": {"conditions": [condition]}}
        yield Call("PATCH", pod_path(write.pod, "status"), status, STRATEGIC_PATCH)
    return None


def delete(write: DeleteWrite) -> Steps:
    """Delete a pod; one that is gone is as deleted as can be."""
    body = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": write.uid},
    }
    outcome = (yield Call("DELETE", pod_path(write.pod), body)).outcome
    return None if outcome.done or outcome.refusal in {GONE, UID} else outcome.refusal


def clipped(text: str, bytes_max: int = MESSAGE_BYTES_MAX) -> str:
    """Text of at most so many bytes; what was cut off shows as three dots."""
    encoded = text.encode()
    if len(encoded) <= bytes_max:
        return text
    return encoded[: bytes_max - 3].decode(errors="ignore") + "..."


def _dry(dry_run: bool) -> tuple[tuple[str, str], ...]:  # noqa: FBT001 -- passed on as it came
    return (("dryRun", "All"),) if dry_run else ()
