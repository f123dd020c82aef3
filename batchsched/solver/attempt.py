"""Attempts: a better point for a part of a program, by SCIP or by CP-SAT.

Neighbourhoods of packing are knapsacks. Where their relaxation is tight (many small pods a node)
SCIP closes parts of 1,000 columns in 0.03 s where CP-SAT takes half a second; where few large pods
share a node, CP-SAT without its presolve closes parts of 100 columns three times as fast
(docs/adr/0009). SCIP calculates in floating point, so nothing that it says is believed: points are
rounded and checked in integers by the caller, and no bound is used.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from ortools.linear_solver.python import model_builder_helper as helper

from batchsched.solver import cpsat
from batchsched.solver.linear import linear_model
from batchsched.solver.program import Program

IntArray = npt.NDArray[np.int64]

NODES_MAX = 200
"""Nodes of SCIP's search tree for one part where work is counted; what it closes takes 1 to 50."""
COUNTED_S = 0.02
"""Deterministic seconds that CP-SAT may take for one part where work is counted."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A point [width], or ``None``; and whether the solver is done with the part."""

    x: IntArray | None
    finished: bool


class Attempter(Protocol):
    """Maximises ``objective . x`` over a program, for a point that is to be checked."""

    def __call__(
        self, program: Program, objective: IntArray, limit_s: float, *, counted: bool
    ) -> Attempt:
        """Within ``limit_s``, or within counted work: the same on every machine."""
        ...


def by_scip(program: Program, objective: IntArray, limit_s: float, *, counted: bool) -> Attempt:
    """An attempt by SCIP."""
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


def by_cpsat(program: Program, objective: IntArray, limit_s: float, *, counted: bool) -> Attempt:
    """An attempt by CP-SAT in one thread, as the part is."""
    limit_s = COUNTED_S if counted else limit_s
    search = cpsat.Search(limit_s, deterministic=counted, presolve=False)
    answer = cpsat.maximise(program, objective, None, search)
    return Attempt(answer.x, answer.optimal)
