"""The oracles against each other, before anything is measured by them.

Brute force cuts branches, so it is compared with enumeration that cuts none; MiniZinc states the
rules in another language, so it is compared with brute force.
"""

import os
import random
from itertools import product

import pytest

from tests.oracles import minizinc
from tests.oracles.brute_force import TooLargeError, full_optimum, placed_optimum
from tests.oracles.cluster import Cluster
from tests.oracles.rules import broken
from tests.oracles.scores import PACKING, is_small_better, tiers
from tests.strategies import Size, random_cluster, snapshot_of

TINY = Size(nodes_max=3, pending_max=3, running_max=4)
WAYS = sorted(PACKING)


def drawn(seed: int, size: Size | None = None) -> Cluster:
    rng = random.Random(seed)
    return Cluster.of(snapshot_of(random_cluster(rng, size) if size else random_cluster(rng)))


def enumerated(cluster: Cluster, packing: str) -> dict[str, int]:
    """The best tiers over every assignment there is."""
    found = []
    for choice in product([None, *cluster.nodes], repeat=len(cluster.window.pods)):
        pods = zip(cluster.window.pods, choice, strict=True)
        places = {pod.key: node for pod, node in pods if node is not None}
        if not any(broken(cluster, places)):
            values = tiers(cluster, places, packing)
            rank = [-v if is_small_better(name) else v for name, v in values.items()]
            found.append((rank, values))
    return max(found, key=lambda each: each[0])[1]


@pytest.mark.parametrize("seed", range(60))
def test_brute_force_finds_what_enumeration_without_cuts_finds(seed: int) -> None:
    cluster, packing = drawn(seed, TINY), WAYS[seed % len(WAYS)]
    expected = enumerated(cluster, packing)
    assert full_optimum(cluster, packing).tiers == expected
    placed = {name: v for name, v in expected.items() if name.startswith("placed/")}
    assert placed_optimum(cluster).tiers == placed


@pytest.mark.minizinc
@pytest.mark.parametrize("seed", range(12))
def test_minizinc_finds_what_brute_force_finds(seed: int) -> None:
    if not minizinc.available():
        if os.environ.get("CI") == "true":
            pytest.fail("minizinc is not on PATH; .ci/run installs minizinc and flatzinc")
        pytest.skip("minizinc is not on PATH (Debian: apt-get install minizinc flatzinc)")
    cluster, packing = drawn(seed), WAYS[seed % len(WAYS)]
    try:
        expected = full_optimum(cluster, packing, visits_max=4_000).tiers
    except TooLargeError:
        pytest.skip("too many optima of the placed tiers to enumerate")
    answer = minizinc.solve(cluster, packing)
    assert answer.tiers == expected
    assert not list(broken(cluster, answer.places))


def test_random_clusters_put_every_rule_to_work() -> None:
    """On enough draws, every rule makes some otherwise possible assignment invalid."""
    left = {f"C{i}" for i in range(2, 14)}
    for seed in range(500):
        cluster, rng = drawn(seed), random.Random(seed)
        for _ in range(3):
            places = {
                pod.key: rng.choice(sorted(cluster.nodes))
                for pod in cluster.window.pods
                if rng.random() < 0.7
            }
            left -= {wrong.split()[0] for wrong in broken(cluster, places)}
        if not left:
            return
    assert not left
