"""What happens to bindings, above all to gangs: whole, finished first, or released."""

from dataclasses import replace

import pytest

from batchsched.cycle import (
    Announce,
    Bind,
    BindFailed,
    Binding,
    Bound,
    Cycle,
    LostLease,
    Nominated,
    PlanReady,
    PodGone,
    PodHeld,
    PodPending,
    Preempt,
    Release,
    Requeue,
    Solve,
    SolveFailed,
    State,
    Tick,
    Timing,
    Victim,
    Withdraw,
    WonLease,
)
from batchsched.snapshot.group import PodGroup
from tests.builders import make_pod

A, B, G, H, K = (make_pod(name) for name in "abghk")


def binding(name: str, node: str = "n1", group: PodGroup | None = None) -> Binding:
    pod = make_pod(name)
    return Binding(pod.key, pod.uid, node, group.key if group else None)


def scheduled(name: str, node: str = "n1") -> Announce:
    pod = make_pod(name)
    message = f"Successfully assigned default/{name} to {node}"
    return Announce(pod.key, pod.uid, "Scheduled", message)


def bound(name: str, node: str = "n1") -> Bound:
    pod = make_pod(name)
    return Bound(pod.key, pod.uid, node)


@pytest.fixture
def solving(cycle: Cycle, gang: PodGroup) -> Cycle:
    """Window 1 holds the single pod a and the gang of g and h; the time is 1."""
    cycle.handle(PodPending(A), 0.0)
    cycle.handle(PodPending(G, gang), 0.0)
    cycle.handle(PodPending(H, gang), 0.0)
    (answer,) = cycle.handle(Tick(), 0.5)
    assert answer == Solve(1, (A.key, G.key, H.key), "idle")
    return cycle


def plan(gang: PodGroup) -> PlanReady:
    return PlanReady(1, (binding("h", group=gang), binding("a"), binding("g", group=gang)))


def test_a_gang_is_written_together_and_in_the_order_of_the_plan(
    solving: Cycle, gang: PodGroup
) -> None:
    assert solving.handle(plan(gang), 1.0) == [
        Bind((binding("h", group=gang), binding("g", group=gang))),
        Bind((binding("a"),)),
    ]
    assert solving.handle(bound("h"), 1.0) == [scheduled("h")]
    assert solving.handle(bound("g"), 1.0) == [scheduled("g")]
    assert solving.state is State.BINDING
    assert solving.handle(bound("a"), 1.0) == [scheduled("a")]
    assert str(solving.state) == "Collecting"
    assert solving.waiting() == 0


VICTIM = Victim(("default", "v"), "uid-v", (A.key,))


def test_who_needs_others_to_leave_is_bound_when_they_are_gone(
    solving: Cycle, gang: PodGroup
) -> None:
    ready = replace(plan(gang), victims=(VICTIM,))
    unit = (binding("h", group=gang), binding("g", group=gang))
    assert solving.handle(ready, 1.0) == [Bind(unit), Preempt((binding("a"),), (VICTIM,))]
    solving.handle(bound("h"), 1.1)
    solving.handle(bound("g"), 1.1)
    assert str(solving.state) == "Collecting", "other windows go on meanwhile"
    assert solving.handle(PodGone(("default", "v"), "another"), 1.5) == []
    answer = solving.handle(PodGone(("default", "v"), "uid-v"), 2.0)
    assert answer == [Bind((binding("a"),))]
    assert str(solving.state) == "Binding"
    assert solving.handle(bound("a"), 2.1) == [scheduled("a")]


def test_a_victim_that_goes_while_the_next_window_is_solved_is_not_missed(
    solving: Cycle,
) -> None:
    solving.handle(PlanReady(1, (binding("a"),), victims=(VICTIM,)), 1.0)
    solving.handle(Tick(), 9.0)
    assert solving.handle(Tick(), 9.5) == [Solve(2, (G.key, H.key), "idle")]
    assert solving.handle(PodGone(("default", "v"), "uid-v"), 9.75) == []
    answer = solving.handle(SolveFailed(2, "slow"), 10.0)
    assert answer[-1] == Bind((binding("a"),))


def test_a_victim_that_may_not_go_sends_its_unit_back(solving: Cycle) -> None:
    solving.handle(PlanReady(1, (binding("a"),), victims=(VICTIM,)), 1.0)
    assert solving.handle(BindFailed(A.key, "a budget forbids it"), 1.25) == [
        Withdraw((binding("a"),)),
        Requeue(A.key, 2.25, "a budget forbids it"),
    ]


def test_victims_that_do_not_leave_are_not_waited_for_for_ever(solving: Cycle) -> None:
    solving.handle(PlanReady(1, (binding("a"),), victims=(VICTIM,)), 1.0)
    solving.handle(PlanReady(2, ()), 1.0)
    for time_s in (5.0, 20.0, 60.0):
        solving.handle(Tick(), time_s)
        solving.handle(PlanReady(solving.window, ()), time_s)
    answer = solving.handle(Tick(), 121.0)
    assert answer[0] == Withdraw((binding("a"),))
    assert solving.story(A.key)[-1][1].startswith("back in the queue: its victims")


def test_nodes_are_kept_for_a_gang_or_not_at_all(solving: Cycle, gang: PodGroup) -> None:
    waiting = replace(VICTIM, waiting=(G.key,))
    unit = (binding("h", group=gang), binding("g", group=gang))
    answer = solving.handle(PlanReady(1, unit, victims=(waiting,)), 1.0)
    assert answer[0] == Preempt(unit, (waiting,))
    answer = solving.handle(PodGone(H.key, H.uid), 2.0)
    assert answer[0] == Withdraw((binding("g", group=gang),))
    solving.handle(PodGone(("default", "v"), "uid-v"), 2.5)
    assert solving.queue.entries[G.key].place == "Waiting", "its gang is below its minimum now"


def test_a_new_leader_goes_on_waiting_for_victims(cycle: Cycle) -> None:
    cycle.handle(PodPending(A), 0.0)
    assert cycle.handle(Nominated((binding("a"),), (VICTIM,)), 0.0) == []
    assert cycle.handle(Tick(), 5.0) == [], "it is in no window"
    assert cycle.handle(PodGone(("default", "v"), "uid-v"), 6.0) == [Bind((binding("a"),))]


def test_who_lost_the_lease_keeps_no_nodes(solving: Cycle) -> None:
    solving.handle(PlanReady(1, (binding("a"),), victims=(VICTIM,)), 1.0)
    solving.handle(LostLease(), 1.0)
    assert solving.handle(PodGone(("default", "v"), "uid-v"), 2.0) == []
    assert A.key in solving.queue.ready


def test_what_lost_its_place_while_solving_is_tried_again_at_once(solving: Cycle) -> None:
    answer = solving.handle(PlanReady(1, (), outdated=((A.key, "node n1 is gone"),)), 1.0)
    assert answer[0] == Requeue(A.key, 1.0, "node n1 is gone")


def test_schedulers_with_profiles_have_windows_of_their_own() -> None:
    cycle = Cycle(profiles=["first", "second"])
    pods = [
        make_pod(name, scheduler_name=scheduler, priority=priority)
        for name, scheduler, priority in (("a", "first", 0), ("b", "second", 5), ("c", "first", 0))
    ]
    for pod in pods:
        cycle.handle(PodPending(pod), 0.0)
    (solve,) = cycle.handle(Tick(), 0.5)
    assert solve == Solve(1, (("default", "b"),), "idle", "second")
    answer = cycle.handle(PlanReady(1, ()), 1.0)
    assert answer[-1] == Solve(2, (("default", "a"), ("default", "c")), "idle", "first")


def test_a_gang_below_its_minimum_waits_and_blocks_nobody(cycle: Cycle, gang: PodGroup) -> None:
    cycle.handle(PodPending(G, gang), 0.0)
    assert cycle.wakes_at_s() == 5.0, "to tell people"
    cycle.handle(PodPending(A), 0.1)
    assert cycle.handle(Tick(), 0.75) == [Solve(1, (A.key,), "idle")]
    cycle.handle(PlanReady(1, (binding("a"),)), 1.0)
    cycle.handle(bound("a"), 1.0)
    cycle.handle(PodPending(H, gang), 2.0)
    assert cycle.handle(Tick(), 2.5) == [Solve(2, (G.key, H.key), "idle")]


def test_a_gang_that_loses_a_member_waits_again(cycle: Cycle, gang: PodGroup) -> None:
    cycle.handle(PodPending(G, gang), 0.0)
    cycle.handle(PodPending(H, gang), 0.0)
    cycle.handle(PodGone(H.key, H.uid), 0.25)
    assert cycle.handle(Tick(), 5.0) == []
    assert cycle.wakes_at_s() == 5.25


def test_people_are_told_once_that_a_gang_lacks_members(cycle: Cycle, gang: PodGroup) -> None:
    cycle.handle(PodPending(G, gang), 0.0)
    message = "gang default/gang waits: 1 of its minimum of 2 pods exist"
    assert cycle.handle(Tick(), 5.0) == [Announce(G.key, G.uid, "GangWaiting", message)]
    cycle.handle(PodPending(G, gang), 6.0)
    assert cycle.handle(Tick(), 12.0) == []
    assert cycle.wakes_at_s() is None


def test_running_members_count_for_the_minimum(cycle: Cycle, gang: PodGroup) -> None:
    cycle.handle(PodHeld(G.key, G.uid, gang), 0.0)
    assert cycle.handle(PodPending(H, gang), 1.0) == [Solve(1, (H.key,), "partial")]


def test_a_gang_whose_member_left_while_solving_is_not_bound(
    solving: Cycle, gang: PodGroup
) -> None:
    solving.handle(PodGone(H.key, H.uid), 0.75)
    assert solving.handle(plan(gang), 1.0) == [
        Requeue(G.key, 1.0, "a member of its gang left"),
        Bind((binding("a"),)),
    ]


def test_a_failed_bind_sends_the_whole_gang_back(solving: Cycle, gang: PodGroup) -> None:
    solving.handle(plan(gang), 1.0)
    assert solving.handle(BindFailed(H.key, "409 Conflict"), 1.0) == [
        Requeue(H.key, 2.0, "not bound: 409 Conflict"),
        Requeue(G.key, 2.0, "not bound: with default/h"),
    ]
    assert solving.handle(bound("a"), 1.0) == [scheduled("a")]
    assert solving.handle(Tick(), 2.0) == []
    assert solving.handle(Tick(), 2.5) == [Solve(2, (G.key, H.key), "idle")]


def test_the_refusal_of_a_pod_that_left_answers_for_its_gang(
    solving: Cycle, gang: PodGroup
) -> None:
    solving.handle(plan(gang), 1.0)
    solving.handle(bound("a"), 1.0)
    solving.handle(PodGone(H.key, H.uid), 1.0)
    assert solving.handle(BindFailed(H.key, "404 Not Found"), 1.1) == [
        Requeue(G.key, 2.1, "not bound: with default/h")
    ]
    assert str(solving.state) == "Collecting"


def test_a_half_started_gang_is_finished_before_anything_else(
    solving: Cycle, gang: PodGroup
) -> None:
    solving.handle(PodPending(B), 0.75)
    solving.handle(plan(gang), 1.0)
    solving.handle(bound("h"), 1.0)
    solving.handle(BindFailed(G.key, "409 Conflict"), 1.0)
    answer = solving.handle(bound("a"), 1.0)
    assert answer == [scheduled("a"), Solve(2, (G.key,), "partial")]
    solving.handle(PlanReady(2, (binding("g", group=gang),)), 1.0)
    assert solving.handle(bound("g"), 1.1) == [scheduled("g")]
    assert solving.handle(Tick(), 1.5) == [Solve(3, (B.key,), "idle")]


def test_a_half_started_gang_does_not_rest_for_long_however_often_it_was_refused(
    cycle: Cycle, gang: PodGroup
) -> None:
    cycle.handle(PodPending(G, gang), 0.0)
    cycle.handle(PodPending(H, gang), 0.0)
    unit, time_s = (binding("g", group=gang), binding("h", group=gang)), 100.0
    for _ in range(6):
        cycle.handle(Tick(), time_s)
        cycle.handle(Tick(), time_s + 1.0)
        cycle.handle(PlanReady(cycle.window, unit), time_s + 1.0)
        cycle.handle(BindFailed(G.key, "409 Conflict"), time_s + 1.0)
        time_s += 100.0
    cycle.handle(Tick(), time_s)
    cycle.handle(Tick(), time_s + 1.0)
    cycle.handle(PlanReady(cycle.window, unit), time_s + 1.0)
    cycle.handle(bound("g"), time_s + 1.0)
    answer = cycle.handle(BindFailed(H.key, "409 Conflict"), time_s + 1.0)
    assert answer == [Requeue(H.key, time_s + 3.0, "not bound: 409 Conflict")]


def test_a_gang_that_cannot_be_finished_is_released_once(solving: Cycle, gang: PodGroup) -> None:
    solving.handle(plan(gang), 1.0)
    solving.handle(bound("h"), 1.0)
    solving.handle(bound("a"), 1.0)
    solving.handle(BindFailed(G.key, "409 Conflict"), 1.0)
    solving.handle(PodGone(G.key, G.uid), 1.0)
    solving.handle(PlanReady(2, ()), 1.5)
    assert solving.handle(Tick(), 6.0) == [], "nobody is left to tell that it lacks members"
    assert solving.wakes_at_s() == 61.0
    assert solving.handle(Tick(), 60.9) == []
    assert solving.handle(Tick(), 61.0) == [Release(gang.key, ((H.key, H.uid),))]
    assert solving.handle(Tick(), 62.0) == []
    assert solving.wakes_at_s() is None
    solving.handle(PodGone(H.key, H.uid), 62.0)
    solving.handle(PodPending(replace(H, uid="reborn"), gang), 63.0)
    assert solving.handle(Tick(), 67.0) == [], "the replacement waits for the rest of its gang"


def test_a_partial_gang_is_waited_for_where_release_is_off(gang: PodGroup) -> None:
    cycle = Cycle(Timing(gang_release=False))
    cycle.handle(PodHeld(G.key, G.uid, gang), 0.0)
    assert cycle.wakes_at_s() is None
    assert cycle.handle(Tick(), 1000.0) == []


def test_a_gang_whose_members_succeed_is_not_half_started(cycle: Cycle, gang: PodGroup) -> None:
    cycle.handle(PodHeld(G.key, G.uid, gang), 0.0)
    cycle.handle(PodHeld(H.key, H.uid, gang), 0.0)
    cycle.handle(PodGone(G.key, G.uid, succeeded=True, group=replace(gang, min_count=1)), 9.0)
    assert cycle.wakes_at_s() is None
    cycle.handle(PodGone(H.key, H.uid, succeeded=True, group=replace(gang, min_count=0)), 9.0)
    assert not cycle.queue.groups


def test_who_succeeded_counts_for_a_member_that_is_made_anew(cycle: Cycle, gang: PodGroup) -> None:
    less = replace(gang, min_count=1)
    cycle.handle(PodHeld(G.key, G.uid, gang), 0.0)
    cycle.handle(PodHeld(H.key, H.uid, gang), 0.0)
    cycle.handle(PodGone(G.key, G.uid, succeeded=True, group=less), 1.0)
    cycle.handle(PodGone(H.key, H.uid), 2.0)  # lost with its node: nobody is left at work
    assert cycle.handle(PodPending(K, less), 3.0) == []
    assert cycle.handle(Tick(), 3.5) == [Solve(1, (K.key,), "idle")]


def test_late_members_of_a_started_gang_are_ready_at_once(cycle: Cycle, gang: PodGroup) -> None:
    cycle.handle(PodHeld(G.key, G.uid, gang), 0.0)
    cycle.handle(PodHeld(H.key, H.uid, gang), 0.0)
    assert cycle.handle(PodPending(K, gang), 1.0) == []
    assert cycle.handle(Tick(), 1.5) == [Solve(1, (K.key,), "idle")]


def test_who_lost_the_lease_takes_note_of_what_was_written(solving: Cycle, gang: PodGroup) -> None:
    solving.handle(plan(gang), 1.0)
    solving.handle(LostLease(), 1.0)
    assert solving.handle(bound("h"), 1.1) == [scheduled("h")]
    assert solving.handle(BindFailed(G.key, "not leading"), 1.1) == []
    assert solving.handle(WonLease(), 1.2) == [Solve(2, (G.key,), "partial")]


def test_a_watch_may_show_a_binding_before_it_is_answered(solving: Cycle) -> None:
    solving.handle(PlanReady(1, (binding("a"),)), 1.0)
    assert solving.handle(PodHeld(A.key, A.uid), 1.0) == []
    assert str(solving.state) == "Binding"
    assert solving.handle(bound("a"), 1.0) == [scheduled("a")]
    assert str(solving.state) == "Collecting"


def test_a_pod_bound_by_somebody_else_is_no_failure(solving: Cycle) -> None:
    solving.handle(PlanReady(1, (binding("a"),)), 1.0)
    solving.handle(PodHeld(A.key, A.uid), 1.0)
    assert solving.handle(BindFailed(A.key, "409 Conflict"), 1.0) == []
    assert str(solving.state) == "Collecting"
