"""The program: its arrays say what a dense matrix would; its cuts cut the same problem."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from batchsched.solver.program import Program
from tests.solver.programs import points, program_of, programs


def test_repeated_entries_add_up_and_zeros_vanish() -> None:
    """A rule may name a column twice in a row; what cancels is no entry."""
    program = program_of([[1, 2], [1, 0]], [1, 1], ([-9, -9], [9, 9]))
    assert program.coefficients.tolist() == [1, 2, 1]
    assert program.columns.tolist() == [0, 1, 0]
    assert program.first.tolist() == [0, 2, 3]


def test_a_row_is_divided_by_the_common_divisor_of_its_coefficients() -> None:
    """Bounds are rounded inwards, which no integer point notices."""
    program = program_of([[4, 6]], [1, 1], ([-3], [9])).divided()
    assert program.coefficients.tolist() == [2, 3]
    assert (program.row_lower.tolist(), program.row_upper.tolist()) == ([-1], [4])


@given(programs())
def test_dividing_rows_changes_no_integer_point(program: Program) -> None:
    assert {tuple(x) for x in points(program)} == {tuple(x) for x in points(program.divided())}


@given(programs())
def test_rows_and_columns_hold_the_same_entries(program: Program) -> None:
    """The transposed form is the same matrix."""
    matrix = program.by_column
    by_row = sorted(zip(program.entry_rows, program.columns, program.coefficients, strict=True))
    owner = np.repeat(np.arange(program.width), np.diff(matrix.first))
    assert by_row == sorted(zip(matrix.rows, owner, matrix.coefficients, strict=True))


@given(programs(), st.data())
def test_a_restricted_program_accepts_what_the_whole_accepts(
    program: Program, data: st.DataObject
) -> None:
    """Fixing columns at a feasible point leaves exactly the feasible points that agree with it."""
    x = data.draw(st.sampled_from(points(program)))
    mask = data.draw(st.lists(st.booleans(), min_size=program.width, max_size=program.width))
    free = np.array(mask, dtype=np.bool_)
    inside = {tuple(y) for y in points(program.part(np.flatnonzero(free), x, program.activity(x)))}
    expected = {tuple(y[free]) for y in points(program) if (y[~free] == x[~free]).all()}
    assert inside == expected


@given(programs(), st.data())
def test_a_held_row_leaves_the_points_that_reach_it(program: Program, data: st.DataObject) -> None:
    """Holding a tier at a value cuts off exactly what is below the value."""
    weights = data.draw(
        st.lists(st.integers(-3, 3), min_size=program.width, max_size=program.width)
    )
    objective = np.array(weights, dtype=np.int64)
    value = int(objective @ data.draw(st.sampled_from(points(program))))
    used = np.flatnonzero(objective)
    held = program.with_row(used, objective[used], value)
    expected = {tuple(y) for y in points(program) if objective @ y >= value}
    assert {tuple(y) for y in points(held)} == expected
