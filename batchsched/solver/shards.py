"""Shards: the cluster dealt out, so that each shard is a sample of it, and rounded one by one.

The simplex takes 15 s for a tier of 300,000 columns, and 0.2 s for one of 30,000. A tenth of the
nodes, with some of every kind, and a tenth of each class to place are the same problem, only
smaller; what all shards come to is together nearly the optimum (Narayanan and others, "Solving
Large-Scale Granular Resource Allocation Problems Efficiently with POP", SOSP 2021). What a shard
leaves of its share, or fills by fractions, is for those after it. Knows rows; must not know what a
rule means by them: columns whose rows cannot be dealt out stay where they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from batchsched.solver.budget import Budget
from batchsched.solver.program import NO_LIMIT, Program
from batchsched.solver.relax import WORK_PER_ENTRY_S, glop
from batchsched.solver.workers import Future, ThreadPoolExecutor, done_of

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

COLUMNS_WANTED = 30_000
"""Columns of a shard. Of 10,000 nodes x 50,000 pods ten such took 6 s, and their point rounded was
0.2 % short of the bound; fifty of 6,000 took 3 s, and were 0.6 % short."""
NUMBER_MIN = 2
"""Fewer shards than that are the whole."""
FREE_MIN = 0.5
"""The share of columns that has to be free for shards to be worth while."""
TOLERANCE = 1e-6
"""What a sum may be short of an integer and still be taken for it."""


@dataclass(frozen=True, eq=False)
class Deal:
    """Who is in which shard, and what the shards share."""

    program: Program
    rest: IntArray
    """[width] where everybody stands who is not in the shard that is looked at."""
    shards: tuple[IntArray, ...]
    """The columns of each, sorted."""
    shared: IntArray
    """The rows that speak of several shards; all of them bound a sum from above."""


def deal(
    program: Program,
    node: IntArray,
    room: IntArray,
    x: IntArray,
    columns_wanted: int,
) -> Deal | None:
    """Deal the nodes out, those of much the same room to different shards.

    Args:
        program: To be relaxed.
        node: [counts] of each count; columns that rules have added belong to no shard.
        room: [nodes, resources] what is free.
        x: [width] where columns stay that cannot be dealt out.
        columns_wanted: Of a shard.

    Returns:
        ``None`` where the program is small enough, or too little of it can be dealt out.
    """
    number = -(-program.width // columns_wanted)
    if number < NUMBER_MIN:
        return None
    of_node = np.empty(len(room), dtype=np.int64)
    of_node[np.lexsort(room.T[::-1])] = np.arange(len(room)) % number
    of_column = np.full(program.width, -1, dtype=np.int64)
    of_column[: program.counts] = of_node[node]
    of_entry = of_column[program.columns]
    low, high = np.full(program.height, number), np.full(program.height, -1)
    np.minimum.at(low, program.entry_rows, of_entry)
    np.maximum.at(high, program.entry_rows, of_entry)
    several = (low < high) & (low >= 0)
    fixed = (low < 0) | (several & ~_shareable(program))
    of_column[program.columns[fixed[program.entry_rows]]] = -1
    if np.count_nonzero(of_column >= 0) < FREE_MIN * program.width:
        return None
    shards = tuple(np.flatnonzero(of_column == s) for s in range(number))
    rest = np.where(of_column < 0, x, program.lower)
    return Deal(program, rest, shards, np.flatnonzero(several & ~fixed))


def _shareable(program: Program) -> BoolArray:
    """[height] rows that bound a sum of non-negative columns from above, and only that."""
    able = (program.row_lower <= -NO_LIMIT) & (program.row_upper < NO_LIMIT)
    able[program.entry_rows[program.coefficients < 0]] = False
    return able


def rounded(
    dealt: Deal,
    objectives: Sequence[IntArray],
    budget: Budget,
    limit_s: float,
    *,
    workers: int,
    seed: int,
) -> IntArray:
    """Where all want to go [width]: every shard relaxed tier by tier and rounded down.

    Args:
        dealt: The shards.
        objectives: [width] each, highest tier first.
        budget: To be spent from.
        limit_s: How much of it; shards that are not reached in this time stay at their least.
        workers: How many shards at a time.
        seed: Draws where a pod goes of which there are fewer than shards.
    """
    random = np.random.default_rng(seed)
    until_s = max(budget.remaining_s - limit_s, 0.0)
    x, activity = dealt.rest.copy(), dealt.program.activity(dealt.rest)
    left = (dealt.program.row_upper - activity)[dealt.shared]
    waiting = list(dealt.shards)
    running: dict[Future[FloatArray | None], tuple[IntArray, IntArray]] = {}
    with ThreadPoolExecutor(workers) as pool:
        while running or (waiting and budget.remaining_s > until_s):
            if waiting and len(running) < workers and budget.remaining_s > until_s:
                even = left / len(waiting) + random.random(len(left))
                share, columns = np.minimum(even.astype(np.int64), left), waiting.pop(0)
                part = _part(dealt, activity, columns, share)
                aims = [own for own in (each[columns] for each in objectives) if np.any(own)]
                future = pool.submit(_climbed, part, aims, budget, until_s)
                left, running[future] = left - share, (columns, share)
                budget.spend(len(part.columns) * len(aims) * WORK_PER_ENTRY_S)
                continue
            for future in done_of(running):
                (columns, share), point = running.pop(future), future.result()
                if point is not None:
                    x[columns] = np.floor(point + TOLERANCE)
                left += share - _taken(dealt, columns, x[columns] - dealt.rest[columns])
    return x


def _part(dealt: Deal, activity: IntArray, columns: IntArray, share: IntArray) -> Program:
    """The program over one shard, with its share of what all of them share."""
    upper = dealt.program.row_upper.copy()
    upper[dealt.shared] = activity[dealt.shared] + share
    return replace(dealt.program, row_upper=upper).part(columns, dealt.rest, activity)


def _climbed(
    part: Program, aims: Sequence[IntArray], budget: Budget, until_s: float
) -> FloatArray | None:
    """Relax one tier after the other, each held for those below; the last point, if any."""
    point: FloatArray | None = None
    for aim in aims:
        left_s = budget.remaining_s - until_s
        if left_s <= 0:
            break
        solved = glop(part, aim, left_s, deterministic=budget.deterministic)
        if solved is None:
            break
        point = solved[0]
        part = part.holding([aim], [int(np.floor(aim @ point + TOLERANCE))])
    return point


def _taken(dealt: Deal, columns: IntArray, amounts: IntArray) -> IntArray:
    """[shared] what some columns take of the rows that all shards share."""
    matrix = dealt.program.by_column
    at, owner = dealt.program.entries_of(columns)
    sums = np.zeros(dealt.program.height, dtype=np.int64)
    np.add.at(sums, matrix.rows[at], matrix.coefficients[at] * amounts[owner])
    return sums[dealt.shared]
