"""What an API server's answer means to a write: done, refused and why, or to be tried again. Pure.

A refusal is a word, a colon, and a few more words that never name what differs from pod to pod: the
word is counted, the whole is shown to people, and the same reason is the same text in every event.
The server has one status for many reasons (409 is a pod that has a node, is gated, is deleted, is
another of the same name), so its message is read. Knows HTTP and Status, and sends nothing.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from batchsched.kube.connection import Reply

GONE = "gone: the object is not there any more"
ASSIGNED = "assigned: the pod has a node already"
GATED = "gated: the pod has scheduling gates"
DELETING = "deleting: the pod is being deleted"
UID = "uid: another object has this name now"
CONFLICT = "conflict: the object was changed meanwhile"
BUDGET = "budget: a disruption budget does not allow it"
THROTTLED = "throttled: the API server is too busy"
UNREACHABLE = "unreachable: the API server did not answer in time"
FENCED = "lease: we do not lead, or not for long enough"
STOPPED = "stopped: the process ends"

FORBIDDEN_STATUS, GONE_STATUS, CONFLICT_STATUS, BUSY_STATUS, SERVER_STATUS = 403, 404, 409, 429, 500
_ASSIGNED_TO = re.compile(r'is already assigned to node "([^"]*)"')
_RIGHT = re.compile(r'cannot (\S+) resource "([^"]+)"')
_CONFLICTS = (
    ("is already assigned to node", ASSIGNED),
    ("schedulingGates", GATED),
    ("is being deleted", DELETING),
    ("recondition failed: UID", UID),
    ("the UID in the precondition", UID),
)
DETAIL_CHARACTERS_MAX = 200


class Caller(Protocol):
    """What of a ``Connection`` is needed to write."""

    def call(  # noqa: PLR0913 -- as a connection takes it
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
        timeout_s: float = 10.0,
        fence: Callable[[], None] | None = None,
    ) -> Reply:
        """Send one request, if the fence lets its body pass, and wait for the whole answer."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one call."""

    done: bool = False
    refusal: str = ""
    retry_after_s: float | None = None
    """Not None: it may be tried again, not before this time has passed; ``refusal`` says why."""
    assigned_to: str | None = None
    """The node that the pod has, where it is refused for having one."""
    unsure: bool = False
    """Whether it may have been done all the same."""
    forbidden: bool = False
    """Whether we lack the right; a server that has just started thinks so of everybody."""


DONE = Outcome(done=True)
NO_ANSWER = Outcome(refusal=UNREACHABLE, retry_after_s=0.0, unsure=True)


def outcome(reply: Reply) -> Outcome:
    """Judge an answer."""
    if reply.status < 300:  # noqa: PLR2004 -- HTTP's own border of success
        return DONE
    if reply.status == CONFLICT_STATUS:
        return _conflict(reply.reason)
    if reply.status == BUSY_STATUS:
        return _busy(reply)
    if reply.status >= SERVER_STATUS:
        refusal = f"{UNREACHABLE} (HTTP {reply.status})"
        return Outcome(refusal=refusal, retry_after_s=_retry_after_s(reply), unsure=True)
    return Outcome(refusal=_refused(reply), forbidden=reply.status == FORBIDDEN_STATUS)


def kind_of(refusal: str) -> str:
    """The word that a refusal is counted by."""
    return refusal.partition(":")[0]


def _conflict(message: str) -> Outcome:
    for words, refusal in _CONFLICTS:
        if words in message:
            node = _ASSIGNED_TO.search(message)
            return Outcome(refusal=refusal, assigned_to=node[1] if node else None)
    return Outcome(refusal=CONFLICT)


def _busy(reply: Reply) -> Outcome:
    """429 is a full server, which passes, or a disruption budget, which is an answer."""
    status = reply.json()
    details: Any = status.get("details") if isinstance(status, dict) else None
    causes = details.get("causes") if isinstance(details, dict) else None
    budget = any(cause.get("reason") == "DisruptionBudget" for cause in causes or ())
    if budget or "disruption budget" in reply.reason:
        return Outcome(refusal=BUDGET)
    return Outcome(refusal=THROTTLED, retry_after_s=_retry_after_s(reply))


def _refused(reply: Reply) -> str:
    """Name a refusal that nothing will change."""
    if reply.status == GONE_STATUS:
        return GONE
    if "metadata.uid" in reply.reason:
        return UID  # how a patch is refused; all else is refused with a conflict
    if reply.status != FORBIDDEN_STATUS:
        return f"invalid: {_short(reply.reason)}"
    right = _RIGHT.search(reply.reason)
    return f"forbidden: {f'cannot {right[1]} {right[2]}' if right else _short(reply.reason)}"


def _retry_after_s(reply: Reply) -> float:
    """How long the server asks us to wait; it says whole seconds, or nothing."""
    stated = next((v for k, v in reply.headers.items() if k.lower() == "retry-after"), "")
    return float(stated) if stated.isdecimal() else 0.0


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= DETAIL_CHARACTERS_MAX else f"{line[: DETAIL_CHARACTERS_MAX - 1]}…"
