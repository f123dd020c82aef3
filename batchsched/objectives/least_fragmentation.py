"""Packing, least fragmentation (FORMULATION.md §O6): room left where it is of use.

Of use to a pod is what is left of the scarcest resource on a node, if the pod fits there at all; a
GPU beside no free core is of use to nobody. Counted is what is of use to the typical pod: to each
shape that makes most of the demand, as often as pods have it, running ones and the window's
(the expected fragmentation of Weng et al., ATC 2023, over whole devices). It must not know where
pods come from: what will come is taken to be like what is there.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from batchsched.feasibility.problem import Problem
from batchsched.feasibility.resources import held, table
from batchsched.plan.reading import meets_terms, seat
from batchsched.plan.state import FinalState, among
from batchsched.snapshot.labels import NodeSelectorTerm, Pairs
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod, PodSpec, Quantities
from batchsched.solver.model import Model, Tier

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
NATIVE = ("cpu", "memory", "ephemeral-storage")
SHAPES_MAX = 8
"""How many shapes stand for all: of 73 in the openb trace they are two thirds of the demand."""


@dataclass(frozen=True, slots=True, order=True)
class Shape:
    """What a pod asks of a node: amounts, and which nodes it selects."""

    request: Quantities
    selector: Pairs = ()
    affinity: tuple[tuple[NodeSelectorTerm, ...], ...] = ()
    """The required terms as a tuple of one; empty where there are none, so that shapes sort."""

    def may_be_on(self, node: Node) -> bool:
        """Whether such pods select the node."""
        labels = dict(node.labels)
        return all(labels.get(key) == value for key, value in self.selector) and all(
            meets_terms(terms, node.name, labels) for terms in self.affinity
        )


@dataclass(frozen=True, slots=True)
class Mix:
    """What pods are like: the scarcest resource, and who asks for it."""

    scarcest: str
    piece: int
    """The least that one of the shapes asks for of it; 1 where there are none."""
    shapes: tuple[tuple[Shape, int], ...]
    """(shape, pods that have it in per mille of those that ask for the resource, at least 1)."""

    @classmethod
    def of(cls, asked: Mapping[Shape, int], nodes: Iterable[Node]) -> "Mix":
        """The shapes that make the most of the demand.

        Args:
            asked: How many pods have each shape.
            nodes: All nodes.
        """
        allocatable: Counter[str] = Counter()
        for node in nodes:
            allocatable.update(dict(node.allocatable))
        demand: Counter[str] = Counter()
        for shape, pods in asked.items():
            for name, amount in shape.request:
                demand[name] += pods * amount
        extended = sorted(name for name in demand if demand[name] and is_extended(name))
        scarcest = max(
            extended,
            key=lambda n: Fraction(demand[n], max(allocatable.get(n, 0), 1)),
            default="cpu",
        )
        each = {shape: dict(shape.request).get(scarcest, 0) for shape in asked}
        whole = sum(pods for shape, pods in asked.items() if each[shape])
        ranked = sorted((-each[shape] * asked[shape], shape) for shape in asked if each[shape])
        chosen = [shape for _, shape in ranked[:SHAPES_MAX]]
        return cls(
            scarcest,
            min((each[shape] for shape in chosen), default=1),
            tuple((shape, max(1, 1000 * asked[shape] // whole)) for shape in chosen),
        )


def is_extended(name: str) -> bool:
    """Whether a resource is none of those that every node has."""
    return name not in NATIVE and not name.startswith("hugepages-")


@dataclass(frozen=True, slots=True)
class LeastFragmentation:
    """One tier: for each shape and node, whether it fits, and what is then of use."""

    name: str = "packing/least-fragmentation"

    def tiers(self, model: Model) -> Sequence[Tier]:
        """Let a pod of each shape compete for the room that is left."""
        problem = model.problem
        here = np.flatnonzero(problem.fixed_node >= 0).tolist()
        holders = [problem.fixed.pods[f] for f in here]
        # Classes of running pods hold what remains of a spec: whoever comes later reads all of it.
        going = {p.key for c in problem.classes if c.seat is not None for p in c.pods}
        holders += among(problem.snapshot.pods, going).values() if going else ()
        mix = Mix.of(_shapes(holders, problem.window_pods), problem.nodes)
        room = _Room.of(problem, mix)
        columns, worth = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
        for shape, share in mix.shapes:
            pieces = self._of_use(model, room, shape)
            columns.append(pieces)
            worth.append(np.full(len(pieces), share))
        everything = room.worth(np.arange(len(problem.nodes)), problem.free, problem.slots)
        return [
            Tier(
                self.name,
                np.concatenate(columns),
                np.concatenate(worth),
                highest=int(everything.sum()),
                room=room.worth,
            )
        ]

    def _of_use(self, model: Model, room: "_Room", shape: Shape) -> IntArray:
        """A column for each node where the shape fits now: the pieces left if it still does."""
        problem, resources, request = model.problem, model.problem.resources, dict(shape.request)
        fits = room.fits(shape, np.arange(len(problem.nodes)), problem.free, problem.slots)
        nodes = np.flatnonzero(fits)
        most = room.pieces(nodes, problem.free[nodes], problem.slots[nodes])
        fit = model.add_columns(self.name, 1, len(nodes))
        left = model.add_columns(self.name, most)
        one_each = np.ones(len(problem.classes), dtype=np.int64)
        self._compete(model, (nodes, fit), (one_each, 1), problem.slots)
        self._compete(model, (nodes, left), (one_each, 1), problem.slots)
        for r, name in enumerate(resources):
            asks, free = problem.requests[:, r], problem.free[:, r]
            if name in request:
                self._compete(model, (nodes, fit), (asks, request[name]), free)
            if name == room.mix.scarcest:
                self._compete(model, (nodes, left), (asks, room.mix.piece), free)
        row = np.arange(len(nodes))
        model.add_rows(self.name, len(nodes), [(row, left, 1), (row, fit, -most)], upper=0)
        return left

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
        """Count, node by node, what is of use to whom."""
        return {self.name: _of_use(state)[0]}

    def share_lost(self, state: FinalState) -> float:
        """Of the free pieces, the share that is of no use to the typical pod; 0 where none is free.

        Whom the room is for does not depend on the plan, so plans of one snapshot compare.
        """
        useful, free = _of_use(state)
        return 1 - useful / free if free else 0.0


def _of_use(state: FinalState) -> tuple[int, int]:
    """What is of use to whom, in per mille of pods times pieces; and if all were to everybody."""
    gone = [pod for pod in (state.by_key.get(key) for key in state.evicted) if pod is not None]
    mix = Mix.of(_shapes((*state.kept, *gone), state.window_pods), state.nodes.values())
    useful = free = 0
    for name, left in _left(state).items():
        pieces = min(left["pods"], left.get(mix.scarcest, 0) // mix.piece)
        for shape, share in mix.shapes:
            asked = (*shape.request, ("pods", 1))
            enough = all(left.get(resource, 0) >= amount for resource, amount in asked)
            free += share * max(pieces, 0)
            if enough and shape.may_be_on(state.nodes[name]):
                useful += share * pieces
    return useful, free


@dataclass(frozen=True, eq=False)
class _Room:
    """What is left on nodes, to what that is worth. Shapes: n nodes, R resources of the problem."""

    mix: Mix
    column: Mapping[str, int]
    """Of each resource that the problem has."""
    fixed: Mapping[str, IntArray]
    """[N] of each other one, of which nobody takes any."""
    home: Mapping[Shape, BoolArray]
    """[N] the nodes that each shape selects."""

    @classmethod
    def of(cls, problem: Problem, mix: Mix) -> "_Room":
        """The room of a problem."""
        names = {mix.scarcest, *(name for shape, _ in mix.shapes for name, _ in shape.request)}
        others = sorted(names.difference(problem.resources))
        room = table([node.allocatable for node in problem.nodes], others)
        room -= held(problem.fixed, problem.fixed_node, others, len(problem.nodes))
        fixed = {name: np.maximum(room[:, r], 0) for r, name in enumerate(others)}
        home = {
            shape: np.array([shape.may_be_on(node) for node in problem.nodes], dtype=np.bool_)
            for shape, _ in mix.shapes
        }
        return cls(mix, {name: r for r, name in enumerate(problem.resources)}, fixed, home)

    def worth(self, nodes: IntArray, left: IntArray, slots: IntArray) -> IntArray:
        """[n] what is of use there, of what is ``left`` [n, R] with room for ``slots`` [n] pods."""
        pieces = self.pieces(nodes, left, slots)
        total = np.zeros(len(nodes), dtype=np.int64)
        for shape, share in self.mix.shapes:
            total += np.where(self.fits(shape, nodes, left, slots), share * pieces, 0)
        return total

    def pieces(self, nodes: IntArray, left: IntArray, slots: IntArray) -> IntArray:
        """[n] how many of the least pods the scarcest resource is enough for."""
        has = self._has(self.mix.scarcest, nodes, left)
        return np.maximum(np.minimum(slots, has // self.mix.piece), 0)

    def fits(self, shape: Shape, nodes: IntArray, left: IntArray, slots: IntArray) -> BoolArray:
        """[n] whether a pod of this shape does."""
        fits = (slots > 0) & self.home[shape][nodes]
        for name, amount in shape.request:
            fits = fits & (self._has(name, nodes, left) >= amount)
        return fits

    def _has(self, name: str, nodes: IntArray, left: IntArray) -> IntArray:
        return left[:, self.column[name]] if name in self.column else self.fixed[name][nodes]


def _shapes(holders: Iterable[Pod], waiting: Iterable[Pod]) -> Counter[Shape]:
    """How many pods have each shape; replicas share their specs, so few are looked at twice."""
    kinds: dict[tuple[int, int], list[tuple[Quantities, PodSpec]]] = {}
    told = [(pod.requests, pod.spec) for pod in holders]
    told += [(pod.spec.requests, pod.spec) for pod in waiting]
    for request, spec in told:
        kinds.setdefault((id(request), id(spec)), []).append((request, spec))
    found: Counter[Shape] = Counter()
    for same in kinds.values():
        request, spec = same[0]
        terms = () if spec.node_affinity is None else (spec.node_affinity,)
        found[Shape(request, spec.node_selector, terms)] += len(same)
    return found


def _left(state: FinalState) -> dict[str, dict[str, int]]:
    """What is left on each node, at least 0 of what only the pods that stay hold."""
    room = {name: {"pods": 0, **dict(node.allocatable)} for name, node in state.nodes.items()}
    for pod in state.kept:
        _take(room[seat(pod)], pod.requests)
    for placed in state.placed:
        here = room[placed.node.name]
        for name, amount in (*placed.pod.spec.requests, ("pods", 1)):
            here[name] = here.get(name, 0) - amount
    return room


def _take(room: dict[str, int], requests: Quantities) -> None:
    """Take what one more pod holds, as far as there is any."""
    for name, amount in (*requests, ("pods", 1)):
        room[name] = max(0, room.get(name, 0) - amount)
