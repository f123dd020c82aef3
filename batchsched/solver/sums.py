"""Sums: for each domain, the pods of some classes that the model places there.

What rules over domains have in common: which ``count`` columns a domain's sum is made of, and the
most that it can come to. Knows columns and domains, not what a rule means by them.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from batchsched.solver.model import Cells, IntArray, Model

BoolArray: TypeAlias = npt.NDArray[np.bool_]
Entries: TypeAlias = tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]
"""(row, column, coefficient), as ``Model.add_rows`` takes them."""


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """One sum of counts for each of D domains.

    ``domain`` holds the domain of each cell; ``most`` [D] is a bound on each sum: for each class no
    more than its pods, and no more than its nodes there hold.
    """

    cells: Cells
    domain: IntArray
    most: IntArray

    def entries(self, row: IntArray, coefficient: npt.ArrayLike = 1) -> Entries:
        """Entries that put each domain's sum, times a coefficient, into its row.

        Args:
            row: [D] the row of each domain, -1 where the domain has none.
            coefficient: One for all, or one for each domain.
        """
        rows = row[self.domain]
        chosen = rows >= 0
        factors = np.broadcast_to(np.asarray(coefficient, dtype=np.int64), self.most.shape)
        return rows[chosen], self.cells.columns[chosen], factors[self.domain[chosen]]


def sums(model: Model, classes: BoolArray, of_node: IntArray, count: int) -> Sums:
    """The sums of some classes over domains.

    Args:
        model: Whose columns.
        classes: [C] which classes count.
        of_node: [N] the domain of each node, -1 where it is in none.
        count: How many domains there are.
    """
    cells = model.cells(classes)
    domain = of_node[cells.nodes]
    if (domain < 0).any():
        inside = domain >= 0
        cells = Cells(cells.classes[inside], cells.nodes[inside], cells.columns[inside])
        domain = domain[inside]
    return Sums(cells, domain, _most(model, cells, domain, of_node, count))


def _most(model: Model, cells: Cells, domain: IntArray, of_node: IntArray, count: int) -> IntArray:
    """[D] for each domain, over its classes: the lesser of the class's size and its nodes' room."""
    upper = model.problem.upper[cells.classes, cells.nodes]
    if count == np.count_nonzero(of_node >= 0):  # each node a domain: its room is the class's bound
        return add_up(domain, upper, count)
    pairs, of_cell = np.unique(cells.classes * max(count, 1) + domain, return_inverse=True)
    room = add_up(of_cell, upper, len(pairs))
    of_pair = pairs // max(count, 1)
    return add_up(pairs % max(count, 1), np.minimum(room, model.problem.class_size[of_pair]), count)


def add_up(index: IntArray, values: npt.ArrayLike, count: int) -> IntArray:
    """[count] the sum of the values at each index; exact while sums stay below 2**53."""
    weights = np.broadcast_to(np.asarray(values, dtype=np.float64), index.shape)
    return np.bincount(index, weights, count).astype(np.int64)


def numbered(chosen: BoolArray) -> tuple[int, IntArray]:
    """How many are chosen, and for each its number among them, -1 where it is not."""
    return int(np.count_nonzero(chosen)), np.where(chosen, np.cumsum(chosen) - 1, -1)
