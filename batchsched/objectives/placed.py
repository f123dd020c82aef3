"""Placed (FORMULATION.md §O1): for each priority, high to low, as many pods placed as can be.

A gang's pods count only when the gang is admitted, which §C8 sees to: they have no place otherwise.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from batchsched.feasibility.problem import Problem
from batchsched.plan.state import FinalState
from batchsched.solver.model import IntArray, Model, Tier


def tier_name(priority: int) -> str:
    """The tier's name in plans."""
    return f"placed/priority={priority}"


@dataclass(frozen=True, slots=True)
class Placed:
    """One tier for each priority that has pending pods."""

    name: str = "placed"

    def tiers(self, model: Model) -> Sequence[Tier]:
        """The count columns of the priority's classes, each worth one."""
        problem = model.problem
        of_class = np.array([c.priority for c in problem.classes], dtype=np.int64)
        most = np.minimum(problem.class_size, problem.upper.sum(axis=1))
        priorities = {*of_class.tolist(), *(e.pod.spec.priority for e in problem.excluded)}
        tiers = []
        for priority in sorted(priorities, reverse=True):
            cells = model.cells(of_class == priority)
            worth = np.ones(len(cells), dtype=np.int64)
            highest = int(most[of_class == priority].sum())
            tiers.append(Tier(tier_name(priority), cells.columns, worth, highest=highest))
        return tiers

    def reads(self, problem: Problem) -> Iterable[IntArray]:
        """Nothing: it counts pods wherever they are."""
        del problem
        return ()

    def score(self, state: FinalState) -> Mapping[str, int]:
        """Count the placed pods of each priority that the window holds."""
        window = [*(p.pod for p in state.placed), *state.unplaced]
        values = {
            tier_name(p): 0 for p in sorted({pod.spec.priority for pod in window}, reverse=True)
        }
        for placed in state.placed:
            values[tier_name(placed.pod.spec.priority)] += 1
        return values
