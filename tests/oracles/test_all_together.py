"""Rules that were written apart, all together: unions, reservations, preemption, moves, gangs.

60 clusters in the suite; BATCHSCHED_TOGETHER=5000 asks for more. A seed that fails is its own
reproduction: ``drawn(seed)``.
"""

import os
import random

import pytest

from batchsched.snapshot.snapshot import Snapshot
from batchsched.solver import flight
from tests.crowds import crowded_cluster, garrisoned_cluster, scattered_cluster
from tests.oracles.test_evictions import ALLOWANCES, PROFILES, judge
from tests.random_ties import keep_room, tie_gangs
from tests.strategies import Object, Size, random_cluster, snapshot_of

CLUSTERS = int(os.environ.get("BATCHSCHED_TOGETHER", "60"))


def small_cluster(rng: random.Random) -> list[Object]:
    return random_cluster(rng, Size(nodes_max=4, pending_max=4, running_max=5))


WAYS = (crowded_cluster, scattered_cluster, garrisoned_cluster, small_cluster)


def drawn(seed: int) -> Snapshot:
    rng = random.Random(f"together {seed}")
    objects = WAYS[seed % len(WAYS)](rng)
    if rng.random() < 0.7:
        tie_gangs(rng, objects)
    snapshot = snapshot_of(objects)
    return keep_room(rng, snapshot) if rng.random() < 0.4 else snapshot


@pytest.mark.parametrize("seed", range(CLUSTERS))
def test_what_meets_is_placed_as_well_as_can_be_and_proven(seed: int) -> None:
    judge(drawn(seed), ALLOWANCES[seed % len(ALLOWANCES)], PROFILES[seed % len(PROFILES)])


@pytest.mark.parametrize("seed", range(CLUSTERS // 2))
def test_domains_and_patterns_bound_it_no_better_than_it_is(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ways of large programs, which small ones do without; CP-SAT closes what they leave."""
    monkeypatch.setattr(flight, "TINY", 0)
    monkeypatch.setattr(flight, "PATTERNS_GAP", -1.0)
    judge(drawn(seed), ALLOWANCES[seed % len(ALLOWANCES)], PROFILES[seed % len(PROFILES)])
