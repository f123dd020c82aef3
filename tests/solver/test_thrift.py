"""Thrift places what a plan places, rules kept, where it costs the least of what a tier counts."""

import random

import numpy as np
import pytest

from batchsched.constraints import default_constraints
from batchsched.feasibility.compile import compile_problem
from batchsched.objectives.least_fragmentation import LeastFragmentation
from batchsched.objectives.placed import Placed
from batchsched.snapshot.snapshot import Snapshot, pending
from batchsched.solver.budget import Budget
from batchsched.solver.greedy import Greedy
from batchsched.solver.incumbent import Incumbent
from batchsched.solver.model import IntArray, Model, Tier
from batchsched.solver.places import places_of
from batchsched.solver.solve import Limits, Solution, solve
from batchsched.solver.sums import add_up
from batchsched.solver.thrift import Thrift
from tests.builders import make_node, make_pod, make_snapshot, make_spec
from tests.strategies import random_cluster, snapshot_of

GPU = "example.com/gpu"


def _model(snapshot: Snapshot) -> tuple[Model, Tier]:
    """A model with the tier of packing, and that tier."""
    model = Model(compile_problem(snapshot, pending(snapshot)))
    for constraint in default_constraints():
        constraint.post(model)
    model.rank(Placed().tiers(model))
    (tier,) = LeastFragmentation().tiers(model)
    model.rank([tier])
    return model, tier


def _thrifty(model: Model, tier: Tier, x: IntArray) -> Incumbent:
    """What a point places, placed with thrift."""
    assert tier.room is not None
    first = model.stages[0]
    point = Incumbent(model.freeze().prefix(first.width, first.height))
    counts = model.counts
    placed = add_up(counts.classes, x[: len(counts)], len(model.problem.classes))
    return Thrift(model, point, Budget(10.0, None), tier.room, placed).complete()


@pytest.mark.parametrize("seed", range(40))
def test_thrift_satisfies_every_row(seed: int) -> None:
    model, tier = _model(snapshot_of(random_cluster(random.Random(seed))))
    first = model.stages[0]
    program = model.freeze().prefix(first.width, first.height)
    greedy = Greedy(model, Incumbent(program), Budget(10.0, None)).complete()
    assert program.accepts(_thrifty(model, tier, greedy.x).x)


@pytest.mark.parametrize("seed", range(40))
def test_what_room_is_worth_is_what_the_tier_counts(seed: int) -> None:
    model, tier = _model(snapshot_of(random_cluster(random.Random(seed))))
    problem, counts = model.problem, model.counts
    solution = solve(model, Limits(deterministic=True), lambda: 0.0)
    left, slots = problem.free.copy(), problem.slots.copy()
    placed = solution.x[: len(counts)]
    np.subtract.at(left, counts.nodes, placed[:, None] * problem.requests[counts.classes])
    np.subtract.at(slots, counts.nodes, placed)
    assert tier.room is not None
    worth = tier.room(np.arange(len(problem.nodes)), left, slots)
    assert int(worth.sum()) == solution.tiers[-1].value


def test_a_pod_goes_where_it_leaves_no_device_without_cpu() -> None:
    """The greedy's node is the tightest, where a device would stand without a core.

    Of four devices and eight cores two pods have taken two: with a core each, or with three.
    """
    nodes = [make_node(f"n{i}", cpu=8000, resources={GPU: 4}) for i in range(2)]
    large = make_spec(cpu=2000, requests={GPU: 1})
    small, larger = make_spec(cpu=1000, requests={GPU: 1}), make_spec(cpu=3000, requests={GPU: 1})
    running = [make_pod(f"a{i}", node="n0", spec=small) for i in range(2)]
    running += [make_pod(f"b{i}", node="n1", spec=larger) for i in range(2)]
    model, tier = _model(make_snapshot(nodes, [make_pod("p", spec=large), *running]))
    first = model.stages[0]
    program = model.freeze().prefix(first.width, first.height)
    greedy = Greedy(model, Incumbent(program), Budget(10.0, None)).complete()
    thrifty = _thrifty(model, tier, greedy.x)
    assert [_place(model, point) for point in (greedy, thrifty)] == ["n1", "n0"]


def _place(model: Model, point: Incumbent) -> str:
    (node,) = places_of(model, Solution(point.x, ())).placements.values()
    return node
