"""Fill: where pods would go if room were all that counts, over every pair of class and node.

The greedy places what a shortlist lets it place; this one is asked before there is a shortlist,
which is then made around it. Prices say who is to be placed (``prices``): those who are surely
worth their room go first, the largest before the others, since each of them will find a place only
while there is much of it; then those on the edge, the cheapest first. Where that leaves some out,
all that are placed are packed anew, the largest first whatever their priority, and scattered room
is gathered. Knows room alone; the greedy repeats what of it the rules allow.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batchsched.feasibility.problem import Problem
from batchsched.solver.budget import Budget
from batchsched.solver.gather import exchange, gather
from batchsched.solver.ground import Ground, Room
from batchsched.solver.prices import EVEN, Level

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

NODES = (10, 40)
"""Nodes that are tried for a pod which lacks room: few for all pods, then more. On 1,000 contended
nodes 3 of them left 41 pods of 482 out, 10 left 23, 40 left 11, in 0.1, 0.6 and 8 s."""
PACKED_MAX = 3
"""How often what is placed is packed anew at one priority."""
WORK_PER_CLASS_S = 2e-5
"""Deterministic seconds that placing a class is counted for."""


@dataclass(frozen=True, eq=False)
class Filled:
    """How many pods of a class go to a node: parallel arrays."""

    classes: IntArray
    nodes: IntArray
    pods: IntArray


def filled(problem: Problem, levels: Sequence[Level], budget: Budget) -> Filled:
    """Priority by priority, each as well as can be without losing one of those before."""
    filling = _Filling(problem, levels, budget)
    for i in range(len(levels)):
        filling.add(i)
    ground = filling.ground
    places = np.array([ground.classes, ground.nodes], dtype=np.int64)
    (classes, nodes), pods = np.unique(places, axis=1, return_counts=True)
    return Filled(classes, nodes, pods.astype(np.int64))


class _Filling:
    """The ground as it fills up."""

    def __init__(self, problem: Problem, levels: Sequence[Level], budget: Budget) -> None:
        self._room = Room.of(problem)
        self._levels, self._budget = levels, budget
        self._priority = np.array([c.priority for c in problem.classes], dtype=np.int64)
        self._cost = np.full(len(self._priority), np.inf)
        for level in levels:
            own = self._priority == level.priority
            self._cost[own] = level.cost[own]
        self._sure = self._cost < 1 - EVEN
        self.ground = Ground.empty(self._room)

    def add(self, i: int) -> None:
        """Place the pods of a priority, all that are higher being placed."""
        own = np.flatnonzero(self._priority == self._levels[i].priority)
        most = self._most(i)
        before, best = self.ground, self.ground
        for order in self._orders(own):
            if best is not before and (self._short(best, i, most) <= 0 or self._budget.expired):
                break
            best = self._better(best, before.copy().place(order), i)
            self._budget.spend(len(order) * WORK_PER_CLASS_S)
        self.ground = best
        self._pack(i, own, most)
        short = self._short(self.ground, i, most)
        if short > 0 and not self._budget.expired:
            self._gather(own, short)

    def _gather(self, own: IntArray, short: int) -> None:
        """Place more of a priority by moving others, and by letting cheaper pods in for dearer."""
        easiest = own[np.argsort(self._cost[own], kind="stable")]
        for nodes in NODES:
            while short > 0 and not self._budget.expired:
                exchange(self.ground, own, self._cost)
                placed = gather(self.ground, easiest, short, nodes, self._budget)
                short -= placed
                if not placed:
                    break

    def _most(self, i: int) -> int:
        """How many of a priority there can be at most, as many of the higher ones being there."""
        values = self._values(self.ground, i)
        return self._levels[i].bound.bound_at(values[:i])

    def _short(self, ground: Ground, i: int, most: int) -> int:
        """How many of a priority are missing of what can be."""
        return most - self._values(ground, i)[i]

    def _values(self, ground: Ground, i: int) -> list[int]:
        """How many of each priority there are, down to some level."""
        pods, levels = ground.pods, self._levels[: i + 1]
        return [int(pods[self._priority == level.priority].sum()) for level in levels]

    def _better(self, one: Ground, other: Ground, i: int) -> Ground:
        """The one with more pods, higher priorities first; else the first."""
        return other if self._values(other, i) > self._values(one, i) else one

    def _orders(self, own: IntArray) -> Iterator[IntArray]:
        """Classes of one priority in some ways that are good for many."""
        weight, cost, sure = self._room.weight[own], self._cost[own], self._sure[own]
        yield own[np.lexsort((np.where(sure, -weight, cost), ~sure))]
        yield own[np.argsort(cost, kind="stable")]
        yield own[np.argsort(weight, kind="stable")]

    def _pack(self, i: int, own: IntArray, most: int) -> None:
        """All that are placed anew, the largest first, then the others, while that gives more."""
        first = next(self._orders(own))
        for _ in range(PACKED_MAX):
            if self._short(self.ground, i, most) <= 0 or self._budget.expired:
                return
            pods = self.ground.pods
            placed = np.flatnonzero(pods)
            largest = placed[np.argsort(-self._room.weight[placed], kind="stable")]
            order = np.concatenate([largest, first[pods[first] == 0]])
            packed = Ground.empty(self._room).place(order)
            self._budget.spend(len(order) * WORK_PER_CLASS_S)
            if self._better(self.ground, packed, i) is self.ground:
                return
            self.ground = packed
