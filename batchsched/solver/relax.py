"""The relaxation: GLOP without integrality, and a bound that stands whatever GLOP did.

The bound is not GLOP's objective value but the Lagrangian bound of its dual values: for any duals
y, ``max c.x <= sum_i y_i * (row bound) + sum_j max((c - A'y)_j * lower_j, (c - A'y)_j * upper_j)``.
It holds for an unfinished or inaccurate solve too; good duals only make it tight (FORMULATION.md,
Bounds).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from ortools.linear_solver.python import model_builder_helper as helper

from batchsched.solver.linear import linear_model, row_scale
from batchsched.solver.program import NO_LIMIT, Program
from batchsched.solver.quotient import quotient

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

SLACK = 1e-6
"""Added to a bound before it is rounded down: far above the rounding errors of sums of doubles."""
WORK_PER_ENTRY_S = 5e-7
"""Deterministic seconds that an entry of a relaxed program is counted for."""


@dataclass(frozen=True, slots=True)
class Relaxation:
    """A fractional point [width] and the duals [height], or ``None``; and a proven bound."""

    x: FloatArray | None
    duals: FloatArray | None
    optimum: float
    """What the point is worth; infinite where there is none."""
    bound: int


class Interrupt:
    """Stops relaxations from another thread, the one that runs and all that would follow."""

    def __init__(self) -> None:
        """Nothing is stopped yet."""
        self.fired = False
        self._solver: Any = None

    def watch(self, solver: Any) -> None:  # noqa: ANN401 -- OR-Tools has no stubs here
        """Take this solver for the one that runs."""
        self._solver = solver

    def fire(self) -> None:
        """Stop."""
        self.fired = True
        if self._solver is not None:
            self._solver.interrupt_solve()


def relax(
    program: Program,
    objective: IntArray,
    limit_s: float,
    *,
    deterministic: bool,
    interrupt: Interrupt | None = None,
) -> Relaxation:
    """Maximise ``objective . x`` over the relaxed program with GLOP: a vertex and a bound."""
    solved = glop(program, objective, limit_s, deterministic=deterministic, interrupt=interrupt)
    top = highest(program, objective)
    if solved is None:
        return Relaxation(None, None, np.inf, top)
    point, duals = solved
    bound = min(top, lagrangian(program, objective, duals))
    return Relaxation(point, duals, float(objective @ point), bound)


def quick_bound(
    program: Program, objective: IntArray, limit_s: float, *, deterministic: bool
) -> int | None:
    """The same bound from the program's quotient; ``None`` where there is too little symmetry.

    The quotient's point is an average over what is alike, and so of no use for rounding.
    """
    small = quotient(program, objective)
    if small is None:
        return None
    solved = glop(small.program, small.objective, limit_s, deterministic=deterministic)
    if solved is None:
        return None
    duals = (solved[1] / small.row_size)[small.row_part]
    return min(highest(program, objective), lagrangian(program, objective, duals))


def glop(
    program: Program,
    objective: IntArray,
    limit_s: float,
    *,
    deterministic: bool,
    interrupt: Interrupt | None = None,
) -> tuple[FloatArray, FloatArray] | None:
    """A point [width] and duals [height], >= 0 where they price upper bounds of rows."""
    scale = row_scale(program)
    model = linear_model(program, objective, scale)
    solver = helper.ModelSolverHelper("glop")
    if deterministic:
        solver.set_solver_specific_parameters(f"max_deterministic_time: {limit_s}")
    else:
        solver.set_time_limit_in_seconds(limit_s)
    if interrupt is not None:
        interrupt.watch(solver)
        if interrupt.fired:
            return None
    solver.solve(model)
    if not solver.has_solution():
        return None
    point = np.clip(np.asarray(solver.variable_values()), program.lower, program.upper)
    return point, -np.asarray(solver.dual_values(), dtype=np.float64) / scale


def highest(program: Program, objective: IntArray) -> int:
    """The bound that the columns' own bounds give."""
    return int(np.sum(np.maximum(objective * program.upper, objective * program.lower)))


def lagrangian(program: Program, objective: IntArray, duals: FloatArray) -> int:
    """The bound that any duals [height] prove, for maximisation."""
    upper, lower = program.row_upper, program.row_lower
    usable = np.where(duals > 0, upper < NO_LIMIT, lower > -NO_LIMIT)
    duals = np.where(usable, duals, 0.0)
    of_rows = duals * np.where(duals > 0, upper, lower)
    priced = np.bincount(
        program.columns,
        program.coefficients * duals[program.entry_rows],
        minlength=program.width,
    )
    costs = objective - priced
    value = float(of_rows.sum() + np.maximum(costs * program.lower, costs * program.upper).sum())
    return int(np.floor(value + SLACK + 1e-9 * abs(value)))
