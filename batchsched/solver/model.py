"""The model: columns, rows and tiers as blocks of numpy arrays, read by GLOP and by CP-SAT alike.

The first columns are ``count[class, node]``, one for each candidate: how many pods of the class the
node gets. Rules add columns (0/1 or small integers) where they need logic, and rows; all of it is
linear and integer. Two laws hold for every rule, because greedy, search and windows build on them:

- the *start* is feasible, for some values of the added columns: every running pod stays and
  nothing is placed, which is all zeros where no running pod may go;
- a row is ``lower <= sum(coefficient * column) <= upper`` with integer coefficients, as tight as
  can be.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from batchsched.feasibility.problem import Problem
from batchsched.solver.program import NO_LIMIT, Program, freeze

if TYPE_CHECKING:
    from batchsched.solver.guide import Guide

IntArray = npt.NDArray[np.int64]
RoomWorth: TypeAlias = Callable[[IntArray, IntArray, IntArray], IntArray]
"""(nodes, what is left on each of each resource [nodes, R], pods that each may still take) to what
that is worth in a tier [nodes]."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Candidate cells of some classes: parallel arrays of class, node and column indices."""

    classes: IntArray
    nodes: IntArray
    columns: IntArray

    def __len__(self) -> int:
        """How many there are."""
        return len(self.columns)


@dataclass(frozen=True, slots=True)
class Tier:
    """One lexicographic rank, always maximised: ``constant + sum(coefficient * column)``.

    ``sign`` -1 says that people read the value as a quantity to be small (nodes in use), so reports
    show the negative.
    """

    name: str
    columns: IntArray
    coefficients: IntArray
    constant: int = 0
    sign: int = 1
    highest: int | None = None
    """A bound on the sum (without the constant) that is known without solving, or ``None``."""
    internal: bool = False
    """Whether it is a first stage of the next tier that is not, which is what readers see."""
    passing: bool = False
    """Whether it is held only until the next tier that is not passing is done."""
    priority: int | None = None
    """Whose placed pods it counts, if that is what it does."""
    room: RoomWorth | None = None
    """What free room is worth, if that is all it counts: it guides who places pods one by one."""

    def objective(self, width: int) -> IntArray:
        """[width] dense coefficients."""
        dense = np.zeros(width, dtype=np.int64)
        np.add.at(dense, self.columns, self.coefficients)
        return dense


@dataclass(frozen=True, slots=True)
class Stage:
    """A tier, and how many columns and rows of the model it takes to state it."""

    tier: Tier
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Bundle:
    """Classes that are placed in one go or not at all; ``rows`` hold only when all is done."""

    classes: IntArray
    rows: IntArray
    least: int
    """How many of their pods make it whole."""
    first: tuple[tuple[IntArray, int], ...] = ()
    """Some of the classes, and how many of their pods are to be placed before the others."""


class Model:
    """Blocks of columns and rows over one problem."""

    def __init__(self, problem: Problem) -> None:
        """Make the ``count`` columns, in row-major order of (class, node), those shortlisted."""
        self.problem = problem
        listed = problem.upper > 0 if problem.shortlist is None else problem.shortlist
        classes, nodes = np.nonzero(listed)
        self.counts = Cells(classes, nodes, np.arange(len(classes), dtype=np.int64))
        self._first = np.searchsorted(classes, np.arange(len(problem.classes) + 1))
        self._lower = [np.zeros(len(classes), dtype=np.int64)]
        self._upper = [problem.upper[classes, nodes]]
        self._row_lower: list[IntArray] = []
        self._row_upper: list[IntArray] = []
        self._entries: list[tuple[IntArray, IntArray, IntArray]] = []
        self.blocks: list[tuple[str, str, int, int]] = []
        """(rule, "columns" | "rows", first, count), in the order they were added."""
        self.bundles: list[Bundle] = []
        self._bundle_of: dict[tuple[int, ...], int] = {}
        self.stages: list[Stage] = []
        self.resting: list[tuple[int, int]] = []
        """Ranges of columns that rest at their lowest value."""
        self.steps: IntArray = np.ones(len(problem.classes), dtype=np.int64)
        """[C] so many pods of a class, or a multiple, are best placed at once in a domain."""
        self.guide: Guide | None = None
        """What is known of the whole problem where this is a model of a shortlist of it."""
        self.start: IntArray | None = None
        """The start over the first columns, ``None`` where all zeros are it."""
        self.columns, self.rows = len(classes), 0

    @cached_property
    def column(self) -> IntArray:
        """[C, N] the column of each pair of class and node, -1 where it has none."""
        column = np.full(self.problem.upper.shape, -1, dtype=np.int64)
        column[self.counts.classes, self.counts.nodes] = self.counts.columns
        return column

    def cells(self, classes: npt.NDArray[np.bool_] | IntArray) -> Cells:
        """The candidate cells of some classes (a mask [C] or class indices), by class then node."""
        chosen = np.flatnonzero(classes) if classes.dtype == np.bool_ else np.unique(classes)
        if not len(chosen):
            return Cells(*(np.zeros(0, dtype=np.int64),) * 3)
        at = np.concatenate([np.arange(self._first[c], self._first[c + 1]) for c in chosen])
        return Cells(self.counts.classes[at], self.counts.nodes[at], at)

    def short(self, x: IntArray) -> npt.NDArray[np.bool_]:
        """[C] the classes of pending pods of which a point leaves some out."""
        placed = np.bincount(self.counts.classes, x[: len(self.counts)], len(self.problem.classes))
        return self.problem.waiting & (placed < self.problem.class_size)

    def add_columns(
        self,
        rule: str,
        upper: npt.ArrayLike,
        count: int | None = None,
        *,
        resting: bool = False,
    ) -> IntArray:
        """Add integer columns from 0 to ``upper``; give their indices.

        Args:
            rule: Whose they are, for statistics.
            upper: One bound for all, or one each.
            count: How many; taken from ``upper`` where that is an array.
            resting: Whether ``settle`` should leave them as low as the rows allow, where no tier
                says otherwise; as high as they allow else.
        """
        bounds = np.atleast_1d(np.asarray(upper, dtype=np.int64))
        if count is not None:
            bounds = np.broadcast_to(bounds, (count,)).astype(np.int64)
        first = self.columns
        self._lower.append(np.zeros(len(bounds), dtype=np.int64))
        self._upper.append(bounds)
        self.columns += len(bounds)
        self.blocks.append((rule, "columns", first, len(bounds)))
        if resting:
            self.resting.append((first, self.columns))
        return np.arange(first, self.columns, dtype=np.int64)

    def add_rows(
        self,
        rule: str,
        count: int,
        entries: Sequence[tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]],
        *,
        lower: npt.ArrayLike = -NO_LIMIT,
        upper: npt.ArrayLike = NO_LIMIT,
    ) -> IntArray:
        """Add ``count`` rows; give their indices.

        Args:
            rule: Whose they are, for statistics and explanations.
            count: How many rows.
            entries: Blocks of (row within this call 0..count-1, column, coefficient); each of the
                three may be a scalar. Repeated (row, column) pairs add up.
            lower: Lower bounds, one for all or one each.
            upper: Upper bounds, one for all or one each.
        """
        first = self.rows
        for row, column, coefficient in entries:
            rows, columns, coefficients = np.broadcast_arrays(
                np.asarray(row, dtype=np.int64),
                np.asarray(column, dtype=np.int64),
                np.asarray(coefficient, dtype=np.int64),
            )
            self._entries.append((rows.ravel() + first, columns.ravel(), coefficients.ravel()))
        self._row_lower.append(np.broadcast_to(np.asarray(lower, dtype=np.int64), (count,)))
        self._row_upper.append(np.broadcast_to(np.asarray(upper, dtype=np.int64), (count,)))
        self.rows += count
        self.blocks.append((rule, "rows", first, count))
        return np.arange(first, self.rows, dtype=np.int64)

    def cliques(self) -> tuple[IntArray, IntArray]:
        """Counts of which a node takes one pod at most: (clique, column), clique by clique.

        Because of a row, or of the column's own bound where the class has more pods than that.
        """
        none = np.zeros(0, dtype=np.int64)
        rows, columns, coefficients = (
            np.concatenate([none, *part]) for part in zip((none,) * 3, *self._entries, strict=True)
        )
        upper = np.concatenate([none, *self._row_upper])
        counts = columns < len(self.counts)
        nodes = np.where(counts, self.counts.nodes[np.where(counts, columns, 0)], -1)
        clique = upper == 1
        clique[rows[~counts | (coefficients != 1)]] = False
        one = np.full(self.rows, -1, dtype=np.int64)
        one[rows] = nodes  # of one entry each; the others are to be the same
        clique[rows[nodes != one[rows]]] = False
        inside = clique[rows]
        _, number = np.unique(rows[inside], return_inverse=True)
        several = self.problem.class_size[self.counts.classes] > 1
        alone = several & (self._upper[0] == 1)
        alone[columns[inside]] = False
        own = np.flatnonzero(alone)
        first = int(number.max(initial=-1)) + 1
        numbers = np.concatenate([number, first + np.arange(len(own))]).astype(np.int64)
        return numbers, np.concatenate([columns[inside], own])

    def together(
        self,
        classes: IntArray,
        rows: IntArray,
        least: int,
        first: tuple[tuple[IntArray, int], ...] = (),
    ) -> None:
        """Say that the greedy must place these classes in one go; ``rows`` hold only at the end.

        Args:
            classes: Sorted.
            rows: Of this model.
            least: How many pods of them have to come, if any.
            first: Of which of them it is to place how many pods before the others.
        """
        self._bundle_of[tuple(classes.tolist())] = len(self.bundles)
        self.bundles.append(Bundle(classes, rows, least, first))

    def in_steps(self, classes: IntArray, step: int) -> None:
        """Say that pods of these classes come so many at a time; no row, but advice."""
        self.steps[classes] = step

    def least_of(self, classes: IntArray) -> int:
        """How many pods of just these classes (sorted) must come, if any do."""
        at = self._bundle_of.get(tuple(classes.tolist()))
        return 1 if at is None else self.bundles[at].least

    def complete_later(self, classes: IntArray, rows: IntArray) -> None:
        """Say of more rows that they hold only when the bundle of just these classes is done."""
        at = self._bundle_of[tuple(classes.tolist())]
        bundle = self.bundles[at]
        self.bundles[at] = replace(bundle, rows=np.concatenate([bundle.rows, rows]))

    def rank(self, tiers: Iterable[Tier]) -> None:
        """Add tiers below those that are there; each is solved on what was added until now."""
        self.stages.extend(Stage(tier, self.columns, self.rows) for tier in tiers)

    def freeze(self) -> Program:
        """Everything added so far, compressed."""
        none = np.zeros(0, dtype=np.int64)
        entries = [np.concatenate(part) for part in zip(*self._entries, strict=True)]
        rows, columns, coefficients = entries or (none, none, none)
        return freeze(
            counts=len(self.counts),
            bounds=(np.concatenate(self._lower), np.concatenate(self._upper)),
            row_bounds=(
                np.concatenate([none, *self._row_lower]),
                np.concatenate([none, *self._row_upper]),
            ),
            entries=(rows, columns, coefficients),
        ).divided()
