"""The start: every running pod stays, nothing is placed; what every search begins with.

The rules' columns are set so that their rows hold. Where none do, the cluster breaks a rule as it
is, and the running pods that have a part in that are named: they have to be left alone, for a model
is never asked to repair what was broken before it.
"""

import numpy as np

from batchsched.solver.budget import Budget
from batchsched.solver.greedy import Greedy
from batchsched.solver.incumbent import Incumbent
from batchsched.solver.model import IntArray, Model


def find_start(model: Model) -> tuple[IntArray, IntArray]:
    """The start of a model, with all of its rules posted and no tier ranked.

    Returns:
        A point over all columns, and the count columns of running pods that stand in rows which do
        not hold in it: empty where it is feasible.
    """
    program, counts = model.freeze(), model.counts
    running = model.problem.running[counts.classes]
    x = program.lower.copy()
    x[counts.columns[running]] = program.upper[counts.columns[running]]
    point = Incumbent(program, x)
    rows = np.zeros(program.height, dtype=np.bool_)
    rows[point.mend()] = True
    # A rule may speak of the same pods in several rows, which its own columns hold together.
    added = np.unique(
        program.columns[rows[program.entry_rows] & (program.columns >= program.counts)]
    )
    rows[program.entry_rows[np.isin(program.columns, added)]] = True
    columns = np.unique(program.columns[rows[program.entry_rows]])
    columns = columns[columns < program.counts]
    return point.x, columns[running[columns]]


def places_everybody(model: Model, budget: Budget) -> bool:
    """Whether the greedy finds room for all pods that wait, with all of the rules posted."""
    point = Greedy(model, Incumbent(model.freeze()), budget).complete()
    waiting = model.cells(model.problem.waiting).columns
    return int(point.x[waiting].sum()) == int(model.problem.class_size[model.problem.waiting].sum())
