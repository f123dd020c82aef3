"""The quotient has the optimum of the whole relaxation, and its bound holds for the whole."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from batchsched.solver.program import Program, freeze
from batchsched.solver.quotient import quotient
from batchsched.solver.relax import quick_bound, relax
from tests.solver.programs import programs


def copies(program: Program, count: int) -> Program:
    """The same program several times over, side by side: nodes that nothing tells apart."""
    rows, columns = program.height, program.width
    entries = [
        (program.entry_rows + rows * i, program.columns + columns * i, program.coefficients)
        for i in range(count)
    ]
    return freeze(
        counts=program.counts,
        bounds=(np.tile(program.lower, count), np.tile(program.upper, count)),
        row_bounds=(np.tile(program.row_lower, count), np.tile(program.row_upper, count)),
        entries=tuple(np.concatenate(part) for part in zip(*entries, strict=True)),  # type: ignore[arg-type]
    )


@given(programs(), st.data(), st.integers(3, 5))
def test_copies_merge_and_the_bound_is_that_of_the_whole(
    program: Program, data: st.DataObject, count: int
) -> None:
    """Independent copies of a program come to one, with the copies' optimum."""
    weights = data.draw(
        st.lists(st.integers(-5, 5), min_size=program.width, max_size=program.width)
    )
    whole = copies(program, count)
    objective = np.tile(np.array(weights, dtype=np.int64), count)
    small = quotient(whole, objective)
    assert small is not None
    assert small.program.width <= program.width
    bound = relax(whole, objective, 10.0, deterministic=True).bound
    assert quick_bound(whole, objective, 10.0, deterministic=True) == bound


def test_a_program_without_symmetry_has_no_quotient() -> None:
    """Where every column is its own part, refining stops early and says so."""
    upper = np.arange(1, 9, dtype=np.int64)
    none = np.zeros(0, dtype=np.int64)
    program = freeze(8, (np.zeros(8, dtype=np.int64), upper), (none, none), (none, none, none))
    assert quotient(program, np.ones(8, dtype=np.int64)) is None


def test_what_is_averaged_is_not_rounded() -> None:
    """Three columns that share four units: each has 4/3 on average, and 3 x <= 4 is no x <= 1."""
    program = freeze(
        counts=3,
        bounds=(np.zeros(3, dtype=np.int64), np.full(3, 2, dtype=np.int64)),
        row_bounds=(np.array([-(2**62)]), np.array([4])),
        entries=(np.zeros(3, dtype=np.int64), np.arange(3), np.ones(3, dtype=np.int64)),
    )
    assert quick_bound(program, np.ones(3, dtype=np.int64), 10.0, deterministic=True) == 4
