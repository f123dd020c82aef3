"""Thrift: pods placed one by one where that costs the least of what a tier counts of free room.

The greedy fills the tightest node with one class after the other, and leaves GPUs on nodes without
a core. A tier that says what room is worth (``Tier.room``) is served better pod by pod: each goes
where the worth drops least. It must not know what makes room worth something. What is lost on a
node changes with the node alone, so it is told anew for one node a pod, and for all once a class.
"""

import numpy as np
import numpy.typing as npt

from batchsched.solver.budget import Budget
from batchsched.solver.greedy import Greedy
from batchsched.solver.incumbent import Incumbent
from batchsched.solver.model import Model, RoomWorth

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


class Thrift(Greedy):
    """Places what a plan places, elsewhere.

    Args:
        model: The model, with all of its constraints posted.
        point: The incumbent to complete.
        budget: When to stop.
        room: What is left on nodes to what it is worth.
        placed: [C] how many pods of each class to place.
    """

    def __init__(
        self, model: Model, point: Incumbent, budget: Budget, room: RoomWorth, placed: IntArray
    ) -> None:
        """Nothing is placed yet."""
        super().__init__(model, point, budget)
        self._room, self._placed = room, placed
        self._taken = np.zeros(len(self.problem.nodes), dtype=np.int64)
        """[N] pods placed here."""

    def _place_class(
        self,
        c: int,
        targets: IntArray | None = None,
        *,
        skip: int = 0,
        most: int | None = None,
    ) -> None:
        """Place pods of a class one by one; what then is left of it by the greedy's way."""
        cells = self.model.cells(np.array([c]))
        wanted = int(self._placed[c] - self.point.x[cells.columns].sum())
        wanted = wanted if most is None else min(wanted, most)
        open_ = self.point.x[cells.columns] < self.point.program.upper[cells.columns]
        cost = np.where(open_, self._cost(c, cells.nodes), np.inf)
        while wanted > 0 and not self.budget.expired:
            best = int(np.argmin(cost)) if len(cost) else 0
            if not len(cost) or cost[best] == np.inf:
                break
            at = slice(best, best + 1)
            if self._raise(c, cells.columns[at], np.ones(1, dtype=np.int64)):
                wanted -= 1
                self._taken[cells.nodes[at]] += 1
                cost[at] = self._cost(c, cells.nodes[at])
            else:
                cost[at] = np.inf
        if wanted > 0:
            super()._place_class(c, targets, skip=skip, most=None if most is None else wanted)

    def _cost(self, c: int, nodes: IntArray) -> FloatArray:
        """[nodes] what one pod more there costs; of equal ones the tightest is the cheapest."""
        left, slots = self._left[nodes], self.problem.slots[nodes] - self._taken[nodes]
        before = self._room(nodes, left, slots)
        after = self._room(nodes, left - self.problem.requests[c], slots - 1)
        leftover = self._leftover(c, nodes)
        return np.where(leftover < np.inf, before - after + leftover / (2 * self._most + 1), np.inf)
