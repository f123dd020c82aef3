"""Settle: the best values of added columns once the counts are given.

A later tier brings columns of its own (nodes in use, preferences met). When the incumbent enters
that tier they are set block by block, in the order in which the objective added them: to the
highest value that the rows allow, or to the lowest where the tier pays for it.
"""

import numpy as np
import numpy.typing as npt

from batchsched.solver.program import Program

IntArray = npt.NDArray[np.int64]


def settle(
    program: Program, x: IntArray, blocks: list[tuple[int, int]], objective: IntArray
) -> IntArray:
    """Extend ``x`` to all columns of the program.

    Args:
        program: The rows to satisfy.
        x: Values of the first columns; the rest is new.
        blocks: (first, count) of the new columns, in order.
        objective: [width] what the tier pays; negative leans a column to its lowest value.
    """
    full = program.lower.copy()
    full[: len(x)] = x
    for first, count in blocks:
        columns = np.arange(first, first + count, dtype=np.int64)
        parts = [columns] if _independent(program, columns) else np.split(columns, count)
        for part in parts:
            low, high = _allowed(program, full, part)
            full[part] = np.where(objective[part] < 0, low, np.maximum(high, low))
    return full


def _independent(program: Program, columns: IntArray) -> bool:
    """Whether no row speaks of two of the columns."""
    at, _ = program.entries_of(columns)
    rows = program.by_column.rows[at]
    return len(np.unique(rows)) == len(rows)


def _allowed(program: Program, x: IntArray, columns: IntArray) -> tuple[IntArray, IntArray]:
    """The interval that the rows leave to each column, all others as they are."""
    at, owner = program.entries_of(columns)
    rows, a = program.by_column.rows[at], program.by_column.coefficients[at]
    others = program.activity(x)[rows] - a * x[columns][owner]
    above, below = program.row_upper[rows] - others, program.row_lower[rows] - others
    high_of_row = np.where(a > 0, above // a, below // a)
    low_of_row = -np.where(a > 0, -below // a, -above // a)
    low, high = program.lower[columns].copy(), program.upper[columns].copy()
    np.minimum.at(high, owner, high_of_row)
    np.maximum.at(low, owner, low_of_row)
    return np.minimum(low, program.upper[columns]), np.maximum(high, program.lower[columns])
