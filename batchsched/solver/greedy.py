"""Greedy: best fit by priority, gangs whole or not at all. Feasible, and there at once.

Classes go by priority, then largest first. A class whose columns share no more than one row (that
of its size, say) is placed in one stroke over all nodes; others pod by pod through ``Incumbent``.
The score prefers the node that is left with the least, each resource weighed by how scarce it is,
so that pods without a GPU stay off the nodes with one.
"""

from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from batchsched.solver.budget import Budget
from batchsched.solver.incumbent import Incumbent
from batchsched.solver.model import Bundle, Cells, Model
from batchsched.solver.program import NO_LIMIT
from batchsched.solver.quotient import Sketch

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Room:
    """By how much each of some columns may rise, and all of them together."""

    each: IntArray
    together: int


class Greedy:
    """Completes an incumbent of a model; what is placed already stays.

    Args:
        model: The model, with all of its constraints posted.
        point: The incumbent to complete, over (a prefix of) the model's program.
        budget: When to stop.
        pack: Open an idle node only when no other has room, and then the largest, so that few are
            opened.
        small_first: Place the smallest of a priority first, not the largest: more pods where there
            is not enough room for all.
    """

    def __init__(
        self,
        model: Model,
        point: Incumbent,
        budget: Budget,
        *,
        pack: bool = False,
        small_first: bool = False,
    ) -> None:
        """Weigh the resources by scarcity, and see what room the incumbent leaves."""
        problem = model.problem
        self.model, self.problem, self.point, self.budget = model, problem, point, budget
        asked = (problem.requests * problem.class_size[:, None]).sum(axis=0).astype(np.float64)
        free = np.maximum(problem.free.sum(axis=0), 1).astype(np.float64)
        self._value = asked / free / free
        self._weight = problem.requests @ self._value
        self._left = problem.free.copy()
        counts = model.counts
        taken = point.x[: len(counts), None] * problem.requests[counts.classes]
        np.subtract.at(self._left, counts.nodes, taken)
        self._sign = -1.0 if small_first else 1.0
        self._idle = np.full(len(problem.nodes), pack)
        self._idle[problem.fixed_node[problem.fixed_node >= 0]] = False
        self._idle[counts.nodes[point.x[: len(counts)] > 0]] = False
        self._most = float((problem.free @ self._value).max(initial=0.0))

    def complete(self, targets: IntArray | None = None, sketch: Sketch | None = None) -> Incumbent:
        """Place what more can be placed, priority by priority.

        Args:
            targets: [counts] where the pods of a priority go first, as far as there is room (a
                fractional point rounded down); what is then unplaced goes greedily.
            sketch: The same for nodes that are nearly alike: how many of a class go to all of them.
        """
        for _, units in groupby(self._units(), key=self._priority):
            level = list(units)
            if targets is not None:
                for unit in level:
                    self._aim(unit, targets)
            if sketch is not None:
                for unit in level:
                    self._share_out(unit, sketch)
            for unit in level:
                if self.budget.expired:
                    return self.point
                if isinstance(unit, Bundle):
                    self._place_bundle(unit)
                else:
                    self._place_class(unit)
                self.point.forget()
        return self.point

    def _aim(self, unit: "Bundle | int", targets: IntArray) -> None:
        """Place a unit where the targets say; a bundle where they admit it, by the greedy's way."""
        if isinstance(unit, Bundle):
            if targets[self.model.cells(unit.classes).columns].any():
                self._place_bundle(unit)
                self.point.forget()
            return
        cells = self.model.cells(np.array([unit]))
        aimed = np.flatnonzero(targets[cells.columns])
        room = self._room(cells.columns) if len(aimed) else None
        if room is not None:
            each = np.minimum(targets[cells.columns], room.each)
            self._fill(unit, cells, aimed, _Room(each, room.together))
            return
        for at in aimed.tolist():
            column, amount = int(cells.columns[at]), int(targets[cells.columns[at]])
            if self.point.raise_by(column, amount):
                self._take(unit, cells.nodes[at : at + 1], np.array([amount]))
        self.point.forget()

    def _share_out(self, unit: "Bundle | int", sketch: Sketch) -> None:
        """Give the nodes of each part their share of a class, tightest fit first; bundles wait."""
        if isinstance(unit, Bundle):
            return
        cells = self.model.cells(np.array([unit]))
        part = sketch.part[cells.columns]
        number, of_cell, size = np.unique(part, return_inverse=True, return_counts=True)
        shares = np.rint(sketch.mean[number] * size).astype(np.int64)
        for p in np.flatnonzero(shares > 0).tolist():
            room = self._room(cells.columns)
            if room is None:
                return
            at = np.flatnonzero(of_cell == p)
            order = at[np.argsort(self._leftover(unit, cells.nodes[at]), kind="stable")]
            most = min(room.together, int(shares[p]))
            self._fill(unit, cells, order, _Room(room.each, most))

    def _priority(self, unit: "Bundle | int") -> int:
        members = unit.classes.tolist() if isinstance(unit, Bundle) else [unit]
        return max(self.problem.classes[c].priority for c in members)

    def _units(self) -> list[Bundle | int]:
        """Bundles and single classes by priority, then largest first, then in order."""
        bundled = {c for bundle in self.model.bundles for c in bundle.classes.tolist()}
        singles = (c for c in range(len(self.problem.classes)) if c not in bundled)
        return sorted([*self.model.bundles, *singles], key=self._rank)

    def _rank(self, unit: "Bundle | int") -> tuple[int, float, int]:
        members = unit.classes.tolist() if isinstance(unit, Bundle) else [unit]
        weight = max(float(self._weight[c]) for c in members)
        return -self._priority(unit), -self._sign * weight, members[0]

    def _place_bundle(self, bundle: Bundle) -> None:
        """Place the classes of a bundle as far as they go; keep that only if its rows then hold."""
        mark, left, idle = self.point.mark(), self._left.copy(), self._idle.copy()
        self.point.defer(bundle.rows)
        for c in sorted(bundle.classes.tolist(), key=lambda c: (-float(self._weight[c]), c)):
            self._place_one_by_one(c)
        self.point.defer(bundle.rows[:0])
        if not self.point.holds(bundle.rows):
            self.point.rollback(mark)
            self._left, self._idle = left, idle

    def _place_class(self, c: int) -> None:
        cells = self.model.cells(np.array([c]))
        room = self._room(cells.columns)
        if room is None:
            self._place_one_by_one(c)
            return
        self._fill(c, cells, np.argsort(self._leftover(c, cells.nodes), kind="stable"), room)

    def _fill(self, c: int, cells: Cells, order: IntArray, room: "_Room") -> None:
        """Fill the cells in order, each as far as it has room, until nothing is left to place."""
        unplaced = self.problem.classes[c].size - int(self.point.x[cells.columns].sum())
        until = np.minimum(np.cumsum(room.each[order]), min(unplaced, room.together))
        amounts = np.diff(until, prepend=0)
        used, amounts = order[amounts > 0], amounts[amounts > 0]
        self._take(c, cells.nodes[used], amounts)
        self.point.raise_all(cells.columns[used], amounts)

    def _room(self, columns: IntArray) -> "_Room | None":
        """How far the columns of a class may rise, where that is easily said.

        ``None`` where they share more than one row, or a rule's own column would have to move.
        """
        program, activity = self.point.program, self.point.activity
        at, owner = program.entries_of(columns)
        rows, coefficients = program.by_column.rows[at], program.by_column.coefficients[at]
        one_sided = np.all(coefficients > 0) and np.all(program.row_lower[rows] <= -NO_LIMIT)
        if not one_sided or np.any(program.speaks_of_added[rows]):
            return None
        shared = np.flatnonzero(np.bincount(rows, minlength=program.height) > 1)
        if len(shared) > 1:
            return None
        each = program.upper[columns] - self.point.x[columns]
        np.minimum.at(each, owner, (program.row_upper[rows] - activity[rows]) // coefficients)
        together = NO_LIMIT
        if len(shared):
            dearest = int(coefficients[rows == shared[0]].max())
            together = int(program.row_upper[shared[0]] - activity[shared[0]]) // dearest
        return _Room(np.maximum(each, 0), max(together, 0))

    def _place_one_by_one(self, c: int) -> None:
        """Place pods of a class one at a time, each on the tightest node that takes it."""
        cells = self.model.cells(np.array([c]))
        unplaced = self.problem.classes[c].size - int(self.point.x[cells.columns].sum())
        score = self._leftover(c, cells.nodes)
        alike = self._alike(cells.columns)
        refused, progress = np.zeros(len(cells), dtype=np.bool_), False
        while unplaced > 0 and not self.budget.expired:
            open_score = np.where(refused, np.inf, score)
            at = int(np.argmin(open_score)) if len(cells) else 0
            if not len(cells) or not np.isfinite(open_score[at]):
                if not progress:
                    return
                refused[:], progress = False, False
            elif self.point.raise_by(int(cells.columns[at]), 1):
                unplaced, progress = unplaced - 1, True
                self._take(c, cells.nodes[at : at + 1], np.ones(1, dtype=np.int64))
                score[at] = self._leftover(c, cells.nodes[at : at + 1])[0]
            else:
                refused |= alike == alike[at] if self._has_room(int(cells.columns[at])) else False
                refused[at] = True

    def _alike(self, columns: IntArray) -> IntArray:
        """[columns] equal numbers where the rows with a rule's own columns are the same.

        What one of them is refused for by such a row, the others are refused for too.
        """
        program = self.point.program
        at, owner = program.entries_of(columns)
        rows = program.by_column.rows[at]
        speaks = program.speaks_of_added[rows]
        kinds: dict[tuple[int, ...], int] = {}
        bounds = np.searchsorted(owner[speaks], np.arange(len(columns) + 1)).tolist()
        spoken = rows[speaks].tolist()
        keys = [tuple(spoken[bounds[i] : bounds[i + 1]]) for i in range(len(columns))]
        return np.array([kinds.setdefault(key, len(kinds)) for key in keys], dtype=np.int64)

    def _has_room(self, column: int) -> bool:
        """Whether the rows of counts alone would take one more."""
        program = self.point.program
        matrix = program.by_column
        at = slice(matrix.first[column], matrix.first[column + 1])
        rows, coefficients = matrix.rows[at], matrix.coefficients[at]
        plain = ~program.speaks_of_added[rows]
        after = self.point.activity[rows] + coefficients
        return bool(np.all(after[plain] <= program.row_upper[rows][plain]))

    def _take(self, c: int, nodes: IntArray, amounts: IntArray) -> None:
        self._left[nodes] -= amounts[:, None] * self.problem.requests[c]
        self._idle[nodes] = False

    def _leftover(self, c: int, nodes: IntArray) -> FloatArray:
        """[nodes] weighted room that would be left there; infinite where the pod does not fit.

        Above all of that stand idle nodes where they are to be packed, the largest first.
        """
        left = self._left[nodes] - self.problem.requests[c]
        short = np.any((left < 0) & (self.problem.requests[c] > 0), axis=1)
        score = left @ self._value
        score = np.where(self._idle[nodes], 2 * self._most - score, score)
        return np.asarray(np.where(short, np.inf, score), dtype=np.float64)
