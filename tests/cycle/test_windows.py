"""When a window closes, and who is in it: exact instructions for exact times."""

from dataclasses import replace

import pytest

from batchsched.cycle import (
    ROWS,
    Announce,
    BindFailed,
    ClusterChanged,
    Cycle,
    Dump,
    Event,
    Listed,
    LostLease,
    PlanReady,
    PodGone,
    PodHeld,
    PodPending,
    Requeue,
    Solve,
    SolveFailed,
    State,
    Tick,
    Timing,
    WonLease,
)
from batchsched.cycle.table import TABLE
from batchsched.snapshot.group import PodGroup
from tests.builders import make_pod

A, B, C = (make_pod(name) for name in "abc")
NO_ROOM = "0/1 nodes are available: 1 Insufficient cpu."


def solve(window: int, *pods: str, by: str = "idle") -> Solve:
    return Solve(window, tuple(("default", pod) for pod in pods), by)


def test_the_table_answers_every_event_in_every_state() -> None:
    assert set(TABLE) == {(state, event) for state in State for event in Event.__args__}
    assert len(TABLE) == sum(len(row.states) for row in ROWS)
    assert all(hasattr(Cycle, row.answer) for row in ROWS)


def test_a_window_closes_when_the_queue_was_quiet(cycle: Cycle) -> None:
    assert cycle.wakes_at_s() is None
    assert cycle.handle(PodPending(B), 10.0) == []
    assert cycle.handle(PodPending(A), 10.25) == []
    assert cycle.wakes_at_s() == 10.75
    assert cycle.handle(Tick(), 10.5) == []
    assert cycle.handle(Tick(), 10.75) == [solve(1, "a", "b")]
    assert cycle.state is State.SOLVING


@pytest.mark.parametrize(
    "late", [SolveFailed(0, ""), PlanReady(0, ()), BindFailed(A.key, ""), WonLease()]
)
def test_a_due_window_closes_whatever_is_told_then(cycle: Cycle, late: Event) -> None:
    """An answer to a window of before the lease was lost may be the first thing that is heard."""
    cycle.handle(PodPending(A), 10.0)
    assert cycle.handle(late, 11.0) == [solve(1, "a")]
    assert cycle.state is State.SOLVING


def test_who_was_there_before_us_need_not_wait_for_quiet(cycle: Cycle) -> None:
    cycle.handle(PodPending(A), 10.0)
    assert cycle.handle(Listed(), 10.0) == [solve(1, "a")]


def test_a_window_closes_at_its_limit_however_busy_the_queue_is(cycle: Cycle) -> None:
    answers = [cycle.handle(PodPending(make_pod(f"p{i:02}")), 0.25 * i) for i in range(21)]
    assert answers[:-1] == [[]] * 20
    assert [(type(i), i.closed_by) for i in answers[-1]] == [(Solve, "max")]  # type: ignore[union-attr]


def test_a_window_closes_when_it_is_full_and_takes_the_highest_priority() -> None:
    cycle = Cycle(Timing(window_pods_max=2))
    cycle.handle(PodPending(A), 0.0)
    urgent = make_pod("z", priority=9)
    assert cycle.handle(PodPending(urgent), 0.1) == [solve(1, "a", "z", by="pods")]
    cycle.handle(PodPending(B), 0.2)
    cycle.handle(PodPending(make_pod("x")), 0.3)
    cycle.handle(PodPending(make_pod("y", priority=5)), 0.4)
    full = cycle.handle(PlanReady(1, (), ((A.key, ""), (urgent.key, ""))), 0.4)
    assert full[-1] == solve(2, "b", "y", by="pods")


def test_a_full_window_takes_gangs_whole() -> None:
    cycle = Cycle(Timing(window_pods_max=2))
    gang = PodGroup("scheduling.x-k8s.io", "default", "gang", min_count=3)
    for name in "def":
        cycle.handle(PodPending(make_pod(name), gang), 0.0)
    assert cycle.state is State.SOLVING, "a gang above the limit is solved alone"
    cycle.handle(PodPending(A), 0.1)
    answer = cycle.handle(SolveFailed(1, "the solver refused"), 0.2)
    assert answer[0] == Dump(1, "the solver refused")
    assert cycle.handle(Tick(), 0.6) == [solve(2, "a")]


def test_what_comes_while_solving_is_for_the_next_window(cycle: Cycle) -> None:
    cycle.handle(PodPending(A), 0.0)
    assert cycle.handle(Tick(), 0.5) == [solve(1, "a")]
    assert cycle.handle(PodPending(B), 1.0) == []
    assert cycle.wakes_at_s() is None
    answer = cycle.handle(PlanReady(1, (), ((A.key, NO_ROOM),)), 9.0)
    assert answer[-1] == solve(2, "b", by="max"), "b waited longer than a window may"


def test_an_unplaced_pod_rests_and_is_announced_once(cycle: Cycle) -> None:
    cycle.handle(PodPending(A), 0.0)
    cycle.handle(Tick(), 0.5)
    assert cycle.handle(PlanReady(1, (), ((A.key, NO_ROOM),)), 1.0) == [
        Requeue(A.key, 2.0, NO_ROOM),
        Announce(A.key, A.uid, "FailedScheduling", NO_ROOM),
    ]
    assert cycle.wakes_at_s() == 2.0
    assert cycle.handle(Tick(), 2.0) == []
    assert cycle.handle(Tick(), 2.5) == [solve(2, "a")]
    again = cycle.handle(PlanReady(2, (), ((A.key, NO_ROOM),)), 3.0)
    assert again == [Requeue(A.key, 5.0, NO_ROOM)], "rests twice as long, and says nothing new"


def test_a_rest_is_never_longer_than_its_limit() -> None:
    timing = Timing()
    rests = [timing.backoff_s(attempts) for attempts in (1, 2, 3, 6, 9, 10, 10_000)]
    assert rests == [1.0, 2.0, 4.0, 32.0, 256.0, 300.0, 300.0]


def test_a_change_that_could_help_wakes_the_resting(cycle: Cycle) -> None:
    cycle.handle(PodPending(A), 0.0)
    cycle.handle(Tick(), 0.5)
    cycle.handle(PlanReady(1, (), ((A.key, NO_ROOM),)), 1.0)
    assert cycle.handle(ClusterChanged("node n2 came"), 1.25) == []
    assert cycle.handle(Tick(), 1.75) == [solve(2, "a")]


def test_a_change_while_solving_spares_the_rest(cycle: Cycle) -> None:
    cycle.handle(PodPending(A), 0.0)
    cycle.handle(Tick(), 0.5)
    cycle.handle(ClusterChanged("node n2 came"), 0.75)
    answer = cycle.handle(PlanReady(1, (), ((A.key, NO_ROOM),)), 1.0)
    assert answer[0] == Requeue(A.key, 1.0, NO_ROOM)
    assert cycle.handle(Tick(), 1.5) == [solve(2, "a")]


def test_a_pod_that_the_plan_does_not_name_comes_back(cycle: Cycle) -> None:
    cycle.handle(PodPending(A), 0.0)
    cycle.handle(Tick(), 0.5)
    answer = cycle.handle(PlanReady(1, ()), 1.0)
    assert answer == [Requeue(A.key, 2.0, "the plan does not name it")]


def test_a_failed_solve_is_dumped_and_its_pods_rest(cycle: Cycle) -> None:
    cycle.handle(PodPending(A), 0.0)
    cycle.handle(Tick(), 0.5)
    assert cycle.handle(SolveFailed(1, "out of memory"), 1.0) == [
        Dump(1, "out of memory"),
        Requeue(A.key, 2.0, "out of memory"),
    ]


@pytest.mark.parametrize("late", [PlanReady(0, ()), SolveFailed(0, "slow")])
def test_a_late_answer_of_another_window_is_ignored(cycle: Cycle, late: Event) -> None:
    assert cycle.handle(late, 0.0) == []
    cycle.handle(PodPending(A), 0.0)
    cycle.handle(Tick(), 0.5)
    assert cycle.handle(late, 0.6) == []
    assert cycle.state is State.SOLVING


def test_a_pod_that_left_is_in_no_window(cycle: Cycle) -> None:
    cycle.handle(PodPending(A), 0.0)
    cycle.handle(PodPending(B), 0.0)
    cycle.handle(PodGone(A.key, A.uid), 0.25)
    assert cycle.handle(Tick(), 0.5) == [solve(1, "b")]


def test_the_end_of_a_pod_does_not_take_its_successor_along(cycle: Cycle) -> None:
    reborn = replace(A, uid="another")
    cycle.handle(PodPending(A), 0.0)
    cycle.handle(PodPending(reborn), 0.1)
    cycle.handle(PodGone(A.key, A.uid), 0.2)
    assert cycle.handle(Tick(), 0.75) == [solve(1, "a")]


def test_a_stale_watch_does_not_bring_a_bound_pod_back(cycle: Cycle) -> None:
    cycle.handle(PodHeld(A.key, A.uid), 0.0)
    assert cycle.handle(PodPending(A), 0.1) == []
    assert cycle.waiting() == 0


def test_without_the_lease_nothing_is_solved(cycle: Cycle) -> None:
    cycle.handle(PodPending(A), 0.0)
    cycle.handle(Tick(), 0.5)
    assert cycle.handle(LostLease(), 0.75) == []
    assert cycle.handle(PlanReady(1, ()), 1.0) == []
    assert cycle.handle(Tick(), 10.0) == []
    assert cycle.wakes_at_s() is None
    assert cycle.handle(WonLease(), 20.0) == [solve(2, "a", by="max")]


def test_a_story_tells_all_in_order_and_has_a_limit(cycle: Cycle) -> None:
    cycle.handle(PodPending(A), 0.0)
    cycle.handle(Tick(), 0.5)
    cycle.handle(PlanReady(1, (), ((A.key, NO_ROOM),)), 1.0)
    assert cycle.story(A.key) == (
        (0.0, "pending"),
        (0.5, "in window 1"),
        (1.0, f"back in the queue: {NO_ROOM}"),
    )
    for i in range(100):
        cycle.handle(LostLease(), 2.0 + i)
        cycle.handle(WonLease(), 2.0 + i)
        cycle.handle(ClusterChanged("a label"), 2.0 + i)
        cycle.handle(Tick(), 2.75 + i)
    assert len(cycle.story(A.key)) == cycle.timing.story_entries_max
    assert cycle.story(C.key) == ()
