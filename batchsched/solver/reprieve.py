"""The reprieve: running pods that nothing needs gone stay, whether or not the time has sufficed.

A search that is cut short may leave a node with room for whom it took from there. Those of the
highest priority have the first choice, as kube-scheduler does it for the victims of one pod. Must
not know why anybody had to go.
"""

import numpy as np

from batchsched.solver.incumbent import Incumbent
from batchsched.solver.model import IntArray, Model
from batchsched.solver.ties import ties


def reprieved(model: Model, point: Incumbent) -> IntArray:
    """The point with all running pods where they were that have room there, and may come back."""
    counts, problem, program = model.counts, model.problem, point.program
    running = counts.columns[problem.running[counts.classes]]
    gone = running[point.x[running] < program.upper[running]]
    if not len(gone):
        return point.x
    better = Incumbent(program, point.x)
    priority = np.array([c.priority for c in problem.classes], dtype=np.int64)
    tie = ties(model, program)
    for column in gone[np.argsort(-priority[counts.classes[gone]], kind="stable")].tolist():
        together = counts.columns[tie == tie[column]] if tie[column] >= 0 else np.array([column])
        amounts = program.upper[together] - better.x[together]
        if np.any(amounts) and not better.raise_by(together, amounts) and tie[column] < 0:
            while better.raise_by(column, 1):
                pass
    return better.x
