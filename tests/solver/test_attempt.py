"""Both solvers give good points for parts of a program; they are checked by whoever asks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ortools.linear_solver.python import model_builder_helper as helper

from batchsched.solver.attempt import COARSE, FINE, Attempter, by_cpsat, by_scip, coarse
from batchsched.solver.program import Program
from tests.solver.programs import ABSENT, best, program_of, programs


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


@given(st.lists(st.integers(0, 2**33), min_size=1, max_size=4), st.integers(1, 2**34), st.data())
def test_what_satisfies_coarse_rows_satisfies_the_rows(
    takes: list[int], room: int, data: st.DataObject
) -> None:
    """And little is lost: a unit for each pod."""
    program = program_of([takes], [4] * len(takes), ([-ABSENT], [room]))
    values = st.lists(st.integers(0, 4), min_size=len(takes), max_size=len(takes))
    x = np.array(data.draw(values), dtype=np.int64)
    rough = coarse(program)
    assert not rough.accepts(x) or program.accepts(x)
    if int(program.activity(x)[0]) + (1 + int(x.sum())) * (room // COARSE) <= room:
        assert rough.accepts(x)


def test_rows_of_few_units_and_rows_that_hold_something_are_left_as_they_are() -> None:
    rows = [[FINE // 2, FINE // 2], [3 * FINE, -FINE], [5 * FINE, FINE]]
    program = program_of(rows, [1, 1], ([-ABSENT, -ABSENT, 0], [FINE, 2 * FINE, 6 * FINE]))
    assert np.array_equal(coarse(program).coefficients, program.coefficients)
    assert np.array_equal(coarse(program).row_upper, program.row_upper)
