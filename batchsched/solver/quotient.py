"""The quotient: a relaxation without its symmetry, for bounds in no time.

Nodes of one shape with nothing on them are the same to every rule, and so are their columns and
rows. The coarsest *equitable partition* merges what cannot be told apart: columns of one part have
equal bounds, prices and sums of coefficients over each part of rows, and the other way round. The
relaxation over parts has the same optimum as the whole one (averaging over a part keeps every
row). Grohe, Kersting, Mladenov and Selman, "Dimension Reduction via Colour Refinement", 2014.

Parts are found by refining colours, with sums of random words for multisets. Should two words
collide, the quotient is another problem, and its duals are merely less good: the bound is computed
on the whole program.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batchsched.solver.program import Program, freeze

IntArray = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

ROUNDS_MAX = 30
WORTHWHILE = 0.5
"""A quotient with more than this share of the columns is not worth the refining."""


@dataclass(frozen=True, eq=False)
class Quotient:
    """The program over parts; ``column_part`` and ``row_part`` say who is in which."""

    program: Program
    objective: IntArray
    column_part: IntArray
    row_part: IntArray

    @property
    def row_size(self) -> IntArray:
        """[rows of the quotient] how many rows each stands for."""
        return np.bincount(self.row_part, minlength=self.program.height)


def quotient(program: Program, objective: IntArray) -> Quotient | None:
    """The quotient of a program with an objective [width], if there is enough symmetry."""
    columns = _parts(program.lower, program.upper, objective)
    rows = _parts(program.row_lower, program.row_upper)
    by_column = program.by_column
    for _ in range(ROUNDS_MAX):
        before = (int(columns.max(initial=0)), int(rows.max(initial=0)))
        told = _told(program.first, program.coefficients, columns[program.columns])
        rows = _parts(rows, told)
        told = _told(by_column.first, by_column.coefficients, rows[by_column.rows])
        columns = _parts(columns, told)
        if int(columns.max(initial=0)) + 1 > WORTHWHILE * program.width:
            return None
        if (int(columns.max(initial=0)), int(rows.max(initial=0))) == before:
            return _merged(program, objective, columns, rows)
    return None


def _parts(*keys: IntArray) -> IntArray:
    """Equal numbers where all keys are equal."""
    parts = np.zeros(len(keys[0]), dtype=np.int64)
    for key in keys:
        _, inverse = np.unique(key, return_inverse=True)
        _, parts = np.unique(
            parts * (int(inverse.max(initial=0)) + 1) + inverse, return_inverse=True
        )
    return parts.astype(np.int64)


def _told(first: IntArray, coefficients: IntArray, neighbours: IntArray) -> IntArray:
    """For each row (or column) a word for the multiset of (coefficient, neighbour's part)."""
    pairs = _mixed(_mixed(coefficients.astype(np.uint64)) + neighbours.astype(np.uint64))
    sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(pairs, dtype=np.uint64)])
    return np.asarray((sums[first[1:]] - sums[first[:-1]]).view(np.int64))


def _mixed(words: Words) -> Words:
    """Scatter words over 64 bits (the finaliser of splitmix64)."""
    words = words + np.uint64(0x9E3779B97F4A7C15)
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(words ^ (words >> np.uint64(31)), dtype=np.uint64)


def _merged(program: Program, objective: IntArray, columns: IntArray, rows: IntArray) -> Quotient:
    """One row for each part of rows, one column for each part of columns."""
    _, row_of = np.unique(rows, return_index=True)
    _, column_of = np.unique(columns, return_index=True)
    chosen = np.zeros(program.height, dtype=np.bool_)
    chosen[row_of] = True
    inside = chosen[program.entry_rows]
    merged = freeze(
        counts=len(column_of),
        bounds=(program.lower[column_of], program.upper[column_of]),
        row_bounds=(program.row_lower[row_of], program.row_upper[row_of]),
        entries=(
            rows[program.entry_rows[inside]],
            columns[program.columns[inside]],
            program.coefficients[inside],
        ),
    )
    prices = objective[column_of] * np.bincount(columns)
    return Quotient(merged, prices, columns, rows)
