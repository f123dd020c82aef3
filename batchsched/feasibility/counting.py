"""Counting: how many pods of a priority fit at most, by the room of all nodes together.

A bound that needs no model: resource by resource, the smallest requests first, as if the nodes were
one. It holds whatever else the rules say; what keeps it from being reached is that pods cannot be
cut at the edge of a node. Must not know how pods were placed.
"""

from collections.abc import Mapping

import numpy as np

from batchsched.feasibility.columns import BoolArray, IntArray
from batchsched.feasibility.problem import Problem


def most_placed(problem: Problem, priority: int, held: Mapping[int, int]) -> int:
    """The most pods of a priority that any plan places.

    Args:
        problem: Classes and room.
        priority: Whose.
        held: For each higher priority, how many of its pods every plan in question places.
    """
    able = problem.candidates.any(axis=1)
    of_class = np.array([c.priority for c in problem.classes], dtype=np.int64)
    there = problem.candidates.any(axis=0)
    least = int(problem.class_size[able & (of_class == priority)].sum())
    asked = [*problem.requests.T, np.ones(len(of_class), dtype=np.int64)]
    offered = [*problem.free[there].T, problem.slots[there]]
    for requests, room in zip(asked, offered, strict=True):
        left = int(room.sum())
        for other, count in held.items():
            ascending = _ascending(problem, requests, able & (of_class == other))
            left -= int(ascending[:count].sum())
        own = np.cumsum(_ascending(problem, requests, able & (of_class == priority)))
        least = min(least, int(np.searchsorted(own, max(left, 0), side="right")))
    return least


def _ascending(problem: Problem, requests: IntArray, classes: BoolArray) -> IntArray:
    """What each pod of some classes [C] asks for, the smallest first."""
    return np.sort(np.repeat(requests[classes], problem.class_size[classes]))
