"""Counting: a bound on placed pods by the room of all nodes together."""

import random

import pytest

from batchsched.feasibility.compile import compile_problem
from batchsched.feasibility.counting import most_placed
from batchsched.objectives.placed import tier_name
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import pending
from tests.builders import make_node, make_pod, make_snapshot
from tests.oracles.brute_force import placed_optimum
from tests.oracles.cluster import Cluster
from tests.strategies import Size, random_cluster, snapshot_of


def most(*pods: Pod, held: dict[int, int] | None = None) -> int:
    nodes = [make_node("n1", cpu=4, pods=3), make_node("n2", cpu=2, pods=3)]
    snapshot = make_snapshot(nodes, pods)
    return most_placed(compile_problem(snapshot, pending(snapshot)), 0, held or {})


def test_the_smallest_requests_are_counted_first() -> None:
    assert most(*(make_pod(f"p{cpu}", cpu=cpu) for cpu in (1, 2, 3, 4))) == 3


def test_pods_of_higher_priority_take_at_least_the_room_of_the_smallest_of_them() -> None:
    high = [make_pod(f"h{cpu}", cpu=cpu, priority=1) for cpu in (2, 4)]
    low = [make_pod(f"p{i}", cpu=1) for i in range(6)]
    assert most(*high, *low, held={1: 1}) == 4
    assert most(*high, *low, held={1: 2}) == 0


def test_places_for_pods_are_room_too() -> None:
    assert most(*(make_pod(f"p{i}") for i in range(9))) == 6


def test_pods_that_fit_nowhere_do_not_count() -> None:
    assert most(make_pod("p", cpu=9), make_pod("q", cpu=1)) == 1


@pytest.mark.parametrize("seed", range(80))
def test_no_optimum_is_above_what_is_counted(seed: int) -> None:
    snapshot = snapshot_of(random_cluster(random.Random(seed), Size(4, 6, 6)))
    problem = compile_problem(snapshot, pending(snapshot))
    best = placed_optimum(Cluster.of(snapshot)).tiers
    held: dict[int, int] = {}
    for priority in sorted({c.priority for c in problem.classes}, reverse=True):
        assert most_placed(problem, priority, held) >= best[tier_name(priority)]
        held[priority] = best[tier_name(priority)]
