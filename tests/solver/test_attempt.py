"""Both solvers give good points for parts of a program; they are checked by whoever asks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ortools.linear_solver.python import model_builder_helper as helper

from batchsched.solver.attempt import Attempter, by_cpsat, by_scip
from batchsched.solver.program import Program
from tests.solver.programs import best, programs


def test_the_installed_solver_library_has_scip() -> None:
    """Without it, large programs would never get better than their rounding."""
    assert helper.ModelSolverHelper("scip").solver_is_supported()


@pytest.mark.parametrize("attempt", [by_scip, by_cpsat])
@given(program=programs(), data=st.data())
def test_the_point_is_the_optimum_of_a_small_program(
    attempt: Attempter, program: Program, data: st.DataObject
) -> None:
    """By the clock and by counted work."""
    weights = st.lists(st.integers(-5, 5), min_size=program.width, max_size=program.width)
    objective = np.array(data.draw(weights), dtype=np.int64)
    found = attempt(program, objective, 10.0, counted=data.draw(st.booleans()))
    assert found.finished
    assert found.x is not None
    assert program.accepts(found.x)
    assert int(objective @ found.x) == best(program, objective)
