"""A field: some nodes and the pods on them, by pool instead of by column.

Who runs and may be moved is two classes, one that runs and one that comes back, and so two columns
on the node where it runs. Who shares pods out anew thinks of pods; here they become columns again:
as many as run there stay, and only the others come.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batchsched.solver.model import Model
from batchsched.solver.program import Program

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """Nodes (K) and the pools (P) of pods that may stand on them, over the columns of a program."""

    pools: IntArray
    """[P] the class that stands for each."""
    columns: IntArray
    """[K, P, 2] of the pods of a pool on a node, the column of those that run there, then of those
    that come; -1 where there is none."""
    upper: IntArray
    """[K, P, 2] what the columns may be at most."""
    requests: IntArray
    """[P, R] of a pod, itself as the last resource."""
    room: IntArray
    """[K, R] for all that is placed, or stays though it may go."""

    def held(self, x: IntArray) -> IntArray:
        """[K, P] the pods that stand there."""
        return np.asarray(np.append(x, 0)[self.columns].sum(axis=2))

    def placing(self, nodes: IntArray, held: IntArray) -> tuple[IntArray, IntArray] | None:
        """Columns and values with which so many [nodes, P] stand on some nodes, if they may."""
        running, coming = np.moveaxis(self.upper[nodes], -1, 0)
        stay = np.minimum(held, running)
        if np.any(held - stay > coming):
            return None
        columns = self.columns[nodes].ravel()
        values = np.stack([stay, held - stay], axis=-1).ravel()
        return columns[columns >= 0], values[columns >= 0]


def field_of(model: Model, columns: IntArray, program: Program) -> Field:
    """What counts of a model, and columns next to them, are to who shares out pods.

    Args:
        model: Whose columns.
        columns: [width] of the model, sorted.
        program: Over these.
    """
    problem, counts = model.problem, model.counts
    own = np.flatnonzero(columns < len(counts))
    classes = counts.classes[columns[own]]
    nodes, row = np.unique(counts.nodes[columns[own]], return_inverse=True)
    pools, at = np.unique(problem.pool[classes], return_inverse=True)
    of = np.full((len(nodes), len(pools), 2), -1, dtype=np.int64)
    of[row, at, np.where(problem.running[classes], 0, 1)] = own
    return Field(
        pools,
        of,
        np.append(program.upper, 0)[of],
        np.column_stack([problem.requests[pools], np.ones(len(pools), dtype=np.int64)]),
        np.column_stack([problem.free[nodes], problem.slots[nodes]]),
    )
