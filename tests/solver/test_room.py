"""Room is never more than the rows leave, and its strokes stop only where nothing can rise."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from batchsched.solver.incumbent import Incumbent
from batchsched.solver.program import Program
from batchsched.solver.room import Room
from tests.solver.programs import ABSENT, program_of, programs


@given(programs(), st.integers(0, 8))
def test_strokes_keep_every_row_and_end_where_no_column_can_rise(
    program: Program, wanted: int
) -> None:
    """Negative coefficients, lower bounds and rows that several share among them."""
    point = Incumbent(program)
    columns = np.arange(program.counts, dtype=np.int64)[::-1]
    room = Room(point, columns, program.upper[columns])
    added = point.x[program.counts :].tolist()
    while True:
        amounts = room.amounts(wanted)
        assert 0 <= amounts.sum() <= wanted
        if not amounts.any():
            break
        wanted -= int(amounts.sum())
        assert point.raise_by(columns, amounts)
        assert point.x[program.counts :].tolist() == added, "no other column had to move"
    for column in columns.tolist() if wanted else ():
        x = point.x.copy()
        x[column] += 1
        assert not program.accepts(x)


def test_what_is_asked_first_comes_first() -> None:
    """With x + y <= 3, the one in front takes its two, the other what is left."""
    program = program_of([[1, 1]], [2, 2], ([-ABSENT], [3]))
    columns = np.array([1, 0], dtype=np.int64)
    room = Room(Incumbent(program), columns, program.upper[columns])
    assert room.amounts(9).tolist() == [2, 1]
    assert room.amounts(2).tolist() == [2, 0]


def test_columns_that_need_the_same_column_to_move_are_one_part() -> None:
    """With x0 + x1 <= 4 u and x2 <= 5 v: first what holds all, then the largest."""
    matrix = [[1, 1, 0, -4, 0], [0, 0, 1, 0, -5]]
    program = program_of(matrix, [2, 2, 5, 1, 1], ([-ABSENT] * 2, [0, 0]), counts=3)
    columns = np.arange(3, dtype=np.int64)
    room = Room(Incumbent(program), columns, program.upper[columns])
    assert room.amounts(9).tolist() == [0, 0, 0]
    found = {wanted: [part.tolist() for part, _ in room.parts(wanted)] for wanted in (3, 5, 9)}
    assert found == {3: [[0, 1], [2]], 5: [[2], [0, 1]], 9: [[0, 1], [2]]}


def test_parts_that_have_to_rise_together_are_raised_equally() -> None:
    """With x0 + x1 <= m + 1, x2 <= m + 1, and m at most as much as either."""
    matrix = [[1, 1, 0, -1], [0, 0, 1, -1], [-1, -1, 0, 1], [0, 0, -1, 1]]
    limits = ([-ABSENT] * 4, [1, 1, 0, 0])
    program = program_of(matrix, [2, 9, 9, 9], limits, counts=3)
    point = Incumbent(program)
    columns = np.arange(3, dtype=np.int64)
    room = Room(point, columns, program.upper[columns])
    assert room.evenly(9).tolist() == [2, 2, 4]
    assert room.evenly(1).tolist() == [0, 0, 0]
    assert point.raise_by(columns, room.evenly(9))
    assert point.x.tolist() == [2, 2, 4, 3]
