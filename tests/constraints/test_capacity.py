"""Capacity (§C2): what pods ask for fits into what is allocatable, and so does their number."""

import itertools

import pytest

from batchsched.constraints.capacity import Capacity
from batchsched.snapshot.snapshot import Snapshot
from batchsched.testing import verify_constraint
from tests.builders import GIB, make_node, make_pod, make_replicas, make_snapshot
from tests.constraints.pairs import allows, drawn, posted, violations


def test_requests_that_fill_a_node_exactly_fit() -> None:
    snapshot = make_snapshot([make_node(cpu=1000)], [make_pod(f"p{i}", cpu=500) for i in range(3)])
    assert allows(Capacity(), snapshot, p0="n1", p1="n1")
    assert not allows(Capacity(), snapshot, p0="n1", p1="n1", p2="n1")


def test_the_number_of_pods_is_limited_too() -> None:
    snapshot = make_snapshot([make_node(pods=1)], [make_pod("p1"), make_pod("p2")])
    assert allows(Capacity(), snapshot, p1="n1")
    assert not allows(Capacity(), snapshot, p1="n1", p2="n1")


def test_a_pod_that_asks_for_nothing_is_not_stopped_on_an_over_committed_node() -> None:
    running = make_pod("r", cpu=5000, node="n1")
    asking = make_pod("p1", cpu=1)
    snapshot = make_snapshot([make_node(cpu=1000)], [running, asking, make_pod("p2")])
    assert allows(Capacity(), snapshot, p2="n1")
    assert not allows(Capacity(), snapshot, p1="n1")


def test_what_a_running_pod_holds_counts_where_it_is_more_than_it_asked_for() -> None:
    running = make_pod("r", cpu=100, node="n1", pod={"requests": (("cpu", 800),)})
    snapshot = make_snapshot([make_node(cpu=1000)], [running, make_pod("p1", cpu=300)])
    assert not allows(Capacity(), snapshot, p1="n1")


def test_terminating_pods_hold_room_and_ended_ones_do_not() -> None:
    for pod, free in (({"deleting": True}, False), ({"phase": "Succeeded"}, True)):
        running = make_pod("r", cpu=800, node="n1", pod=pod)
        snapshot = make_snapshot([make_node(cpu=1000)], [running, make_pod("p1", cpu=300)])
        assert allows(Capacity(), snapshot, p1="n1") is free


def test_a_pod_nominated_by_another_scheduler_holds_room() -> None:
    outside = make_pod("r", cpu=800, gated=True, pod={"nominated_node": "n1"})
    snapshot = make_snapshot([make_node(cpu=1000)], [outside, make_pod("p1", cpu=300)])
    assert not allows(Capacity(), snapshot, p1="n1")


def test_a_resource_that_the_node_does_not_have_is_not_there() -> None:
    pod = make_pod("p1", requests={"example.com/gpu": 1})
    assert not allows(Capacity(), make_snapshot([make_node()], [pod]), p1="n1")


def test_the_message_names_resource_and_amounts() -> None:
    snapshot = make_snapshot([make_node(cpu=100)], [make_pod("p1", cpu=300)])
    (found,) = violations(Capacity(), snapshot, {"p1": "n1"})
    assert (found.rule, found.pod, found.node) == ("capacity", "default/p1", "n1")
    assert found.message == "300 of cpu requested, 100 allocatable"


def test_rows_are_divided_by_what_requests_have_in_common() -> None:
    pods = [make_pod("p1", memory=2 * GIB), make_pod("p2", memory=3 * GIB)]
    snapshot = make_snapshot([make_node(memory=4 * GIB + 5)], pods)
    program = posted(Capacity(), snapshot).freeze()
    assert program.row_upper.tolist() == [4]
    assert sorted(program.coefficients.tolist()) == [2, 3]


def test_a_node_that_takes_everyone_has_no_rows() -> None:
    assert posted(Capacity(), make_snapshot([make_node()], make_replicas(3, cpu=10))).rows == 0


def crowded() -> list[Snapshot]:
    """All ways to ask for 0 to 2 cores, thrice, on a node of 0 to 3 cores and 1 to 3 pods."""
    found = []
    for cpus in itertools.combinations_with_replacement(range(3), 3):
        for cpu, pods in itertools.product(range(4), range(1, 4)):
            asking = [make_pod(f"p{i}", cpu=amount) for i, amount in enumerate(cpus)]
            nodes = [make_node("n1", cpu=cpu, pods=pods), make_node("n2", cpu=1, pods=2)]
            found.append(make_snapshot(nodes, asking))
    return found


@pytest.mark.slow
def test_rows_and_check_agree_on_every_small_node() -> None:
    assert verify_constraint(Capacity(), crowded()) > 1500


def test_rows_and_check_agree_on_every_placement_of_small_problems() -> None:
    assert verify_constraint(Capacity(), drawn(300, "capacity")) > 1000
