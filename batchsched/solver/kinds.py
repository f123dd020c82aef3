"""Kinds: classes and nodes that are nearly alike, where there are too many pairs to relax.

Thousands of distinct pods on a thousand nodes are millions of columns; a relaxation over a few
hundred kinds of pods and some dozen kinds of nodes has nearly the same duals (FORMULATION.md,
Bounds). Alike are pods of one priority whose requests differ by little and whom the same nodes
take, room apart; alike are nodes whose room differs by little and who take the same pods. Small
amounts, GPUs say, are compared exactly. Must not know what is relaxed over the kinds.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from batchsched.feasibility.problem import Problem

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

GRAINS = (0.1, 0.2, 0.4, 0.8, 1.6)
"""By how much amounts of one kind may differ: the first that leaves few enough pairs is taken. On
1,000 nodes 0.1, 0.2 and 0.5 gave the same bounds; finer costs time only."""
PAIRS_MAX = 40_000
"""Pairs of kinds; GLOP takes 0.3 s for so many."""
EXACT_MAX = 16
"""Amounts up to which each is a kind of its own."""
CLASSES_AT_A_TIME = 512


@dataclass(frozen=True, eq=False)
class Market:
    """What pods ask of nodes, in rows: each resource, the pods, and roundings of small amounts.

    ``asked`` [C, M] and ``room`` [N, M] are in units of the common divisor of what is asked, so
    room is rounded down to what integers can use. Rounded once more, a row of few units holds for
    integers too, and cuts off what the relaxation would like (Chvatal and Gomory; ``cuts``).
    """

    asked: IntArray
    room: IntArray

    @classmethod
    def of(cls, problem: Problem) -> "Market":
        """The rows of capacity of a problem."""
        pods = np.ones((len(problem.classes), 1), dtype=np.int64)
        asked = np.column_stack([problem.requests, pods])
        unit = np.maximum(np.gcd.reduce(asked, axis=0), 1)
        asked, room = asked // unit, np.column_stack([problem.free, problem.slots]) // unit
        most = asked.max(axis=0, initial=0)
        several = (most > 1) & (room.max(axis=0, initial=0) <= EXACT_MAX)
        parts = [(asked, room)]
        for row in np.flatnonzero(several).tolist():
            divisors = np.arange(2, most[row] + 1)
            parts.append((asked[:, [row]] // divisors, room[:, [row]] // divisors))
        return cls(*(np.column_stack(part) for part in zip(*parts, strict=True)))


@dataclass(frozen=True, eq=False)
class Kinds:
    """Which kind each class [C] and each node [N] is of, and who may go where.

    ``share`` [C, G] is the share of the nodes of each kind that are candidates of a class.
    """

    of_class: IntArray
    of_node: IntArray
    share: FloatArray

    def pairs(self) -> tuple[IntArray, IntArray]:
        """Kinds of classes and of nodes that go together: on most of the nodes, most classes."""
        sizes = np.bincount(self.of_class)
        order = np.argsort(self.of_class, kind="stable")
        sums = np.add.reduceat(self.share[order], np.cumsum(sizes) - sizes, axis=0)
        kinds, nodes = np.nonzero(2 * sums > sizes[:, None])
        return kinds, nodes

    def split(self, kinds: BoolArray) -> "Kinds":
        """The same with each class of some kinds [K] a kind of its own."""
        alone = kinds[self.of_class]
        own = np.where(alone, np.arange(len(alone)), -1)
        return replace(self, of_class=_numbered(self.of_class, own))


def kinds_of(problem: Problem, market: Market) -> Kinds:
    """The finest kinds that are few enough."""
    priority = np.array([c.priority for c in problem.classes], dtype=np.int64)
    taken_by, takes = _words(problem.passing)
    for grain in GRAINS:
        for classes, nodes in (((taken_by,), (takes,)), ((), ())):
            of_class = _numbered(priority, *classes, *_bucket(market.asked, grain).T)
            of_node = _numbered(*nodes, *_bucket(market.room, grain).T)
            if int(of_class.max() + 1) * int(of_node.max() + 1) <= PAIRS_MAX:
                return Kinds(of_class, of_node, _share(problem.candidates, of_node))
    every = np.zeros(len(problem.nodes), dtype=np.int64)
    return Kinds(_numbered(priority), every, _share(problem.candidates, every))


def _words(passing: BoolArray) -> tuple[IntArray, IntArray]:
    """[C] and [N] equal numbers where all the nodes, or all the classes, pass alike."""
    return _hashed(passing), _hashed(passing.T)


def _hashed(rows: BoolArray) -> IntArray:
    """A word for the set that each row is, equal where the sets are."""
    random = np.random.default_rng(0)  # any words will do, if they are always the same
    words = random.integers(1, 2**62, rows.shape[1], dtype=np.int64)
    return np.array([np.sum(words, where=row) for row in rows], dtype=np.int64)


def _bucket(amounts: IntArray, grain: float) -> IntArray:
    """Equal numbers where amounts differ by less than the grain, or not at all if they are small.

    Columns that are roundings of others tell nothing new, and change nothing.
    """
    logs = np.log(np.maximum(amounts, EXACT_MAX) / EXACT_MAX) / np.log(1 + grain)
    return np.where(amounts <= EXACT_MAX, amounts, EXACT_MAX + np.rint(logs).astype(np.int64))


def _share(candidates: BoolArray, of_node: IntArray) -> FloatArray:
    """[C, G] the share of the nodes of each kind that are candidates."""
    sizes = np.bincount(of_node)
    order = np.argsort(of_node, kind="stable")
    first = np.cumsum(sizes) - sizes
    parts = [
        np.add.reduceat(candidates[c : c + CLASSES_AT_A_TIME][:, order], first, axis=1, dtype=int)
        for c in range(0, len(candidates), CLASSES_AT_A_TIME)
    ]
    return np.concatenate(parts) / sizes


def _numbered(*keys: IntArray) -> IntArray:
    """Equal numbers, from zero, where all keys are equal."""
    parts = np.zeros(len(keys[0]), dtype=np.int64)
    for key in keys:
        _, inverse = np.unique(key, return_inverse=True)
        _, parts = np.unique(parts * (int(inverse.max()) + 1) + inverse, return_inverse=True)
    return parts.astype(np.int64)
