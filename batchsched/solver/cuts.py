"""Cuts: rows that every integer point satisfies and a fractional point does not.

A row ``sum a_j x_j <= b`` over columns that are at least zero implies ``sum floor(a_j / d) x_j <=
floor(b / d)`` for every divisor d: the rounding of Chvatal and Gomory (Gomory, "Outline of an
algorithm for integer solutions to linear programs", 1958). Six free GPUs take one pod of four and
one of two, and no fraction of another; 8.7 free cores are 8 to pods of two cores. The rounding is
done in integers, so what is proven with cuts is as sure as without (FORMULATION.md, Bounds).
"""

import numpy as np
import numpy.typing as npt

from batchsched.solver.program import NO_LIMIT, Program, Rows

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

VIOLATION_MIN = 1e-4
"""By how much a cut must be broken, over the root of the sum of squares of its coefficients."""
SMALL_MAX = 16
"""The largest divisor that is tried though it is no coefficient of the row, and the most units of a
row that counts as small: the GPUs of one node."""
TIGHT = 1e-6
"""What a row may be short of its bound, as a share of it, and still be tight."""


def small_rows(program: Program) -> Rows:
    """Every rounding of the rows of few units (free GPUs, say) that is no weaker than the row.

    There are few of them, and they are what the relaxation lacks most: with them at hand the first
    bound is nearly right, without a round of cuts for each tier.
    """
    largest = np.zeros(program.height, dtype=np.int64)
    np.maximum.at(largest, program.entry_rows, program.coefficients)
    small = _roundable(program) & (largest > 1) & (program.row_upper <= SMALL_MAX)
    rows = np.flatnonzero(small)
    divisors = np.arange(2, SMALL_MAX + 1, dtype=np.int64)
    pairs, divisor = np.repeat(rows, len(divisors)), np.tile(divisors, len(rows))
    told = (divisor <= largest[pairs]) & (program.row_upper[pairs] % divisor > 0)
    return _divided(program, pairs[told], divisor[told])


def rounded_rows(program: Program, point: FloatArray) -> Rows | None:
    """For each tight row, the rounding of it that cuts a point off deepest; ``None`` if none does.

    Divisors are the row's own coefficients and the small integers: on 1,000 nodes with contention
    in each priority the two together close what the relaxation lacks (751 of 745 that can be), the
    former alone leave one, the latter alone four.

    Args:
        program: The rows to round, of which those without negative coefficients are.
        point: [width] fractional.
    """
    pairs, divisors = _candidates(program, point)
    if not len(pairs):
        return None
    rows = _divided(program, pairs, divisors)
    owner = np.repeat(np.arange(len(rows)), np.diff(rows.first))
    sums = np.bincount(owner, rows.coefficients * point[rows.columns], len(rows))
    squares = np.bincount(owner, rows.coefficients.astype(np.float64) ** 2, len(rows))
    depth = (sums - rows.upper) / np.sqrt(np.maximum(squares, 1.0))
    chosen = _deepest(pairs, depth)
    return _divided(program, pairs[chosen], divisors[chosen]) if len(chosen) else None


def _divided(program: Program, rows: IntArray, divisors: IntArray) -> Rows:
    """Rows divided by one divisor each, coefficients and upper bounds rounded down."""
    at, owner = program.entries_in(rows)
    coefficients = program.coefficients[at] // divisors[owner]
    kept = coefficients > 0
    sizes = np.bincount(owner[kept], minlength=len(rows))
    return Rows(
        lower=np.full(len(rows), -NO_LIMIT, dtype=np.int64),
        upper=program.row_upper[rows] // divisors,
        first=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        columns=program.columns[at[kept]],
        coefficients=coefficients[kept],
    )


def _roundable(program: Program) -> BoolArray:
    """[height] rows that bound a sum of non-negative columns from above, without negative ones."""
    roundable = program.row_upper < NO_LIMIT
    roundable[program.entry_rows[program.coefficients < 0]] = False
    return roundable


def _candidates(program: Program, point: FloatArray) -> tuple[IntArray, IntArray]:
    """Pairs of a tight row and a divisor above one, sorted."""
    fractional = np.abs(point - np.rint(point)) > TIGHT
    activity = np.bincount(
        program.entry_rows, program.coefficients * point[program.columns], program.height
    )
    slack = program.row_upper - activity
    tight = _roundable(program) & (slack <= TIGHT * np.maximum(np.abs(program.row_upper), 1))
    tight &= np.bincount(program.entry_rows, fractional[program.columns], program.height) > 0
    rows = np.flatnonzero(tight)
    own = tight[program.entry_rows]
    small = np.arange(2, SMALL_MAX + 1, dtype=np.int64)
    found = np.stack(
        [
            np.concatenate([program.entry_rows[own], np.repeat(rows, len(small))]),
            np.concatenate([program.coefficients[own], np.tile(small, len(rows))]),
        ]
    )
    found = np.unique(found[:, found[1] > 1], axis=1)
    return found[0], found[1]


def _deepest(rows: IntArray, depth: FloatArray) -> IntArray:
    """Of the candidates of each row the deepest, where it is deep enough; ascending by row."""
    order = np.lexsort((-depth, rows))
    first = np.concatenate([[True], rows[order][1:] != rows[order][:-1]])
    best = order[first]
    return np.asarray(best[depth[best] > VIOLATION_MIN], dtype=np.int64)
