"""The planner: has windows solved in a child process, and sees to it that every one is answered.

A thread beside the loop sends a window, waits for the answer and wakes the loop. A child that dies
or takes too long is a failed solve and not our end: another one is started, and knows nothing of
what the first was doing. Must not know what a plan says.
"""

import multiprocessing
import pickle
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from queue import SimpleQueue
from typing import NamedTuple

from batchsched.daemon.ports import Solved
from batchsched.daemon.shipping import PROTOCOL, Sender
from batchsched.daemon.solving import Effort, Terms, serve
from batchsched.plan.plan import Plan
from batchsched.snapshot.snapshot import Snapshot, Window

OVERRUN_S = 10.0
"""What a solve may take beyond its limit, for the start of the child, sending and verifying..."""
OVERRUN_SHARE = 0.5
"""... and this share of the limit. A solve keeps its limit to a tenth, so this is a hang."""
END_S_MAX = 5.0
"""How long to wait for a child that was killed."""


class _Job(NamedTuple):
    window: int
    profile: str
    snapshot: Snapshot
    pods: Window


class ProcessPlanner:
    """Solves windows in a child process, one after the other.

    Args:
        terms: How the pods of each scheduler are placed, by its name.
        effort: The limits of each solve.
        wake: Called from another thread whenever ``finished`` has something.
        overrun_s: What a solve may take beyond its limit before its process is killed.
    """

    def __init__(
        self,
        terms: Mapping[str, Terms],
        effort: Effort,
        wake: Callable[[], None],
        overrun_s: float | None = None,
    ) -> None:
        """Start the child, which imports the solver beside whatever the caller does next."""
        self._terms, self._effort, self._wake = dict(terms), effort, wake
        if overrun_s is None:
            overrun_s = OVERRUN_S + OVERRUN_SHARE * effort.time_limit_s
        self._patience_s = effort.time_limit_s + overrun_s
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._done: deque[Solved] = deque()
        self.profile = ""
        """Whose pods were to be solved last."""
        self._child = _Child(self._terms, effort)
        self._thread = threading.Thread(target=self._run, name="planner", daemon=True)
        self._thread.start()

    def start(self, window: int, profile: str, snapshot: Snapshot, pods: Window) -> None:
        """Have a window solved."""
        self.profile = profile
        self._jobs.put(_Job(window, profile, snapshot, pods))

    def finished(self) -> Sequence[Solved]:
        """Give what was finished since the last call; never waits."""
        return [self._done.popleft() for _ in range(len(self._done))]

    def close(self) -> None:
        """End the child, whatever it is doing."""
        self._jobs.put(None)
        self._child.kill()
        self._thread.join(END_S_MAX)
        self._child.kill()  # the thread may have started another one meanwhile

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            if not self._child.alive:
                self._child = _Child(self._terms, self._effort)
            answer = self._child.ask(job, self._patience_s)
            plan, failure = (None, answer) if isinstance(answer, str) else (answer, "")
            self._done.append(Solved(job.window, plan, failure))
            self._wake()
            if not self._child.alive and self._jobs.empty():
                self._child = _Child(self._terms, self._effort)


class _Child:
    """One child process, and what it has been told."""

    def __init__(self, terms: Mapping[str, Terms], effort: Effort) -> None:
        context = multiprocessing.get_context("spawn")  # no fork: we have threads
        self._pipe, far_end = context.Pipe()
        args = (far_end, terms, effort)
        self._process = context.Process(target=serve, args=args, name="solver", daemon=True)
        self._process.start()
        far_end.close()
        self._sender = Sender()
        self._late = False

    @property
    def alive(self) -> bool:
        """Whether it can be asked once more."""
        return self._process.is_alive() and not self._pipe.closed

    def ask(self, job: _Job, patience_s: float) -> Plan | str:
        """Have a window solved; why there is no plan, if there is none."""
        timer = threading.Timer(patience_s, self._kill_late)
        timer.daemon = True
        timer.start()
        try:
            parcel = self._sender.pack(job.snapshot, job.pods)
            self._pipe.send_bytes(pickle.dumps((job.profile, parcel), PROTOCOL))
            answer: Plan | str = pickle.loads(self._pipe.recv_bytes())  # noqa: S301 -- from our child
        except (EOFError, OSError):
            return self._lost(patience_s)
        finally:
            timer.cancel()
        return answer

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def _kill_late(self) -> None:
        self._late = True
        self.kill()

    def _lost(self, patience_s: float) -> str:
        """Say how the process ended."""
        self._process.join(END_S_MAX)
        code = self._process.exitcode
        self._pipe.close()
        if self._late:
            return f"the solver did not answer in {patience_s:g} s, and was killed"
        how = f"by signal {-code}" if code is not None and code < 0 else f"with {code}"
        return f"the solver process ended {how}" + (" (out of memory?)" if code == -9 else "")  # noqa: PLR2004 -- SIGKILL
