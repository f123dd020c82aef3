"""Compile: candidates, room, fixed pods and gangs of a window."""

from typing import Any

import numpy as np
import pytest

from batchsched.feasibility.compile import compile_problem
from batchsched.feasibility.problem import Problem
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import ClaimRef, Disk, HostPort, Pod
from batchsched.snapshot.snapshot import Snapshot, Window, pending
from batchsched.snapshot.storage import PersistentVolume, PersistentVolumeClaim
from tests.builders import (
    ZONE,
    make_node,
    make_pod,
    make_replicas,
    make_snapshot,
    pod_term,
    spread,
    window_of,
)

WEB = {"app": "web"}
A1, A2, B1 = (make_node(name, labels={ZONE: name[0]}) for name in ("a1", "a2", "b1"))
BARE = make_node("bare")


def compiled(snapshot: Snapshot) -> Problem:
    """The problem of everything that is pending."""
    return compile_problem(snapshot, window_of(snapshot))


def candidates(pod: Pod, nodes: list[Node], *running: Pod) -> list[str]:
    """The candidate nodes of one pending pod."""
    problem = compiled(make_snapshot(nodes, [pod, *running]))
    (row,) = problem.candidates
    return [node.name for node, able in zip(problem.nodes, row, strict=True) if able]


def test_the_room_is_what_fixed_pods_leave() -> None:
    running = [make_pod("r", cpu=1500, node="n1"), make_pod("gone", cpu=9000, node="other")]
    pods = [*make_replicas(5, cpu=1000), *running]
    problem = compiled(make_snapshot([make_node("n1", pods=3), make_node("n2")], pods))
    assert problem.resources == ("cpu",)
    assert problem.requests.tolist() == [[1000]]
    assert problem.allocatable.tolist() == [[4000], [4000]]
    assert problem.free.tolist() == [[2500], [4000]]
    assert problem.slots.tolist() == [2, 110]
    assert problem.upper.tolist() == [[2, 4]]
    assert problem.fixed_node.tolist() == [-1, 0]


def test_an_over_committed_node_has_no_room_and_takes_who_asks_for_none() -> None:
    running = [make_pod("r", cpu=9000, node="n1")]
    pods = [make_pod("a", cpu=1), make_pod("b", memory=1)]
    problem = compiled(make_snapshot([make_node("n1")], [*pods, *running]))
    assert problem.free[0, 0] == 0
    assert problem.candidates[:, 0].tolist() == [False, True]


def test_no_more_than_there_are_of_a_class_go_to_a_node() -> None:
    problem = compiled(make_snapshot([make_node()], make_replicas(3)))
    assert problem.upper.tolist() == [[3]]


@pytest.mark.parametrize(
    "fields",
    [
        {"host_ports": (HostPort(80),)},
        {"disks": (Disk("awsElasticBlockStore", ("x",)),)},
        {"disks": (Disk("gcePersistentDisk", ("x",)),)},
    ],
    ids=["port", "disk never shared", "disk written"],
)
def test_pods_that_cannot_share_a_node_go_there_one_by_one(fields: dict[str, Any]) -> None:
    problem = compiled(make_snapshot([make_node()], make_replicas(3, **fields)))
    assert problem.upper.tolist() == [[1]]


def test_a_claim_for_one_pod_goes_once_to_a_node() -> None:
    claim = PersistentVolumeClaim(
        "default", "c", volume_name="v", bound=True, access_modes=("ReadWriteOncePod",)
    )
    pods = make_replicas(3, claims=(ClaimRef("c"),))
    problem = compiled(
        make_snapshot([make_node()], pods, claims=[claim], volumes=[PersistentVolume("v")])
    )
    assert problem.upper.tolist() == [[1]]


def test_required_affinity_only_asks_for_the_keys() -> None:
    pod = make_pod(affinity=(pod_term(WEB, ZONE),))
    assert candidates(pod, [A1, B1, BARE]) == ["a1", "b1"]


def test_hard_spread_asks_for_the_keys_and_for_a_domain_that_can_be_even_in_the_end() -> None:
    pod = make_pod(labels=WEB, spread=(spread(WEB),))
    crowd = [make_pod(f"r{i}", labels=WEB, node="a1") for i in range(9)]
    assert candidates(pod, [A1, B1, BARE], crowd[0]) == ["a1", "b1"]
    assert candidates(pod, [A1, B1, BARE], *crowd) == ["b1"]


def test_a_node_takes_no_more_of_a_class_than_spread_and_anti_affinity_let_it() -> None:
    apart = make_replicas(4, labels=WEB, anti_affinity=(pod_term(WEB, ZONE),))
    assert compiled(make_snapshot([A1, BARE], apart)).upper.tolist() == [[1, 4]]
    even = make_replicas(4, labels=WEB, spread=(spread(WEB, max_skew=1),))
    held = make_pod("r", labels=WEB, node="a1")
    assert compiled(make_snapshot([A1, B1], [held, *even])).upper.tolist() == [[2, 3]]
    few = make_replicas(4, labels=WEB, spread=(spread(WEB, max_skew=2, min_domains=3),))
    assert compiled(make_snapshot([A1, B1], [held, *few])).upper.tolist() == [[1, 2]]


def test_anti_affinity_towards_fixed_pods_holds_both_ways() -> None:
    there = make_pod("r", labels=WEB, node="a1")
    assert candidates(make_pod(anti_affinity=(pod_term(WEB, ZONE),)), [A1, A2, B1], there) == ["b1"]
    owner = make_pod("r", node="a1", anti_affinity=(pod_term(WEB, ZONE),))
    assert candidates(make_pod(labels=WEB), [A1, A2, B1], owner) == ["b1"]


def test_a_pod_that_no_node_can_take_stays_in_the_problem_without_candidates() -> None:
    problem = compiled(make_snapshot([A1], [make_pod(claims=(ClaimRef("missing"),))]))
    assert not problem.excluded
    assert not problem.candidates.any()


def test_nominated_pods_outside_the_window_reserve_their_room() -> None:
    """45."""
    nominated = {"nominated_node": "a1"}
    other = make_pod("o", cpu=4000, scheduler_name="other", pod=nominated)
    ours = make_pod("p", cpu=1, scheduler_name="ours", pod=nominated)
    snapshot = make_snapshot([A1, A2], [other, ours])
    problem = compile_problem(snapshot, pending(snapshot, ("ours",)))
    assert [pod.name for pod in problem.fixed] == ["o"]
    assert problem.candidates.tolist() == [[False, True]]


def test_a_window_without_pods_and_a_cluster_without_nodes_compile() -> None:
    assert compiled(make_snapshot([A1])).candidates.shape == (0, 1)
    assert compiled(make_snapshot([], [make_pod(cpu=1)])).candidates.shape == (1, 0)


def test_the_same_cluster_in_another_order_is_the_same_problem() -> None:
    pods = [*make_replicas(3, cpu=5), make_pod("x", cpu=7), make_pod("r", cpu=1, node="a1")]
    one = compiled(make_snapshot([A1, B1], pods))
    two = compiled(make_snapshot([B1, A1], pods[::-1]))
    assert one.classes == two.classes
    assert np.array_equal(one.upper, two.upper)


GANG = PodGroup("batchsched.io", "default", "g", min_count=3)


def with_gang(group: PodGroup, members: list[Pod], *others: Pod) -> Problem:
    """A problem with one gang on four nodes."""
    nodes = [A1, A2, B1, BARE]
    return compiled(make_snapshot(nodes, [*members, *others], groups={group: members}))


def test_a_gang_waits_until_enough_of_its_members_exist() -> None:
    """44: running members exist."""
    problem = with_gang(GANG, make_replicas(2))
    assert not problem.classes
    assert {(e.reason, e.message) for e in problem.excluded} == {
        ("Waiting", "PodGroup default/g waits for members: 2 of 3 exist")
    }
    problem = with_gang(GANG, [*make_replicas(2), make_pod("r", node="a1")])
    assert [(gang.running, gang.running_nodes) for gang in problem.gangs] == [(1, (0,))]
    assert [pods.group for pods in problem.classes] == [0]


def test_members_on_their_way_out_do_not_count() -> None:
    """44."""
    leaving = make_pod("r", node="a1", pod={"deleting": True})
    assert with_gang(GANG, [*make_replicas(2), leaving]).excluded


def test_a_group_with_a_problem_is_set_aside_with_it() -> None:
    group = PodGroup("batchsched.io", "default", "g", problem="members name two schedulers")
    problem = with_gang(group, make_replicas(2), make_pod("x"))
    assert {e.message for e in problem.excluded} == {
        "PodGroup default/g: members name two schedulers"
    }
    assert [pod.name for pods in problem.classes for pod in pods.pods] == ["x"]


@pytest.mark.parametrize(
    ("running", "open_nodes"),
    [
        ([], ["a1", "a2", "b1"]),
        (["a2"], ["a1", "a2"]),
        (["bare"], ["a1", "a2", "b1"]),
        (["a1", "b1"], []),
        (["a1", "gone"], ["a1", "a2"]),
    ],
    ids=str,
)
def test_running_members_pin_the_required_domain(running: list[str], open_nodes: list[str]) -> None:
    group = PodGroup("batchsched.io", "default", "g", required_topology=ZONE)
    seats = [make_pod(f"r{i}", node=node) for i, node in enumerate(running)]
    problem = with_gang(group, [make_pod("p"), *seats])
    (row,) = problem.candidates
    assert [n.name for n, able in zip(problem.nodes, row, strict=True) if able] == open_nodes


def test_an_empty_window_has_no_gangs() -> None:
    snapshot = make_snapshot([A1], [], groups={GANG: []})
    assert compile_problem(snapshot, Window()).gangs == ()
