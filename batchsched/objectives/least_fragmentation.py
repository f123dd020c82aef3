"""Packing, least fragmentation (FORMULATION.md §O6): room left in pieces that are of use.

Of use is a piece that holds the reference shape: the largest request in the window of the scarcest
resource (the extended resource of which the largest share of what is free is asked for; cpu where
none is asked for). Counted is how many more pods of that shape the nodes could hold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from batchsched.feasibility.problem import Problem
from batchsched.feasibility.resources import held, table
from batchsched.plan.reading import seat
from batchsched.plan.state import FinalState
from batchsched.snapshot.pod import Pod, Quantities
from batchsched.solver.model import Model, Tier

IntArray = npt.NDArray[np.int64]
NATIVE = ("cpu", "memory", "ephemeral-storage")


def reference_shape(pods: Sequence[Pod], free: Mapping[str, int]) -> Quantities:
    """The request that later pods will most likely fail to find room for.

    Args:
        pods: The window's pods, by key.
        free: What is free of each resource on all nodes together, before this window.
    """
    asked: dict[str, int] = {}
    for pod in pods:
        for name, amount in pod.spec.requests:
            asked[name] = asked.get(name, 0) + amount
    scarcest, worst = "cpu", Fraction(-1)
    for name in sorted(name for name in asked if is_extended(name)):
        ratio = Fraction(asked[name], max(free.get(name, 0), 1))
        if ratio > worst:
            scarcest, worst = name, ratio
    ranked = ("cpu", "memory") if scarcest == "cpu" else (scarcest, "cpu", "memory")
    shapes = [dict(pod.spec.requests) for pod in pods]
    best = max(shapes, key=lambda s: tuple(s.get(name, 0) for name in ranked), default={})
    return tuple(sorted(best.items())) if best.get(scarcest) else ()


def is_extended(name: str) -> bool:
    """Whether a resource is none of those that every node has."""
    return name not in NATIVE and not name.startswith("hugepages-")


@dataclass(frozen=True, slots=True)
class LeastFragmentation:
    """One tier: for each node, a column for the reference pods that it could still hold."""

    name: str = "packing/least-fragmentation"

    def tiers(self, model: Model) -> Sequence[Tier]:
        """Let the reference pods compete for the room that is left, and count them."""
        problem = model.problem
        pods = problem.window_pods
        names = {name for pod in pods for name, _ in pod.spec.requests}
        now = _free(problem, names, kept=True)
        shape = reference_shape(pods, {name: int(room.sum()) for name, room in now.items()})
        free = _free(problem, names, kept=False) if problem.running.any() else now
        most = problem.slots.copy() if shape else np.zeros_like(problem.slots)
        for name, amount in shape:
            most = np.minimum(most, free[name] // amount)
        nodes = np.flatnonzero(most > 0)
        slots = model.add_columns(self.name, most[nodes])
        one_each = np.ones(len(problem.classes), dtype=np.int64)
        self._compete(model, (nodes, slots), (one_each, 1), problem.slots)
        asked = dict(shape)
        for r, name in enumerate(problem.resources):
            if name in asked:
                need = (problem.requests[:, r], asked[name])
                self._compete(model, (nodes, slots), need, problem.free[:, r])
        worth = np.ones(len(nodes), dtype=np.int64)
        return [Tier(self.name, slots, worth, highest=int(most.sum()))]

    def _compete(
        self,
        model: Model,
        places: tuple[IntArray, IntArray],
        need: tuple[IntArray, int],
        room: IntArray,
    ) -> None:
        """Rows ``asked by pods + asked by reference pods <= room`` on the nodes that matter.

        Args:
            model: Where the rows go.
            places: Nodes, and the column of each.
            need: What a pod of each class [C] asks for, and what a reference pod does.
            room: [N] what there is.
        """
        (nodes, slots), (of_class, of_reference), counts = places, need, model.counts
        row_of = np.full(len(room), -1, dtype=np.int64)
        row_of[nodes] = np.arange(len(nodes))
        inside = row_of[counts.nodes] >= 0
        entries = [
            (
                row_of[counts.nodes[inside]],
                counts.columns[inside],
                of_class[counts.classes[inside]],
            ),
            (np.arange(len(nodes)), slots, np.full(len(nodes), of_reference)),
        ]
        model.add_rows(self.name, len(nodes), entries, upper=room[nodes])

    def score(self, state: FinalState) -> Mapping[str, int]:
        """Count, node by node, what more would fit."""
        before, after = _room(state, new=False), _room(state, new=True)
        for pod in (state.by_key.get(key) for key in state.evicted):
            if pod is not None and pod.node in before:
                _take(before[pod.node], pod.requests)
        free: dict[str, int] = {}
        for room in before.values():
            for name, amount in room.items():
                free[name] = free.get(name, 0) + amount
        shape = reference_shape(state.window_pods, free)
        if not shape:
            return {self.name: 0}
        fits = (
            min([room["pods"], *(room.get(name, 0) // amount for name, amount in shape)])
            for room in after.values()
        )
        return {self.name: sum(max(0, count) for count in fits)}


def _free(problem: Problem, names: set[str], *, kept: bool) -> dict[str, IntArray]:
    """[N] what running pods leave of each named resource, at least 0, whoever asks for it.

    All of those that run, if they are ``kept``; else as when all that may go have left.
    """
    ordered = sorted(names)
    room = table([node.allocatable for node in problem.nodes], ordered)
    room -= held(problem.fixed, problem.fixed_node, ordered, len(problem.nodes))
    seated = np.flatnonzero(problem.running & kept)
    asked = table([problem.classes[c].spec.requests for c in seated.tolist()], ordered)
    room -= problem.upper[seated].T @ asked
    return {name: np.maximum(room[:, r], 0) for r, name in enumerate(ordered)}


def _room(state: FinalState, *, new: bool) -> dict[str, dict[str, int]]:
    """What is left on each node, at least 0, with or without the pods that the plan places."""
    room = {name: {"pods": 0, **dict(node.allocatable)} for name, node in state.nodes.items()}
    for pod in state.kept:
        _take(room[seat(pod)], pod.requests)
    for placed in state.placed if new else ():
        here = room[placed.node.name]
        for name, amount in (*placed.pod.spec.requests, ("pods", 1)):
            here[name] = here.get(name, 0) - amount
    return room


def _take(room: dict[str, int], requests: Quantities) -> None:
    """Take what one more pod holds, as far as there is any."""
    for name, amount in (*requests, ("pods", 1)):
        room[name] = max(0, room.get(name, 0) - amount)
