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
    Evict,
    LostLease,
    PlanReady,
    PodGone,
    PodHeld,
    PodPending,
    Release,
    Requeue,
    Solve,
    State,
    Tick,
    Timing,
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


def test_evictions_come_before_the_bindings(solving: Cycle) -> None:
    ready = PlanReady(1, (binding("a"),), evictions=((("default", "v"), "uid-v", "Preempted"),))
    answer = solving.handle(ready, 1.0)
    assert answer[:2] == [Evict(("default", "v"), "uid-v", "Preempted"), Bind((binding("a"),))]


def test_a_gang_below_its_minimum_waits_and_blocks_nobody(cycle: Cycle, gang: PodGroup) -> None:
    cycle.handle(PodPending(G, gang), 0.0)
    assert cycle.wakes_at_s() is None
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


def test_a_gang_that_cannot_be_finished_is_released_once(solving: Cycle, gang: PodGroup) -> None:
    solving.handle(plan(gang), 1.0)
    solving.handle(bound("h"), 1.0)
    solving.handle(bound("a"), 1.0)
    solving.handle(BindFailed(G.key, "409 Conflict"), 1.0)
    solving.handle(PodGone(G.key, G.uid), 1.0)
    solving.handle(PlanReady(2, ()), 1.5)
    assert solving.wakes_at_s() == 61.0
    assert solving.handle(Tick(), 60.9) == []
    assert solving.handle(Tick(), 61.0) == [Release(gang.key, ((H.key, H.uid),))]
    assert solving.handle(Tick(), 62.0) == []
    assert solving.wakes_at_s() is None
    solving.handle(PodGone(H.key, H.uid), 62.0)
    solving.handle(PodPending(replace(H, uid="reborn"), gang), 63.0)
    assert solving.wakes_at_s() is None, "the replacement waits for the rest of its gang"


def test_a_partial_gang_is_waited_for_where_release_is_off(gang: PodGroup) -> None:
    cycle = Cycle(Timing(gang_release=False))
    cycle.handle(PodHeld(G.key, G.uid, gang), 0.0)
    assert cycle.wakes_at_s() is None
    assert cycle.handle(Tick(), 1000.0) == []


def test_a_gang_whose_members_succeed_is_not_half_started(cycle: Cycle, gang: PodGroup) -> None:
    cycle.handle(PodHeld(G.key, G.uid, gang), 0.0)
    cycle.handle(PodHeld(H.key, H.uid, gang), 0.0)
    cycle.handle(PodGone(G.key, G.uid, succeeded=True), 9.0)
    assert cycle.wakes_at_s() is None
    cycle.handle(PodGone(H.key, H.uid, succeeded=True), 9.0)
    assert not cycle.queue.groups


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


def test_a_pod_bound_by_somebody_else_ends_its_binding(solving: Cycle) -> None:
    solving.handle(PlanReady(1, (binding("a"),)), 1.0)
    assert solving.handle(PodHeld(A.key, A.uid), 1.0) == []
    assert str(solving.state) == "Collecting"
