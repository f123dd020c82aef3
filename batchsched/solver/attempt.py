"""Attempts: a better point for a part of a program, by SCIP or by CP-SAT.

Neighbourhoods of packing are knapsacks. Where their relaxation is tight (many small pods a node)
SCIP closes parts of 1,000 columns in 0.03 s where CP-SAT takes half a second; where few large pods
share a node, CP-SAT without its presolve closes parts of 100 columns three times as fast
(docs/adr/0009). SCIP calculates in floating point, so nothing that it says is believed: points are
rounded and checked in integers by the caller, and no bound is used. And it gets memory in coarse
units, for what it does to a knapsack takes time in proportion to the knapsack's size.
"""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt
from ortools.linear_solver.python import model_builder_helper as helper

from batchsched.solver import cpsat
from batchsched.solver.linear import linear_model
from batchsched.solver.program import NO_LIMIT, Program

IntArray = npt.NDArray[np.int64]

NODES_MAX = 200
"""Nodes of SCIP's search tree for one part where work is counted; what it closes takes 1 to 50."""
COUNTED_S = 0.02
"""Deterministic seconds that CP-SAT may take for one part where work is counted."""
FINE, COARSE = 2**20, 2**16
"""Units of a row from which on SCIP gets it in coarser ones, and in how many: parts of 50 columns
with rows of 4 * 10^9 bytes took it 0.5 to 4 s of the 0.25 s allowed, and 0.02 s when coarse. A row
of a tebibyte in mebibytes stays as it is, for there pods fill nodes to the last one."""


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
    program = coarse(program)
    # Unscaled: SCIP scales by itself, and integral rows help its presolve.
    model = linear_model(program, objective, np.ones(program.height), integral=True)
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


def coarse(program: Program) -> Program:
    """A program with fewer units in its long rows; what satisfies it satisfies the program.

    Only rows that bound a sum of non-negative columns from above: what a pod takes of them is
    rounded up, and what there is down.
    """
    plain = (program.row_upper < NO_LIMIT) & (program.row_lower <= -NO_LIMIT)
    plain[program.entry_rows[program.coefficients < 0]] = False
    unit = np.where(plain & (program.row_upper > FINE), program.row_upper // COARSE, 1)
    return replace(
        program,
        row_upper=np.where(program.row_upper < NO_LIMIT, program.row_upper // unit, NO_LIMIT),
        coefficients=-(-program.coefficients // unit[program.entry_rows]),
    )
