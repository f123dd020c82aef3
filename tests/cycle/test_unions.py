"""Gangs that start only together: one unit while they wait, each by itself when one is given up."""

from dataclasses import replace

from batchsched.cycle import Cycle, PlanReady, PodGone, PodHeld, PodPending, Release, Solve, Tick
from batchsched.snapshot.group import PodGroup
from tests.builders import make_pod

A, B, C, D = (make_pod(name) for name in "abcd")
NO_ROOM = "0/1 nodes are available: 1 Insufficient cpu."


def union(name: str) -> PodGroup:
    """One of two gangs of one pod each that start together."""
    api = "scheduling.x-k8s.io"
    keys = tuple(("default", each, api) for each in ("first", "second"))
    return PodGroup(api, "default", name, 1, union=keys, union_count=2)


def test_the_gangs_of_a_union_wait_for_each_other_and_are_taken_together(cycle: Cycle) -> None:
    first, second = union("first"), union("second")
    assert cycle.handle(PodPending(A, first), 0.0) == []
    assert cycle.handle(Tick(), 2.0) == []
    assert cycle.handle(PodPending(B, second), 3.0) == []
    assert cycle.handle(Tick(), 3.5) == [Solve(1, (A.key, B.key), "idle")]


def test_a_gang_that_runs_is_of_the_union_that_others_make_of_it_later(cycle: Cycle) -> None:
    cycle.handle(PodHeld(A.key, A.uid, replace(union("first"), union=())), 0.0)
    answer = cycle.handle(PodPending(B, union("second")), 1.0)
    assert answer == [Solve(1, (B.key,), "partial")]
    (members,) = cycle.queue.groups.values()
    assert (members.pending, members.held) == ({B.key}, {A.key})


def test_a_gang_that_ran_is_not_given_up_for_those_that_were_tied_to_it_later(cycle: Cycle) -> None:
    """Whichever of the two the union is named after, and after a restart as well."""
    for early, late in (("first", "second"), ("second", "first")):
        cycle.handle(PodHeld(A.key, A.uid, replace(union(early), union=())), 0.0)
        cycle.handle(PodPending(B, union(late)), 1.0)
        cycle.handle(PlanReady(cycle.window, (), ((B.key, NO_ROOM),)), 1.5)
        assert not any(isinstance(each, Release) for each in cycle.handle(Tick(), 100.0))
        cycle.handle(PlanReady(cycle.window, (), ((B.key, NO_ROOM),)), 100.0)
        cycle.handle(PodHeld(A.key, A.uid, union(early)), 101.0)
        assert not any(isinstance(each, Release) for each in cycle.handle(Tick(), 300.0))
        cycle.handle(PlanReady(cycle.window, (), ((B.key, NO_ROOM),)), 300.0)
        cycle.handle(PodGone(A.key, A.uid), 301.0)
        cycle.handle(PodGone(B.key, B.uid), 301.0)
        assert not cycle.queue.groups


def test_of_a_union_that_is_half_started_only_gangs_without_their_minimum_are_given_up(
    cycle: Cycle,
) -> None:
    """Also where the other has so many that there are enough of both together."""
    late = replace(union("second"), min_count=2, union_count=3)
    early = replace(union("first"), union_count=3)
    for pod in (A, D):
        cycle.handle(PodHeld(pod.key, pod.uid, early), 0.0)
    cycle.handle(PodHeld(B.key, B.uid, late), 0.0)
    cycle.handle(PodPending(C, late), 0.0)
    cycle.handle(PlanReady(cycle.window, (), ((C.key, NO_ROOM),)), 1.0)
    assert Release(early.key, ((B.key, B.uid),)) in cycle.handle(Tick(), 61.0)


def test_a_gang_that_no_other_is_tied_to_any_more_is_counted_alone_again(cycle: Cycle) -> None:
    alone = replace(union("second"), union=(), min_count=2)
    for pod in (A, D):
        cycle.handle(PodHeld(pod.key, pod.uid, alone), 0.0)
    cycle.handle(PodPending(B, union("first")), 1.0)
    cycle.handle(PlanReady(cycle.window, (), ((B.key, NO_ROOM),)), 1.5)
    cycle.handle(PodGone(B.key, B.uid), 2.0)
    cycle.handle(PodGone(D.key, D.uid), 3.0)
    assert cycle.handle(PodPending(C, alone), 4.0) == [Solve(2, (C.key,), "partial")]
