"""Knapsacks: at given profits, the best pods for every node, all of them whole.

A relaxation fills nodes with fractions of pods, and where a node holds two or three, that says
little of what fits. Here each node is an integer knapsack over its resources. One table answers it
for every amount of free room, so nodes that see the same profits share a table, however their room
differs. Knows room alone: what other rules say has to be in the profits.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from batchsched.solver.model import Model
from batchsched.solver.program import Program

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

CELLS_MAX = 120_000
"""Cells of one table; resources are told in coarser units where it would be larger."""
PAIRS_MAX = 4_000_000
"""Pairs of class and node up to which profits are told apart at all."""
KINDS_MAX = 64
"""Kinds of nodes by what they see, each with a table of its own; where there are more, the rules
say something else of every node."""
GRAIN = 1e-9
"""Profits are rounded up to multiples of it, so that nodes that see the same are told so."""
WORK_PER_CELL_S = 1e-9
"""Deterministic seconds that a step of a table is counted for, each cell."""


@dataclass(frozen=True, eq=False)
class Filling:
    """The best for every node: no choice of whole pods that fit it is worth more than ``worth``."""

    worth: float
    counts: IntArray
    """[counts] how many pods of each cell that takes; pods that fit together for certain."""
    work_s: float
    """What it is counted for in deterministic mode."""


class Knapsacks:
    """The nodes of a model as knapsacks.

    Args:
        model: Its classes, its nodes, and their room.
        program: For the bounds of the counts.
    """

    def __init__(self, model: Model, program: Program) -> None:
        """See which class has room where."""
        problem, counts = model.problem, model.counts
        self._requests, self._free, self._slots = problem.requests, problem.free, problem.slots
        self._classes, self._nodes = counts.classes, counts.nodes
        self._upper = program.upper[: len(counts)]
        self._shape = (len(problem.nodes), len(problem.classes))

    @cached_property
    def _most(self) -> IntArray:
        """[N, C] pods of a class on a node, if nothing else comes."""
        most = np.zeros(self._shape, dtype=np.int64)
        most[self._nodes, self._classes] = self._upper
        return most

    @cached_property
    def _short(self) -> BoolArray:
        """[N, C] whether a node has no room for a single pod of a class."""
        lacking = [np.any(asked > self._free, axis=1) for asked in self._requests]
        return np.stack(lacking, axis=1)

    @property
    def is_small(self) -> bool:
        """Whether all pairs of class and node may be told apart."""
        return self._shape[0] * self._shape[1] <= PAIRS_MAX

    def fill(self, profit: FloatArray) -> Filling | None:
        """The best for every node; ``None`` where nearly every node sees something else.

        Args:
            profit: [counts] what a pod of the class is worth on the node; nobody is placed who is
                worth nothing.
        """
        seen = np.zeros(self._shape)
        seen[self._nodes, self._classes] = np.where(self._upper > 0, np.maximum(profit, 0.0), 0.0)
        # Who does not fit a node alone may be worth there what it will: so fewer are told apart.
        seen = np.where(self._short, seen.max(axis=0), seen)
        kinds, kind = np.unique(np.ceil(seen / GRAIN), axis=0, return_inverse=True)
        if len(kinds) > KINDS_MAX:
            return None
        taken, worth, work_s = np.zeros(self._shape, dtype=np.int64), 0.0, 0.0
        for k, profits in enumerate(kinds * GRAIN):
            nodes, classes = np.flatnonzero(kind.ravel() == k), np.flatnonzero(profits)
            if len(classes):
                table = _Table(
                    self._requests[classes],
                    self._free[nodes],
                    self._most[np.ix_(nodes, classes)],
                    profits[classes],
                )
                worth += table.worth
                work_s += table.work_s
                taken[np.ix_(nodes, classes)] = self._trimmed(nodes, classes, table, profits)
        return Filling(worth, taken[self._nodes, self._classes], work_s)

    def _trimmed(
        self, nodes: IntArray, classes: IntArray, table: "_Table", profits: FloatArray
    ) -> IntArray:
        """[nodes, classes] what a table took, without what only its coarse units let in."""
        taken = np.minimum(table.taken, self._most[np.ix_(nodes, classes)])
        asked = np.column_stack([self._requests[classes], np.ones_like(classes)])
        room = np.column_stack([self._free[nodes], self._slots[nodes]])
        for c in np.argsort(profits[classes], kind="stable").tolist():
            while np.any(less := np.any(taken @ asked > room, axis=1) & (taken[:, c] > 0)):
                taken[less, c] -= 1
        return taken


class _Table:
    """The best for every amount of room, and what of it some nodes get.

    Requests are rounded down to units and so is room, which lets in all that fits, and a little
    more.

    Args:
        requests: [C, R]
        free: [N, R]
        most: [N, C] pods of a class on a node.
        profits: [C] above zero.
    """

    def __init__(
        self, requests: IntArray, free: IntArray, most: IntArray, profits: FloatArray
    ) -> None:
        """Fill the table, and read it for every node."""
        used = np.flatnonzero(requests.any(axis=0))
        units = _units(requests[:, used], free[:, used].max(axis=0, initial=0))
        # One more, of which nobody asks for any: a table has one side at least.
        self._sizes = np.pad(requests[:, used] // units, ((0, 0), (0, 1)))
        self._room = np.pad(free[:, used] // units, ((0, 0), (0, 1)))
        self._shape = tuple((self._room.max(axis=0, initial=0) + 1).tolist())
        self._best = np.zeros(self._shape)
        self._steps: list[tuple[int, int, BoolArray]] = []
        for c in range(len(requests)):
            self._add(c, int(most[:, c].max(initial=0)), float(profits[c]))
        self.worth, self.taken = self._read()
        self.work_s = len(self._steps) * self._best.size * WORK_PER_CELL_S

    def _add(self, c: int, most: int, profit: float) -> None:
        """Let pods of a class in: in ones, twos, fours and so on, so that any number is one."""
        size = self._sizes[c]
        room = np.array(self._shape) - 1
        asks = size > 0
        left = min(most, int((room[asks] // size[asks]).min(initial=most)))
        at_once = 1
        while left > 0:
            amount = min(at_once, left)
            left, at_once = left - amount, 2 * at_once
            shift = (size * amount).tolist()
            upper = tuple(slice(s, None) for s in shift)
            lower = tuple(slice(0, n - s) for n, s in zip(self._shape, shift, strict=True))
            with_them = self._best[lower] + profit * amount
            better = np.zeros(self._shape, dtype=np.bool_)
            np.greater(with_them, self._best[upper], out=better[upper])
            best = self._best.copy()
            np.maximum(with_them, self._best[upper], out=best[upper])
            self._best = best
            self._steps.append((c, amount, better))

    def _read(self) -> tuple[float, IntArray]:
        """What the nodes' best are worth together, and [N, C] what they are."""
        at = self._room.copy()
        taken = np.zeros((len(self._room), len(self._sizes)), dtype=np.int64)
        worth = float(self._best[tuple(at.T)].sum())
        for c, amount, better in reversed(self._steps):
            chosen = better[tuple(at.T)]
            taken[chosen, c] += amount
            at[chosen] -= self._sizes[c] * amount
        return worth, taken


def _units(requests: IntArray, largest: IntArray) -> IntArray:
    """[R] units to tell each resource in: exact ones, or coarser, so that the table stays small."""
    units = np.array([np.gcd.reduce(column) for column in requests.T], dtype=np.int64)
    while np.prod((largest // units + 1).astype(np.float64)) > CELLS_MAX:
        units[np.argmax(largest // units)] *= 2
    return units
