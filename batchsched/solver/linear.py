"""A program as OR-Tools' linear solvers read it: GLOP, and SCIP, from the same arrays.

Large programs are told at once, by ``fill_model_from_sparse_data``, where the Python API takes
seconds; small ones entry by entry, because the matrix would have to be one of scipy's.
Each row is divided by its largest coefficient, so that bytes and cores weigh the same.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from ortools.linear_solver.python import model_builder_helper as helper

from batchsched.solver.program import NO_LIMIT, Program

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

ENTRIES_FEW = 20_000
"""Entries that are told one by one, in 10 ms at most; to import scipy takes 100 ms."""


def linear_model(
    program: Program, objective: IntArray, scale: FloatArray, *, integral: bool = False
) -> Any:  # noqa: ANN401 -- OR-Tools has no stubs here
    """The model that maximises ``objective . x``.

    Args:
        program: Rows and bounds.
        objective: [width]; negated here, because the solvers' own sense is to minimise.
        scale: [height] what each row is divided by.
        integral: Whether columns are integers; else they are real.
    """
    values = program.coefficients / scale[program.entry_rows]
    fill = _fill_one_by_one if len(values) <= ENTRIES_FEW else _fill_at_once
    model = helper.ModelBuilderHelper()
    fill(model, program, objective, scale, values)
    if integral:
        for column in range(program.width):
            model.set_var_integrality(column, True)  # noqa: FBT003 -- OR-Tools' signature
    return model


def row_scale(program: Program) -> FloatArray:
    """[height] the largest coefficient of each row."""
    scale = np.ones(program.height)
    filled = np.flatnonzero(np.diff(program.first))
    if len(filled):
        scale[filled] = np.maximum.reduceat(np.abs(program.coefficients), program.first[filled])
    return scale


def _fill_at_once(
    model: Any,  # noqa: ANN401 -- OR-Tools has no stubs here
    program: Program,
    objective: IntArray,
    scale: FloatArray,
    values: FloatArray,
) -> None:
    """Tell a model all of a program, by way of scipy."""
    from scipy import sparse  # noqa: PLC0415 -- 0.1 s that only large programs should pay

    columns, first = program.columns.astype(np.int32), program.first.astype(np.int32)
    shape = (program.height, program.width)
    model.fill_model_from_sparse_data(
        program.lower.astype(np.float64),
        program.upper.astype(np.float64),
        -objective.astype(np.float64),
        _as_float(program.row_lower, scale),
        _as_float(program.row_upper, scale),
        sparse.csr_matrix((values, columns, first), shape=shape),
    )


def _fill_one_by_one(
    model: Any,  # noqa: ANN401 -- as above
    program: Program,
    objective: IntArray,
    scale: FloatArray,
    values: FloatArray,
) -> None:
    """Tell a model each column, row and entry."""
    lower, upper = program.lower.astype(np.float64), program.upper.astype(np.float64)
    real = np.zeros(program.width, dtype=np.bool_)
    model.add_var_array_with_bounds(lower, upper, real, "")
    for column in np.flatnonzero(objective).tolist():
        model.set_var_objective_coefficient(column, -float(objective[column]))
    low, high = _as_float(program.row_lower, scale), _as_float(program.row_upper, scale)
    for row, (least, most) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
        model.add_linear_constraint()
        model.set_constraint_lower_bound(row, least)
        model.set_constraint_upper_bound(row, most)
    rows, columns = program.entry_rows.tolist(), program.columns.tolist()
    for row, column, value in zip(rows, columns, values.tolist(), strict=True):
        model.add_term_to_constraint(row, column, value)


def _as_float(bounds: IntArray, scale: FloatArray) -> FloatArray:
    floats = bounds / scale
    floats[bounds >= NO_LIMIT] = np.inf
    floats[bounds <= -NO_LIMIT] = -np.inf
    return floats
