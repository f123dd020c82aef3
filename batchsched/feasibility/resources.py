"""NodeResourcesFit: the pods limit first, then every resource that the pod requests.

Requests are ready-made by the reader (containers, sidecars, init containers, overhead, pod-level
resources; for running pods the larger of spec and status during a resize).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from batchsched.feasibility.columns import BoolArray, IntArray, distinct
from batchsched.feasibility.crowd import Crowd
from batchsched.feasibility.scene import Scene, Verdict, verdict_of_all
from batchsched.snapshot.pod import Quantities

PODS = "pods"
TOO_MANY_PODS = "Too many pods"
_FIRST = ("cpu", "memory", "ephemeral-storage")


@dataclass(frozen=True, eq=False)
class Room:
    """Resources as arrays: what classes ask, what nodes have, what fixed pods hold.

    ``resources`` are those that some class requests, sorted; ``requests`` [C, R], ``allocatable``
    and ``used`` [N, R]; ``slots`` [N] is how many more pods the node may hold, negative where it
    holds too many.
    """

    resources: tuple[str, ...]
    requests: IntArray
    allocatable: IntArray
    used: IntArray
    slots: IntArray

    @property
    def free(self) -> IntArray:
        """[N, R] what is left, negative where a node is over-committed."""
        return self.allocatable - self.used


def measure(scene: Scene) -> Room:
    """Read the room of a scene."""
    asked = [c.spec.requests for c in scene.classes]
    resources = tuple(sorted({name for each in distinct(asked)[0] for name, _ in each} - {PODS}))
    allocatable = table([node.allocatable for node in scene.nodes], (*resources, PODS))
    known = scene.fixed_node[scene.fixed_node >= 0]
    return Room(
        resources=resources,
        requests=table(asked, resources),
        allocatable=allocatable[:, :-1],
        used=held(scene.fixed, scene.fixed_node, resources, len(scene.nodes)),
        slots=allocatable[:, -1] - np.bincount(known, minlength=len(scene.nodes)),
    )


def held(pods: Crowd, of_node: IntArray, resources: Sequence[str], nodes: int) -> IntArray:
    """[N, R] what pods hold on each node; those whose node [F] is -1 hold nothing.

    Pods are counted by node and by what they hold, and the counts multiplied: exact in integers.
    """
    amounts, of = pods.requests
    each = table(amounts, resources)
    at = of_node >= 0
    pairs, counts = np.unique(of_node[at] * len(each) + of[at], return_counts=True)
    found = np.zeros((nodes, len(resources)), dtype=np.int64)
    np.add.at(found, pairs // max(len(each), 1), each[pairs % max(len(each), 1)] * counts[:, None])
    return found


def table(rows: Sequence[Quantities], resources: Iterable[str]) -> IntArray:
    """[rows, R] amounts, asked once per distinct row."""
    kinds, kind = distinct(rows)
    column = {name: i for i, name in enumerate(resources)}
    amounts = np.zeros((len(kinds), len(column)), dtype=np.int64)
    for i, quantities in enumerate(kinds):
        for name, amount in quantities:
            if name in column:
                amounts[i, column[name]] = amount
    return amounts[kind]


def how_many(room: Room, sizes: Sequence[int]) -> IntArray:
    """[C, N] how many pods of the class the room of a node takes, nobody else coming.

    Where a class has one pod, whether there is room for it: a comparison takes a tenth of the time
    of a division.
    """
    alone = [size == 1 for size in sizes]
    kinds, kind = distinct(zip(map(tuple, room.requests.tolist()), alone, strict=True))
    slots, free = np.maximum(room.slots, 0), np.maximum(room.free, 0)
    counts = np.empty((len(kinds), len(slots)), dtype=np.int64)
    for i, (amounts, single) in enumerate(kinds):
        row = slots
        for r, amount in enumerate(amounts):
            if amount > 0:
                row = np.minimum(row, free[:, r] >= amount if single else free[:, r] // amount)
        counts[i] = row
    return counts[kind]


def node_resources_fit(scene: Scene) -> Verdict:
    """NodeResourcesFit: all reasons of a node together, as kube-scheduler gives them."""
    room = measure(scene)
    kinds, kind = distinct(map(tuple, room.requests.tolist()))
    asked = np.array(kinds, dtype=np.int64).reshape(len(kinds), len(room.resources))
    return verdict_of_all(len(kinds), len(scene.nodes), kind, _parts(room, asked))


def _parts(room: Room, asked: IntArray) -> Iterator[tuple[str, BoolArray]]:
    """Each reason with where it applies, [K, N]."""
    full = np.broadcast_to(room.slots < 1, (len(asked), len(room.slots)))
    yield TOO_MANY_PODS, full
    for _, name, r in sorted((_rank(name), name, r) for r, name in enumerate(room.resources)):
        amount = asked[:, r, None]
        yield f"Insufficient {name}", (amount > 0) & (amount > room.free[None, :, r])


def _rank(resource: str) -> int:
    return _FIRST.index(resource) if resource in _FIRST else len(_FIRST)
