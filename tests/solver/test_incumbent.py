"""The incumbent stays feasible, whatever is asked of it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from batchsched.solver.incumbent import Incumbent
from batchsched.solver.program import Program
from tests.solver.programs import program_of, programs


@given(programs(), st.data())
def test_raising_keeps_every_row_or_changes_nothing(program: Program, data: st.DataObject) -> None:
    """A refused change leaves no trace; an accepted one leaves a feasible point."""
    point = Incumbent(program)
    for _ in range(data.draw(st.integers(0, 6))):
        column = data.draw(st.integers(0, program.counts - 1))
        before = point.x.copy()
        if point.raise_by(column, data.draw(st.integers(1, 2))):
            counts = slice(0, program.counts)
            assert np.count_nonzero(point.x[counts] != before[counts]) == 1
        else:
            assert point.x.tolist() == before.tolist()
        assert program.accepts(point.x)
        assert point.activity.tolist() == program.activity(point.x).tolist()


@given(programs(), st.data())
def test_rolling_back_is_as_if_nothing_had_been(program: Program, data: st.DataObject) -> None:
    """A gang that does not get its minimum gives everything back."""
    point = Incumbent(program)
    mark = point.mark()
    for _ in range(3):
        point.raise_by(data.draw(st.integers(0, program.counts - 1)), 1)
    point.rollback(mark)
    assert point.x.tolist() == [0] * program.width
    assert point.activity.tolist() == [0] * program.height


def test_a_rules_own_column_is_raised_where_a_count_needs_it() -> None:
    """With x <= 2 y and y + z <= 1, placing raises y, and the other side is then refused."""
    matrix = [[1, 0, -2, 0], [0, 1, 0, -2], [0, 0, 1, 1]]
    program = program_of(matrix, [2, 2, 1, 1], ([-(2**62)] * 3, [0, 0, 1]), counts=2)
    point = Incumbent(program)
    assert point.raise_by(0, 1)
    assert point.x.tolist() == [1, 0, 1, 0]
    assert not point.raise_by(1, 1)
    assert point.x.tolist() == [1, 0, 1, 0]


def test_a_column_that_stands_in_the_way_is_lowered_again() -> None:
    """The first of its kind (b) makes room for a second, which makes b needless: x + b <= 2."""
    matrix = [[-1, 2, -1], [1, 0, 1]]
    program = program_of(matrix, [2, 1, 1], ([-(2**62)] * 2, [0, 2]), counts=1)
    point = Incumbent(program, np.array([1, 1, 1], dtype=np.int64))
    assert point.raise_by(0, 1)
    assert point.x.tolist() == [2, 1, 0]
