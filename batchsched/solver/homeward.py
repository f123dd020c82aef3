"""Homeward: what is packed together changes nodes as a whole, so that more of it is where it ran.

Who packs pods for room does not care on which of several alike nodes they end up together. Of all
ways to hand the sets of pods that are there to the nodes, the one in which most pods stay is an
assignment problem, exact and done in milliseconds, where neighbourhoods of some nodes find no
exchange that helps: those of a cycle have to change all at once.

It knows room and pods; rules are rows that are checked, and a cycle that breaks one is left out.
"""

import numpy as np
import numpy.typing as npt
from ortools.graph.python import linear_sum_assignment

from batchsched.solver.field import Field, field_of
from batchsched.solver.incumbent import Incumbent
from batchsched.solver.model import Model

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

NODES_MAX = 500
"""Nodes that changed pods, beyond which nothing is done: pairs of them are looked at."""


def homeward(model: Model, point: Incumbent) -> IntArray:
    """A point [width] where as many pods stand on as many nodes, and no fewer where they ran."""
    columns = _of_changed_nodes(model, point)
    if not len(columns):
        return point.x
    part, moved = point.part(columns), Incumbent(point.program, point.x)
    field = field_of(model, columns, part)
    held = field.held(point.x[columns])
    for cycle in _cycles(_assigned(field, held)):
        placing = field.placing(cycle, held[np.roll(cycle, 1)])
        if placing is not None:
            at, values = placing
            moved.put(columns[at], values)
    return moved.x


def _of_changed_nodes(model: Model, point: Incumbent) -> IntArray:
    """The columns, on nodes that pods left or came to, of pods that are on one of them."""
    problem, counts = model.problem, model.counts
    x, upper = point.x[: len(counts)], point.program.upper[: len(counts)]
    left = problem.running[counts.classes] & (x < upper)
    changed = np.zeros(len(problem.nodes), dtype=np.bool_)
    changed[counts.nodes[left | (problem.returning[counts.classes] & (x > 0))]] = True
    if not 1 < np.count_nonzero(changed) <= NODES_MAX:
        return np.zeros(0, dtype=np.int64)
    here = np.zeros(len(problem.classes), dtype=np.bool_)
    here[problem.pool[counts.classes[changed[counts.nodes] & (x > 0)]]] = True
    return np.flatnonzero(changed[counts.nodes] & here[problem.pool[counts.classes]])


def _assigned(field: Field, held: IntArray) -> IntArray:
    """[K] the node that gets what each node holds, so that most pods stay."""
    staying, fits = _staying(field, held)
    sets, nodes = np.nonzero(fits)
    solver = linear_sum_assignment.SimpleLinearSumAssignment()
    # What stays where it is wins a tie: nobody moves for nothing.
    cost = -2 * staying[sets, nodes] - (sets == nodes)
    solver.add_arcs_with_cost(sets, nodes, cost)
    if solver.solve() != solver.OPTIMAL:
        return np.arange(len(held))
    return np.array([solver.right_mate(i) for i in range(len(held))], dtype=np.int64)


def _staying(field: Field, held: IntArray) -> tuple[IntArray, BoolArray]:
    """[K, K] how many pods of each node's set would stay on each node; and whether it fits."""
    taken = held @ field.requests
    fits = np.ones((len(held), len(held)), dtype=np.bool_)
    for own, room in zip(taken.T, field.room.T, strict=True):
        fits &= own[:, None] <= room
    staying = np.zeros(fits.shape, dtype=np.int64)
    most = field.upper.sum(axis=2)
    for pool in range(held.shape[1]):
        of = np.flatnonzero(held[:, pool])
        fits[of] &= held[of, pool][:, None] <= most[:, pool]
        homes = np.flatnonzero(field.upper[:, pool, 0])
        own = np.minimum(held[of, pool][:, None], field.upper[homes, pool, 0])
        staying[np.ix_(of, homes)] += own
    fits[np.diag_indices(len(fits))] = True
    return staying, fits


def _cycles(to: IntArray) -> list[IntArray]:
    """The cycles of a permutation that are longer than one; each node gets from the one before."""
    cycles, seen = [], to == np.arange(len(to))
    while not np.all(seen):
        cycle = [int(np.argmin(seen))]
        while to[cycle[-1]] != cycle[0]:
            cycle.append(int(to[cycle[-1]]))
        seen[cycle] = True
        cycles.append(np.array(cycle, dtype=np.int64))
    return cycles
