"""The composition: what goes into a plan, and what never does."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from batchsched import scheduler
from batchsched.plan.state import FinalState, Violation
from batchsched.plan.verify import verify
from batchsched.profile import constraints_of, default_profile, named_profiles, objectives_of
from batchsched.scheduler import Limits, PlanDefectError, schedule
from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.snapshot import Snapshot, pending
from tests.builders import make_node, make_pod
from tests.snapshot.manifests import container, node, pod, snapshot_of

LIMITS = Limits(time_limit_s=10.0, workers=1, deterministic=True)


def two_nodes_three_pods() -> Snapshot:
    """Room for two of three."""
    pods = tuple(make_pod(f"p{i}", cpu=3000) for i in range(3))
    return Snapshot(nodes=(make_node("a"), make_node("b")), pods=pods)


def test_every_pending_pod_is_bound_or_has_a_reason() -> None:
    snapshot = two_nodes_three_pods()
    plan = schedule(snapshot, pending(snapshot), default_profile(), LIMITS, lambda: 0.0)
    names = [b.name for b in plan.bindings] + [u.name for u in plan.unplaced]
    assert sorted(names) == ["p0", "p1", "p2"]
    assert all(u.message for u in plan.unplaced)


def test_of_pods_that_are_alike_the_oldest_are_placed() -> None:
    pods = tuple(
        replace(make_pod(name, cpu=3000), created=created)
        for name, created in (("a", "2026-03-01"), ("b", "2026-01-01"), ("c", "2026-02-01"))
    )
    snapshot = Snapshot(nodes=(make_node("a"), make_node("b")), pods=pods)
    plan = schedule(snapshot, pending(snapshot), default_profile(), LIMITS, lambda: 0.0)
    assert [u.name for u in plan.unplaced] == ["a"]


@pytest.mark.parametrize("profile", ["default", "spread", "least-fragmentation"])
def test_amounts_without_end_overflow_nothing(profile: str) -> None:
    """Four such pods together were more than 64 bits hold; no fifth one fits on the other node."""
    endless = container(cpu="9E", memory="9E")
    room = {"cpu": "1e999", "memory": "8Ei", "pods": 2**63}
    snapshot = snapshot_of(
        node("a", allocatable=room),
        node("b", allocatable=room),
        *(pod(f"r{i:02}", containers=[endless], nodeName="a") for i in range(4)),
        *(pod(f"p{i}", containers=[container(cpu="1", memory="1Gi")]) for i in range(3)),
        pod("x", containers=[endless]),
    )
    plan = schedule(snapshot, pending(snapshot), named_profiles()[profile], LIMITS, lambda: 0.0)
    assert [(b.name, b.node) for b in plan.bindings] == [("p0", "b"), ("p1", "b"), ("p2", "b")]
    assert [u.name for u in plan.unplaced] == ["x"]


def test_a_node_that_holds_a_million_times_what_it_has_is_as_full_as_any() -> None:
    tiny, endless = {"cpu": "4", "memory": "1", "pods": 20}, container(memory="1125T")
    snapshot = snapshot_of(
        node("a", allocatable=tiny),
        node("b", allocatable=tiny | {"memory": "8Ei"}),
        *(pod(f"r{i:02}", containers=[endless], nodeName="a") for i in range(20)),
        pod("p", containers=[container(cpu="1", memory="1125T")]),
    )
    window, profile = pending(snapshot), named_profiles()["spread"]
    plan = schedule(snapshot, window, profile, LIMITS, lambda: 0.0)
    assert plan.bindings[0].node == "b"
    assert plan.tiers[-1].value == plan.tiers[-1].bound == 3000


def test_what_free_room_is_worth_is_told_by_all_that_running_pods_say() -> None:
    """Of those that may be preempted only what holds others off is in the model."""
    nodes = [make_node("a", cpu=2000, labels={"disk": "ssd"}), make_node("b", cpu=2000)]
    runs = make_pod("r", cpu=1000, node="a", node_selector={"disk": "ssd"})
    snapshot = Snapshot(nodes=tuple(nodes), pods=(make_pod("p", cpu=9000, priority=1), runs))
    window, profile = pending(snapshot), named_profiles()["least-fragmentation"]
    for allowance in (Allowance(), Allowance(preemption=True), Allowance(moves_max=None)):
        plan = schedule(snapshot, window, profile, LIMITS, lambda: 0.0, allowance=allowance)
        assert plan.tiers[-1].value == plan.tiers[-1].bound == 500


def test_progress_is_told_in_the_numbers_of_the_plan() -> None:
    snapshot, told = two_nodes_three_pods(), []
    plan = schedule(
        snapshot,
        pending(snapshot),
        default_profile(),
        LIMITS,
        lambda: 0.0,
        progress=lambda *each: told.append(each),
    )
    done = [each for phase, *each in told if phase == "tier"]
    assert done == [[tier.name, tier.value, tier.bound] for tier in plan.tiers]
    assert done[-1] == ["packing/fewest-nodes", 2, 2]


@dataclass(frozen=True)
class _Blind:
    """A rule whose two halves disagree: it posts nothing and accepts nothing."""

    name: str = "blind"

    def post(self, model: object) -> None:
        """Say nothing."""

    def check(self, state: FinalState) -> Iterator[Violation]:
        """Refuse every placed pod."""
        for placed in state.placed:
            yield Violation(self.name, placed.pod.full_name, placed.node.name, "refused")


def test_a_plan_that_the_verifier_refuses_is_never_returned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is bound unverified: a defect in a rule stops the plan."""
    snapshot = two_nodes_three_pods()
    rules = constraints_of(default_profile())
    monkeypatch.setattr(scheduler, "constraints_of", lambda _: (*rules, _Blind()))
    with pytest.raises(PlanDefectError, match="blind"):
        schedule(snapshot, pending(snapshot), default_profile(), LIMITS, lambda: 0.0)


@pytest.mark.parametrize("name", sorted(named_profiles()))
def test_a_plan_passes_the_verifier_under_every_profile(name: str) -> None:
    """Its tiers are worth what the objectives count in the final state."""
    snapshot, profile = two_nodes_three_pods(), named_profiles()[name]
    window = pending(snapshot)
    plan = schedule(snapshot, window, profile, LIMITS, lambda: 0.0)
    assert verify(plan, snapshot, window, constraints_of(profile), objectives_of(profile)) == ()
    assert plan.status == "Optimal"


def test_an_empty_window_is_a_plan_too() -> None:
    snapshot = Snapshot(nodes=(make_node("a"),))
    plan = schedule(snapshot, pending(snapshot), default_profile(), LIMITS, lambda: 0.0)
    assert (plan.bindings, plan.unplaced, plan.status) == ((), (), "Optimal")


def test_without_any_time_the_greedy_plan_is_returned() -> None:
    """The answer is never worse than the greedy's, and there is always one."""
    snapshot = two_nodes_three_pods()
    ticks = iter(range(10**6))
    limits = Limits(time_limit_s=1e-9, workers=1)
    plan = schedule(
        snapshot, pending(snapshot), default_profile(), limits, lambda: float(next(ticks))
    )
    assert len(plan.bindings) + len(plan.unplaced) == 3
