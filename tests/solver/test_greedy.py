"""The greedy obeys every rule that was posted, on clusters that use all of them together."""

import random

import pytest

from batchsched.constraints import default_constraints
from batchsched.feasibility.compile import compile_problem
from batchsched.objectives.placed import Placed
from batchsched.snapshot.snapshot import pending
from batchsched.solver.budget import Budget
from batchsched.solver.greedy import Greedy
from batchsched.solver.incumbent import Incumbent
from batchsched.solver.model import Model
from tests.strategies import random_cluster, snapshot_of


@pytest.mark.parametrize("seed", [*range(60), 1199, 1366])
def test_the_greedy_answer_satisfies_every_row(seed: int) -> None:
    """Seeds 1199 and 1366: a row shared by a class's columns that is not the row of its size."""
    snapshot = snapshot_of(random_cluster(random.Random(seed)))
    model = Model(compile_problem(snapshot, pending(snapshot)))
    for constraint in default_constraints():
        constraint.post(model)
    model.rank(Placed().tiers(model))
    program = model.freeze()
    assert program.accepts(program.lower)
    point = Greedy(model, Incumbent(program), Budget(10.0, None)).complete()
    assert program.accepts(point.x)
