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

from batchsched.solver.program import NO_LIMIT, Program
from batchsched.solver.quotient import quotient

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

SLACK = 1e-6
"""Added to a bound before it is rounded down: far above the rounding errors of sums of doubles."""


@dataclass(frozen=True, slots=True)
class Relaxation:
    """A fractional point [width] (or ``None``), and a proven bound."""

    x: FloatArray | None
    bound: int


def relax(
    program: Program, objective: IntArray, limit_s: float, *, deterministic: bool
) -> Relaxation:
    """Maximise ``objective . x`` over the relaxed program with GLOP: a vertex and a bound."""
    solved = _glop(program, objective, limit_s, deterministic=deterministic)
    top = highest(program, objective)
    if solved is None:
        return Relaxation(None, top)
    point, duals = solved
    return Relaxation(point, min(top, lagrangian(program, objective, duals)))


def quick_bound(
    program: Program, objective: IntArray, limit_s: float, *, deterministic: bool
) -> int | None:
    """The same bound from the program's quotient; ``None`` where there is too little symmetry.

    The quotient's point is an average over what is alike, and so of no use for rounding.
    """
    small = quotient(program, objective)
    if small is None:
        return None
    solved = _glop(small.program, small.objective, limit_s, deterministic=deterministic)
    if solved is None:
        return None
    duals = (solved[1] / small.row_size)[small.row_part]
    return min(highest(program, objective), lagrangian(program, objective, duals))


def _glop(
    program: Program, objective: IntArray, limit_s: float, *, deterministic: bool
) -> tuple[FloatArray, FloatArray] | None:
    """A point [width] and duals [height], >= 0 where they price upper bounds of rows."""
    scale = _row_scale(program)
    matrix = _matrix(program, program.coefficients / scale[program.entry_rows])
    model = helper.ModelBuilderHelper()
    model.fill_model_from_sparse_data(
        program.lower.astype(np.float64),
        program.upper.astype(np.float64),
        -objective.astype(np.float64),
        _as_float(program.row_lower, scale),
        _as_float(program.row_upper, scale),
        matrix,
    )
    solver = helper.ModelSolverHelper("glop")
    if deterministic:
        solver.set_solver_specific_parameters(f"max_deterministic_time: {limit_s}")
    else:
        solver.set_time_limit_in_seconds(limit_s)
    solver.solve(model)
    if not solver.has_solution():
        return None
    point = np.clip(np.asarray(solver.variable_values()), program.lower, program.upper)
    return point, -np.asarray(solver.dual_values(), dtype=np.float64) / scale


def _matrix(program: Program, values: FloatArray) -> Any:  # noqa: ANN401 -- scipy has no stubs here
    from scipy import sparse  # noqa: PLC0415 -- 0.2 s that only big programs should pay

    columns, first = program.columns.astype(np.int32), program.first.astype(np.int32)
    return sparse.csr_matrix((values, columns, first), shape=(program.height, program.width))


def highest(program: Program, objective: IntArray) -> int:
    """The bound that the columns' own bounds give."""
    return int(np.sum(np.maximum(objective * program.upper, objective * program.lower)))


def _row_scale(program: Program) -> FloatArray:
    """The largest coefficient of each row, so that bytes and cores weigh the same."""
    scale = np.ones(program.height)
    filled = np.flatnonzero(np.diff(program.first))
    if len(filled):
        largest = np.maximum.reduceat(np.abs(program.coefficients), program.first[filled])
        scale[filled] = largest
    return scale


def _as_float(bounds: IntArray, scale: FloatArray) -> FloatArray:
    floats = bounds / scale
    floats[bounds >= NO_LIMIT] = np.inf
    floats[bounds <= -NO_LIMIT] = -np.inf
    return floats


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
