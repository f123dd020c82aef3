"""The way of the large programs, walked on small ones where the optimum is known."""

import random
from dataclasses import replace

import pytest

from batchsched.plan.plan import Plan
from batchsched.profile import default_profile
from batchsched.scheduler import Limits, schedule
from batchsched.snapshot.snapshot import pending
from batchsched.solver import flight, shards
from tests.strategies import random_cluster, snapshot_of

LIMITS = Limits(time_limit_s=0.8, workers=1, deterministic=True)


def ranked(plan: Plan) -> list[int]:
    """The placed tiers' values, highest priority first."""
    return [tier.value for tier in plan.tiers if tier.name.startswith("placed/")]


@pytest.mark.parametrize("seed", range(40))
def test_in_parts_is_valid_bounded_and_never_worse_than_greedy(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shards, relaxation, rounding, neighbourhoods: against CP-SAT on the whole, and greedy alone.

    `schedule` verifies each of the plans, and that no value is above its bound.
    """
    snapshot = snapshot_of(random_cluster(random.Random(seed)))
    window, profile = pending(snapshot), default_profile()
    whole = schedule(snapshot, window, profile, replace(LIMITS, time_limit_s=10.0), lambda: 0.0)
    monkeypatch.setattr(flight, "COLUMNS_MAX", 0)
    monkeypatch.setattr(flight, "TINY", 0)
    monkeypatch.setattr(shards, "COLUMNS_WANTED", 8)
    in_parts = schedule(snapshot, window, profile, LIMITS, lambda: 0.0)
    no_time = replace(LIMITS, time_limit_s=0.0)
    greedy = schedule(snapshot, window, profile, no_time, lambda: 0.0)
    assert whole.status == "Optimal"
    assert ranked(greedy) <= ranked(in_parts) <= ranked(whole)
    for ours, proven in zip(in_parts.tiers, whole.tiers, strict=True):
        if not ours.name.startswith("placed/"):
            break
        assert ours.bound >= proven.value
        if ours.value != proven.value:
            break
