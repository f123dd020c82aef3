"""Shortlist: where thousands of classes meet thousands of nodes, each class gets some of its nodes.

Pods that are nearly all distinct make ten million pairs, and a model of all of them takes longer to
write down than there is time. Each class gets a column on a few hundred nodes only: a window in an
order of the nodes in which domains lie together, where the windows are laid out so that demand
meets room. Classes that ask for each other's company share a window; those that must be spread get
nodes from everywhere.

A plan on the shortlist is a plan. A bound on it is none: bounds have to come from the whole
problem, which stays as it is (``Problem.upper``). Must not know what is solved on it, or how.
"""

from dataclasses import replace

import numpy as np

from batchsched.feasibility.columns import BoolArray, IntArray
from batchsched.feasibility.problem import PodClass, Problem
from batchsched.feasibility.selection import of_term

CELLS_MAX = 1_000_000
"""Pairs of class and node up to which all get a column: more take 5 s to post and compress."""
CELLS_WANTED = 300_000
"""Pairs that are left of more; so many are solved within seconds."""
NODES_MIN = 50
"""For each class, however many there are."""
Pairs = tuple[IntArray, IntArray]
"""Of a class and a node, parallel arrays."""

ROOM_FACTOR = 2
"""A shortlist has at least so many times the places that its class has pods."""


def crowded(problem: Problem) -> bool:
    """Whether there are too many pairs of class and node for each to get a column."""
    return bool(np.count_nonzero(problem.candidates) > CELLS_MAX)


def shortlisted(problem: Problem, wanted: Pairs | None = None) -> Problem:
    """The problem with a shortlist.

    Args:
        problem: A crowded one.
        wanted: Pairs of class and node that are to be on it, and to have others beside them.
    """
    component = _components(problem)
    order = _order(problem)
    first = _first(problem, component, order)
    centre = _centres(problem, component, order, wanted)
    width = max(NODES_MIN, CELLS_WANTED // len(problem.classes))
    chosen = np.zeros(problem.upper.shape, dtype=np.bool_)
    for c, pods in enumerate(problem.classes):
        at = np.flatnonzero(problem.upper[c, order])
        if len(at):
            begin = int(np.searchsorted(at, first[component[c]]))
            if centre[c] >= 0:
                begin = int(np.searchsorted(at, centre[c])) - width // 2
            at = np.roll(at, -begin)
            room = np.cumsum(problem.upper[c, order[at]])
            enough = int(np.searchsorted(room, ROOM_FACTOR * pods.size)) + 1
            chosen[c, order[_some(at, max(width, enough), pods)]] = True
    if wanted is not None:
        chosen[wanted] = problem.upper[wanted] > 0
    return replace(problem, shortlist=chosen)


def _centres(
    problem: Problem, component: IntArray, order: IntArray, wanted: Pairs | None
) -> IntArray:
    """[C] the place in the order about which a class wants nodes; -1 if it is of a component."""
    centre = np.full(len(problem.classes), -1, dtype=np.int64)
    if wanted is not None:
        classes, nodes = wanted
        place = np.argsort(order)
        alone = np.bincount(component, minlength=len(component))[component[classes]] == 1
        centre[classes[alone]] = place[nodes[alone]]
    return centre


def _some(at: IntArray, count: int, pods: PodClass) -> IntArray:
    """So many places in one stretch; half of them from all over if pods must be spread."""
    if len(at) <= count:
        return at
    if not pods.spec.spread:
        return at[:count]
    everywhere = np.linspace(0, len(at) - 1, (count + 1) // 2).astype(np.int64)
    return np.concatenate([at[: count // 2], at[everywhere]])


def _components(problem: Problem) -> IntArray:
    """[C] the same number for classes that a gang or required affinity holds together."""
    component = np.arange(len(problem.classes), dtype=np.int64)
    gang = np.array([-1 if c.group is None else c.group for c in problem.classes], dtype=np.int64)
    joined: list[BoolArray] = [gang == g for g in range(len(problem.gangs))]
    for c, pods in enumerate(problem.classes):
        terms = {of_term(term, pods.namespace) for term in pods.spec.affinity}
        if terms:
            company = np.all([problem.selections.classes(who) for who in sorted(terms)], axis=0)
            company[c] = True
            joined.append(company)
    for mask in joined:
        members = np.unique(component[mask])
        if len(members) > 1:
            component[np.isin(component, members)] = members[0]
    return component


def _order(problem: Problem) -> IntArray:
    """The nodes, those of one domain together: of the keys that hold pods together."""
    keys = {term.topology_key for c in problem.classes for term in c.spec.affinity}
    keys |= {gang.group.required_topology or "" for gang in problem.gangs}
    keys |= {gang.group.slice_topology or "" for gang in problem.gangs}
    domains = [problem.domains(key) for key in sorted(keys - {""})]
    domains.sort(key=len)
    codes = [each.of_node for each in reversed(domains)]
    return np.lexsort((np.arange(len(problem.nodes)), *codes))


def _first(problem: Problem, component: IntArray, order: IntArray) -> IntArray:
    """[C] by component: the place in the order where the room begins that its demand would take.

    In the resource that is scarcest, and generously: components come one after the other, each with
    ``ROOM_FACTOR`` times its demand where there is as much.
    """
    places = np.ones((len(problem.classes), 1), dtype=np.int64)
    asked = np.column_stack([problem.requests, places]) * problem.class_size[:, None]
    room = np.column_stack([problem.free, problem.slots])
    load = asked.sum(axis=0) / np.maximum(room.sum(axis=0), 1)
    scarce = int(np.argmax(load))
    demand = np.bincount(component, asked[:, scarce], minlength=len(component))
    before = np.cumsum(demand) - demand
    offered = np.cumsum(room[order, scarce])
    factor = min(ROOM_FACTOR, 1 / max(float(load[scarce]), 1e-300))
    return np.searchsorted(offered, before * factor, side="right")
