"""A program as OR-Tools' linear solvers read it: GLOP, and SCIP, from the same arrays.

``fill_model_from_sparse_data`` takes the whole matrix at once, where the Python API takes seconds.
Each row is divided by its largest coefficient, so that bytes and cores weigh the same.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from ortools.linear_solver.python import model_builder_helper as helper

from batchsched.solver.program import NO_LIMIT, Program

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


def linear_model(program: Program, objective: IntArray, scale: FloatArray) -> Any:  # noqa: ANN401 -- OR-Tools has no stubs here
    """The model that maximises ``objective . x``, every column real.

    Args:
        program: Rows and bounds.
        objective: [width]; negated here, because the solvers' own sense is to minimise.
        scale: [height] what each row is divided by.
    """
    model = helper.ModelBuilderHelper()
    model.fill_model_from_sparse_data(
        program.lower.astype(np.float64),
        program.upper.astype(np.float64),
        -objective.astype(np.float64),
        _as_float(program.row_lower, scale),
        _as_float(program.row_upper, scale),
        _matrix(program, program.coefficients / scale[program.entry_rows]),
    )
    return model


def row_scale(program: Program) -> FloatArray:
    """[height] the largest coefficient of each row."""
    scale = np.ones(program.height)
    filled = np.flatnonzero(np.diff(program.first))
    if len(filled):
        scale[filled] = np.maximum.reduceat(np.abs(program.coefficients), program.first[filled])
    return scale


def _matrix(program: Program, values: FloatArray) -> Any:  # noqa: ANN401 -- scipy has no stubs here
    from scipy import sparse  # noqa: PLC0415 -- 0.2 s that only big programs should pay

    columns, first = program.columns.astype(np.int32), program.first.astype(np.int32)
    return sparse.csr_matrix((values, columns, first), shape=(program.height, program.width))


def _as_float(bounds: IntArray, scale: FloatArray) -> FloatArray:
    floats = bounds / scale
    floats[bounds >= NO_LIMIT] = np.inf
    floats[bounds <= -NO_LIMIT] = -np.inf
    return floats
