"""Where pods would go by room alone: who goes first, and how scattered room is gathered."""

import random

import numpy as np
import pytest

from batchsched.feasibility.compile import compile_problem
from batchsched.feasibility.problem import Problem
from batchsched.snapshot.snapshot import Snapshot, pending
from batchsched.solver.budget import Budget
from batchsched.solver.fill import Filled, filled
from batchsched.solver.gather import exchange, gather
from batchsched.solver.ground import Ground, Room
from batchsched.solver.prices import levels_of
from tests.builders import make_node, make_pod, make_replicas, make_snapshot
from tests.strategies import Size, random_cluster, snapshot_of


def problem_of(snapshot: Snapshot) -> Problem:
    return compile_problem(snapshot, pending(snapshot))


def fill(problem: Problem) -> Filled:
    budget = Budget(100.0, None)
    return filled(problem, levels_of(problem, budget), budget)


def scattered() -> tuple[Problem, Ground]:
    """Two nodes with 200 left each, and a pod of 400 that fits if two others change places."""
    nodes = [make_node("a", cpu=1000), make_node("b", cpu=1000)]
    sizes = {"p1": 500, "p2": 300, "q1": 700, "q2": 100, "r": 400}
    pods = [make_pod(name, cpu=cpu) for name, cpu in sizes.items()]
    problem = problem_of(make_snapshot(nodes, pods))
    ground = Ground.empty(Room.of(problem))
    at = {"p1": 0, "p2": 0, "q1": 1, "q2": 1}
    for c, pod_class in enumerate(problem.classes):
        if (node := at.get(pod_class.pods[0].name)) is not None:
            ground.classes.append(c)
            ground.nodes.append(node)
            ground.left[node] -= ground.room.asked[c]
    return problem, ground


def test_room_on_two_nodes_is_gathered_on_one() -> None:
    problem, ground = scattered()
    last = np.flatnonzero(ground.pods == 0)
    assert gather(ground, last, 1, 10, Budget(100.0, None)) == 1
    assert ground.pods.tolist() == [1] * len(problem.classes)
    taken = np.zeros_like(ground.left)
    np.add.at(taken, ground.nodes, ground.room.asked[ground.classes])
    assert np.array_equal(ground.room.free - taken, ground.left)
    assert ground.left[:, 0].tolist() == [0, 0]


def test_a_pod_for_which_there_is_no_room_in_all_changes_nothing_of_who_is_there() -> None:
    _, ground = scattered()
    ground.left[:, 0] -= 10
    assert gather(ground, np.flatnonzero(ground.pods == 0), 1, 10, Budget(100.0, None)) == 0
    assert int(ground.pods.sum()) == 4
    assert np.all(ground.left >= 0)


@pytest.mark.parametrize("seed", range(60))
def test_what_is_filled_has_room_and_may_be_there(seed: int) -> None:
    problem = problem_of(snapshot_of(random_cluster(random.Random(seed), Size(8, 8, 6))))
    if not problem.classes:
        return
    found = fill(problem)
    assert np.all(problem.candidates[found.classes, found.nodes])
    taken = np.zeros_like(problem.free)
    np.add.at(taken, found.nodes, found.pods[:, None] * problem.requests[found.classes])
    assert np.all(taken <= problem.free)
    assert np.all(np.bincount(found.nodes, found.pods, len(problem.nodes)) <= problem.slots)
    placed = np.bincount(found.classes, found.pods, len(problem.classes))
    assert np.all(placed <= problem.class_size)


def test_who_is_surely_placed_goes_first_and_the_largest_of_them_before_the_others() -> None:
    """Smallest first would leave 100 on both nodes and no place for the pod of 900."""
    nodes = [make_node("a", cpu=1000), make_node("b", cpu=1000)]
    pods = [make_pod(f"p{cpu}", cpu=cpu) for cpu in (900, 500, 400, 100, 99)]
    assert int(fill(problem_of(make_snapshot(nodes, pods))).pods.sum()) == 5


def test_pods_of_one_class_fill_node_after_node() -> None:
    nodes = [make_node("a", cpu=1000), make_node("b", cpu=2000)]
    found = fill(problem_of(make_snapshot(nodes, make_replicas(5, cpu=500))))
    assert found.nodes.tolist() == [0, 1]
    assert found.pods.tolist() == [2, 3]


def test_a_cheaper_pod_comes_in_for_a_dearer_one_of_its_priority_where_it_fits() -> None:
    nodes = [make_node("a", cpu=1000), make_node("b", cpu=1000)]
    pods = [make_pod("dear", cpu=900), make_pod("large", cpu=950), make_pod("small", cpu=300)]
    problem = problem_of(make_snapshot(nodes, pods))
    ground = Ground.empty(Room.of(problem)).place(np.array([0, 1]))
    cost = problem.requests[:, 0] / 1000
    assert exchange(ground, np.arange(3), cost)
    assert ground.pods.tolist() == [1, 0, 1]
    assert sorted(ground.left[:, 0].tolist()) == [100, 700]
    assert not exchange(ground, np.arange(3), cost)
