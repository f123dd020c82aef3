"""The ladder bounds each tier for any values of the tiers above, cut or not."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from batchsched.solver.budget import Budget
from batchsched.solver.ladder import Ladder
from batchsched.solver.program import Program
from tests.solver.programs import points, program_of, programs


@given(programs(width_max=4), st.data(), st.integers(0, 3))
def test_no_point_that_reaches_the_values_above_passes_a_bound(
    program: Program, data: st.DataObject, rounds: int
) -> None:
    """Values are those of some point, as an incumbent's are; what is proven holds for all."""
    weights = st.lists(st.integers(0, 4), min_size=program.width, max_size=program.width)
    objectives = [np.array(data.draw(weights), dtype=np.int64) for _ in range(3)]
    every = points(program)
    ladder = Ladder(program, objectives, [None] * 3)
    budget = Budget(100.0, None)
    start = data.draw(st.sampled_from(every))
    ladder.climb([int(o @ start) for o in objectives], budget, 100.0, rounds=rounds)
    for incumbent in every:
        values = [int(o @ incumbent) for o in objectives]
        bounds = ladder.bounds(values)
        for i, objective in enumerate(objectives):
            reaching = [
                int(objective @ x)
                for x in every
                if all(int(o @ x) >= v for o, v in zip(objectives[:i], values, strict=False))
            ]
            assert max(reaching) <= bounds[i]


def test_what_somebody_else_proved_counts_where_it_was_proved() -> None:
    """A bound for higher values above says nothing when those are lower."""
    program = program_of([[1, 1]], [3, 3], ([-(2**62)], [3]))
    objectives = [np.array([1, 0]), np.array([0, 1])]
    ladder = Ladder(program, objectives, [None, None])
    ladder.learn(1, [3, 0], 0)
    assert ladder.bounds([3, 0]) == [3, 0]
    assert ladder.bounds([2, 1]) == [3, 3]
