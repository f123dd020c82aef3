"""Ground: nodes with some room left, and the pods that have been put on them, by room alone.

What ``fill`` and ``gather`` build on: every pair of class and node that is a candidate may be used,
and capacity is the only rule. One entry a pod, so that single pods can be moved.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from batchsched.feasibility.problem import Problem

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Room:
    """What there is and what is asked for, pods counting as one more resource: R.

    ``asked`` [C, R]; ``free`` [N, R]; ``value`` [R] what an amount of a resource weighs, by how
    scarce it is; ``weight`` [C] what a pod of a class weighs.
    """

    problem: Problem
    asked: IntArray
    free: IntArray
    value: FloatArray
    weight: FloatArray

    @classmethod
    def of(cls, problem: Problem) -> "Room":
        """That of a problem."""
        pods = np.ones((len(problem.classes), 1), dtype=np.int64)
        asked = np.column_stack([problem.requests, pods])
        free = np.column_stack([problem.free, problem.slots])
        wanted = (asked * problem.class_size[:, None]).sum(axis=0, dtype=np.float64)
        there = np.maximum(free.sum(axis=0, dtype=np.float64), 1)
        value = wanted / there / there
        value[-1] = 0.0  # slots are there for all but everybody's own: they say little
        return cls(problem, asked, free, value, asked @ value)


@dataclass(eq=False)
class Ground:
    """Room [N, R] that is left, and who stands where: a class and a node for each pod."""

    room: Room
    left: IntArray
    classes: list[int] = field(default_factory=list)
    nodes: list[int] = field(default_factory=list)

    @classmethod
    def empty(cls, room: Room) -> "Ground":
        """Nobody is there."""
        return cls(room, room.free.copy())

    def copy(self) -> "Ground":
        """One that can be changed by itself."""
        return Ground(self.room, self.left.copy(), self.classes.copy(), self.nodes.copy())

    @property
    def pods(self) -> IntArray:
        """[C] how many of each class are there."""
        return np.bincount(np.array(self.classes, dtype=np.int64), minlength=len(self.room.asked))

    def place(self, order: IntArray) -> "Ground":
        """Place what is not there yet of some classes, one after the other; it is changed.

        Each goes to the nodes that are left with the least.
        """
        problem, asked = self.room.problem, self.room.asked
        missing = problem.class_size - self.pods
        over = self.left @ self.room.value
        for c in order[missing[order] > 0].tolist():
            able = problem.candidates[c].copy()
            for r in np.flatnonzero(asked[c]).tolist():
                able &= self.left[:, r] >= asked[c, r]
            nodes = np.flatnonzero(able)
            if not len(nodes):
                continue
            if missing[c] == 1:
                nodes, pods = nodes[[np.argmin(over[nodes])]], np.ones(1, dtype=np.int64)
            else:
                nodes = nodes[np.argsort(over[nodes], kind="stable")]
                pods = self._strokes(c, nodes, int(missing[c]))
            self.left[nodes] -= pods[:, None] * asked[c]
            over[nodes] = self.left[nodes] @ self.room.value
            self.classes += [c] * int(pods.sum())
            self.nodes += np.repeat(nodes, pods).tolist()
        return self

    def _strokes(self, c: int, nodes: IntArray, wanted: int) -> IntArray:
        """[nodes] how many of a class go to each, the first ones filled first."""
        used = self.room.asked[c] > 0
        most = (self.left[nodes][:, used] // self.room.asked[c, used]).min(axis=1)
        most = np.minimum(most, self.room.problem.upper[c, nodes])
        pods: IntArray = np.diff(np.minimum(np.cumsum(most), wanted), prepend=0)
        return pods
