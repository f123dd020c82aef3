"""Openings: how many columns of each kind the relaxation opens when everybody is placed.

Copies of one shape of node are alike, so the quotient solves their relaxation in one column a
shape, and its mean, useless for rounding a column, is just right for counting them. Knows columns
with costs; must not know that they are nodes. Source: FORMULATION §O4.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batchsched.solver.model import Model
from batchsched.solver.quotient import quotient
from batchsched.solver.relax import glop, highest, lagrangian

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Openings:
    """What the last tier's columns come to, each in the mean of those that are like it."""

    share: FloatArray
    """[columns of the tier]"""
    bound: int
    """On the tier's value: no plan that places everybody does better."""


def openings(model: Model, limit_s: float, *, deterministic: bool = False) -> Openings | None:
    """Relax the last tier with every tier of placed pods at its highest.

    Returns:
        ``None`` where the relaxation has no such point, or was not done in time.
    """
    last = model.stages[-1].tier
    program = model.freeze()
    for tier in (stage.tier for stage in model.stages):
        if tier.priority is not None and tier.highest is not None:
            program = program.with_row(tier.columns, tier.coefficients, tier.highest)
    objective = last.objective(program.width)
    small = quotient(program, objective)
    if small is None:
        solved = glop(program, objective, limit_s, deterministic=deterministic)
        if solved is None:
            return None
        x, duals = solved
    else:
        solved = glop(small.program, small.objective, limit_s, deterministic=deterministic)
        if solved is None:
            return None
        x, duals = solved[0][small.column_part], (solved[1] / small.row_size)[small.row_part]
    bound = min(highest(program, objective), lagrangian(program, objective, duals))
    return Openings(x[last.columns], bound)
