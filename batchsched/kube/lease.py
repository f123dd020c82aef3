"""Leader election by a Lease: who may write, and until when.

``Election`` is the protocol, pure: it says which request is to be sent and is told what came back;
``Elector`` is the thread that does so. The protocol is client-go's, so other tools read the Lease
as they read kube-scheduler's, and it compares no clocks: a candidate waits until a Lease has not
changed for its duration *by its own monotonic clock*, a leader counts from before it sent its last
successful renewal. So clocks may jump, requests may be slow and answers lost: the leader stops
before anybody else may start.

The kubernetes client has a leader election too. It ends the process where we have to go on as a
standby, writes no ``leaseTransitions``, does not release, knows no time by which writes must have
ended, and cannot be driven by virtual time; so it is not used.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from batchsched.cycle import LostLease, WonLease
from batchsched.daemon.ports import Clock
from batchsched.kube.answers import (
    FORBIDDEN_STATUS,
    GONE_STATUS,
    SERVER_STATUS,
    Caller,
)
from batchsched.kube.connection import Reply
from batchsched.kube.errors import RefusedError, UnreachableError
from batchsched.kube.steps import object_path

NEVER_S = float("-inf")
_API = "/apis/coordination.k8s.io/v1"
_HTTP_OK = range(200, 300)
REQUESTS_A_TURN_MAX = 4
"""A renewal that meets a conflict, a look, another renewal, and one to spare."""


@dataclass(frozen=True, slots=True)
class LeaseSettings:
    """Which Lease, who we are, and how patient everybody is; the defaults are kube-scheduler's."""

    namespace: str
    name: str
    identity: str
    """Unique to the process: a new process is another candidate."""
    lease_duration_s: int = 15
    renew_deadline_s: float = 10.0
    retry_period_s: float = 2.0

    def __post_init__(self) -> None:
        """Refuse times that leave no safe order between them."""
        if not self.lease_duration_s > self.renew_deadline_s > self.retry_period_s > 0:
            raise ValueError("leaseDuration > renewDeadline > retryPeriod > 0 has to hold")


@dataclass(frozen=True, slots=True)
class LeaseCall:
    """A request: ``GET``, ``POST`` or ``PUT`` of the Lease; ``sent_s`` is when it was asked for."""

    method: Literal["GET", "POST", "PUT"]
    body: Any
    sent_s: float
    takes: bool = False
    """Whether we hold the Lease if it succeeds."""


LeaseEvent: TypeAlias = WonLease | LostLease


class Election:
    """One candidate; not safe for threads, reads no clock."""

    def __init__(self, settings: LeaseSettings) -> None:
        """Begin as a standby that knows nothing."""
        self.settings = settings
        self.leads = False
        self.renewed_s = NEVER_S
        """When the last successful renewal was sent."""
        self._lease: dict[str, Any] | None = None
        self._version: str | None = None
        self._seen_s = NEVER_S
        self._missing = False

    def held_until_s(self) -> float:
        """Until when we may begin to write."""
        return self.renewed_s + self.settings.renew_deadline_s if self.leads else NEVER_S

    def allowance_s(self, now_s: float) -> float:
        """How long a write begun now may take: nobody else leads before it has ended."""
        if now_s >= self.held_until_s():
            return 0.0
        return self.renewed_s + self.settings.lease_duration_s - now_s

    def request(self, now_s: float, wall: str) -> LeaseCall | None:
        """Say what to send now; None: nothing, somebody else leads.

        Args:
            now_s: The time.
            wall: The time that people read, as Go writes it; nothing depends on it.
        """
        if self._missing:
            return LeaseCall("POST", self._first(wall), now_s, takes=True)
        if self._lease is None:
            return LeaseCall("GET", None, now_s)
        spec = self._lease.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        ours = holder == self.settings.identity
        if holder and not ours and now_s < self._seen_s + (spec.get("leaseDurationSeconds") or 0):
            return None
        body = {**self._lease, "spec": self._taken(spec, wall, ours=ours)}
        return LeaseCall("PUT", body, now_s, takes=True)

    def look(self) -> None:
        """Begin with a look at the Lease, if somebody else leads."""
        if not self.leads:
            self._lease = None

    def release(self, now_s: float, wall: str) -> LeaseCall | None:
        """Stop to lead at once, and say what to send so that others need not wait."""
        led, self.leads = self.leads, False
        if not led or self._lease is None:
            return None
        spec = {
            **(self._lease.get("spec") or {}),
            "holderIdentity": "",
            "leaseDurationSeconds": 1,
            "renewTime": wall,
        }
        return LeaseCall("PUT", {**self._lease, "spec": spec}, now_s)

    def told(self, call: LeaseCall, reply: Reply | None, now_s: float) -> LeaseEvent | None:
        """Take in what came of a request (None: no answer), and say what that changes."""
        led = self.leads
        if reply is None or reply.status not in _HTTP_OK:
            # What we know may be out of date, and our own write may have been done all the same.
            self._lease = None
            self._missing = call.method == "GET" and _status(reply) == GONE_STATUS
        else:
            self._missing = False
            self._see(reply.json(), now_s)
            if call.takes:
                self.leads, self.renewed_s = True, call.sent_s
        if not call.takes and self._lease is not None and self._held_by_another():
            self.leads = False
        return self._changed(led, now_s)

    def expire(self, now_s: float) -> LeaseEvent | None:
        """Notice that the time is up."""
        return self._changed(self.leads, now_s)

    def _changed(self, led: bool, now_s: float) -> LeaseEvent | None:  # noqa: FBT001 -- what was
        if self.leads and now_s >= self.held_until_s():
            self.leads = False
        if led == self.leads:
            return None
        return WonLease() if self.leads else LostLease()

    def _see(self, lease: Any, now_s: float) -> None:
        """Know a Lease; if it was written since we saw it, its holder may be alive until now.

        Not its times are compared, which a clock that stands still would not change.
        """
        self._lease = lease if isinstance(lease, dict) else None
        version = (self._lease or {}).get("metadata", {}).get("resourceVersion")
        if version != self._version:
            self._version, self._seen_s = version, now_s

    def _held_by_another(self) -> bool:
        holder = ((self._lease or {}).get("spec") or {}).get("holderIdentity")
        return holder != self.settings.identity

    def _first(self, wall: str) -> dict[str, Any]:
        """A Lease where there is none."""
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self.settings.name, "namespace": self.settings.namespace},
            "spec": {**self._taken({}, wall, ours=False), "leaseTransitions": 0},
        }

    def _taken(self, spec: dict[str, Any], wall: str, *, ours: bool) -> dict[str, Any]:
        """The Lease as ours: renewed, or taken over."""
        taken = {
            **spec,
            "holderIdentity": self.settings.identity,
            "leaseDurationSeconds": self.settings.lease_duration_s,
            "renewTime": wall,
        }
        if not ours:
            taken["acquireTime"] = wall
            taken["leaseTransitions"] = (spec.get("leaseTransitions") or 0) + 1
        return taken


class Elector:
    """The thread that keeps, or waits for, the Lease.

    Args:
        connection: Where the Lease is.
        settings: Which, and how patient.
        clock: The time.
        wall: The time that people read, as Go writes it.
        wake: Called when there is an event.
    """

    def __init__(
        self,
        connection: Caller,
        settings: LeaseSettings,
        clock: Clock,
        *,
        wall: Callable[[], str],
        wake: Callable[[], None],
    ) -> None:
        """Do nothing yet; see ``start``."""
        self.settings = settings
        self._connection, self._clock, self._wall, self._wake = connection, clock, wall, wake
        self._election = Election(settings)
        self._lock = threading.Lock()
        self._events: list[LeaseEvent] = []
        self._stopping = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def start(self) -> None:
        """Start to compete."""
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Stop to lead at once, and release the Lease so that another need not wait for it."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        with self._lock:
            call = self._election.release(self._clock.now_s(), self._wall())
        if call is not None and not self._thread.is_alive():
            self._send(call)

    def events(self) -> Sequence[LeaseEvent]:
        """Give what was won and lost since the last call.

        Raises:
            ClusterError: The Lease is out of our reach for good (401, 403).
        """
        with self._lock:
            if self._failure is not None:
                raise self._failure
            self._note(self._election.expire(self._clock.now_s()))
            found, self._events = self._events, []
            return found

    @property
    def held_until_s(self) -> float:
        """Until when we may begin to write, by the clock; minus infinity for who does not lead."""
        with self._lock:
            return self._election.held_until_s()

    def allowance_s(self) -> float:
        """How long a write begun now may take; 0 for who does not lead."""
        with self._lock:
            return self._election.allowance_s(self._clock.now_s())

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.turn()
            except Exception as error:  # noqa: BLE001 -- the end of a thread; `events` raises it
                with self._lock:
                    self._failure = error
                    self._election.leads = False
                self._wake()
                return
            self._stopping.wait(self.settings.retry_period_s)

    def turn(self) -> None:
        """Try once to keep or to get the Lease: what the thread does each retry period."""
        with self._lock:
            self._election.look()
        for _ in range(REQUESTS_A_TURN_MAX):
            with self._lock:
                call = self._election.request(self._clock.now_s(), self._wall())
            if call is None:
                return
            reply = self._send(call)
            self._tell(call, reply)
            if reply is None or (call.takes and reply.status in _HTTP_OK):
                return

    def _tell(self, call: LeaseCall, reply: Reply | None) -> None:
        with self._lock:
            self._note(self._election.told(call, reply, self._clock.now_s()))
        if reply is not None and reply.status == FORBIDDEN_STATUS:
            raise RefusedError(f"{call.method} lease", reply.status, reply.reason)

    def _note(self, event: LeaseEvent | None) -> None:
        if event is not None:
            self._events.append(event)
            self._wake()

    def _send(self, call: LeaseCall) -> Reply | None:
        settings = self.settings
        name = "" if call.method == "POST" else settings.name
        path = object_path(_API, "leases", name, namespace=settings.namespace).rstrip("/")
        timeout_s = settings.renew_deadline_s / 3  # so that another try, or two, are in time
        try:
            reply = self._connection.call(call.method, path, body=call.body, timeout_s=timeout_s)
        except UnreachableError:
            return None
        return None if reply.status >= SERVER_STATUS else reply


def _status(reply: Reply | None) -> int | None:
    return reply.status if reply is not None else None
