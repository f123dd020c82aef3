"""Regional: a plan for nodes from one for regions, domain by domain.

The greedy is let loose in few domains at a time: first it may place those who have the smallest
domains, each in its own and nowhere else, then those who have room around them, at last everybody
everywhere. Within a priority, that is; those of higher priority come first.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from batchsched.solver.budget import Budget
from batchsched.solver.greedy import Greedy
from batchsched.solver.incumbent import Incumbent
from batchsched.solver.model import Model
from batchsched.solver.regions import Regions

IntArray = npt.NDArray[np.int64]


def in_regions(
    model: Model, start: Incumbent, regions: Regions, x: IntArray, budget: Budget
) -> IntArray:
    """A point [width] that follows a point of the regions, as far as its domains can be packed.

    Args:
        model: Whose columns.
        start: Nothing is placed in it.
        regions: The relaxation.
        x: [width of the regions] who is where.
        budget: To be spent from.
    """
    problem, counts, program = model.problem, model.counts, start.program
    priority = np.array([c.priority for c in problem.classes], dtype=np.int64)
    chosen = regions.chosen(x) | (regions.choices <= 1)[counts.classes]
    order = sorted(
        {(-p, -n) for p, n in zip(priority.tolist(), regions.choices.tolist(), strict=True)}
    )
    now, point = np.zeros(len(priority), dtype=np.bool_), start
    for p, n in order:
        now |= (priority == -p) & (regions.choices == -n)
        upper = program.upper.copy()
        upper[: len(counts)][~(chosen & now[counts.classes])] = 0
        point = Incumbent(replace(program, upper=upper), point.x)
        Greedy(model, point, budget).complete()
    return Greedy(model, Incumbent(program, point.x), budget).complete().x
