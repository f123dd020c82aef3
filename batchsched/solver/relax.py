"""The relaxation: GLOP without integrality, and a bound that stands whatever GLOP did.

The bound is not GLOP's objective value but the Lagrangian bound of its dual values: for any duals
y, ``max c.x <= sum_i y_i * (row bound) + sum_j max((c - A'y)_j * lower_j, (c - A'y)_j * upper_j)``.
It holds for an unfinished or inaccurate solve too; good duals only make it tight (FORMULATION.md,
Bounds).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from ortools.linear_solver.python import model_builder_helper as helper

from batchsched.solver.program import Program

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

SLACK = 1e-6
"""Added to a bound before it is rounded down: far above the rounding errors of sums of doubles."""


@dataclass(frozen=True, slots=True)
class Relaxation:
    """A fractional point [width] (or ``None``), reduced costs [width], and a proven bound."""

    x: FloatArray | None
    reduced_costs: FloatArray
    bound: int


def relax(
    program: Program, objective: IntArray, limit_s: float, *, deterministic: bool
) -> Relaxation:
    """Maximise ``objective . x`` over the relaxed program with GLOP."""
    from scipy import sparse  # noqa: PLC0415 -- 0.2 s that only big programs should pay

    scale = _row_scale(program)
    matrix = sparse.csr_matrix(
        (
            program.coefficients / scale[program.entry_rows],
            program.columns.astype(np.int32),
            program.first.astype(np.int32),
        ),
        shape=(program.height, program.width),
    )
    row_lower, row_upper = _as_float(program.row_lower, scale), _as_float(program.row_upper, scale)
    model = helper.ModelBuilderHelper()
    model.fill_model_from_sparse_data(
        program.lower.astype(np.float64),
        program.upper.astype(np.float64),
        -objective.astype(np.float64),
        row_lower,
        row_upper,
        matrix,
    )
    solver = helper.ModelSolverHelper("glop")
    if deterministic:
        solver.set_solver_specific_parameters(f"max_deterministic_time: {limit_s}")
    else:
        solver.set_time_limit_in_seconds(limit_s)
    solver.solve(model)
    if not solver.has_solution():
        return Relaxation(None, np.zeros(program.width), highest(program, objective))
    duals = -np.asarray(solver.dual_values(), dtype=np.float64)
    costs, bound = _lagrangian(program, objective, matrix, (row_lower, row_upper), duals)
    point = np.clip(np.asarray(solver.variable_values()), program.lower, program.upper)
    return Relaxation(point, costs, min(bound, highest(program, objective)))


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
    floats[bounds >= 2**62] = np.inf
    floats[bounds <= -(2**62)] = -np.inf
    return floats


def _lagrangian(
    program: Program,
    objective: IntArray,
    matrix: object,
    row_bounds: tuple[FloatArray, FloatArray],
    duals: FloatArray,
) -> tuple[FloatArray, int]:
    """Reduced costs and the bound for maximisation; ``duals`` >= 0 price upper bounds of rows."""
    row_lower, row_upper = row_bounds
    usable = np.where(duals > 0, np.isfinite(row_upper), np.isfinite(row_lower))
    duals = np.where(usable, duals, 0.0)
    of_rows = np.where(
        duals > 0,
        duals * np.where(np.isfinite(row_upper), row_upper, 0.0),
        duals * np.where(np.isfinite(row_lower), row_lower, 0.0),
    )
    costs = objective.astype(np.float64) - np.asarray(matrix.T @ duals)  # type: ignore[attr-defined]
    value = float(of_rows.sum() + np.maximum(costs * program.lower, costs * program.upper).sum())
    return costs, int(np.floor(value + SLACK + 1e-9 * abs(value)))
