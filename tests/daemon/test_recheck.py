"""The re-check of units before they are written, while the cluster moves under the plan."""

from dataclasses import replace

import pytest

from batchsched.cycle import PodKey, together
from batchsched.daemon.recheck import outdated
from batchsched.daemon.translation import bindings_of
from batchsched.plan.plan import Plan
from batchsched.profile import Profile, constraints_of
from batchsched.scheduler import Limits, schedule
from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot, pending
from tests.builders import make_node, make_pod, make_snapshot

STRONG, WEAK, PLAIN = ("default", "strong"), ("default", "weak"), ("default", "plain")
RULES = constraints_of(Profile())


@pytest.fixture
def snapshot() -> Snapshot:
    """One node that the weak pod has to leave for the strong one, one with room for another."""
    nodes = [make_node("a", labels={"for": "strong"}), make_node("b", labels={"for": "plain"})]
    strong = make_pod("strong", cpu=4000, priority=9, node_selector={"for": "strong"})
    plain = make_pod("plain", cpu=1000, node_selector={"for": "plain"})
    return make_snapshot(nodes, [strong, plain, make_pod("weak", cpu=1000, node="a")])


@pytest.fixture
def plan(snapshot: Snapshot) -> Plan:
    """The weak pod leaves, both others are placed."""
    limits, allowance = Limits(deterministic=True), Allowance(preemption=True)
    window = pending(snapshot)
    made = schedule(snapshot, window, Profile(), limits, lambda: 0.0, allowance=allowance)
    assert len(made.bindings) == 2
    assert len(made.evictions) == 1
    return made


def with_pod(snapshot: Snapshot, key: PodKey, changed: Pod | None) -> Snapshot:
    others = [pod for pod in snapshot.pods if pod.key != key]
    return replace(snapshot, pods=(*others, *([changed] if changed is not None else [])))


def late(plan: Plan, then: Snapshot, snapshot: Snapshot, *names: str) -> set[PodKey]:
    """Who of these may not be bound any more; nobody named: who of all."""
    units = together(bindings_of(plan, then))
    left = [unit for unit in units if not names or unit[0].pod[1] in names]
    return set(outdated(left, plan, snapshot, RULES))


def test_nobody_is_refused_because_a_victim_left_by_itself_or_is_leaving(
    snapshot: Snapshot, plan: Plan
) -> None:
    weak = next(pod for pod in snapshot.pods if pod.key == WEAK)
    for now in (weak, replace(weak, deleting=True), replace(weak, phase="Succeeded"), None):
        assert late(plan, snapshot, with_pod(snapshot, WEAK, now)) == set()


def test_who_waits_for_no_victim_is_not_asked_about_those_of_others(
    snapshot: Snapshot, plan: Plan
) -> None:
    """Those are nominated by then, or are bound, or were refused."""
    weak = next(pod for pod in snapshot.pods if pod.key == WEAK)
    for now in (weak, replace(weak, deleting=True), None):
        assert late(plan, snapshot, with_pod(snapshot, WEAK, now), "plain") == set()


def test_with_who_is_refused_its_victims_stay(snapshot: Snapshot, plan: Plan) -> None:
    strong = next(pod for pod in snapshot.pods if pod.key == STRONG)
    gone = with_pod(snapshot, STRONG, replace(strong, deleting=True))
    assert late(plan, snapshot, gone) == {STRONG}


def test_who_took_the_name_of_a_victim_is_none(snapshot: Snapshot, plan: Plan) -> None:
    other = replace(make_pod("weak", cpu=1000, node="a"), uid="another")
    assert late(plan, snapshot, with_pod(snapshot, WEAK, other)) == {STRONG}
