"""Thinning: of a large cluster, the nodes that a small window can need.

A window of P pods uses at most P nodes. Take a node that P others *dominate*: every rule and every
tier takes them for the same, except that they have at least its room. In any plan that uses the
node one of these P receives nobody, so the pods may all go there instead: nothing is lost without
the node. What is left is the P-skyband of each kind of node: some hundreds of ten thousand.

Exact, whatever the rules are, as long as each says what it reads of a node (``reads``). Knows room
and equality; must not know what a rule reads, or why. Source: FORMULATION §4; Papadias, Tao, Fu and
Seeger, "Progressive skyline computation in database systems", 2005.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np

from batchsched.feasibility.columns import BoolArray, IntArray
from batchsched.feasibility.problem import Problem

PODS_PER_NODE_MAX = 0.5
"""Pods for each node above which hardly a node can be spared."""
CLASSES_MAX = 200
"""Above which looking at all pairs costs more than it spares: they are small windows no more."""
_CHUNK = 256
"""Nodes that are compared at a time: 256 x 1,000 x 4 comparisons fit the cache."""


@runtime_checkable
class NodeReader(Protocol):
    """A rule or an objective that says what it reads of nodes, their room aside."""

    def reads(self, problem: Problem) -> Iterable[IntArray | BoolArray]:
        """Arrays [..., N]: it takes nodes for the same where all of them are equal.

        What keeps a class off a node for good is known, and need not be among them.
        """
        ...


def thinned(problem: Problem, readers: Sequence[object]) -> Problem:
    """The problem without candidates that no optimum needs; the same where that is not known.

    Args:
        problem: The problem.
        readers: All rules and objectives that it will be solved with.
    """
    pods, nodes = int(problem.class_size.sum()), len(problem.nodes)
    small = pods <= PODS_PER_NODE_MAX * nodes and len(problem.classes) <= CLASSES_MAX
    if not small or any(c.pods[0].node is not None for c in problem.classes):
        return problem
    read: list[IntArray | BoolArray] = [problem.passing]
    for reader in readers:
        if not isinstance(reader, NodeReader):
            return problem
        read.extend(reader.reads(problem))
    spared = ~_needed(_kinds(read, nodes), _room(problem), pods)
    if not spared.any():
        return problem
    upper = np.where(spared, 0, problem.upper)
    return replace(problem, upper=upper, candidates=upper > 0)


def _kinds(arrays: Iterable[IntArray | BoolArray], nodes: int) -> IntArray:
    """[N] equal numbers for nodes that are equal in all arrays."""
    rows = [np.asarray(each, dtype=np.int64).reshape(-1, nodes) for each in arrays]
    table = np.concatenate(rows)
    telling = table[(table != table[:, :1]).any(axis=1)]
    keys = np.ascontiguousarray(telling.T)
    if not keys.size:
        return np.zeros(nodes, dtype=np.int64)
    _, kind = np.unique(keys.view(f"V{keys.strides[0]}").ravel(), return_inverse=True)
    return np.asarray(kind, dtype=np.int64)


def _room(problem: Problem) -> IntArray:
    """[N, R + 1] what is free of each resource, and of places for pods.

    Not more than the window can ask for, in units of what every request is a multiple of: room
    beyond that makes no difference.
    """
    asked = problem.requests.T @ problem.class_size
    unit = np.maximum(np.gcd.reduce(problem.requests, axis=0, initial=0), 1)
    free = np.minimum(problem.free, asked) // unit
    places = np.minimum(problem.slots, problem.class_size.sum())
    return np.column_stack([free, places])


def _needed(kind: IntArray, room: IntArray, pods: int) -> BoolArray:
    """[N] whether fewer than ``pods`` nodes of its kind dominate the node, the first among equals.

    Nodes with most room come first, so that whoever dominates comes before; comparing with those
    that are needed is enough, as P nodes that dominate one hold P needed ones.
    """
    needed = np.zeros(len(kind), dtype=np.bool_)
    order = np.lexsort((*-room.T[::-1], kind))
    starts = np.flatnonzero(np.diff(kind[order], prepend=-1))
    for nodes in np.split(order, starts[1:]) if len(order) else ():
        kept = nodes[:pods]
        for first in range(pods, len(nodes), _CHUNK):
            chunk = nodes[first : first + _CHUNK]
            before = _covers(room[kept], room[chunk]).sum(axis=0)
            among = np.triu(_covers(room[chunk], room[chunk]), 1).sum(axis=0)
            kept = np.concatenate([kept, chunk[before + among < pods]])
        needed[kept] = True
    return needed


def _covers(one: IntArray, other: IntArray) -> BoolArray:
    """[A, B] whether a row of the one has at least the room of a row of the other in everything."""
    covers = np.ones((len(one), len(other)), dtype=np.bool_)
    for r in range(one.shape[1]):
        covers &= one[:, r, None] >= other[None, :, r]
    return covers
