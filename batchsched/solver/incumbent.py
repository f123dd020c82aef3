"""The incumbent: a feasible point under construction, with the activity of every row.

Placing pods raises ``count`` columns. Where that breaks a row, columns that rules have added
(a gang is admitted, a domain is in use) are raised or lowered until all rows hold again, a few
steps deep; if none helps, everything is rolled back. So the greedy knows no rule and obeys all of
them, users' own too.
"""

import numpy as np
import numpy.typing as npt

from batchsched.solver.program import Program

IntArray = npt.NDArray[np.int64]

REPAIR_STEPS_MAX = 200
"""Changes tried for one placement before it is given up; chains in the rules are 4 long."""
BROKEN_MAX = 100
"""Rows broken at a time above which a change is no remedy: each would take a change of its own."""


class Incumbent:
    """A point that satisfies every row, and can be moved from one such point to another."""

    def __init__(self, program: Program, x: IntArray | None = None) -> None:
        """Start from ``x``, or from placing nothing."""
        self.program = program
        self.x = program.lower.copy() if x is None else x.copy()
        self.activity = program.activity(self.x)
        self._trail: list[tuple[int, int]] = []
        self._deferred = np.zeros(program.height, dtype=np.bool_)
        self._steps = 0

    def mark(self) -> int:
        """A point to roll back to."""
        return len(self._trail)

    def rollback(self, mark: int) -> None:
        """Undo every change since the mark."""
        while len(self._trail) > mark:
            column, delta = self._trail.pop()
            self._change(column, -delta)

    def forget(self) -> None:
        """Make everything so far final."""
        self._trail.clear()

    def defer(self, rows: IntArray) -> None:
        """Let these rows be broken until ``holds`` is asked for them (a gang half placed)."""
        self._deferred = np.zeros(self.program.height, dtype=np.bool_)
        self._deferred[rows] = True

    def holds(self, rows: IntArray) -> bool:
        """Whether the rows hold."""
        activity = self.activity[rows]
        return bool(
            np.all(activity >= self.program.row_lower[rows])
            and np.all(activity <= self.program.row_upper[rows])
        )

    def mend(self) -> IntArray:
        """Mend the rows that do not hold, one after the other; give those that nothing mends."""
        beyond = []
        for row in self._wrong(np.arange(self.program.height)).tolist():
            self._steps = REPAIR_STEPS_MAX
            if not self._repair(np.array([row]), frozenset()):
                beyond.append(row)
        self.forget()
        return np.array(beyond, dtype=np.int64)

    def raise_by(self, columns: npt.ArrayLike, amounts: npt.ArrayLike) -> bool:
        """Raise distinct columns, repairing what that breaks; else everything is as it was."""
        chosen, steps = np.atleast_1d(columns), np.atleast_1d(amounts)
        if np.any(self.x[chosen] + steps > self.program.upper[chosen]):
            return False
        mark, matrix = self.mark(), self.program.by_column
        at, owner = self.program.entries_of(chosen)
        rows = matrix.rows[at]
        np.add.at(self.activity, rows, matrix.coefficients[at] * steps[owner])
        self.x[chosen] += steps
        self._trail.extend(zip(chosen.tolist(), steps.tolist(), strict=True))
        self._steps = REPAIR_STEPS_MAX
        broken = np.unique(self._wrong(rows))
        if len(broken) <= BROKEN_MAX and self._repair(broken, frozenset()):
            return True
        self.rollback(mark)
        return False

    def part(self, columns: IntArray) -> Program:
        """The program over some columns (sorted) alone, all others fixed where they are."""
        return self.program.part(columns, self.x, self.activity)

    def put(self, columns: IntArray, values: IntArray) -> bool:
        """Move distinct columns to other values for good, if every row then holds."""
        at, owner = self.program.entries_of(columns)
        deltas = self.program.by_column.coefficients[at] * (values - self.x[columns])[owner]
        rows, row = np.unique(self.program.by_column.rows[at], return_inverse=True)
        activity = self.activity[rows]
        np.add.at(activity, row, deltas)
        if np.any(activity > self.program.row_upper[rows]) or np.any(
            activity < self.program.row_lower[rows]
        ):
            return False
        self.activity[rows], self.x[columns] = activity, values
        return True

    def _change(self, column: int, delta: int) -> None:
        matrix = self.program.by_column
        at = slice(matrix.first[column], matrix.first[column + 1])
        self.activity[matrix.rows[at]] += matrix.coefficients[at] * delta
        self.x[column] += delta

    def _apply(self, column: int, delta: int) -> None:
        self._change(column, delta)
        self._trail.append((column, delta))

    def _broken(self, column: int) -> IntArray:
        """Rows of a column that do not hold, ascending, without those that may wait."""
        matrix = self.program.by_column
        return self._wrong(matrix.rows[matrix.first[column] : matrix.first[column + 1]])

    def _wrong(self, rows: IntArray) -> IntArray:
        """Those of the rows that do not hold and may not wait."""
        activity = self.activity[rows]
        wrong = (activity > self.program.row_upper[rows]) | (
            activity < self.program.row_lower[rows]
        )
        return rows[wrong & ~self._deferred[rows]]

    def _repair(self, rows: IntArray, touched: frozenset[int]) -> bool:
        """Mend the rows one after the other, trying each added column that can; depth first."""
        rows = self._wrong(rows)
        if not len(rows):
            return True
        for column, delta in self._remedies(int(rows[0]), touched):
            self._steps -= 1
            if self._steps < 0:
                return False
            mark = self.mark()
            self._apply(column, delta)
            broken = np.concatenate([rows, self._broken(column)])
            if len(broken) <= BROKEN_MAX and self._repair(broken, touched | {column}):
                return True
            self.rollback(mark)
        return False

    def _excess(self, row: int) -> int:
        """By how much a row is above (positive) or below (negative) what it allows."""
        activity = int(self.activity[row])
        above = activity - int(self.program.row_upper[row])
        below = activity - int(self.program.row_lower[row])
        return above if above > 0 else min(below, 0)

    def _remedies(self, row: int, touched: frozenset[int]) -> list[tuple[int, int]]:
        """Changes of one added column each that would mend the row alone."""
        program, excess = self.program, self._excess(row)
        at = slice(program.first[row], program.first[row + 1])
        added = program.columns[at] >= program.counts
        columns, coefficients = program.columns[at][added], program.coefficients[at][added]
        remedies = []
        for column, coefficient in zip(columns.tolist(), coefficients.tolist(), strict=True):
            if column in touched:
                continue
            steps = -(-abs(excess) // abs(coefficient))
            delta = steps if (coefficient < 0) == (excess > 0) else -steps
            if program.lower[column] <= self.x[column] + delta <= program.upper[column]:
                remedies.append((column, delta))
        return remedies
