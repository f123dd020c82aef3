"""Room: how far some columns may rise together, as the rows are, or with what rules may move.

A stroke raises many columns at once where no other column has to move. Where every pod needs one
that a rule has added (a domain is in use, a gang is admitted) columns fall into *parts*: those of a
part need the same columns to move, so that they can be tried together, in one stroke again. Knows
rows; must not know what a rule means by them.
"""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import numpy.typing as npt

from batchsched.solver.incumbent import Incumbent
from batchsched.solver.program import NO_LIMIT

IntArray = npt.NDArray[np.int64]

COMPANY = 2
"""What a single column should have room for: a pod that needs another with it is no use alone."""


class Room:
    """The room of some columns at an incumbent, asked again as the incumbent changes.

    Args:
        point: The incumbent.
        columns: [K] distinct; those in front are raised first.
        most: [K] up to which value.
    """

    def __init__(self, point: Incumbent, columns: IntArray, most: IntArray) -> None:
        """Look up the rows that limit a rise, sorted by row and then in order of the columns."""
        program = point.program
        self._point, self._program, self._columns = point, program, columns
        self._most = np.minimum(most, program.upper[columns])
        at, owner = program.entries_of(columns)
        rows, coefficients = program.by_column.rows[at], program.by_column.coefficients[at]
        sign = np.sign(coefficients)
        bound = np.where(sign > 0, program.row_upper[rows], program.row_lower[rows])
        limiting = np.flatnonzero(np.abs(bound) < NO_LIMIT)
        order = limiting[np.argsort(rows[limiting], kind="stable")]
        self._owner, self._rows, self._sign = owner[order], rows[order], sign[order]
        self._bound, self._size = bound[order], np.abs(coefficients[order])
        self._spoken = program.speaks_of_added[self._rows]
        starts = np.flatnonzero(np.diff(self._rows, prepend=-1))
        lengths = np.diff(np.append(starts, len(order)))
        self._shared = np.flatnonzero(np.repeat(lengths > 1, lengths))
        several = lengths[lengths > 1]
        self._start = np.repeat(np.cumsum(several) - several, several)

    def amounts(self, wanted: int) -> IntArray:
        """[K] by how much each may rise, all of them together, no more than is wanted in all."""
        slack = self._slack()
        each = self._each(slack)
        # In a row that several share, those in front take what they can, and leave the rest.
        owner, size = self._owner[self._shared], self._size[self._shared]
        taken = size * each[owner]
        before = np.cumsum(taken) - taken
        left = slack[self._shared] - (before - before[self._start])
        np.minimum.at(each, owner, np.maximum(left, 0) // size)
        return np.diff(np.minimum(np.cumsum(each), wanted), prepend=0)

    def parts(self, wanted: int) -> Iterator[tuple[IntArray, IntArray]]:
        """Columns that need the same added columns to move, and by how much each may then rise.

        First those that could take all that is wanted, the tightest before the others; then those
        that could take most. Single columns are a matter of their order, company aside.
        """
        if not self._spoken.any():
            return
        _, members = self._parts
        each, room = self._eased()
        enough = room >= wanted
        several = np.array([len(own) > 1 for own in members])
        key = np.where(enough, room, -np.where(several, room, np.minimum(room, COMPANY)))
        for p in np.lexsort((key, ~enough)).tolist():
            if room[p] > 0:
                yield self._columns[members[p]], each[members[p]]

    def evenly(self, wanted: int) -> IntArray:
        """[K] equally much for each part that has room, as much as all of those can take.

        Where no part may be far ahead of the others, they have to rise together.
        """
        if not self._spoken.any():
            return np.zeros(len(self._columns), dtype=np.int64)
        part, members = self._parts
        each, room = self._eased()
        some = room[room > 0]
        share = min(wanted // max(len(some), 1), int(some.min(initial=wanted)))
        order = np.concatenate(members)
        before = np.cumsum(each[order]) - each[order]
        first = np.cumsum(room) - room
        amounts = np.empty_like(each)
        amounts[order] = np.clip(share - (before - first[part[order]]), 0, each[order])
        return amounts

    def _eased(self) -> tuple[IntArray, IntArray]:
        """[K] by how much each may rise alone once added columns have moved; the sum by part."""
        each = self._each(self._slack() + self._relief())
        return each, np.bincount(self._parts[0], each).astype(np.int64)

    def _slack(self) -> IntArray:
        """By how much the activity of each entry's row may still change for the worse."""
        slack = self._sign * (self._bound - self._point.activity[self._rows])
        return np.maximum(slack, 0)

    def _each(self, slack: IntArray) -> IntArray:
        """[K] by how much each column may rise alone."""
        each = np.maximum(self._most - self._point.x[self._columns], 0)
        np.minimum.at(each, self._owner, slack // self._size)
        return each

    @cached_property
    def _parts(self) -> tuple[IntArray, list[IntArray]]:
        """[K] the part of each column, and the columns of each part; in order of their first."""
        part = np.zeros(len(self._columns), dtype=np.int64)
        spoken = np.flatnonzero(self._spoken)
        spoken = spoken[np.argsort(self._owner[spoken], kind="stable")]
        owner, rows = self._owner[spoken], self._rows[spoken]
        nth = np.arange(len(owner)) - np.searchsorted(owner, owner)
        for n in range(int(nth.max(initial=-1)) + 1):
            told = np.full(len(part), -1, dtype=np.int64)
            told[owner[nth == n]] = rows[nth == n]
            _, part = np.unique(part * (self._program.height + 1) + told, return_inverse=True)
        _, first, part = np.unique(part, return_index=True, return_inverse=True)
        part = np.argsort(np.argsort(first))[part]
        members = np.split(np.argsort(part, kind="stable"), np.cumsum(np.bincount(part))[:-1])
        return part, members

    def _relief(self) -> IntArray:
        """For each entry the slack that it gains where the added columns are as it likes them."""
        rows, owner, columns, coefficients = self._movable
        x, program = self._point.x[columns], self._program
        down = coefficients * (x - program.lower[columns])
        up = coefficients * (program.upper[columns] - x)
        falls, rises = np.zeros((2, len(rows) + 1), dtype=np.int64)
        np.add.at(falls, owner, np.maximum(np.maximum(down, -up), 0))
        np.add.at(rises, owner, np.maximum(np.maximum(up, -down), 0))
        at = np.where(self._spoken, np.searchsorted(rows, self._rows), len(rows))
        return np.where(self._sign > 0, falls[at], rises[at])

    @cached_property
    def _movable(self) -> tuple[IntArray, IntArray, IntArray, IntArray]:
        """Rows that speak of added columns; of each such entry: row, column, coefficient."""
        rows, program = np.unique(self._rows[self._spoken]), self._program
        at, owner = program.entries_in(rows)
        added = program.columns[at] >= program.counts
        at = at[added]
        return rows, owner[added], program.columns[at], program.coefficients[at]
