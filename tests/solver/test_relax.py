"""The relaxation's bound holds whatever GLOP did, and is reached where the program is integral."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from batchsched.solver.program import Program
from batchsched.solver.relax import highest, relax
from tests.solver.programs import best, program_of, programs


@given(programs(), st.data(), st.sampled_from([0.0, 10.0]))
def test_no_integer_point_is_better_than_the_bound(
    program: Program, data: st.DataObject, limit_s: float
) -> None:
    """Also when GLOP had no time at all."""
    weights = data.draw(
        st.lists(st.integers(-5, 5), min_size=program.width, max_size=program.width)
    )
    objective = np.array(weights, dtype=np.int64)
    bound = relax(program, objective, limit_s, deterministic=False).bound
    assert best(program, objective) <= bound <= highest(program, objective)


def test_the_bound_is_the_optimum_where_the_relaxation_is_integral() -> None:
    """Two classes share a node of three slots: no more than three can be placed."""
    program = program_of([[1, 1]], [2, 2], ([-(2**62)], [3]))
    assert relax(program, np.ones(2, dtype=np.int64), 10.0, deterministic=True).bound == 3


def test_bytes_and_cores_in_one_program_do_not_spoil_the_bound() -> None:
    """Coefficients ten orders of magnitude apart: 3 pods of 64 GiB fit into 200 GiB."""
    gib = 2**30
    program = program_of([[64 * gib], [100]], [10], ([-(2**62)] * 2, [200 * gib, 100_000]))
    assert relax(program, np.ones(1, dtype=np.int64), 10.0, deterministic=True).bound == 3
