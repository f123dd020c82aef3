"""The program: a model frozen to compressed arrays, and the cuts of it that get solved.

Rows are held by row (CSR) with sorted columns, integers throughout. ``prefix`` leaves out what
later tiers added, ``with_row`` holds a tier at its value, ``part`` fixes all other columns at an
incumbent. numpy alone, so that a small solve does not pay for importing scipy.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
NO_LIMIT = 2**62
"""Stands for an absent bound of a row."""


@dataclass(frozen=True, eq=False)
class Columns:
    """The same matrix by column: entries of column j are ``first[j]:first[j + 1]``."""

    first: IntArray
    rows: IntArray
    coefficients: IntArray


@dataclass(frozen=True, eq=False)
class Program:
    """``row_lower <= A x <= row_upper``, ``lower <= x <= upper``, x integer.

    Entries of row i are ``first[i]:first[i + 1]`` of ``columns`` and ``coefficients``. The first
    ``counts`` columns are ``count[class, node]``; the rest were added by rules.
    """

    counts: int
    lower: IntArray
    upper: IntArray
    row_lower: IntArray
    row_upper: IntArray
    first: IntArray
    columns: IntArray
    coefficients: IntArray

    @property
    def width(self) -> int:
        """How many columns."""
        return len(self.lower)

    @property
    def height(self) -> int:
        """How many rows."""
        return len(self.row_lower)

    @cached_property
    def entry_rows(self) -> IntArray:
        """The row of each entry."""
        return np.repeat(np.arange(self.height, dtype=np.int64), np.diff(self.first))

    @cached_property
    def by_column(self) -> Columns:
        """The matrix by column, rows ascending within each."""
        order = np.argsort(self.columns, kind="stable")
        sizes = np.bincount(self.columns, minlength=self.width)
        first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return Columns(first, self.entry_rows[order], self.coefficients[order])

    @cached_property
    def speaks_of_added(self) -> npt.NDArray[np.bool_]:
        """[height] whether a row has a column that a rule added."""
        added = np.zeros(self.height, dtype=np.bool_)
        added[self.entry_rows[self.columns >= self.counts]] = True
        return added

    @cached_property
    def eased_by_counts(self) -> npt.NDArray[np.bool_]:
        """[height] whether a row has counts that make room for others by rising."""
        eased = np.zeros(self.height, dtype=np.bool_)
        eased[self.entry_rows[(self.coefficients < 0) & (self.columns < self.counts)]] = True
        return eased

    def entries_of(self, columns: IntArray) -> tuple[IntArray, IntArray]:
        """Positions in ``by_column`` of the entries of some columns, and whose each is."""
        return ranges(self.by_column.first, columns)

    def entries_in(self, rows: IntArray) -> tuple[IntArray, IntArray]:
        """Positions of the entries of some rows, and whose each is."""
        return ranges(self.first, rows)

    def activity(self, x: IntArray) -> IntArray:
        """``A x`` [height], exact in integers."""
        sums = np.concatenate([[0], np.cumsum(self.coefficients * x[self.columns])])
        return np.asarray(sums[self.first[1:]] - sums[self.first[:-1]], dtype=np.int64)

    def accepts(self, x: IntArray) -> bool:
        """Whether ``x`` satisfies every bound and row."""
        if bool(np.any(x < self.lower)) or bool(np.any(x > self.upper)):
            return False
        activity = self.activity(x)
        return bool(np.all(activity >= self.row_lower) and np.all(activity <= self.row_upper))

    def divided(self) -> "Program":
        """The same integer points, each row divided by the common divisor of its coefficients.

        Bounds are rounded inwards, so the relaxation is tighter; bytes become mebibytes where all
        are.
        """
        sizes = np.diff(self.first)
        divisor = np.ones(self.height, dtype=np.int64)
        filled = np.flatnonzero(sizes)
        if len(filled):
            divisor[filled] = np.gcd.reduceat(np.abs(self.coefficients), self.first[filled])
        lower, upper = self.row_lower, self.row_upper
        return Program(
            self.counts,
            self.lower,
            self.upper,
            np.where(lower > -NO_LIMIT, -(-lower // divisor), lower),
            np.where(upper < NO_LIMIT, upper // divisor, upper),
            self.first,
            self.columns,
            self.coefficients // divisor[self.entry_rows],
        )

    def prefix(self, width: int, height: int) -> "Program":
        """The first columns and rows; no kept row may speak of a dropped column."""
        if width == self.width and height == self.height:
            return self
        end = self.first[height]
        return Program(
            counts=self.counts,
            lower=self.lower[:width],
            upper=self.upper[:width],
            row_lower=self.row_lower[:height],
            row_upper=self.row_upper[:height],
            first=self.first[: height + 1],
            columns=self.columns[:end],
            coefficients=self.coefficients[:end],
        )

    def without(self, columns: IntArray) -> "Program":
        """With some columns held at their lower bounds."""
        upper = self.upper.copy()
        upper[columns] = self.lower[columns]
        return replace(self, upper=upper)

    def with_row(self, columns: IntArray, coefficients: IntArray, lower: int) -> "Program":
        """One more row: ``sum(coefficient * column) >= lower``."""
        return self.with_rows(Rows.one(columns, coefficients, lower, NO_LIMIT))

    def holding(self, objectives: Iterable[IntArray], values: Iterable[int]) -> "Program":
        """With one more row for each value: the objective [width] beside it is at least that."""
        program = self
        for objective, value in zip(objectives, values, strict=False):
            used = np.flatnonzero(objective)
            program = program.with_row(used, objective[used], value)
        return program

    def with_rows(self, rows: "Rows") -> "Program":
        """More rows, after those that are there."""
        return replace(
            self,
            row_lower=np.concatenate([self.row_lower, rows.lower]),
            row_upper=np.concatenate([self.row_upper, rows.upper]),
            first=np.concatenate([self.first, self.first[-1] + rows.first[1:]]),
            columns=np.concatenate([self.columns, rows.columns]),
            coefficients=np.concatenate([self.coefficients, rows.coefficients]),
        )

    def part(self, columns: IntArray, x: IntArray, activity: IntArray) -> "Program":
        """Only some columns (sorted), all others fixed at ``x``; rows without any of them go.

        Takes time in proportion to the part, not to the whole.

        Args:
            columns: Which are free.
            x: [width] where the others stand.
            activity: [height] ``A x``.
        """
        at, owner = self.entries_of(columns)
        coefficients = self.by_column.coefficients[at]
        rows, row = np.unique(self.by_column.rows[at], return_inverse=True)
        order = np.argsort(row, kind="stable")  # owners ascend, so columns do within each row
        free = np.zeros(len(rows), dtype=np.int64)
        np.add.at(free, row, coefficients * x[columns][owner])
        held = activity[rows] - free
        return Program(
            counts=int(np.searchsorted(columns, self.counts)),
            lower=self.lower[columns],
            upper=self.upper[columns],
            row_lower=_shift(self.row_lower[rows], held),
            row_upper=_shift(self.row_upper[rows], held),
            first=np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(rows)))]),
            columns=owner[order],
            coefficients=coefficients[order],
        )


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows to add to a program: entries of row i are ``first[i]:first[i + 1]``."""

    lower: IntArray
    upper: IntArray
    first: IntArray
    columns: IntArray
    coefficients: IntArray

    @classmethod
    def one(cls, columns: IntArray, coefficients: IntArray, lower: int, upper: int) -> "Rows":
        """A single row."""
        low, high = np.array([lower], dtype=np.int64), np.array([upper], dtype=np.int64)
        return cls(low, high, np.array([0, len(columns)]), columns, coefficients)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.lower)


def ranges(first: IntArray, chosen: IntArray) -> tuple[IntArray, IntArray]:
    """The positions from ``first[i]`` to ``first[i + 1]`` for each chosen i, and whose each is."""
    start = first[chosen]
    sizes = first[chosen + 1] - start
    owner = np.repeat(np.arange(len(chosen), dtype=np.int64), sizes)
    before = np.cumsum(sizes) - sizes
    return np.arange(len(owner), dtype=np.int64) + (start - before)[owner], owner


def _shift(bounds: IntArray, constant: IntArray) -> IntArray:
    """Bounds less what is fixed, leaving absent ones absent."""
    absent = np.abs(bounds) >= NO_LIMIT
    return np.where(absent, bounds, bounds - constant)


def freeze(
    counts: int,
    bounds: tuple[IntArray, IntArray],
    row_bounds: tuple[IntArray, IntArray],
    entries: tuple[IntArray, IntArray, IntArray],
) -> Program:
    """Compress coordinate entries (row, column, coefficient) to a program; repeats add up."""
    rows, columns, coefficients = entries
    order = np.lexsort((columns, rows))
    rows, columns, coefficients = rows[order], columns[order], coefficients[order]
    if len(rows):
        new = np.concatenate([[True], (rows[1:] != rows[:-1]) | (columns[1:] != columns[:-1])])
        at = np.flatnonzero(new)
        coefficients = np.add.reduceat(coefficients, at)
        rows, columns = rows[at], columns[at]
        keep = coefficients != 0
        rows, columns, coefficients = rows[keep], columns[keep], coefficients[keep]
    sizes = np.bincount(rows, minlength=len(row_bounds[0]))
    first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return Program(counts, *bounds, *row_bounds, first, columns, coefficients)
