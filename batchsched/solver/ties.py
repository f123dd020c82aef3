"""Ties: counts of running pods that stay or leave together, as a 0/1 column of a rule says.

Who changes one of them alone breaks an equality, so they are changed together. Must not know what
ties them.
"""

import numpy as np

from batchsched.solver.model import IntArray, Model
from batchsched.solver.program import Program


def ties(model: Model, program: Program) -> IntArray:
    """[counts] the added column that running pods are tied to by an equality, -1 where by none."""
    counts, rows = model.counts, program.entry_rows
    equal = program.row_lower == program.row_upper
    added = (program.columns >= program.counts) & equal[rows]
    tie_of_row = np.full(program.height, -1, dtype=np.int64)
    tie_of_row[rows[added]] = program.columns[added]
    own = program.columns < program.counts
    tie = np.full(len(counts), -1, dtype=np.int64)
    np.maximum.at(tie, program.columns[own], tie_of_row[rows[own]])
    return np.where(model.problem.running[counts.classes], tie, -1)
