"""Greedy: best fit by priority, gangs whole or not at all. Feasible, and there at once.

Classes go by priority, then largest first, each in few strokes over all nodes (``Room``); where a
rule's own columns have to move for it, through the repairs of ``Incumbent``.
The score prefers the node that is left with the least, each resource weighed by how scarce it is,
so that pods without a GPU stay off the nodes with one.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby, islice

import numpy as np
import numpy.typing as npt

from batchsched.solver.budget import Budget
from batchsched.solver.incumbent import Incumbent
from batchsched.solver.model import Bundle, Model
from batchsched.solver.quotient import Sketch
from batchsched.solver.room import Room

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


ATTEMPTS_MAX = 5
"""Places that are tried for the first of several classes which are placed together."""


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
        favoured: [C] classes that go before all others of their priority.
    """

    def __init__(
        self,
        model: Model,
        point: Incumbent,
        budget: Budget,
        *,
        pack: bool = False,
        small_first: bool = False,
        favoured: BoolArray | None = None,
    ) -> None:
        """Weigh the resources by scarcity, and see what room the incumbent leaves."""
        problem = model.problem
        self.model, self.problem, self.point, self.budget = model, problem, point, budget
        asked = (problem.requests * problem.class_size[:, None]).sum(axis=0).astype(np.float64)
        free = np.maximum(problem.free.sum(axis=0), 1).astype(np.float64)
        self._value = asked / free / free
        self._weight = problem.requests @ self._value
        self._left = problem.free.copy()
        self._waiting = problem.waiting
        counts = model.counts
        taken = point.x[: len(counts), None] * problem.requests[counts.classes]
        np.subtract.at(self._left, counts.nodes, taken)
        self._sign = -1.0 if small_first else 1.0
        self._favoured = np.zeros(len(self._weight), np.bool_) if favoured is None else favoured
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
            if targets is not None and not self._aim_at_once(level, targets):
                for unit in level:
                    self._aim(unit, targets)
            if sketch is not None:
                for unit in level:
                    self._share_out(unit, sketch)
            for unit in level:
                self._place(unit)
            for unit in level:
                if not isinstance(unit, Bundle) and self._follows(unit):
                    self._place(unit)
        return self.point

    def _place(self, unit: "Bundle | int") -> None:
        if self.budget.expired:
            return
        if isinstance(unit, Bundle):
            self._place_bundle(unit)
        else:
            self._place_class(unit)
        self.point.forget()

    def _follows(self, c: int) -> bool:
        """Whether a class is left short where others make room for it, who may have come since."""
        program, columns = self.point.program, self.model.cells(np.array([c])).columns
        if self.point.x[columns].sum() == self.problem.classes[c].size:
            return False
        at, _ = program.entries_of(columns)
        rows, coefficients = program.by_column.rows[at], program.by_column.coefficients[at]
        return bool(np.any(program.eased_by_counts[rows] & (coefficients > 0)))

    def _aim_at_once(self, level: "Sequence[Bundle | int]", targets: IntArray) -> bool:
        """Place single classes where the targets say, if all of that can be done in one stroke."""
        if any(isinstance(unit, Bundle) for unit in level):
            return False
        cells = self.model.cells(np.array(level))
        columns = cells.columns[targets[cells.columns] > self.point.x[cells.columns]]
        amounts = targets[columns] - self.point.x[columns]
        if not len(columns) or not self.point.raise_by(columns, amounts):
            return not len(columns)
        classes, nodes = self.model.counts.classes[columns], self.model.counts.nodes[columns]
        np.subtract.at(self._left, nodes, amounts[:, None] * self.problem.requests[classes])
        self._idle[nodes] = False
        self.point.forget()
        return True

    def _aim(self, unit: "Bundle | int", targets: IntArray) -> None:
        """Place a unit where the targets say; a bundle where they admit it, by the greedy's way."""
        if isinstance(unit, Bundle):
            if targets[self.model.cells(unit.classes).columns].any():
                self._place_bundle(unit)
        else:
            self._place_class(unit, targets)
        self.point.forget()

    def _share_out(self, unit: "Bundle | int", sketch: Sketch) -> None:
        """Give the nodes of each part their share of a class, tightest fit first; bundles wait."""
        if isinstance(unit, Bundle):
            return
        cells = self.model.cells(np.array([unit]))
        part = sketch.part[cells.columns]
        number, of_cell, size = np.unique(part, return_inverse=True, return_counts=True)
        shares = np.rint(sketch.mean[number] * size).astype(np.int64)
        tightest = np.argsort(self._leftover(unit, cells.nodes), kind="stable")
        for p in np.flatnonzero(shares > 0).tolist():
            columns = cells.columns[tightest[of_cell[tightest] == p]]
            placed = int(self.point.x[cells.columns].sum())
            wanted = min(int(shares[p]), self.problem.classes[unit].size - placed)
            room = Room(self.point, columns, self.point.program.upper[columns])
            self._raise(unit, columns, room.amounts(wanted))
        self.point.forget()

    def _priority(self, unit: "Bundle | int") -> int:
        members = unit.classes.tolist() if isinstance(unit, Bundle) else [unit]
        return max(self.problem.classes[c].priority for c in members)

    def _units(self) -> list[Bundle | int]:
        """Bundles and single classes by priority, then largest first, then in order."""
        bundled = {c for bundle in self.model.bundles for c in bundle.classes.tolist()}
        waiting = np.flatnonzero(self._waiting).tolist()
        singles = (c for c in waiting if c not in bundled)
        return sorted([*self.model.bundles, *singles], key=self._rank)

    def _rank(self, unit: "Bundle | int") -> tuple[int, bool, float, int]:
        members = unit.classes.tolist() if isinstance(unit, Bundle) else [unit]
        weight = max(float(self._weight[c]) for c in members)
        return (
            *(-self._priority(unit), not self._favoured[members].any()),
            *(-self._sign * weight, members[0]),
        )

    def _place_bundle(self, bundle: Bundle) -> None:
        """Place the classes of a bundle as far as they go; keep that only if its rows then hold.

        Where its classes differ, what suits the first may leave too little for the others: then the
        first is placed elsewhere, a few times.
        """
        strokes = self._strokes(bundle)
        if not strokes:
            return
        left, idle = self._left.copy(), self._idle.copy()
        for skip in range(ATTEMPTS_MAX if len(bundle.classes) > 1 else 1):
            mark = self.point.mark()
            self.point.defer(bundle.rows)
            if not self._follow(strokes, skip):
                break
            self.point.defer(bundle.rows[:0])
            if self.point.holds(bundle.rows):
                return
            self.point.rollback(mark)
            self._left, self._idle = left.copy(), idle.copy()
        self.point.defer(bundle.rows[:0])

    def _strokes(self, bundle: Bundle) -> list[tuple[int, IntArray | None, int]]:
        """The classes of a bundle in the order in which they are placed, largest first.

        Before all of each come as many as its part needs: of (classes) so many together.
        """

        def in_order(classes: IntArray) -> list[int]:
            waiting = classes[self._waiting[classes]].tolist()
            return sorted(waiting, key=lambda c: (-float(self._weight[c]), c))

        first = [(c, among, need) for among, need in bundle.first for c in in_order(among)]
        first.sort(key=lambda stroke: -float(self._weight[stroke[0]]))
        return [*first, *((c, None, 0) for c in in_order(bundle.classes))]

    def _follow(self, strokes: list[tuple[int, IntArray | None, int]], skip: int) -> bool:
        """Place stroke by stroke, if the first that has pods to place finds room for some."""
        mark = self.point.mark()
        for c, among, need in strokes:
            there = 0 if among is None else self.point.x[self.model.cells(among).columns].sum()
            if among is not None and there >= need:
                continue
            self._place_class(c, skip=skip, most=None if among is None else need - int(there))
            if self.point.mark() == mark:
                return False
            skip = 0
        return True

    def _place_class(
        self,
        c: int,
        targets: IntArray | None = None,
        *,
        skip: int = 0,
        most: int | None = None,
    ) -> None:
        """Place pods of a class, the tightest node first: in strokes, as long as one places any.

        Where none does, because columns that rules have added would have to move, these are moved:
        for one part after the other, and where a part is held back, for all of them together.

        Args:
            c: The class.
            targets: [counts] no more than that on each node.
            skip: How many of the parts that could be opened are to be passed over.
            most: No more pods than that.
        """
        cells = self.model.cells(np.array([c]))
        unplaced = self.problem.classes[c].size - int(self.point.x[cells.columns].sum())
        unplaced = at_once = unplaced if most is None else min(unplaced, most)
        if unplaced <= 0:
            return
        upper = (self.point.program.upper if targets is None else targets)[cells.columns]
        order = np.argsort(self._leftover(c, cells.nodes), kind="stable")
        columns = cells.columns[order[upper[order] > 0]]
        room = Room(self.point, columns, upper[order[upper[order] > 0]])
        held_back = False
        while unplaced > 0 and not self.budget.expired:
            amounts = room.amounts(unplaced)
            risen = self._raise(c, columns, amounts)
            if held_back and not risen:
                amounts = room.evenly(unplaced)
                risen = self._raise(c, columns, amounts)
            if risen:
                unplaced -= int(amounts.sum())
                continue
            wanted = min(unplaced, at_once)
            opened, held_back = self._open(c, wanted, islice(room.parts(wanted), skip, None))
            if not opened:
                return
            unplaced, at_once, skip = unplaced - opened, 2 * opened, 0

    def _open(
        self, c: int, wanted: int, parts: Iterable[tuple[IntArray, IntArray]]
    ) -> tuple[int, bool]:
        """Place pods where columns that rules have added have to move for it.

        Part by part, as many pods as a part could take; where it does not take them, a few. Then
        others may have room for the next stroke.

        Returns:
            How many; and whether the last part was held back, though it had room for more.
        """
        opened, held_back = 0, False
        for columns, each in parts:
            asked = self._stepped(c, min(int(each.sum()), wanted - opened))
            filled, step = np.cumsum(each), int(self.model.steps[c])
            few = (step << i for i in range(asked.bit_length()) if step << i < asked)
            strokes = ((n, np.diff(np.minimum(filled, n), prepend=0)) for n in (asked, *few))
            amount = next((n for n, stroke in strokes if self._raise(c, columns, stroke)), 0)
            opened, held_back = opened + amount, 0 < amount < asked
            if opened == wanted or held_back or self.budget.expired:
                break
        return opened, held_back

    def _stepped(self, c: int, amount: int) -> int:
        """As many of these pods as come in whole steps, if any do."""
        step = int(self.model.steps[c])
        return amount - amount % step if amount > step else amount

    def _raise(self, c: int, columns: IntArray, amounts: IntArray) -> bool:
        """Place so many pods of a class, if there are any, and every row then holds."""
        used = np.flatnonzero(amounts)
        if not len(used) or not self.point.raise_by(columns[used], amounts[used]):
            return False
        nodes = self.model.counts.nodes[columns[used]]
        self._left[nodes] -= amounts[used, None] * self.problem.requests[c]
        self._idle[nodes] = False
        return True

    def _leftover(self, c: int, nodes: IntArray) -> FloatArray:
        """[nodes] weighted room that would be left there; infinite where the pod does not fit.

        Above all of that stand idle nodes where they are to be packed, the largest first.
        """
        left = self._left[nodes] - self.problem.requests[c]
        short = np.any((left < 0) & (self.problem.requests[c] > 0), axis=1)
        score = left @ self._value
        score = np.where(self._idle[nodes], 2 * self._most - score, score)
        return np.asarray(np.where(short, np.inf, score), dtype=np.float64)
