"""Exchanges: the pods of two nodes, and some that are out, shared out anew in the best of all ways.

Where nodes hold few pods, the ways to share those of two nodes are few enough to look at all of
them: 2 ** 14 sets of pods in a millisecond, where a neighbourhood costs a solver some 0.1 s. Of the
ways that are best in the tiers the one is taken that leaves the most room *in one piece* for the
pod that is short, so room that is scattered over the nodes is gathered, pair by pair, until a pod
fits. (Bin completion decides bins like that one by one: Fukunaga and Korf, JAIR 28, 2007.)

It knows room and pods, and must not know any rule: what it proposes is checked row by row. Whatever
stands on a node beyond what is shared out stays where it is.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from batchsched.solver.field import Field, field_of
from batchsched.solver.incumbent import Incumbent
from batchsched.solver.model import Model
from batchsched.solver.neighbourhood import Neighbourhood
from batchsched.solver.program import Program

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Amount = TypeVar("Amount", np.int64, np.float64)

PODS_MAX = 14
"""Pods that are shared out at a time, and all of whose sets are looked at."""
PAIRS = 24
"""Pairs of nodes in one attempt."""
OUT_MIN, OUT_ALIKE_MAX = 2, 2
"""Of the pods that are shared out, those that are out, at least, if so many are; and of one kind,
at most."""
ANYWHERE = 1e-3
"""How likely a node without room is one of the pair, relative to one with room for a pod."""
UNEVEN = 0.1
"""What room in each resource counts, on the mean, beside the room that all have in common."""
ROOM_WEIGHT, ROOM_MAX = 1e-3, 20.0
"""What room for so many pods counts, squared, beside a pod that is placed; and from where on room
is as good as more. That of two nodes is never worth a pod."""


class Shortage(NamedTuple):
    """Who has no place, and for whom room is gathered."""

    out: IntArray
    """[P] pods without a place."""
    wanted: IntArray
    """[R] what the short pod asks for."""


def exchange_of(
    model: Model,
    where: Neighbourhood,
    part: Program,
    objectives: Sequence[IntArray],
    x: IntArray,
) -> "Exchange | None":
    """Exchanges in a neighbourhood, ``None`` where there is nothing to gather for.

    Args:
        model: Whose columns.
        where: The neighbourhood.
        part: The program over its columns.
        objectives: [width] each, of the part; highest tier first.
        x: [width] where to begin.
    """
    requests, alone = model.problem.requests, len(where.nodes) <= 1
    if where.short is None or alone or not np.any(requests[where.short]):
        return None
    field = field_of(model, where.columns, part)
    shortage = Shortage(where.out[field.pools], np.append(requests[where.short], 0))
    return Exchange(field, shortage, Incumbent(part, x), objectives)


class Exchange:
    """Exchanges on one field.

    Args:
        field: The nodes, and the pods on them.
        shortage: What to gather room for.
        point: Over the columns of the field; it is changed.
        objectives: [width] each; highest tier first.
    """

    def __init__(
        self, field: Field, shortage: Shortage, point: Incumbent, objectives: Sequence[IntArray]
    ) -> None:
        """Count the pods of each pool on each node."""
        self._field, self._point, self._wanted = field, point, shortage.wanted
        self._objectives = np.array(objectives, dtype=np.int64)
        self._out, self._held = shortage.out.copy(), field.held(point.x)
        runs = field.upper[..., 0] > 0
        first = np.where(runs, field.columns[..., 0], field.columns[..., 1])
        self._worth = np.pad(self._objectives, ((0, 0), (0, 1)))[:, first]

    def run(self, random: np.random.Generator, pairs: int = PAIRS) -> IntArray:
        """Share out pair after pair; the point that comes of it, no worse, tier by tier."""
        for _ in range(pairs):
            likely = self._size(self._room()) ** 2 + ANYWHERE
            first = int(random.choice(len(likely), p=likely / likely.sum()))
            second = int(random.integers(len(likely) - 1))
            self._share_out(np.array([first, second + (second >= first)]), random)
        return self._point.x

    def _room(self) -> IntArray:
        """[K, R] what is left on each node."""
        return np.asarray(self._field.room - self._held @ self._field.requests)

    def _size(self, room: IntArray) -> FloatArray:
        """[...] how much of the short pod rooms [..., R] could hold."""
        asked = self._wanted > 0
        shares = np.maximum(room[..., asked], 0) / self._wanted[asked]
        return np.asarray(shares.min(axis=-1) + UNEVEN * shares.mean(axis=-1), dtype=np.float64)

    def _share_out(self, pair: IntArray, random: np.random.Generator) -> None:
        """Share out pods of two nodes and some that are out."""
        pools, kept = self._pods(pair, random)
        requests = self._field.requests
        taken, bits = _sums(requests[pools]), 1 << np.arange(len(pools))
        values = []
        for node, stay, worth in zip(pair, kept, self._worths(pools, pair), strict=True):
            room = self._field.room[node] - stay @ requests - taken
            size = np.minimum(self._size(room), ROOM_MAX)
            value = _sums(worth[:, None])[:, 0] + ROOM_WEIGHT * size**2
            barred = int(bits[self._field.upper[node, pools].sum(axis=1) == 0].sum())
            value[(room < 0).any(axis=1) | (np.arange(len(value)) & barred != 0)] = -np.inf
            values.append(value)
        sets = np.array(best_disjoint(*values))
        for stay, chosen in zip(kept, (sets[:, None] & bits) != 0, strict=True):
            np.add.at(stay, pools[chosen], 1)
        self._move(pair, kept)

    def _pods(self, pair: IntArray, random: np.random.Generator) -> tuple[IntArray, IntArray]:
        """The pools of the pods to be shared out; and [2, P] what else is on the two nodes."""
        kept = self._held[pair]
        node, pool = np.nonzero(kept)
        each = np.repeat(np.arange(len(node)), kept[node, pool])
        out = np.repeat(np.arange(len(self._out)), np.minimum(self._out, OUT_ALIKE_MAX))
        out = random.permutation(out)[: max(OUT_MIN, PODS_MAX - len(each))]
        each = random.permutation(each)[: PODS_MAX - len(out)]
        np.subtract.at(kept, (node[each], pool[each]), 1)
        return np.concatenate([pool[each], out]), kept

    def _worths(self, pools: IntArray, pair: IntArray) -> FloatArray:
        """[2, pods] what each is worth on either node: no lower tiers outweigh a higher one."""
        worth = self._worth[:, pair][:, :, pools]
        span = np.abs(worth).max(axis=1).sum(axis=1)
        weight = np.cumprod(np.append(1.0, 1.0 + span[:0:-1]))[::-1]
        return np.asarray(np.tensordot(weight, worth, 1), dtype=np.float64)

    def _move(self, pair: IntArray, held: IntArray) -> None:
        """Have so many of each pool on the two nodes, if that is not worse and every row holds."""
        placing = self._field.placing(pair, held)
        if placing is None:
            return
        columns, values = placing
        gains = (self._objectives[:, columns] @ (values - self._point.x[columns])).tolist()
        if gains >= [0] * len(gains) and self._point.put(columns, values):
            self._out -= (held - self._held[pair]).sum(axis=0)
            self._held[pair] = held


def best_disjoint(first: FloatArray, second: FloatArray) -> tuple[int, int]:
    """Of two values of each set, the two disjoint sets that are worth most together.

    Args:
        first: [2 ** m], -inf where it may not be that set; bit i of the index stands for member i.
        second: The same of the other one.

    Returns:
        The indices.
    """
    within = second.copy()
    """Of each set, the most that any set within it is worth."""
    for i in range(len(within).bit_length() - 1):
        halves = within.reshape(-1, 2, 1 << i)
        np.maximum(halves[:, 1], halves[:, 0], out=halves[:, 1])
    chosen = int(np.argmax(first + within[::-1]))
    outside = np.arange(len(second)) & chosen == 0
    return chosen, int(np.argmax(np.where(outside, second, -np.inf)))


def _sums(amounts: npt.NDArray[Amount]) -> npt.NDArray[Amount]:
    """[2 ** m, R] what each set of m pods [m, R] comes to; bit i of the index stands for pod i."""
    sums = np.zeros((1 << len(amounts), amounts.shape[1]), dtype=amounts.dtype)
    for i, amount in enumerate(amounts):
        np.add(sums[: 1 << i], amount, out=sums[1 << i : 2 << i])
    return sums
