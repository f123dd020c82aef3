"""Gangs that fit by construction are all placed; one that fits nowhere is shown to be so."""

import pytest

from batchsched.plan.plan import Plan
from batchsched.profile import named_profiles
from batchsched.scheduler import Limits, schedule
from batchsched.snapshot.snapshot import pending
from tests.benchmarks.instances.hidden_gangs import IMPOSSIBLE, hidden_gangs

NODES = 24
LIMITS = Limits(time_limit_s=30.0, deterministic=True)


def planned(seed: int, planted: str | None = None) -> Plan:
    snapshot = hidden_gangs(NODES, seed=seed, planted=planted)
    profile = named_profiles()["placed-only"]
    return schedule(snapshot, pending(snapshot), profile, LIMITS, clock=lambda: 0.0)


@pytest.mark.parametrize("seed", range(1, 9))
def test_gangs_with_a_hidden_placement_are_all_placed(seed: int) -> None:
    assert {group.status for group in planned(seed).pod_groups} == {"Placed"}


@pytest.mark.parametrize("planted", IMPOSSIBLE)
@pytest.mark.parametrize("seed", range(1, 3))
def test_a_planted_impossibility_is_shown_and_keeps_nobody_else_out(
    seed: int, planted: str
) -> None:
    plan = planned(seed, planted)
    last = max(group.name for group in plan.pod_groups)
    assert [group.name for group in plan.pod_groups if group.status != "Placed"] == [last]
    assert plan.status == "Optimal"
