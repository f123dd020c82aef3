"""Places: from counts back to pods. Who of a class goes where, who leaves, and who comes back.

The pods of a class are interchangeable for every rule; age breaks the tie because people expect it
to: of those that wait the oldest are placed, of those that run the youngest leave. And nobody
leaves to make room for its like: where the counts say so (out of time, they may), it stays, and the
other one takes the place that it would have moved to.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from batchsched.feasibility.problem import PodClass, Problem
from batchsched.snapshot.pod import Pod
from batchsched.solver.model import IntArray, Model
from batchsched.solver.solve import Solution

PodKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a solution means for pods, by their keys."""

    placements: dict[PodKey, str]
    """Pending pods that are placed, and the node of each."""
    evictions: dict[PodKey, str | None]
    """Running pods that leave, and the node where each comes back, if it does."""
    exact: bool = True
    """Whether it is what the counts say, and nobody stays who would have left for its like."""


def places_of(model: Model, solution: Solution) -> Outcome:
    """Counts to pods."""
    problem, counts = model.problem, model.counts
    table = np.zeros(problem.upper.shape, dtype=np.int64)
    table[counts.classes, counts.nodes] = solution.x[: len(counts)]
    exact = _is_kept_by_its_like(problem, table)
    placements: dict[PodKey, str] = {}
    evictions: dict[PodKey, str | None] = {}
    for c, pods in enumerate(problem.classes):
        if pods.waits:
            placed = zip(sorted(pods.pods, key=_age), _nodes(problem, table[c]), strict=False)
            placements.update((pod.key, name) for pod, name in placed)
        elif pods.seat is not None and np.any(table[c] < problem.upper[c]):
            back = pods.seat.back
            targets = _nodes(problem, table[back]) if back is not None else iter(())
            leaving = _leaving(problem, pods, problem.upper[c] - table[c])
            evictions.update((pod.key, next(targets, None)) for pod in leaving)
    return Outcome(placements, evictions, exact)


def _is_kept_by_its_like(problem: Problem, table: IntArray) -> bool:
    """Let those stay that would leave for pods like them; say whether there were none.

    The like of a pod is one that comes back, and a pending one of the same spec and labels that is
    in no group.
    """
    single = [(w, c) for w, c in enumerate(problem.classes) if c.waits and c.group is None]
    waiting = {_kind(c): w for w, c in single}
    exact = True
    for k, pods in enumerate(problem.classes):
        back = pods.seat.back if pods.seat is not None else None
        if back is None or not np.any(table[k] < problem.upper[k]):
            continue
        like = waiting.get(_kind(problem.classes[back]), back)
        for coming in dict.fromkeys((back, like)):
            swapped = np.minimum(problem.upper[k] - table[k], table[coming])
            swapped = _first(swapped, int(table[back].sum()))
            exact = exact and not swapped.any()
            table[k] += swapped
            table[coming] -= swapped
            if coming != back:  # as many of those that would have come back give their places
                given = _first(table[back], int(swapped.sum()))
                table[back] -= given
                table[coming] += given
    return exact


def _kind(pods: PodClass) -> tuple[object, ...]:
    return pods.namespace, pods.spec, pods.pods[0].labels


def _first(amounts: IntArray, most: int) -> IntArray:
    """The first of some amounts, no more than ``most`` together."""
    return np.diff(np.minimum(np.cumsum(amounts), most), prepend=0)


def _leaving(problem: Problem, pods: PodClass, gone: IntArray) -> list[Pod]:
    """Who of a class leaves: of each node the youngest; the oldest of them first."""
    leaving: list[Pod] = []
    for n in np.flatnonzero(gone).tolist():
        here = [pod for pod in pods.pods if pod.node == problem.nodes[n].name]
        leaving += sorted(here, key=_age)[len(here) - int(gone[n]) :]
    return sorted(leaving, key=_age)


def _nodes(problem: Problem, amounts: IntArray) -> Iterator[str]:
    """The name of each node, as often as it gets a pod."""
    for n in np.flatnonzero(amounts).tolist():
        for _ in range(int(amounts[n])):
            yield problem.nodes[n].name


def _age(pod: Pod) -> tuple[str, PodKey]:
    """Oldest first."""
    return pod.created, pod.key
