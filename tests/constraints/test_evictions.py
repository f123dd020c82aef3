"""Evictions: who leaves may leave, for somebody, and elsewhere if it moves."""

from collections.abc import Mapping
from typing import Any

import pytest

from batchsched.constraints.evictions import Evictions
from batchsched.constraints.gang import Gang
from batchsched.plan.plan import Plan
from batchsched.plan.verify import final_state
from batchsched.profile import default_profile
from batchsched.scheduler import Limits, schedule
from batchsched.snapshot.allowance import NOTHING, Allowance
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.pod import OwnerRef, Pod
from batchsched.snapshot.snapshot import Snapshot, pending
from tests.builders import make_node, make_pod, make_snapshot

BOTH = Allowance(preemption=True, moves_max=1)
NODES = [make_node("n1"), make_node("n2")]


def runs(name: str, **spec: Any) -> Pod:
    owner = OwnerRef("apps/v1", "ReplicaSet", "o", "o")
    return make_pod(name, node="n1", pod={"owner": owner}, **spec)


PODS = [runs("a"), runs("b"), make_pod("p", priority=100), make_pod("low")]
SNAPSHOT = make_snapshot(NODES, PODS)


def said(
    leaving: Mapping[str, str | None],
    placed: Mapping[str, str],
    allowance: Allowance = BOTH,
    snapshot: Snapshot = SNAPSHOT,
) -> list[str]:
    """What the check says, pod by pod."""
    evictions = {("default", name): to for name, to in leaving.items()}
    places = {("default", name): node for name, node in placed.items()}
    state = final_state(snapshot, pending(snapshot), places, evictions, allowance)
    return [f"{v.pod.partition('/')[2]} {v.message}" for v in Evictions().check(state)]


def test_a_victim_and_a_moved_pod_are_in_order() -> None:
    assert said({"a": None, "b": "n2"}, {"p": "n1"}) == []


@pytest.mark.parametrize("to", [None, "n2"])
def test_nobody_leaves_where_nothing_is_allowed(to: str | None) -> None:
    (found,) = said({"a": to}, {"p": "n1"}, NOTHING)
    assert found in {"a evicted, but may not be", "a moved, but may not be"}


def test_nobody_is_evicted_for_a_pod_of_its_own_priority() -> None:
    message = "a evicted, but nobody of higher priority is placed who may preempt"
    assert said({"a": None}, {"low": "n1"}) == [message]


def test_moves_are_counted() -> None:
    assert said({"a": "n2", "b": "n2"}, {}) == [
        "a one of 2 moves, 1 are allowed",
        "b one of 2 moves, 1 are allowed",
    ]


def test_a_move_to_where_a_pod_is_already_is_none() -> None:
    assert said({"a": "n1"}, {}) == ["a moved to the node where it is"]


def test_a_pod_that_nobody_knows_is_not_evicted() -> None:
    assert said({"c": None}, {}) == ["c evicted, but not in the snapshot"]


def gang_says(leaving: list[str], *, whole: bool = False) -> list[str]:
    members = [runs("a"), runs("b"), runs("c")]
    group = PodGroup("batchsched.io", "default", "g", 2, goes_whole=whole)
    snapshot = make_snapshot(NODES, [*members, make_pod("p", priority=1)], groups={group: members})
    evictions: dict[tuple[str, str], str | None] = {("default", name): None for name in leaving}
    places = {("default", "p"): "n1"}
    state = final_state(snapshot, pending(snapshot), places, evictions, BOTH)
    return [violation.message for violation in Gang().check(state)]


def test_a_gang_is_left_with_its_minimum_or_with_nobody() -> None:
    assert gang_says(["a"]) == []
    assert gang_says(["a", "b", "c"]) == []
    message = "pod group default/g: 1 of the 2 members that it needs would stay"
    assert gang_says(["a", "b"]) == [message]


def planned(snapshot: Snapshot) -> Plan:
    limits, allowed = Limits(deterministic=True), Allowance(preemption=True)
    window, profile = pending(snapshot), default_profile()
    return schedule(snapshot, window, profile, limits, lambda: 0.0, allowance=allowed)


def test_a_group_that_goes_whole_loses_all_who_run_or_nobody() -> None:
    assert gang_says([], whole=True) == []
    assert gang_says(["a", "b", "c"], whole=True) == []
    message = "pod group default/g: it goes whole or not at all, and 2 of it would be there"
    assert gang_says(["a"], whole=True) == [message]


def test_nobody_of_a_group_that_goes_whole_comes_while_others_go() -> None:
    """Else it would run with the one while the other is killed."""
    members = [make_pod("old", cpu=1000, node="n1"), make_pod("new", cpu=1000)]
    pods = [*members, make_pod("urgent", cpu=1000, priority=1, node_selector=(("kind", "a"),))]
    nodes = [make_node("n1", cpu=1000, labels={"kind": "a"}), make_node("n2", cpu=1000)]
    for whole in (True, False):
        group = PodGroup("batchsched.io", "default", "g", 1, goes_whole=whole)
        plan = planned(make_snapshot(nodes, pods, groups={group: members}))
        assert [each.name for each in plan.evictions] == ["old"]
        assert sorted(b.name for b in plan.bindings) == ["new", "urgent"][whole:]


def test_where_a_member_stays_whatever_happens_the_minimum_has_to_stay_too() -> None:
    """One of two members is on a node that holds too much, and is left alone: the other stays."""
    members = [runs("left-alone", cpu=3000), make_pod("other", cpu=1000, node="n2")]
    pods = [*members, make_pod("urgent", cpu=1000, priority=1)]
    nodes = [make_node("n1", cpu=2000), make_node("n2", cpu=1000)]
    group = PodGroup("batchsched.io", "default", "g", 2)
    snapshot = make_snapshot(nodes, pods, groups={group: members})
    plan = planned(snapshot)
    assert (plan.bindings, plan.evictions) == ((), ())
