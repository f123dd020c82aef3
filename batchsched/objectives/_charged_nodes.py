"""Charging nodes: a 0/1 column for a node that may be used, and the rows that make pods pay for it.

What a node in use costs is the business of the objective that charges it; here is only that no pod
is on a node that nobody paid for. Source: FORMULATION §O4.
"""

import numpy as np

from batchsched.solver.model import Cells, IntArray, Model
from batchsched.solver.sums import BoolArray, Entries, add_up, numbered

EXACT_MAX = 2.0**53
"""Up to which sums of integers in doubles are exact."""


def chargeable(model: Model, classes: BoolArray, nodes: BoolArray) -> IntArray:
    """Of some nodes [N] those that pods of some classes [C] could use, ascending."""
    return np.intersect1d(np.unique(model.cells(classes).nodes), np.flatnonzero(nodes))


def charged(
    model: Model, rule: str, classes: BoolArray, nodes: BoolArray
) -> tuple[IntArray, IntArray]:
    """Charge nodes that get a pod; their capacity rows hold only when they are charged.

    Args:
        model: Who is told.
        rule: On whose behalf.
        classes: [C] whose pods a node is charged for.
        nodes: [N] which nodes cost anything.

    Returns:
        The nodes that some of these pods could use, and the column of each.
    """
    problem, cells = model.problem, model.cells(classes)
    idle = chargeable(model, classes, nodes)
    used = model.add_columns(rule, 1, len(idle))
    inside = np.isin(cells.nodes, idle)
    cells = Cells(cells.classes[inside], cells.nodes[inside], cells.columns[inside])
    row = np.searchsorted(idle, cells.nodes)
    upper = problem.upper[cells.classes, cells.nodes]
    room = [problem.slots[idle], *(problem.free[idle, r] for r in range(len(problem.resources)))]
    asks = [np.ones(len(row), dtype=np.int64), *problem.requests[cells.classes].T]
    for free, ask in zip(room, asks, strict=True):
        # Never more than could be asked for; above 2**53 the sum of floats is in doubt.
        asked = np.bincount(row, ask.astype(np.float64) * upper, len(idle))
        most = np.where(asked < EXACT_MAX, np.minimum(free, asked.astype(np.int64)), free)
        entries = [(row, cells.columns, ask), (np.arange(len(idle)), used, -most)]
        model.add_rows(rule, len(idle), entries, upper=0)
    _kept(model, rule, classes, (idle, used))
    _cliques(model, rule, cells.columns, used[row])
    return idle, used


def _cliques(model: Model, rule: str, columns: IntArray, used: IntArray) -> None:
    """Of pods that keep each other off a node, one at most where it is in use.

    Implied in integers, not in the relaxation: five that stand apart need five nodes in use.
    """
    used_of = np.full(len(model.counts), -1, dtype=np.int64)
    used_of[columns] = used
    clique, members = model.cliques()
    pay = used_of[members] >= 0
    cliques, row = np.unique(clique[pay], return_inverse=True)
    members = members[pay]
    in_use = np.zeros(len(cliques), dtype=np.int64)
    in_use[row] = used_of[members]
    entries = [(row, members, 1), (np.arange(len(cliques)), in_use, -1)]
    model.add_rows(rule, len(cliques), entries, upper=0)


def _kept(model: Model, rule: str, classes: BoolArray, pays: tuple[IntArray, IntArray]) -> None:
    """``kept <= U used``, which is tighter, for those who run there and may go."""
    problem = model.problem
    idle, used = pays
    kept = model.cells(classes & problem.running)
    size = add_up(kept.nodes, problem.upper[kept.classes, kept.nodes], len(problem.nodes))
    count, row = numbered((size > 0)[idle])
    if count:
        row_of = np.full(len(problem.nodes), -1, dtype=np.int64)
        row_of[idle] = row
        inside = row_of[kept.nodes] >= 0
        entries: list[Entries] = [(row_of[kept.nodes[inside]], kept.columns[inside], 1)]
        entries.append((np.arange(count), used[row >= 0], -size[idle[row >= 0]]))
        model.add_rows(rule, count, entries, upper=0)
