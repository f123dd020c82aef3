"""Shards: each is solved by itself, and yet all of them together are a point of the whole."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from batchsched.solver.budget import Budget
from batchsched.solver.program import Program, Rows
from batchsched.solver.shards import deal, rounded
from tests.solver.programs import ABSENT, best, program_of, programs
from tests.solver.test_quotient import copies


def of_nodes(program: Program, count: int, together: int) -> Program:
    """So many nodes that are alike, and a row that lets all of their columns be so many."""
    whole = copies(program, count)
    whole = replace(whole, counts=whole.width)
    every = np.arange(whole.width)
    return whole.with_rows(Rows.one(every, np.ones_like(every), -ABSENT, together))


@given(
    programs(width_max=3), st.integers(2, 4), st.integers(0, 9), st.data(), st.sampled_from([1, 2])
)
def test_what_shards_come_to_is_together_no_more_than_rows_allow(
    program: Program, count: int, together: int, data: st.DataObject, workers: int
) -> None:
    """In rows that bound a sum from above, the shared one above all, whatever the tiers want."""
    whole = of_nodes(program, count, together)
    node = np.arange(whole.width) // program.width
    weights = st.lists(st.integers(0, 4), min_size=whole.width, max_size=whole.width)
    objectives = [np.array(data.draw(weights), dtype=np.int64) for _ in range(2)]
    dealt = deal(whole, node, np.zeros((count, 1), np.int64), whole.lower, program.width)
    assert dealt is not None
    point = rounded(dealt, objectives, Budget(100.0, None), 100.0, workers=workers, seed=0)
    assert np.all(point >= whole.lower)
    assert np.all(point <= whole.upper)
    rising = np.bincount(whole.entry_rows, whole.coefficients < 0, whole.height) == 0
    assert np.all(whole.activity(point)[rising] <= whole.row_upper[rising])


def test_what_a_shard_leaves_of_its_share_is_placed_by_the_next() -> None:
    """Three pods on two nodes, of which the first to be dealt has room for one alone."""
    whole = program_of([[1, 1]], [1, 3], ([-ABSENT], [3]))
    room = np.array([[1], [3]])
    dealt = deal(whole, np.array([0, 1]), room, whole.lower, 1)
    assert dealt is not None
    objective = np.ones(2, dtype=np.int64)
    point = rounded(dealt, [objective], Budget(100.0, None), 100.0, workers=1, seed=0)
    assert objective @ point == best(whole, objective)


def test_single_pods_are_dealt_out_to_all_shards_and_not_to_the_last_alone() -> None:
    """Of sixty classes of one pod each, on four nodes that have room for all of them."""
    rows = np.kron(np.eye(60, dtype=np.int64), np.ones(4, dtype=np.int64))
    whole = program_of(rows.tolist(), [1] * 240, ([-ABSENT] * 60, [1] * 60))
    node = np.tile(np.arange(4), 60)
    dealt = deal(whole, node, np.zeros((4, 1), np.int64), whole.lower, 60)
    assert dealt is not None
    objective = np.ones(240, dtype=np.int64)
    point = rounded(dealt, [objective], Budget(100.0, None), 100.0, workers=1, seed=0)
    on_node = np.bincount(node, point)
    assert on_node.sum() == 60
    assert on_node.min() > 5


def test_columns_whose_rows_cannot_be_dealt_out_stay_where_they_are() -> None:
    """The first two need a column that a rule added; the others are free."""
    rows = [[1, 1, 0, 0, 0, 0, -2], [0, 0, 1, 1, 1, 1, 0]]
    whole = program_of(rows, [1] * 7, ([-ABSENT] * 2, [0, 4]), counts=6)
    node = np.array([0, 1, 0, 1, 0, 1])
    x = np.array([1, 0, 0, 0, 0, 0, 1])
    dealt = deal(whole, node, np.zeros((2, 1), np.int64), x, 4)
    assert dealt is not None
    point = rounded(
        dealt, [np.ones(7, dtype=np.int64)], Budget(100.0, None), 100.0, workers=1, seed=0
    )
    assert point.tolist() == [1, 0, 1, 1, 1, 1, 1]


def test_a_program_of_one_shard_is_not_dealt_out() -> None:
    """It is relaxed as it is."""
    whole = program_of([[1, 1]], [1, 3], ([-ABSENT], [3]))
    assert deal(whole, np.array([0, 1]), np.zeros((2, 1), np.int64), whole.lower, 2) is None
