"""Who was passed over too often is tried in every window, and named to the solve."""

from dataclasses import replace

from batchsched.cycle import (
    Cycle,
    Instruction,
    LostLease,
    PlanReady,
    PodHeld,
    PodPending,
    Solve,
    Tick,
    Timing,
    WonLease,
)
from batchsched.snapshot.group import PodGroup
from tests.builders import make_pod
from tests.cycle.conftest import Watched

NO_ROOM = "0/1 nodes are available: 1 Insufficient cpu."
A, B = make_pod("a"), make_pod("b")


def solved(answer: list[Instruction]) -> Solve:
    (found,) = [each for each in answer if isinstance(each, Solve)]
    return found


def passed_over(cycle: Cycle, now_s: float, *names: str) -> float:
    """Close the next window, in which these find no place; give the time after it."""
    window = solved(cycle.handle(Tick(), now_s))
    left = tuple((key, NO_ROOM) for key in window.pods if key[1] in names)
    cycle.handle(PlanReady(window.window, (), left), now_s)
    return now_s + 1000.0


def test_nobody_is_overdue_unless_it_is_asked_for() -> None:
    cycle, now_s = Watched(Timing()), 10.0
    cycle.handle(PodPending(A), 0.0)
    for _ in range(20):
        now_s = closing(cycle, passed_over(cycle, now_s, "a"))
    assert solved(cycle.handle(Tick(), now_s)).overdue == ()


def closing(cycle: Cycle, now_s: float) -> float:
    """When the window closes that is filled now."""
    cycle.handle(Tick(), now_s)
    return now_s + 1.0


def test_who_was_passed_over_so_often_is_overdue() -> None:
    cycle = Watched(Timing(ageing_windows=2))
    cycle.handle(PodPending(A), 0.0)
    now_s = passed_over(cycle, 10.0, "a")
    now_s = passed_over(cycle, closing(cycle, now_s), "a")
    assert solved(cycle.handle(Tick(), closing(cycle, now_s))).overdue == ((A.key,),)


def test_who_is_overdue_is_in_the_window_though_it_rests() -> None:
    cycle = Watched(Timing(ageing_windows=1))
    cycle.handle(PodPending(A), 0.0)
    passed_over(cycle, 10.0, "a")
    cycle.handle(PodPending(B), 10.1)
    window = solved(cycle.handle(Tick(), 10.7))
    assert window.pods == (A.key, B.key)
    assert window.overdue == ((A.key,),)


def test_a_gang_is_overdue_whole_and_the_highest_priority_comes_first() -> None:
    gang = PodGroup("scheduling.x-k8s.io", "default", "gang", min_count=2)
    cycle = Watched(Timing(ageing_windows=1))
    urgent = make_pod("z", priority=5)
    cycle.handle(PodPending(make_pod("g1"), gang), 0.0)
    cycle.handle(PodPending(make_pod("g2"), gang), 0.0)
    cycle.handle(PodPending(A), 0.1)
    cycle.handle(PodPending(urgent), 0.2)
    passed_over(cycle, 10.0, "g1", "g2", "a", "z")
    cycle.handle(PodPending(B), 10.1)
    overdue = solved(cycle.handle(Tick(), 10.7)).overdue
    assert overdue == ((urgent.key,), (("default", "g1"), ("default", "g2")), (A.key,))


def test_no_more_are_named_than_will_be_looked_at() -> None:
    cycle = Watched(Timing(ageing_windows=1, overdue_max=3))
    names = [f"p{i}" for i in range(9)]
    for at, name in enumerate(names):
        cycle.handle(PodPending(make_pod(name)), 0.01 * at)
    passed_over(cycle, 10.0, *names)
    cycle.handle(PodPending(B), 10.1)
    overdue = solved(cycle.handle(Tick(), 10.7)).overdue
    assert overdue == tuple(((("default", name)),) for name in names[:3])


def test_a_half_started_gang_is_finished_and_not_overdue() -> None:
    gang = PodGroup("scheduling.x-k8s.io", "default", "gang", min_count=2)
    cycle = Watched(Timing(ageing_windows=1))
    cycle.handle(PodHeld(("default", "g1"), "u1", gang), 0.0)
    window = solved(cycle.handle(PodPending(make_pod("g2"), gang), 0.0))
    assert window.closed_by == "partial"
    cycle.handle(PlanReady(window.window, (), ((("default", "g2"), NO_ROOM),)), 0.2)
    cycle.handle(PodPending(B), 0.3)
    assert solved(cycle.handle(Tick(), 0.9)).overdue == ()


def test_windows_of_another_profile_keep_the_room_too_and_do_not_wake_anybody() -> None:
    cycle = Watched(Timing(ageing_windows=1), profiles=("ours", "theirs"))
    ours, theirs = (make_pod(name, scheduler_name=name) for name in ("ours", "theirs"))
    cycle.handle(PodPending(ours), 0.0)
    passed_over(cycle, 10.0, "ours")
    cycle.handle(PodPending(theirs), 10.1)
    window = solved(cycle.handle(Tick(), 10.7))
    assert window.pods == (theirs.key,)
    assert window.overdue == ((ours.key,),)
    assert cycle.handle(PlanReady(window.window, (), ((theirs.key, NO_ROOM),)), 10.7) != []


def test_a_new_process_counts_anew() -> None:
    cycle = Watched(Timing(ageing_windows=1))
    cycle.handle(PodPending(A), 0.0)
    passed_over(cycle, 10.0, "a")
    again = Watched(replace(cycle.timing))
    again.handle(PodPending(A), 20.0)
    assert solved(again.handle(Tick(), 21.0)).overdue == ()


def test_who_leads_no_more_and_then_again_still_knows_who_waits() -> None:
    cycle = Watched(Timing(ageing_windows=1))
    cycle.handle(PodPending(A), 0.0)
    passed_over(cycle, 10.0, "a")
    cycle.handle(LostLease(), 10.1)
    answer = cycle.handle(WonLease(), 5000.0)
    answer += cycle.handle(Tick(), 5001.0)
    assert solved(answer).overdue == ((A.key,),)
