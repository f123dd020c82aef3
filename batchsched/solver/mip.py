"""SCIP on a part of a program: a better point for a neighbourhood, in a fraction of CP-SAT's time.

Neighbourhoods of packing are knapsacks with a tight relaxation: on parts of 1,000 columns of a
cluster of 5,000 nodes SCIP took 0.04 s to the optimum where CP-SAT took 0.5 s
(docs/adr/0009). SCIP calculates in floating point, so nothing that it says is believed: its point
is rounded and checked in integers by the caller, and its bound is not used.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from ortools.linear_solver.python import model_builder_helper as helper

from batchsched.solver.linear import linear_model
from batchsched.solver.program import Program

IntArray = npt.NDArray[np.int64]

NODES_MAX = 500
"""Nodes of the search tree of one part where work is counted; what SCIP closes takes 1 to 50."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A point [width], or ``None``; and whether SCIP is done with the part."""

    x: IntArray | None
    finished: bool


def attempt(program: Program, objective: IntArray, limit_s: float, *, counted: bool) -> Attempt:
    """Maximise ``objective . x`` over a program, for a point that is to be checked.

    Args:
        program: What to satisfy.
        objective: [width] coefficients.
        limit_s: Seconds.
        counted: Whether to limit the nodes of the search tree instead, the same on every machine.
    """
    # Unscaled: SCIP scales by itself, and integral rows help its presolve.
    model = linear_model(program, objective, np.ones(program.height))
    for column in range(program.width):
        model.set_var_integrality(column, True)  # noqa: FBT003 -- OR-Tools' signature
    solver = helper.ModelSolverHelper("scip")
    if counted:
        solver.set_solver_specific_parameters(f"limits/nodes = {NODES_MAX}")
    else:
        solver.set_time_limit_in_seconds(max(limit_s, 1e-3))
    solver.solve(model)
    finished = solver.status() == helper.SolveStatus.OPTIMAL
    if not solver.has_solution():
        return Attempt(None, finished)
    point = np.rint(np.asarray(solver.variable_values(), dtype=np.float64)).astype(np.int64)
    return Attempt(np.clip(point, program.lower, program.upper), finished)
