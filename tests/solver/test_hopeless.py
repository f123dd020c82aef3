"""A gang is called hopeless only if no plan places it, and such as contradict themselves are."""

import numpy as np
import pytest

from batchsched.constraints import default_constraints
from batchsched.feasibility.compile import compile_problem
from batchsched.objectives.placed import Placed
from batchsched.snapshot.snapshot import Snapshot, pending
from batchsched.solver import cpsat
from batchsched.solver.budget import Budget
from batchsched.solver.hopeless import hopeless
from batchsched.solver.model import Model
from tests.benchmarks.instances.hidden_gangs import IMPOSSIBLE, hidden_gangs
from tests.constraints.pairs import drawn

SEARCH = cpsat.Search(10.0, deterministic=True)


def modelled(snapshot: Snapshot) -> Model:
    model = Model(compile_problem(snapshot, pending(snapshot)))
    for rule in default_constraints():
        rule.post(model)
    model.rank(Placed().tiers(model))
    return model


def test_no_plan_places_a_gang_that_is_called_hopeless() -> None:
    called = 0
    for snapshot in drawn(300, "gang", "anti_affinity", "affinity", seed=9):
        model = modelled(snapshot)
        program = model.freeze()
        found = hopeless(model, program, program.lower, Budget(10.0, None), SEARCH)
        if len(found):
            objective = np.isin(np.arange(program.width), found).astype(np.int64)
            assert cpsat.maximise(program, objective, None, SEARCH).bound == 0
            called += 1
    assert called > 5


@pytest.mark.parametrize("planted", IMPOSSIBLE)
def test_of_gangs_with_a_hidden_placement_only_the_planted_one_is_hopeless(planted: str) -> None:
    model = modelled(hidden_gangs(24, planted=planted))
    program = model.freeze()
    found = hopeless(model, program, program.lower, Budget(10.0, None), SEARCH)
    groups = [model.problem.classes[c].group for c in np.unique(model.counts.classes[found])]
    last = max(gang.group.name for gang in model.problem.gangs)
    assert {model.problem.gangs[g].group.name for g in groups if g is not None} <= {last}
    placeable = np.concatenate([model.cells(b.classes).columns for b in model.bundles[:-1]])
    assert not np.isin(found, placeable).any()


def test_friends_who_must_not_meet_are_hopeless_though_a_relaxation_places_them() -> None:
    model = modelled(hidden_gangs(24, planted="friends apart"))
    program = model.freeze()
    found = hopeless(model, program, program.lower, Budget(10.0, None), SEARCH)
    assert len(found) == len(model.cells(model.bundles[-1].classes))
