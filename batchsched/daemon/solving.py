"""The child process in which windows are solved: told of a window, it answers with a plan.

A process of its own, because a solve takes all cores for seconds and parts of it hold the
interpreter's lock, which would let a lease run out. It keeps the last plan of each profile to start
the next window from. It must not outlive its parent: a solver that nobody listens to would take the
cores from the next one.
"""

import gc
import os
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing import connection, parent_process
from multiprocessing.connection import Connection
from typing import Any

from batchsched.ageing import decide
from batchsched.daemon.shipping import PROTOCOL, Receiver
from batchsched.plan.plan import Plan
from batchsched.profile import Profile
from batchsched.scheduler import Limits
from batchsched.snapshot.allowance import NOTHING, Allowance
from batchsched.snapshot.reservation import Reservation  # noqa: TC001 -- beside its siblings
from batchsched.snapshot.snapshot import Snapshot, Window


@dataclass(frozen=True, slots=True)
class Terms:
    """How the pods of one scheduler are placed."""

    profile: Profile = field(default_factory=Profile)
    allowance: Allowance = NOTHING


@dataclass(frozen=True, slots=True)
class Effort:
    """The limits of a solve; ``workers`` 0 means all cores."""

    time_limit_s: float = 10.0
    polish_s: float | None = None
    workers: int = 0
    seed: int = 0

    def limits(self) -> Limits:
        """In the words of the solver."""
        workers = self.workers or cores()
        return Limits(self.time_limit_s, workers, self.seed, polish_s=self.polish_s)


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Solver:
    """Solves windows that follow each other; apart from the processes, so that tests need none."""

    def __init__(
        self,
        terms: Mapping[str, Terms],
        effort: Effort,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Have solved nothing yet."""
        self._terms, self._limits, self._clock = terms, effort.limits(), clock
        self._before: dict[str, Plan] = {}
        self._kept: Reservation | None = None
        """What was kept last, whoever's window that was."""

    def solve(self, profile: str, snapshot: Snapshot, window: Window) -> Plan:
        """Plan a window, beginning from the plan of the last one of the same profile."""
        terms = self._terms[profile]
        plan = decide(
            snapshot,
            window,
            terms.profile,
            self._limits,
            self._clock,
            allowance=terms.allowance,
            before=self._before.get(profile),
            earlier=self._kept,
        )
        if plan.reservation is not None:
            self._kept = plan.reservation.meant()
        self._before[profile] = plan
        return plan


def serve(pipe: Connection, terms: Mapping[str, Terms], effort: Effort) -> None:
    """Answer windows until the pipe is closed: the main function of the child."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the whole terminal; the parent decides
    threading.Thread(target=_die_with_the_parent, name="parent", daemon=True).start()
    solver, receiver = Solver(terms, effort), Receiver()
    gc.freeze()  # what was imported stays
    try:
        while True:
            profile, parcel = pickle.loads(pipe.recv_bytes())  # noqa: S301 -- from our parent
            pipe.send_bytes(pickle.dumps(_answer(solver, receiver, profile, parcel), PROTOCOL))
    except (EOFError, OSError):
        return  # nobody is there any more


def _answer(solver: Solver, receiver: Receiver, profile: str, parcel: bytes) -> Plan | str:
    """A plan, or why there is none."""
    try:
        return solver.solve(profile, *receiver.unpack(parcel))
    except Exception as error:  # noqa: BLE001 -- the outermost loop of this process; the parent dumps the input
        return failure_of(error)


def failure_of(error: Exception) -> str:
    """An error and where it was raised, in a line."""
    frames: Any = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"


def _die_with_the_parent() -> None:
    """End this process, in the middle of a solve too, when the one that asked for it is gone."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
