"""Random whole clusters that use every rule together: every plan is valid, optimal and proven so.

150 of them in the suite; BATCHSCHED_CLUSTERS=1000 asks for more. A seed that fails is its own
reproduction: ``random_cluster(random.Random(seed))``.
"""

import os
import random

import pytest
from hypothesis import given, settings

from batchsched.plan.plan import Plan
from batchsched.profile import named_profiles
from batchsched.scheduler import schedule
from batchsched.snapshot.snapshot import Snapshot, pending
from batchsched.solver.solve import Limits
from tests.oracles.brute_force import Optimum, TooLargeError, full_optimum, placed_optimum
from tests.oracles.cluster import Cluster
from tests.oracles.rules import broken
from tests.oracles.scores import tiers
from tests.strategies import Object, clusters, random_cluster, snapshot_of

CLUSTERS = int(os.environ.get("BATCHSCHED_CLUSTERS", "150"))
PROFILES = {
    "default": "fewest-nodes",
    "spread": "spread",
    "least-fragmentation": "least-fragmentation",
}
VISITS_MAX = 4_000


def planned(snapshot: Snapshot, profile: str = "default") -> Plan:
    limits = Limits(time_limit_s=10, workers=1, seed=0, deterministic=True)
    window, chosen = pending(snapshot), named_profiles()[profile]
    return schedule(snapshot, window, chosen, limits, clock=lambda: 0.0)


def optimum(cluster: Cluster, packing: str) -> Optimum:
    """Of every tier, or of the placed ones where too many plans reach those."""
    try:
        return full_optimum(cluster, packing, visits_max=VISITS_MAX)
    except TooLargeError:
        return placed_optimum(cluster)


def judge(snapshot: Snapshot, profile: str) -> None:
    """Compare a plan with the optimum, its validity and its tiers with another reading."""
    plan, cluster, packing = planned(snapshot, profile), Cluster.of(snapshot), PROFILES[profile]
    places = {(b.namespace, b.name): b.node for b in plan.bindings}
    assert not list(broken(cluster, places))
    values = {tier.name: tier.value for tier in plan.tiers}
    assert values == tiers(cluster, places, packing)
    best = optimum(cluster, packing).tiers
    assert {name: values[name] for name in best} == best
    unproven = [t.name for t in plan.tiers if t.name in best and t.bound != t.value]
    assert not unproven


@pytest.mark.parametrize("seed", range(CLUSTERS))
def test_a_plan_is_valid_optimal_and_proven(seed: int) -> None:
    profile = list(PROFILES)[seed % len(PROFILES)]
    judge(snapshot_of(random_cluster(random.Random(seed))), profile)


@settings(max_examples=20)
@given(clusters())
def test_hypothesis_finds_no_cluster_with_a_bad_plan(objects: list[Object]) -> None:
    judge(snapshot_of(objects), "default")
