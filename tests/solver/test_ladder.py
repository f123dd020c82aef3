"""The ladder bounds each tier for any values of the tiers above, cut or not."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from batchsched.solver.budget import Budget
from batchsched.solver.ladder import Ladder
from batchsched.solver.program import Program
from tests.solver.programs import ABSENT, best, points, program_of, programs
from tests.solver.test_quotient import copies


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


@given(programs(width_max=2, upper_max=2), st.data(), st.integers(2, 3))
def test_a_sketch_of_nodes_that_are_nearly_alike_bounds_what_each_of_them_takes(
    program: Program, data: st.DataObject, count: int
) -> None:
    """Copies whose rows allow a little more or less are merged; the bounds hold for the whole."""
    whole = copies(program, count)
    extra = data.draw(st.lists(st.integers(0, 1), min_size=whole.height, max_size=whole.height))
    upper = whole.row_upper + np.where(whole.row_upper < ABSENT, np.array(extra, np.int64), 0)
    whole = replace(whole, row_upper=upper)
    weights = st.lists(st.integers(0, 4), min_size=program.width, max_size=program.width)
    objectives = [np.tile(np.array(data.draw(weights), np.int64), count) for _ in range(2)]
    ladder = Ladder(whole, objectives, [None] * 2)
    ladder.sketch([int(o @ whole.lower) for o in objectives], Budget(100.0, None))
    first = best(whole, objectives[0])
    top = [x for x in points(whole) if int(objectives[0] @ x) == first]
    bounds = ladder.bounds([first, 0])
    assert first <= bounds[0]
    assert max(int(objectives[1] @ x) for x in top) <= bounds[1]


def test_what_somebody_else_proved_counts_where_it_was_proved() -> None:
    """A bound for higher values above says nothing when those are lower."""
    program = program_of([[1, 1]], [3, 3], ([-(2**62)], [3]))
    objectives = [np.array([1, 0]), np.array([0, 1])]
    ladder = Ladder(program, objectives, [None, None])
    ladder.learn(1, [3, 0], 0)
    assert ladder.bounds([3, 0]) == [3, 0]
    assert ladder.bounds([2, 1]) == [3, 3]
