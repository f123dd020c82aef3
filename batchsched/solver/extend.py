"""Extend: whether counts can be completed by values of the columns that rules have added.

The question that proves a rule's rows against its check: placements are given, and the rows accept
them if *some* values of the added columns satisfy all of them. Small parts are enumerated, CP-SAT
answers for the rest.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from batchsched.solver.cpsat import ModelDefectError, Search, maximise
from batchsched.solver.model import Model
from batchsched.solver.program import IntArray, Program

BoolArray = npt.NDArray[np.bool_]

ENUMERATED_MAX = 4096
"""Combinations of values of one part of the added columns that are enumerated."""
_SEARCH_S = 60.0


def extendable(model: Model, counts: IntArray) -> bool:
    """Whether the rows of a model accept counts, for some values of the added columns.

    Args:
        model: The rows.
        counts: One value for each ``count`` column.
    """
    return bool(which_extend(model.freeze(), counts[None, :])[0])


def which_extend(program: Program, points: IntArray) -> BoolArray:
    """[P] which of the points [P, counts] the rows accept, for some values of the added columns."""
    matrix = np.zeros((program.height, program.width), dtype=np.int64)
    matrix[program.entry_rows, program.columns] = program.coefficients
    of_counts, of_added = matrix[:, : program.counts], matrix[:, program.counts :]
    lower, upper = program.lower[: program.counts], program.upper[: program.counts]
    accepted: BoolArray = np.all((points >= lower) & (points <= upper), axis=1)
    activity = points @ of_counts.T
    plain: BoolArray = ~(of_added != 0).any(axis=1)
    accepted &= _holds(program, activity[:, plain], plain)
    for columns in _parts(of_added):
        rows: BoolArray = (of_added[:, columns] != 0).any(axis=1)
        values = _values(program, columns + program.counts)
        if values is None:
            accepted &= [_search(program, point) for point in points]
            continue
        some = np.zeros(len(points), dtype=np.bool_)
        for added in values @ of_added[np.ix_(rows, columns)].T:
            some |= _holds(program, activity[:, rows] + added, rows)
        accepted &= some
    return accepted


def _holds(program: Program, activity: IntArray, rows: BoolArray) -> BoolArray:
    """[P] whether activities [P, chosen rows] are within bounds."""
    inside = (activity >= program.row_lower[rows]) & (activity <= program.row_upper[rows])
    return np.asarray(inside.all(axis=1), dtype=np.bool_)


def _parts(of_added: IntArray) -> Iterator[IntArray]:
    """The added columns, in parts of which no row speaks of two."""
    left = set(range(of_added.shape[1]))
    while left:
        part = {min(left)}
        while True:
            rows = (of_added[:, sorted(part)] != 0).any(axis=1)
            grown = set(np.flatnonzero((of_added[rows] != 0).any(axis=0)).tolist()) | part
            if grown == part:
                break
            part = grown
        left -= part
        yield np.array(sorted(part), dtype=np.int64)


def _values(program: Program, columns: IntArray) -> IntArray | None:
    """All combinations [V, columns] of values within bounds, ``None`` if they are too many."""
    sizes = program.upper[columns] - program.lower[columns] + 1
    if float(np.prod(sizes.astype(np.float64))) > ENUMERATED_MAX:
        return None
    grid = np.indices(sizes.tolist(), dtype=np.int64).reshape(len(columns), -1).T
    return np.asarray(grid + program.lower[columns], dtype=np.int64)


def _search(program: Program, counts: IntArray) -> bool:
    """Ask CP-SAT, with the counts fixed."""
    x = program.lower.copy()
    x[: program.counts] = counts
    added = np.arange(program.counts, program.width, dtype=np.int64)
    rest = program.part(added, x, program.activity(x))
    try:
        answer = maximise(rest, np.zeros(rest.width, dtype=np.int64), None, Search(_SEARCH_S))
    except ModelDefectError:
        return False
    assert answer.x is not None, "undecided after a minute: too large a model for this question"
    return True
