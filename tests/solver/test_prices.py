"""Prices bound what can be placed over every pair of class and node, for any values above."""

import itertools
import random

import numpy as np
import pytest

from batchsched.feasibility.compile import compile_problem
from batchsched.feasibility.problem import Problem
from batchsched.snapshot.snapshot import Snapshot, pending
from batchsched.solver import kinds
from batchsched.solver.budget import Budget
from batchsched.solver.kinds import Market, kinds_of
from batchsched.solver.prices import Level, levels_of
from tests.builders import make_node, make_pod, make_snapshot
from tests.strategies import Size, random_cluster, snapshot_of

PRIORITIES = (100, 0)
GPU = "example.com/gpu"


def problem_of(snapshot: Snapshot) -> Problem:
    return compile_problem(snapshot, pending(snapshot))


def priced(problem: Problem) -> tuple[Level, ...]:
    return levels_of(problem, Budget(100.0, None))


def small(seed: int) -> Snapshot:
    """A few pods of two priorities, no two alike, and nodes that take some of them."""
    draw = random.Random(seed)
    nodes = [
        make_node(f"n{i}", cpu=draw.randint(500, 2500), resources={GPU: draw.randint(0, 8)})
        for i in range(draw.randint(1, 3))
    ]
    pods = [
        make_pod(
            f"p{i}",
            requests={"cpu": draw.randint(100, 1500), GPU: draw.choice((0, 2, 4))},
            priority=draw.choice(PRIORITIES),
        )
        for i in range(draw.randint(1, 5))
    ]
    return make_snapshot(nodes, pods)


def plans(problem: Problem) -> set[tuple[int, ...]]:
    """How many pods of each priority every plan that has room places."""
    sizes, nodes = len(problem.classes), len(problem.nodes)
    priorities = sorted({c.priority for c in problem.classes}, reverse=True)
    found = set()
    for places in itertools.product(range(nodes + 1), repeat=sizes):
        left, placed = problem.free.copy(), [0] * len(priorities)
        for c, n in enumerate(places):
            if n < nodes:
                left[n] -= problem.requests[c]
                placed[priorities.index(problem.classes[c].priority)] += 1
        allowed = all(n == nodes or problem.candidates[c, n] for c, n in enumerate(places))
        if allowed and np.all(left >= 0):
            found.add(tuple(placed))
    return found


@pytest.mark.parametrize("grains", [(0.1,), (5.0,)])
@pytest.mark.parametrize("seed", range(40))
def test_no_plan_places_more_than_prices_say(
    seed: int, grains: tuple[float, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinds, "GRAINS", grains)
    problem = problem_of(small(seed))
    levels = priced(problem)
    assert len(levels) == len({c.priority for c in problem.classes})
    for placed in plans(problem):
        for i, level in enumerate(levels):
            assert placed[i] <= level.bound.bound_at(placed[:i])


@pytest.mark.parametrize("seed", range(20))
def test_prices_are_told_of_every_kind_of_cluster(seed: int) -> None:
    problem = problem_of(snapshot_of(random_cluster(random.Random(seed), Size(8, 8, 6))))
    for level in priced(problem) if problem.classes else ():
        assert np.array_equal(np.isfinite(level.cost), problem.candidates.any(axis=1))


def test_a_bound_rises_where_a_higher_priority_gets_less() -> None:
    nodes = [make_node("n", cpu=1000)]
    pods = [make_pod("high", cpu=1000, priority=100), make_pod("low", cpu=1000)]
    high, low = priced(problem_of(make_snapshot(nodes, pods)))
    assert high.bound.bound_at([]) == 1
    assert [low.bound.bound_at([placed]) for placed in (1, 0)] == [0, 1]


def test_a_node_of_five_gpus_takes_one_pod_of_four() -> None:
    """The relaxation would have it take five quarters."""
    nodes = [make_node(f"n{i}", resources={GPU: 5}) for i in range(4)]
    pods = [make_pod(f"p{i}", requests={GPU: 4, "cpu": 100 + i}) for i in range(6)]
    pods.append(make_pod("single", requests={GPU: 1}, priority=-1))
    (first, _) = priced(problem_of(make_snapshot(nodes, pods)))
    assert first.bound.bound_at([]) == 4


def test_who_is_too_large_costs_about_what_it_is_worth() -> None:
    nodes = [make_node("n", cpu=1000)]
    pods = [make_pod(f"p{cpu}", cpu=cpu) for cpu in (301, 302, 303, 901, 902)]
    (level,) = priced(problem_of(make_snapshot(nodes, pods)))
    assert (level.cost > 0.99).tolist() == [False, False, False, True, True]


def test_nodes_of_nearly_the_same_room_are_one_kind_and_small_amounts_are_exact() -> None:
    sizes = ((1000, 4), (1010, 4), (1010, 5))
    nodes = [make_node(f"n{i}", cpu=cpu, resources={GPU: n}) for i, (cpu, n) in enumerate(sizes)]
    pods = [make_pod("p", requests={"cpu": 1, GPU: 1}), make_pod("q", cpu=2)]
    problem = problem_of(make_snapshot(nodes, pods))
    first, second, third = kinds_of(problem, Market.of(problem)).of_node.tolist()
    assert first == second != third
