"""Patterns bound what whole pods can be placed, and say where large ones go."""

import random

import numpy as np
import pytest

from batchsched.constraints import default_constraints
from batchsched.feasibility.compile import compile_problem
from batchsched.objectives.placed import Placed
from batchsched.snapshot.snapshot import Snapshot, pending
from batchsched.solver import cpsat
from batchsched.solver.budget import Budget
from batchsched.solver.greedy import Greedy
from batchsched.solver.incumbent import Incumbent
from batchsched.solver.model import Model
from batchsched.solver.patterns import Patterned, Patterns
from batchsched.solver.relax import Interrupt
from tests.builders import make_node, make_pod, make_snapshot
from tests.strategies import Size, random_cluster, snapshot_of


def model_of(snapshot: Snapshot) -> Model:
    model = Model(compile_problem(snapshot, pending(snapshot)))
    for constraint in default_constraints():
        constraint.post(model)
    model.rank(Placed().tiers(model))
    return model


def solved(model: Model, limit_s: float = 100.0) -> Patterned:
    """From nothing placed, and without prices to begin with."""
    program = model.freeze()
    objectives = [stage.tier.objective(program.width) for stage in model.stages]
    patterns = Patterns(model, program, objectives, Budget(100.0, None))
    nothing = Incumbent(program).x
    return patterns.solve(nothing, [None] * len(objectives), limit_s, Interrupt())


def coarse(seed: int) -> Snapshot:
    """Nodes that hold one pod or two, of kinds that nearly fit together."""
    draw = random.Random(seed)
    nodes = [make_node(f"n{i:02}", cpu=draw.randint(20, 60) * 100) for i in range(12)]
    kinds = [draw.randint(15, 45) * 100 for _ in range(5)]
    pods = [
        make_pod(f"p{i:02}", cpu=kinds[i % 5], priority=100 * draw.randrange(2)) for i in range(30)
    ]
    return make_snapshot(nodes, pods)


def optima(model: Model) -> list[int]:
    """Tier after tier by CP-SAT, each held."""
    program, values = model.freeze(), list[int]()
    objectives = [stage.tier.objective(program.width) for stage in model.stages]
    x = Incumbent(program).x
    for objective in objectives:
        held = program.holding(objectives, values)
        answer = cpsat.maximise(
            held, objective, x, cpsat.Search(60.0, deterministic=False, workers=1, seed=0)
        )
        assert answer.x is not None
        x = answer.x
        values.append(int(objective @ x))
        assert answer.bound == values[-1]
    return values


@pytest.mark.parametrize("seed", range(12))
def test_their_bounds_hold_and_what_they_aim_at_is_nearly_as_good(seed: int) -> None:
    model = model_of(coarse(seed))
    found, best = solved(model), optima(model)
    assert len(found.bounds) == len(best)
    for i, bound in found.bounds.items():
        assert best[i] <= bound.bound_at(best[:i])
    assert found.targets is not None
    assert found.bounds[0].bound_at([]) - best[0] <= 1
    x = Greedy(model, Incumbent(model.freeze()), Budget(100.0, None)).complete(found.targets).x
    placed = [int(stage.tier.objective(len(x)) @ x) for stage in model.stages]
    assert best[0] - 2 <= placed[0] <= best[0]


@pytest.mark.parametrize("seed", range(40))
def test_their_bounds_hold_with_every_rule(seed: int) -> None:
    model = model_of(snapshot_of(random_cluster(random.Random(seed), Size(4, 6, 4))))
    best = optima(model)
    for i, bound in solved(model).bounds.items():
        assert best[i] <= bound.bound_at(best[:i])


def test_a_bound_holds_where_a_higher_tier_got_less() -> None:
    pods = [make_pod("high", cpu=1000, priority=100), make_pod("low", cpu=1000)]
    high, low = solved(model_of(make_snapshot([make_node("n", cpu=1000)], pods))).bounds.values()
    assert high.bound_at([]) == 1
    assert [low.bound_at([placed]) for placed in (1, 0)] == [0, 1]


def test_without_time_they_say_nothing() -> None:
    found = solved(model_of(coarse(0)), limit_s=0.0)
    assert found.targets is None
    assert found.bounds == {}


def test_large_pods_are_told_apart_where_the_relaxation_cuts_them_up() -> None:
    """Three nodes of ten cores: three pods of six, or three of five and so on; never a half."""
    nodes = [make_node(f"n{i}", cpu=10_000) for i in range(3)]
    pods = [make_pod(f"p{i}", cpu=6_000) for i in range(4)]
    found = solved(model_of(make_snapshot(nodes, pods)))
    assert [bound.bound_at([]) for bound in found.bounds.values()] == [3]
    assert found.targets is not None
    assert np.array_equal(np.sort(found.targets), [1, 1, 1])
