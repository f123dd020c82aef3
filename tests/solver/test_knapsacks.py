"""Knapsacks say at least what the best whole pods for every node are worth, and take what fits."""

import itertools
import random

import numpy as np
import numpy.typing as npt
import pytest

from batchsched.feasibility.compile import compile_problem
from batchsched.snapshot.snapshot import Snapshot, pending
from batchsched.solver import knapsacks
from batchsched.solver.knapsacks import Filling, Knapsacks
from batchsched.solver.model import Model
from tests.builders import make_node, make_pod, make_snapshot

GPU = "example.com/gpu"


def cluster(seed: int) -> Snapshot:
    """Few nodes with room for a few pods of three kinds each."""
    draw = random.Random(seed)
    nodes = [
        make_node(f"n{i}", cpu=draw.randint(5, 40) * 100, resources={GPU: draw.randint(0, 4)})
        for i in range(draw.randint(1, 4))
    ]
    kinds = [{"cpu": draw.randint(5, 20) * 100, GPU: draw.choice((0, 1, 2))} for _ in range(3)]
    pods = [
        make_pod(f"p{kind}-{i}", requests=kinds[kind], priority=kind)
        for kind in range(3)
        for i in range(draw.randint(1, 3))
    ]
    return make_snapshot(nodes, pods)


def model_of(snapshot: Snapshot) -> Model:
    return Model(compile_problem(snapshot, pending(snapshot)))


def filled(model: Model, profit: npt.NDArray[np.float64]) -> Filling:
    filling = Knapsacks(model, model.freeze()).fill(profit)
    assert filling is not None
    return filling


def best(model: Model, profit: npt.NDArray[np.float64]) -> float:
    """Every choice of pods for every node, tried."""
    problem, counts, total = model.problem, model.counts, 0.0
    for node in range(len(problem.nodes)):
        own = np.flatnonzero(counts.nodes == node)
        upper = [range(int(problem.upper[counts.classes[j], node]) + 1) for j in own]
        choices = (np.array(choice, dtype=np.int64) for choice in itertools.product(*upper))
        total += max(
            float(choice @ profit[own])
            for choice in choices
            if np.all(choice @ problem.requests[counts.classes[own]] <= problem.free[node])
        )
    return total


def fits(model: Model, counts: npt.NDArray[np.int64]) -> bool:
    used = np.zeros_like(model.problem.free)
    np.add.at(
        used, model.counts.nodes, counts[:, None] * model.problem.requests[model.counts.classes]
    )
    return bool(np.all(used <= model.problem.free))


def profits(model: Model, seed: int) -> npt.NDArray[np.float64]:
    """One for each class, of which some are worth nothing; on every second seed by node as well."""
    draw = np.random.default_rng(seed)
    of_class = draw.uniform(-0.3, 1.0, len(model.problem.classes))[model.counts.classes]
    return of_class + (draw.uniform(0.0, 0.2, len(of_class)) if seed % 2 else 0.0)


@pytest.mark.parametrize("seed", range(60))
def test_they_are_worth_what_the_best_choice_is_and_take_it(seed: int) -> None:
    model = model_of(cluster(seed))
    profit = profits(model, seed)
    filling = filled(model, profit)
    assert filling.worth == pytest.approx(best(model, profit), abs=1e-6)
    assert float(filling.counts @ profit) == pytest.approx(filling.worth, abs=1e-6)
    assert fits(model, filling.counts)


@pytest.mark.parametrize("seed", range(60))
def test_in_coarse_units_they_are_worth_no_less_and_what_they_take_still_fits(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(knapsacks, "CELLS_MAX", 12)
    model = model_of(cluster(seed))
    profit = profits(model, seed)
    filling = filled(model, profit)
    assert filling.worth >= best(model, profit) - 1e-6
    assert fits(model, filling.counts)
    assert np.all(filling.counts <= model.freeze().upper[: len(model.counts)])


def test_pods_that_ask_for_nothing_are_all_taken() -> None:
    model = model_of(
        make_snapshot([make_node("n")], [make_pod(f"p{i}", requests={}) for i in "ab"])
    )
    filling = filled(model, np.ones(len(model.counts)))
    assert filling.worth == pytest.approx(2.0)
    assert filling.counts.tolist() == [2]


def test_where_every_node_sees_something_else_they_are_not_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(knapsacks, "KINDS_MAX", 2)
    nodes = [make_node(f"n{i}") for i in range(3)]
    model = model_of(make_snapshot(nodes, [make_pod("p")]))
    assert Knapsacks(model, model.freeze()).fill(np.array([0.1, 0.2, 0.3])) is None
