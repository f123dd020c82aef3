"""Guide: what is known of a problem before a shortlist of it is made, and guides what comes after.

Prices and bounds over every pair of class and node, and where pods would go by room alone. The
shortlist is made around that, the greedy starts from it, and the bounds hold for the whole problem.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batchsched.feasibility.problem import Problem
from batchsched.solver.budget import Budget
from batchsched.solver.fill import Filled, filled
from batchsched.solver.prices import Level, levels_of

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Guide:
    """Levels, the highest priority first, and where pods would go."""

    levels: tuple[Level, ...]
    fill: Filled

    @classmethod
    def of(cls, problem: Problem, budget: Budget) -> "Guide | None":
        """The guide of a problem; of one in which running pods may go there is none."""
        if np.any(problem.running) or not problem.classes:
            return None
        levels = levels_of(problem, budget)
        return cls(levels, filled(problem, levels, budget))

    def targets(self, column: IntArray, counts: int) -> IntArray:
        """[counts] what goes to each column; ``column`` [C, N] says which those are."""
        columns = column[self.fill.classes, self.fill.nodes]
        targets = np.zeros(counts, dtype=np.int64)
        np.add.at(targets, columns[columns >= 0], self.fill.pods[columns >= 0])
        return targets

    def bound_at(self, priority: int | None, values: Mapping[int, int]) -> int | None:
        """The most pods of a priority that are placed where so many are of each higher one.

        ``None`` where nothing is known, of the priority or of one that is priced for it.
        """
        at = next((i for i, each in enumerate(self.levels) if each.priority == priority), None)
        if at is None:
            return None
        bound, higher = self.levels[at].bound, [each.priority for each in self.levels[:at]]
        if any(each not in values for each in higher):
            return None
        return bound.bound_at([values[each] for each in higher])
