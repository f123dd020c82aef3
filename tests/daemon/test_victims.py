"""Victims: a gang that leaves whole leaves for everybody who waits for one of it, or for nobody."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from batchsched.cycle import PlanReady
from batchsched.daemon.translation import bindings_of, plan_ready
from batchsched.daemon.victims import departed, victims_of
from batchsched.plan.plan import Plan
from batchsched.profile import default_profile
from batchsched.scheduler import Limits, schedule
from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.labels import LabelSelector, Requirement
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import PodDisruptionBudget, Snapshot, pending
from tests.builders import make_node, make_pod, make_snapshot

NODES = [make_node("n1", cpu=2000), make_node("n2", cpu=2000)]
WEB = LabelSelector((Requirement("app", "In", ("web",)),))


def runs(name: str, node: str) -> Pod:
    return make_pod(name, cpu=2000, node=node, labels={"app": "web"})


def full(waiting: int, *, gang: bool, allowed: int = 9, mode: bool = True) -> Snapshot:
    """Two nodes that two running pods fill, and pods that want their place."""
    members = [runs("a", "n1"), runs("b", "n2")]
    urgent = [make_pod(f"urgent-{i}", cpu=2000, priority=9) for i in range(waiting)]
    groups = {PodGroup("batchsched.io", "default", "g", 1, goes_whole=mode): members}
    budget = PodDisruptionBudget("default", "web", WEB, allowed)
    pods = [*members, *urgent]
    return make_snapshot(NODES, pods, groups=groups if gang else {}, budgets=(budget,))


def planned(snapshot: Snapshot) -> Plan:
    limits, allowed = Limits(deterministic=True), Allowance(preemption=True)
    window, profile = pending(snapshot), default_profile()
    return schedule(snapshot, window, profile, limits, lambda: 0.0, allowance=allowed)


def waiting_for(snapshot: Snapshot, *without: str) -> Mapping[str, list[str]]:
    """Who waits for each victim when some bindings are not to be written any more."""
    plan = planned(snapshot)
    bindings = [b for b in bindings_of(plan, snapshot) if b.pod[1] not in without]
    found = victims_of(plan, bindings, snapshot)
    return {victim.pod[1]: [name for _, name in victim.waiting] for victim in found}


def test_all_of_a_gang_that_goes_whole_go_for_the_one_who_needs_one() -> None:
    assert waiting_for(full(1, gang=True)) == {"a": ["urgent-0"], "b": ["urgent-0"]}


@pytest.mark.parametrize(("gang", "going"), [(True, ["a", "b"]), (False, ["b"])])
def test_where_one_of_two_cannot_come_only_single_pods_stay(gang: bool, going: list[str]) -> None:  # noqa: FBT001 -- a parameter of the test
    snapshot = full(2, gang=gang)
    first = next(b for b in planned(snapshot).bindings if b.node == "n1").name
    assert sorted(waiting_for(snapshot, first)) == going


def test_where_nobody_can_come_nobody_of_the_gang_leaves() -> None:
    assert waiting_for(full(2, gang=True), "urgent-0", "urgent-1") == {}


@pytest.mark.parametrize(("allowed", "leaving"), [(2, 2), (1, 0)])
def test_nobody_of_a_gang_leaves_where_a_budget_does_not_let_all_go(
    allowed: int, leaving: int
) -> None:
    snapshot = full(1, gang=True, allowed=allowed)
    ready = plan_ready(1, planned(snapshot), snapshot, {})
    assert len(ready.victims) == leaving
    assert len(ready.bindings) == (1 if leaving else 0)
    why = "budget: default/web does not allow all that have to leave"
    expected = () if leaving else ((("default", "urgent-0"), why),)
    assert ready.unplaced == expected


def test_units_share_what_a_budget_allows_in_their_order() -> None:
    snapshot = full(2, gang=False, allowed=1)
    plan = planned(snapshot)
    ready = plan_ready(1, plan, snapshot, {})
    assert [b.pod[1] for b in ready.bindings] == [b.name for b in plan.bindings]
    assert len(ready.victims) == 2, "one by one: the API server says who may go"


def left_since(snapshot: Snapshot, plan: Plan, *names: str, phase: str | None = None) -> PlanReady:
    """What the cycle is told where some pods have left in the meantime, or have ended."""
    left = [replace(pod, phase=phase) for pod in snapshot.pods if phase and pod.name in names]
    others = [pod for pod in snapshot.pods if pod.name not in names]
    newest = replace(snapshot, pods=(*others, *left))
    return plan_ready(1, plan, snapshot, {}, departed(plan, newest))


@pytest.mark.parametrize("phase", [None, "Succeeded"])
def test_nobody_waits_for_a_victim_that_left_by_itself(phase: str | None) -> None:
    snapshot = full(2, gang=False)
    plan = planned(snapshot)
    ready = left_since(snapshot, plan, "a", phase=phase)
    assert [victim.pod[1] for victim in ready.victims] == ["b"]
    assert len(ready.bindings) == len(plan.bindings)
    assert left_since(snapshot, plan, "a", "b", phase=phase).victims == ()


def test_nobody_has_to_leave_for_one_of_the_gang_that_left_by_itself() -> None:
    snapshot = full(1, gang=True)
    ready = left_since(snapshot, planned(snapshot), "a")
    assert (ready.victims, ready.bindings) == ((), ())
    assert [pod for pod, _ in ready.outdated] == [("default", "urgent-0")], "it is decided anew"
