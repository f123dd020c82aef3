"""Gather: room that is scattered over nodes is brought together, until one more pod fits.

When every node has a little left, no pod finds a place, though there is room for many. Two pods
on different nodes that differ by just what the one node has left change places: then that node is
full, and the other has more. From a few nodes to one in this way, and there is room for another.
The local search of bin packing (Fleszar and Hindi, "New heuristics for one-dimensional
bin-packing", 2002), for all resources at once: a change must bring the node nearer to what is
asked for, in the sum of what it lacks. A thousand changes take a fifth of a second, and gain what
no solver finds in neighbourhoods of a few nodes, where the room is not.
"""

import numpy as np
import numpy.typing as npt

from batchsched.solver.budget import Budget
from batchsched.solver.ground import Ground
from batchsched.solver.prices import EVEN

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

OTHERS_MAX = 100
"""Nodes that are asked to give room, those that have most of what is wanted."""
CHANGES_MAX = 40
"""For one pod on one node."""
FAILURES_MAX = 20
"""Pods in a row that find no place before the rest, which are larger, are left alone."""
WORK_PER_CHANGE_S = 2e-4
"""Deterministic seconds that looking for a change is counted for."""


def gather(ground: Ground, order: IntArray, wanted: int, nodes: int, budget: Budget) -> int:
    """Place more pods, each where room can be made for it; the ground is changed.

    Args:
        ground: Room alone counts on it.
        order: Classes of which pods are missing, those that are easiest to place first.
        wanted: How many pods at most.
        nodes: How many nodes are tried for one pod, those that lack the least.
        budget: To be spent from.

    Returns:
        How many pods have been placed.
    """
    gathering = _Gathering(ground)
    missing = ground.room.problem.class_size - ground.pods
    placed = failures = 0
    for c in np.repeat(order, missing[order]).tolist():
        if placed == wanted or failures == FAILURES_MAX or budget.expired:
            break
        admitted = gathering.admit(c, nodes, budget)
        placed += admitted
        failures = 0 if admitted else failures + 1
    return placed


def exchange(ground: Ground, own: IntArray, cost: FloatArray) -> bool:
    """Let pods that are out come in for dearer ones, where there is room; the ground is changed.

    As many are placed as before, and more room is left at its price.

    Args:
        ground: Room alone counts on it.
        own: [classes] among whom it makes no difference who is placed.
        cost: [C] what the room that a pod takes is worth.

    Returns:
        Whether any did.
    """
    asked, may = ground.room.asked, ground.room.problem.candidates
    missing = ground.room.problem.class_size - ground.pods
    classes, nodes = np.array(ground.classes, int), np.array(ground.nodes, int)
    inside = np.flatnonzero(np.isin(classes, own))
    changed = False
    for c in own[np.argsort(cost[own], kind="stable")].tolist():
        for _ in range(int(missing[c])):
            theirs, at = classes[inside], nodes[inside]
            room = np.all(ground.left[at] + asked[theirs] >= asked[c], axis=1)
            gain = np.where(room & may[c, at], cost[theirs] - cost[c], 0.0)
            best = int(np.argmax(gain)) if len(gain) else 0
            if not len(gain) or gain[best] <= EVEN:
                break
            pod, node = inside[best], at[best]
            ground.left[node] += asked[theirs[best]] - asked[c]
            classes[pod], changed = c, True
    ground.classes = classes.tolist()
    return changed


class _Gathering:
    """The pods of a ground by node, and how they change places."""

    def __init__(self, ground: Ground) -> None:
        room = ground.room
        self._ground, self._asked, self._value = ground, room.asked, room.value
        self._may = room.problem.candidates
        self._on: list[list[int]] = [[] for _ in room.free]
        for pod, node in enumerate(ground.nodes):
            self._on[node].append(pod)

    def admit(self, c: int, nodes: int, budget: Budget) -> bool:
        """Place a pod of a class, if room can be made for it on one of a few nodes."""
        ground, asked = self._ground, self._asked[c]
        lacks = np.maximum(asked - ground.left, 0) @ self._value
        lacks = np.where(self._may[c] & (ground.left[:, -1] > 0), lacks, np.inf)
        nearest = np.argsort(lacks, kind="stable")[:nodes]
        for node in nearest[np.isfinite(lacks[nearest])].tolist():
            if self._make_room(node, asked, budget):
                self._on[node].append(len(ground.classes))
                ground.classes.append(c)
                ground.nodes.append(node)
                ground.left[node] -= asked
                return True
        return False

    def _make_room(self, node: int, asked: IntArray, budget: Budget) -> bool:
        """Change pods of a node for others until there is room for what is asked, if it can be."""
        left = self._ground.left
        for _ in range(CHANGES_MAX):
            if np.all(left[node] >= asked):
                return True
            budget.spend(WORK_PER_CHANGE_S)
            if not self._change(node, asked):
                return False
        return bool(np.all(left[node] >= asked))

    def _change(self, node: int, asked: IntArray) -> bool:
        """Change one pod for one of another node, or for none, so that the node lacks less.

        Of all such changes the one after which it lacks the least.
        """
        left, own = self._ground.left, self._on[node]
        need = np.maximum(asked - left[node], 0)
        others = self._givers(node, need)
        if not own or not len(others):
            return False
        theirs = [pod for other in others.tolist() for pod in self._on[other]]
        where = np.concatenate([np.array([self._ground.nodes[pod] for pod in theirs], int), others])
        mine = np.array([self._ground.classes[pod] for pod in own])
        come = np.array([self._ground.classes[pod] for pod in theirs], dtype=np.int64)
        nobody = np.zeros((len(others), len(asked)), dtype=np.int64)
        brings = np.concatenate([self._asked[come], nobody])
        moved = self._asked[mine][:, None, :] - brings
        then = left[node] + moved
        allowed = np.concatenate([self._may[come, node], np.ones(len(others), dtype=np.bool_)])
        allowed = allowed & self._may[mine[:, None], where]
        allowed &= np.all(left[where] >= moved, axis=2) & np.all(then >= 0, axis=2)
        lacks = np.where(allowed, np.maximum(asked - then, 0) @ self._value, np.inf)
        best = int(np.argmin(lacks))
        i, j = divmod(best, len(where))
        if not lacks[i, j] < float(need @ self._value) * (1 - 1e-9):
            return False
        self._move(own[i], int(where[j]))
        if j < len(theirs):
            self._move(theirs[j], node)
        return True

    def _givers(self, node: int, need: IntArray) -> IntArray:
        """The other nodes that have most of what is needed."""
        reach = np.minimum(self._ground.left, need) @ self._value
        reach[node] = 0.0
        chosen = np.argsort(-reach, kind="stable")[:OTHERS_MAX]
        return chosen[reach[chosen] > 0]

    def _move(self, pod: int, to: int) -> None:
        """Put a pod elsewhere; what it leaves may be short until the other one has gone too."""
        ground = self._ground
        was, asked = ground.nodes[pod], self._asked[ground.classes[pod]]
        ground.left[was] += asked
        ground.left[to] -= asked
        self._on[was].remove(pod)
        self._on[to].append(pod)
        ground.nodes[pod] = to
