"""Packing, fewest nodes (FORMULATION.md §O4): as few nodes in use as can be.

A node is in use when it holds a pod that is neither a DaemonSet's nor static (owned by the Node):
what a node runs of its own accord keeps no node from being switched off.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from batchsched.feasibility.problem import Problem
from batchsched.plan.reading import seat
from batchsched.plan.state import FinalState
from batchsched.snapshot.pod import OwnerRef
from batchsched.solver.model import IntArray, Model, Tier
from batchsched.solver.sums import BoolArray, Entries, add_up, numbered


def counts_as_use(owner: OwnerRef | None) -> bool:
    """Whether a pod of this owner keeps its node in use."""
    return owner is None or owner.kind not in {"DaemonSet", "Node"}


EXACT_MAX = 2.0**53
"""Up to which sums of integers in doubles are exact."""


@dataclass(frozen=True, slots=True)
class FewestNodes:
    """One tier: a 0/1 column for each node that is idle and could be used."""

    name: str = "packing/fewest-nodes"

    def tiers(self, model: Model) -> Sequence[Tier]:
        """Charge each idle node that gets a pod; its capacity rows hold only when it is charged."""
        problem = model.problem
        busy = _busy(problem)
        counted = np.array(
            [counts_as_use(c.pods[0].owner) for c in problem.classes], dtype=np.bool_
        )
        cells = model.cells(counted)
        idle = np.setdiff1d(np.unique(cells.nodes), busy)
        used = model.add_columns(self.name, 1, len(idle))
        inside = np.isin(cells.nodes, idle)
        row = np.searchsorted(idle, cells.nodes[inside])
        column, classes = cells.columns[inside], cells.classes[inside]
        room = [
            problem.slots[idle],
            *(problem.free[idle, r] for r in range(len(problem.resources))),
        ]
        asks = [np.ones(len(row), dtype=np.int64), *problem.requests[classes].T]
        upper = problem.upper[classes, cells.nodes[inside]]
        for free, ask in zip(room, asks, strict=True):
            # Never more than could be asked for; above 2**53 the sum of floats is in doubt.
            asked = np.bincount(row, ask.astype(np.float64) * upper, len(idle))
            most = np.where(asked < EXACT_MAX, np.minimum(free, asked.astype(np.int64)), free)
            entries = [(row, column, ask), (np.arange(len(idle)), used, -most)]
            model.add_rows(self.name, len(idle), entries, upper=0)
        self._kept(model, idle, used)
        self._post_cliques(model, column, used[row])
        cost = np.full(len(idle), -1, dtype=np.int64)
        return [Tier(self.name, used, cost, constant=-len(busy), sign=-1, highest=0)]

    def _post_cliques(self, model: Model, columns: IntArray, used: IntArray) -> None:
        """Of pods that keep each other off a node, one at most where it is in use.

        Implied in integers, not in the relaxation: five that stand apart need five nodes in use.
        """
        used_of = np.full(len(model.counts), -1, dtype=np.int64)
        used_of[columns] = used
        clique, members = model.cliques()
        charged = used_of[members] >= 0
        cliques, row = np.unique(clique[charged], return_inverse=True)
        members = members[charged]
        in_use = np.zeros(len(cliques), dtype=np.int64)
        in_use[row] = used_of[members]
        entries = [(row, members, 1), (np.arange(len(cliques)), in_use, -1)]
        model.add_rows(self.name, len(cliques), entries, upper=0)

    def _kept(self, model: Model, idle: IntArray, used: IntArray) -> None:
        """``kept <= U used``, which is tighter, for those who run there and may go."""
        problem = model.problem
        counted = np.array(
            [counts_as_use(c.pods[0].owner) for c in problem.classes], dtype=np.bool_
        )
        kept = model.cells(counted & problem.running)
        size = add_up(kept.nodes, problem.upper[kept.classes, kept.nodes], len(problem.nodes))
        count, row = numbered((size > 0)[idle])
        if count:
            row_of = np.full(len(problem.nodes), -1, dtype=np.int64)
            row_of[idle] = row
            inside = row_of[kept.nodes] >= 0
            entries: list[Entries] = [(row_of[kept.nodes[inside]], kept.columns[inside], 1)]
            entries.append((np.arange(count), used[row >= 0], -size[idle[row >= 0]]))
            model.add_rows(self.name, count, entries, upper=0)

    def reads(self, problem: Problem) -> Iterable[BoolArray]:
        """Whether the node is in use."""
        used = np.zeros(len(problem.nodes), dtype=np.bool_)
        used[_busy(problem)] = True
        return [used]

    def score(self, state: FinalState) -> Mapping[str, int]:
        """Count the nodes in use."""
        used = {seat(pod) for pod in state.kept if counts_as_use(pod.owner)}
        used |= {placed.node.name for placed in state.placed if counts_as_use(placed.pod.owner)}
        return {self.name: len(used)}


def _busy(problem: Problem) -> IntArray:
    """The nodes that fixed pods keep in use."""
    owners, of = problem.fixed.owners
    using = np.array([counts_as_use(owner) for owner in owners], dtype=np.bool_)[of]
    return np.unique(problem.fixed_node[using & (problem.fixed_node >= 0)])
