"""The writing half of the port: writes are begun in order, several are in flight, each is answered.

Threads take requests from one queue, send them, and try again what may be tried again: jittered
backoff, the server's Retry-After, until a deadline. Nothing that waits holds a thread. Just before
each request the lease is asked how long it lets us write; the request has to end within that time,
here and (by its ``timeout`` parameter) at the server, so that none is under way when another leads.
The process may be stopped at any point between the two; so the lease is asked once more when all is
ready, just before the request leaves in one piece.

It knows nothing of plans or gangs, and never raises for what the cluster says: that is an answer.
It raises, where answers are taken, when going on is pointless: 401, or a defect of ours.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random

from batchsched.daemon.ports import (
    Answer,
    BindWrite,
    Clock,
    DeleteWrite,
    EvictWrite,
    NominateWrite,
    Write,
)
from batchsched.kube import steps
from batchsched.kube.answers import FENCED, NO_ANSWER, STOPPED, Caller, Outcome, outcome
from batchsched.kube.connection import Reply
from batchsched.kube.errors import UnreachableError
from batchsched.kube.steps import Call, Pause, Steps, Told

CALL_S_MIN = 0.1
"""With less time than this left of the lease nothing is sent."""
SENDING_S_MAX = 0.1
"""How long a request may take from our decision to send it until it leaves."""
BACKOFF_S, BACKOFF_S_MAX = 0.1, 5.0
WAITING_WRITES_MAX = 10_000
"""Writes that wait for volumes; more are not begun."""


class _FencedError(Exception):
    """The lease does not let a request leave that was begun in time."""


@dataclass(frozen=True, slots=True)
class WriteLimits:
    """How many calls at once, and how long each may take."""

    in_flight: int = 16
    call_timeout_s: float = 5.0
    deadline_s: float = 30.0
    """For one request of a write, its repetitions included."""


@dataclass(slots=True)
class _Job:
    """A write under way."""

    write: Write
    number: int
    steps: Steps
    call: Call | None = None
    tries: int = 0
    deadline_s: float = 0.0
    started: bool = False
    waits: bool = False
    in_doubt: bool = False
    """Whether a binding may have been done by a request that nobody answered for certain."""


@dataclass(slots=True)
class _Queue:
    """What is to be done when; guarded by ``changed``."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    due: list[tuple[float, int, _Job]] = field(default_factory=list)
    answers: deque[Answer] = field(default_factory=deque)
    begun: int = 0
    open: int = 0
    waiting: int = 0
    stopping: bool = False
    failure: Exception | None = None


class Writer:
    """Writes to an API server.

    Args:
        connection: Where to.
        clock: The time.
        allowance_s: For how long we may write from now on; 0 without the lease.
        wake: Called from any thread when there is an answer.
        before_bind: Called with a pod's uid from the thread that is about to bind it; may wait.
        limits: How many calls at once, and how long each may take.
        seed: Of the jitter.
    """

    def __init__(  # noqa: PLR0913 -- the world, and how to deal with it
        self,
        connection: Caller,
        clock: Clock,
        *,
        allowance_s: Callable[[], float],
        wake: Callable[[], None],
        before_bind: Callable[[str], None] = lambda _: None,
        limits: WriteLimits = WriteLimits(),
        seed: int = 0,
    ) -> None:
        """Send nothing yet; see ``start``."""
        self.limits = limits
        self._connection, self._clock = connection, clock
        self._allowance_s, self._wake, self._before_bind = allowance_s, wake, before_bind
        self._random = Random(seed)
        self._queue = _Queue()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the threads."""
        for number in range(self.limits.in_flight):
            thread = threading.Thread(target=self._run, name=f"write-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Send nothing more, let calls in flight end, and answer all that is left."""
        queue, until_s = self._queue, self._clock.now_s() + timeout_s
        with queue.changed:
            queue.stopping = True
            queue.changed.notify_all()
        for thread in self._threads:
            thread.join(max(0.0, until_s - self._clock.now_s()))
        with queue.changed:
            for _, _, job in sorted(queue.due):
                self._answer(job, STOPPED)
            queue.due.clear()

    def free(self) -> int:
        """How many writes may be begun now; those that wait for volumes take no place."""
        queue = self._queue
        with queue.changed:
            if queue.stopping or queue.waiting >= WAITING_WRITES_MAX:
                return 0
            return max(0, self.limits.in_flight - (queue.open - queue.waiting))

    def begin(self, write: Write, before: Steps | None = None) -> None:
        """Begin a write, with what has to be done ``before`` it; begun in the order of calls."""
        queue = self._queue
        with queue.changed:
            queue.begun += 1
            queue.open += 1
            job = _Job(write, queue.begun, _steps(write, before))
            if queue.stopping:
                self._answer(job, STOPPED)
                return
            heappush(queue.due, (self._clock.now_s(), job.number, job))
            queue.changed.notify()

    def answers(self) -> Sequence[Answer]:
        """Give what was answered since the last call.

        Raises:
            UnauthorizedError: Our credentials are not accepted.
        """
        queue = self._queue
        with queue.changed:
            if queue.failure is not None:
                raise queue.failure
            found = list(queue.answers)
            queue.answers.clear()
            return found

    def turn(self) -> bool:
        """Do what is due first, if something is: what threads do, and tests by hand."""
        queue = self._queue
        with queue.changed:
            if queue.stopping or not queue.due or queue.due[0][0] > self._clock.now_s():
                return False
            _, _, job = heappop(queue.due)
            if job.waits:
                job.waits = False
                queue.waiting -= 1
        try:
            self._advance(job)
        except Exception as error:  # noqa: BLE001 -- the end of a thread; `answers` raises it again
            with queue.changed:
                queue.failure = queue.failure or error
                self._answer(job, STOPPED)
        return True

    def next_due_s(self) -> float | None:
        """When something is due next."""
        with self._queue.changed:
            return self._queue.due[0][0] if self._queue.due else None

    def _run(self) -> None:
        queue = self._queue
        while True:
            if self.turn():
                continue
            with queue.changed:
                if queue.stopping:
                    return
                wait_s = queue.due[0][0] - self._clock.now_s() if queue.due else None
                if wait_s is None or wait_s > 0:
                    queue.changed.wait(wait_s)

    def _advance(self, job: _Job) -> None:
        """Send request after request, until one has to be waited for or the write is answered."""
        told = Told(now_s=self._clock.now_s())
        while True:
            if job.call is None:
                try:
                    step = job.steps.send(told) if job.started else next(job.steps)
                except StopIteration as end:
                    with self._queue.changed:
                        self._answer(job, end.value)
                    return
                job.started = True
                if isinstance(step, Pause):
                    self._later(job, step.seconds_s, waits=True)
                    return
                job.call, job.tries, job.in_doubt = step, 0, False
                job.deadline_s = self._clock.now_s() + self.limits.deadline_s
            found, reply = self._send(job.write, job.call)
            job.in_doubt = job.in_doubt or (found.unsure and _binds(job.write, job.call))
            after_s = 0.0 if job.in_doubt and found.forbidden else found.retry_after_s
            if after_s is not None and self._again(job, after_s):
                return
            job.call = None
            told = Told(found, reply, self._clock.now_s())

    def _send(self, write: Write, call: Call) -> tuple[Outcome, Reply]:
        """Send one request, if the lease lets it end in time."""
        if isinstance(write, BindWrite) and _binds(write, call):
            self._before_bind(write.binding.uid)
        timeout_s = min(self._allowance_s() - SENDING_S_MAX, self.limits.call_timeout_s)
        if timeout_s < CALL_S_MIN:
            return Outcome(refusal=FENCED), Reply(0)

        def fence() -> None:
            if self._allowance_s() < timeout_s:
                raise _FencedError

        query = {**dict(call.query), "timeout": f"{int(timeout_s * 1000)}ms"}
        try:
            reply = self._connection.call(
                call.method,
                call.path,
                query=query,
                body=call.body,
                content_type=call.content_type,
                timeout_s=timeout_s,
                fence=fence,
            )
        except _FencedError:
            return Outcome(refusal=FENCED), Reply(0)
        except UnreachableError:
            return NO_ANSWER, Reply(0)
        return outcome(reply), reply

    def _again(self, job: _Job, at_least_s: float) -> bool:
        """Put a request off that may be tried again; False if its time is up.

        A binding that may have been done is asked for until that is known: its room must not be
        given to another meanwhile.
        """
        job.tries += 1
        backoff_s = min(BACKOFF_S_MAX, BACKOFF_S * 2.0 ** (job.tries - 1))
        delay_s = max(at_least_s, backoff_s) * self._random.uniform(1.0, 1.5)
        if not job.in_doubt and self._clock.now_s() + delay_s > job.deadline_s:
            return False
        self._later(job, delay_s)
        return True

    def _later(self, job: _Job, delay_s: float, *, waits: bool = False) -> None:
        queue = self._queue
        with queue.changed:
            job.waits = waits
            queue.waiting += waits
            heappush(queue.due, (self._clock.now_s() + delay_s, job.number, job))
            queue.changed.notify()
        if waits:
            self._wake()  # there is a free place

    def _answer(self, job: _Job, refusal: str | None) -> None:
        """Answer a write; the caller holds the queue."""
        queue = self._queue
        queue.open -= 1
        if job.waits:
            queue.waiting -= 1
        queue.answers.append(Answer(job.write, refusal))
        self._wake()


def _binds(write: Write, call: Call) -> bool:
    """Whether a request binds a pod, if it arrives."""
    return isinstance(write, BindWrite) and call.method == "POST" and not write.dry_run


def _steps(write: Write, before: Steps | None) -> Steps:
    """All requests of a write."""
    if before is not None and (refusal := (yield from before)) is not None:
        return refusal
    match write:
        case BindWrite():
            return (yield from steps.bind(write))
        case NominateWrite():
            return (yield from steps.nominate(write))
        case EvictWrite():
            return (yield from steps.evict(write))
        case DeleteWrite():
            return (yield from steps.delete(write))
