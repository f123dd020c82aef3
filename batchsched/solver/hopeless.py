"""Hopeless: gangs that no plan can place, whatever becomes of all others.

A relaxation places a gang that contradicts itself in fractions, and so its bound stays above what
can be had. Asked about alone the gang is a small program: its own columns, those that rules have
added for it, and their rows, with everybody else where that is best for each row by itself. If that
has no point with enough of its members, there is no plan with them. Knows rows; no rule by name.
"""

import numpy as np
import numpy.typing as npt

from batchsched.solver import cpsat
from batchsched.solver.budget import Budget
from batchsched.solver.model import Model
from batchsched.solver.program import NO_LIMIT, Program, freeze

IntArray = npt.NDArray[np.int64]

COLUMNS_MAX = 12_000
"""Of the program about one gang: larger ones are not closed in the time."""
ASK_S = 0.5
"""The most that one gang may take."""


def hopeless(
    model: Model, program: Program, x: IntArray, budget: Budget, search: cpsat.Search
) -> IntArray:
    """The counts of gangs that can never be placed, among those that a point leaves out.

    Args:
        model: Whose bundles.
        program: The rows of its constraints.
        x: [width] a point.
        budget: To be spent from.
        search: How to search; the time is for all of them.
    """
    until_s = max(budget.remaining_s - search.limit_s, 0.0)
    found = [np.zeros(0, dtype=np.int64)]
    for bundle in model.bundles:
        cells = model.cells(bundle.classes).columns
        left_s = budget.remaining_s - until_s
        if x[cells].any() or not len(cells) or len(cells) > COLUMNS_MAX or left_s <= 0:
            continue
        columns = _with_added(program, cells)
        part = alone(program, columns)
        objective = np.isin(columns, cells).astype(np.int64)
        limits = cpsat.Search(min(ASK_S, left_s), search.deterministic, search.workers, search.seed)
        answer = cpsat.maximise(part, objective, None, limits)
        budget.spend(answer.deterministic_s)
        if answer.bound < bundle.least:
            found.append(cells)
    return np.concatenate(found)


def alone(program: Program, columns: IntArray) -> Program:
    """Some columns (sorted), all others where that is best for each row by itself."""
    rows = np.unique(program.by_column.rows[program.entries_of(columns)[0]])
    at, row = program.entries_in(rows)
    coefficients, of = program.coefficients[at], program.columns[at]
    inside = np.isin(of, columns)
    ends = np.stack([coefficients * program.lower[of], coefficients * program.upper[of]])
    low, high = np.zeros((2, len(rows)), dtype=np.int64)
    np.add.at(low, row[~inside], ends.min(axis=0)[~inside])
    np.add.at(high, row[~inside], ends.max(axis=0)[~inside])
    below, above = program.row_lower[rows], program.row_upper[rows]
    return freeze(
        counts=int(np.searchsorted(columns, program.counts)),
        bounds=(program.lower[columns], program.upper[columns]),
        row_bounds=(
            np.where(below > -NO_LIMIT, below - high, below),
            np.where(above < NO_LIMIT, above - low, above),
        ),
        entries=(row[inside], np.searchsorted(columns, of[inside]), coefficients[inside]),
    )


def _with_added(program: Program, columns: IntArray) -> IntArray:
    """The columns, and those that rules have added in rows with them; and once more."""
    for _ in range(2):
        rows = np.unique(program.by_column.rows[program.entries_of(columns)[0]])
        near = program.columns[program.entries_in(rows)[0]]
        columns = np.union1d(columns, near[near >= program.counts])
    return columns
