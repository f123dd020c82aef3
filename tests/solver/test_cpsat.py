"""CP-SAT on a program finds the optimum and proves it; a hint is never made worse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchsched.solver.cpsat import ModelDefectError, Search, maximise
from batchsched.solver.program import Program
from tests.solver.programs import best, points, program_of, programs


@given(programs(), st.data())
def test_the_answer_is_the_optimum_and_its_bound_is_the_value(
    program: Program, data: st.DataObject
) -> None:
    """On what enumeration can solve, CP-SAT gives the same value, proven."""
    weights = data.draw(
        st.lists(st.integers(-5, 5), min_size=program.width, max_size=program.width)
    )
    objective = np.array(weights, dtype=np.int64)
    hint = data.draw(st.sampled_from(points(program)))
    answer = maximise(program, objective, hint, Search(limit_s=10.0))
    assert answer.optimal
    assert answer.x is not None
    assert program.accepts(answer.x)
    assert int(objective @ answer.x) == best(program, objective) == answer.bound


def test_a_model_without_a_solution_is_a_defect_and_no_timeout() -> None:
    """Placing nothing is always allowed, so a model that forbids it is wrong."""
    program = program_of([[1]], [1], ([2], [2]))
    with pytest.raises(ModelDefectError):
        maximise(program, np.ones(1, dtype=np.int64), None, Search(limit_s=1.0))


def test_no_time_at_all_is_no_invalid_model() -> None:
    """Between asking for the time left and setting the limit, it may run out."""
    program = program_of([[1]], [1], ([-(2**62)], [1]))
    objective = np.ones(1, dtype=np.int64)
    maximise(program, objective, np.zeros(1, dtype=np.int64), Search(limit_s=-0.5))


def test_a_search_that_ends_without_an_answer_proves_nothing() -> None:
    """CP-SAT then reports an objective bound of 0, which is no bound at all."""
    random = np.random.default_rng(1)
    width, height = 4_000, 400
    matrix = (random.random((height, width)) < 0.02) * random.integers(1, 50, (height, width))
    program = program_of(matrix.tolist(), [9] * width, ([-(2**62)] * height, [200] * height))
    objective = np.ones(width, dtype=np.int64)
    answer = maximise(program, objective, None, Search(limit_s=1e-4, deterministic=True))
    assert not answer.optimal
    assert answer.bound >= 20
