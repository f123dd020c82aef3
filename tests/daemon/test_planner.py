"""The planner: every window is answered, whatever becomes of the process that solves it."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from batchsched.daemon.planner import ProcessPlanner
from batchsched.daemon.ports import Solved
from batchsched.daemon.solving import Effort, Solver, Terms
from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.snapshot import Snapshot, Window, pending
from batchsched.testing.builders import make_node, make_pod, snapshot_of

TERMS = {"batchsched": Terms(), "other": Terms(allowance=Allowance(preemption=True))}
ANSWER_S_MAX = 60.0
CLUSTER = snapshot_of(
    make_node("n1"), *(make_pod(f"p{i}", requests={"cpu": 1000}) for i in range(5))
)

pytestmark = pytest.mark.slow


@contextmanager
def planner(overrun_s: float | None = None) -> Iterator["Asking"]:
    asking = Asking(Effort(), overrun_s)
    try:
        yield asking
    finally:
        asking.planner.close()


class Asking:
    """A planner, and the patience to wait for its answers."""

    def __init__(self, effort: Effort, overrun_s: float | None) -> None:
        self.woken = threading.Event()
        self.planner = ProcessPlanner(TERMS, effort, self.woken.set, overrun_s)

    @property
    def process(self) -> int:
        pid = self.planner._child._process.pid
        assert pid is not None
        return pid

    def ask(self, window: int, snapshot: Snapshot = CLUSTER, profile: str = "batchsched") -> Solved:
        self.planner.start(window, profile, snapshot, pending(snapshot))
        assert self.woken.wait(ANSWER_S_MAX), "nobody woke the loop"
        self.woken.clear()
        (solved,) = self.planner.finished()
        return solved


def test_a_window_is_solved_in_another_process() -> None:
    with planner() as asking:
        assert not asking.planner.finished()
        solved = asking.ask(1)
        assert (solved.window, solved.failure) == (1, "")
        assert solved.plan is not None
        assert (len(solved.plan.bindings), len(solved.plan.unplaced)) == (4, 1)
        assert asking.process != os.getpid()
        assert not asking.planner.finished(), "an answer is given once"


def test_each_profile_has_its_own_terms() -> None:
    small = make_pod("small", requests={"cpu": 4000}, node="n1")
    great = make_pod("great", requests={"cpu": 4000}, priority=10)
    with planner() as asking:
        gentle = asking.ask(1, snapshot_of(make_node("n1"), small, great))
        pushing = asking.ask(2, snapshot_of(make_node("n1"), small, great), "other")
    assert gentle.plan is not None
    assert pushing.plan is not None
    assert (len(gentle.plan.evictions), len(pushing.plan.evictions)) == (0, 1)


def test_a_process_that_died_between_windows_is_replaced_unnoticed() -> None:
    with planner() as asking:
        asking.ask(1)
        os.kill(asking.process, signal.SIGKILL)
        asking.planner._child._process.join()
        assert asking.ask(2).plan is not None


def test_a_process_that_takes_too_long_is_killed_and_the_next_window_is_solved() -> None:
    with planner(overrun_s=-10.0) as asking:
        solved = asking.ask(1)
        assert solved.plan is None
        assert solved.failure == "the solver did not answer in 0 s, and was killed"
        asking.planner._patience_s = ANSWER_S_MAX
        assert asking.ask(2).plan is not None


def test_a_defect_in_the_solver_is_a_failed_solve_with_its_reason() -> None:
    with planner() as asking:
        solved = asking.ask(1, profile="nobody")
        assert solved.plan is None
        assert solved.failure.startswith("KeyError: 'nobody' (")
        assert asking.ask(2).plan is not None


ORPHAN = """
import sys, time
from batchsched.daemon.planner import ProcessPlanner
from batchsched.daemon.solving import Effort, Terms
if __name__ == "__main__":
    planner = ProcessPlanner({"batchsched": Terms()}, Effort(), lambda: None)
    print(planner._child._process.pid, flush=True)
    time.sleep(60)
"""


def test_the_process_does_not_outlive_a_parent_that_was_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", ORPHAN], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert int(parent.stdout.readline()) != parent.pid
    with parent.stdout:
        parent.kill()
        parent.wait()
        # It holds the other end of our pipe: that is closed when it has ended.
        assert not parent.stdout.read()


def test_a_window_begins_from_the_plan_of_the_one_before_it() -> None:
    solver = Solver(TERMS, Effort())
    first = solver.solve("batchsched", CLUSTER, pending(CLUSTER))
    assert solver._before["batchsched"] is first
    second = solver.solve("batchsched", CLUSTER, Window(pending(CLUSTER).pods[:2]))
    assert solver._before["batchsched"] is second
    assert "other" not in solver._before
