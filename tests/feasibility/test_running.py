"""Who may go, and the classes that running pods form; the verifier's own reading agrees."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from batchsched.feasibility.compile import compile_problem
from batchsched.feasibility.problem import Problem
from batchsched.feasibility.running import leavers
from batchsched.plan.verify import final_state
from batchsched.snapshot.allowance import NOTHING, Allowance
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.pod import ClaimRef, OwnerRef, Pod
from batchsched.snapshot.snapshot import Snapshot, pending
from tests.builders import make_node, make_pod, make_snapshot, pod_term
from tests.crowds import crowded_cluster, garrisoned_cluster
from tests.strategies import Object, snapshot_of

PREEMPTION, MOVES = Allowance(preemption=True), Allowance(moves_max=None)
Drawn = Callable[[random.Random], list[Object]]
URGENT = make_pod("urgent", cpu=1000, priority=100)


def runs(name: str, *, kind: str | None = "ReplicaSet", node: str = "n1", **spec: Any) -> Pod:
    owner = OwnerRef("apps/v1", kind, "o", "o") if kind is not None else None
    return make_pod(name, node=node, pod={"owner": owner}, **{"cpu": 1000, **spec})


def who(snapshot: Snapshot, allowance: Allowance) -> set[str]:
    """Names of those who may go."""
    return {each.pod.name for each in leavers(snapshot, pending(snapshot), allowance)}


def asked(allowance: Allowance, *pods: Pod, urgent: Pod = URGENT, **fields: Any) -> set[str]:
    return who(make_snapshot([make_node("n1")], [*pods, urgent], **fields), allowance)


def test_nobody_may_go_unless_it_is_allowed() -> None:
    assert asked(NOTHING, runs("r")) == set()


def test_nobody_may_go_where_nothing_is_pending() -> None:
    snapshot = make_snapshot([make_node("n1")], [runs("r")])
    assert who(snapshot, Allowance(preemption=True, moves_max=None)) == set()


def test_of_lower_priority_is_who_may_be_preempted() -> None:
    pods = [runs("lower", priority=99), runs("equal", priority=100), runs("higher", priority=101)]
    assert asked(PREEMPTION, *pods) == {"lower"}


def test_a_pod_that_does_not_preempt_lets_nobody_go() -> None:
    mild = make_pod("mild", priority=1000, preemption_never=True)
    assert asked(PREEMPTION, runs("r"), urgent=mild) == set()


def test_a_pod_of_no_one_may_be_preempted_and_does_not_move() -> None:
    assert asked(PREEMPTION, runs("bare", kind=None)) == {"bare"}
    assert asked(MOVES, runs("bare", kind=None)) == set()


@pytest.mark.parametrize("kind", ["DaemonSet", "Node"])
def test_pods_that_belong_to_their_node_stay(kind: str) -> None:
    assert asked(Allowance(preemption=True, moves_max=None), runs("r", kind=kind)) == set()


def test_who_is_going_already_or_on_no_known_node_is_not_asked() -> None:
    gone = replace(runs("gone"), deleting=True)
    assert asked(PREEMPTION, gone, runs("lost", node="elsewhere")) == set()


def test_who_is_resized_or_has_claims_of_its_own_does_not_move() -> None:
    resized = replace(runs("resized"), requests=(("cpu", 2000),))
    own = runs("own", claims=(ClaimRef("own-data", ephemeral=True),))
    devices = runs("devices", resource_claims=(("gpu", "claim", None),))
    assert asked(MOVES, resized, own, devices, runs("plain")) == {"plain"}
    assert asked(PREEMPTION, resized, own, devices) == {"resized", "own", "devices"}


def test_a_gang_goes_only_where_it_has_its_minimum_and_never_moves() -> None:
    members = [runs("a"), runs("b")]
    for minimum, found in ((2, {"a", "b"}), (3, set())):
        groups = {PodGroup("batchsched.io", "default", "g", minimum): members}
        assert asked(PREEMPTION, *members, groups=groups) == found
        assert asked(MOVES, *members, groups=groups) == set()


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (runs("b"), {"a", "b"}),
        (runs("b", priority=100), set()),
        (runs("b", kind="DaemonSet"), set()),
        (runs("b", node="elsewhere"), set()),
        (replace(runs("b"), deleting=True), {"a"}),
    ],
)
def test_a_group_that_goes_whole_stays_with_a_member_that_has_to_stay(
    other: Pod, found: set[str]
) -> None:
    members = [runs("a"), other]
    whole = PodGroup("scheduling.k8s.io", "default", "g", 1, goes_whole=True)
    cluster = make_snapshot([make_node("n1")], [*members, URGENT], groups={whole: members})
    assert who(cluster, PREEMPTION) == found
    may_go = final_state(cluster, pending(cluster), {}, {}, PREEMPTION).may_go
    assert {name for _, name in may_go} == found


def test_with_who_is_left_alone_the_group_that_goes_whole_is_left_alone() -> None:
    members = [runs("a"), runs("b", node="n2")]
    whole = PodGroup("scheduling.k8s.io", "default", "g", 1, goes_whole=True)
    pods = [*members, runs("c"), URGENT]
    nodes = [make_node("n1"), make_node("n2")]
    cluster = make_snapshot(nodes, pods, groups={whole: members})
    staying = frozenset({("default", "a")})
    problem = compile_problem(cluster, pending(cluster), PREEMPTION, staying=staying)
    assert [pod.name for pod in problem.left_alone] == ["a", "b"]


@pytest.mark.parametrize("drawn", [crowded_cluster, garrisoned_cluster])
@pytest.mark.parametrize("seed", range(40))
def test_the_verifier_reads_the_same(seed: int, drawn: Drawn) -> None:
    snapshot = snapshot_of(drawn(random.Random(seed)))
    window, allowance = pending(snapshot), Allowance(preemption=True, moves_max=None)
    state = final_state(snapshot, window, {}, {}, allowance)
    found = {
        each.pod.key: (each.preemptible, each.movable)
        for each in leavers(snapshot, window, allowance)
    }
    assert {key: (w.preemptible, w.movable) for key, w in state.may_go.items()} == found


def compiled(allowance: Allowance, *pods: Pod) -> Problem:
    nodes = [make_node("n1"), make_node("n2")]
    snapshot = make_snapshot(nodes, [*pods, URGENT])
    return compile_problem(snapshot, pending(snapshot), allowance)


def test_without_an_allowance_the_problem_is_what_it_was() -> None:
    problem = compiled(NOTHING, runs("r"))
    assert [c.waits for c in problem.classes] == [True]
    assert [pod.name for pod in problem.fixed] == ["r"]


def test_pods_that_run_alike_are_one_class_wherever_they_run() -> None:
    problem = compiled(PREEMPTION, runs("a"), runs("b"), runs("c", node="n2"))
    assert problem.running.tolist() == [False, True]
    assert problem.upper[1].tolist() == [2, 1]
    assert problem.fixed.pods == ()


def test_what_a_running_pod_would_ask_for_makes_no_difference_unless_it_moves() -> None:
    picky = runs("picky", node_selector={"disk": "ssd"}, affinity=(pod_term({"app": "x"}),))
    assert len(compiled(PREEMPTION, picky, runs("plain")).classes) == 2
    problem = compiled(MOVES, picky, runs("plain"))
    assert [problem.returning.sum(), problem.running.sum()] == [2, 2]


def test_what_a_running_pod_refuses_goes_on_to_hold() -> None:
    term = pod_term({"app": "x"})
    problem = compiled(PREEMPTION, runs("r", anti_affinity=(term,), host_ports=()))
    assert problem.classes[1].spec.anti_affinity == (term,)
    assert problem.classes[1].spec.tolerations == ()


def test_who_stays_anyway_is_fixed_and_remembered() -> None:
    snapshot = make_snapshot([make_node("n1")], [runs("a"), runs("b"), URGENT])
    staying = frozenset({("default", "a")})
    problem = compile_problem(snapshot, pending(snapshot), PREEMPTION, staying=staying)
    assert [pod.name for pod in problem.fixed] == ["a"]
    assert [pod.name for pod in problem.left_alone] == ["a"]
