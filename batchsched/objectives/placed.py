"""Placed (FORMULATION.md §O1): for each priority, high to low, as many pods as can be.

A gang's pods count only when the gang is admitted, which §C8 sees to: they have no place otherwise.
Before a priority's pods are counted, those of them that run and have to go are as few as can be: so
none goes for a pod of its own priority. And before pods that do not preempt are counted, those that
do have what they need, with as few victims as that takes: the others get what is left.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from batchsched.feasibility.problem import Problem
from batchsched.plan.state import FinalState, among
from batchsched.solver.model import IntArray, Model, Tier
from batchsched.solver.sums import BoolArray


def tier_name(priority: int) -> str:
    """The tier's name in plans."""
    return f"placed/priority={priority}"


@dataclass(frozen=True, slots=True)
class Placed:
    """One tier for each priority that has pending pods, or running ones that may go."""

    name: str = "placed"

    def tiers(self, model: Model) -> Sequence[Tier]:
        """The count columns of the priority's classes, each worth one."""
        problem = model.problem
        of_class = np.array([c.priority for c in problem.classes], dtype=np.int64)
        others = (*(e.pod for e in problem.excluded), *problem.left_alone)
        priorities = {*of_class.tolist(), *(pod.spec.priority for pod in others)}
        return [
            tier
            for priority in sorted(priorities, reverse=True)
            for tier in _stages(model, of_class, priority)
        ]

    def reads(self, problem: Problem) -> Iterable[IntArray]:
        """Nothing: it counts pods wherever they are."""
        del problem
        return ()

    def score(self, state: FinalState) -> Mapping[str, int]:
        """Count the placed pods of each priority, and those that stay though they might go."""
        touched = among(state.snapshot.pods, state.may_go).values()
        priorities = {pod.spec.priority for pod in (*state.window_pods, *touched)}
        values = {tier_name(p): 0 for p in sorted(priorities, reverse=True)}
        staying = (pod for pod in touched if pod.key not in state.evicted)
        for pod in (*(p.pod for p in state.placed), *staying):
            values.setdefault(tier_name(pod.spec.priority), 0)
            values[tier_name(pod.spec.priority)] += 1
        return values


def _stages(model: Model, of_class: IntArray, priority: int) -> Iterator[Tier]:
    """The stages of one priority; what readers see is the last."""
    problem = model.problem
    alike, preemptible = of_class == priority, problem.preemptible
    yield from _fewest_victims(model, alike & preemptible, priority)
    never = np.array([c.waits and c.spec.preemption_never for c in problem.classes], dtype=np.bool_)
    lower = preemptible & (of_class < priority)
    if np.any(alike & never) and np.any(lower):
        yield _count(model, alike & ~never, f"preempting/priority={priority}", internal=True)
        for below in sorted({int(p) for p in of_class[lower]}, reverse=True):
            yield from _fewest_victims(model, lower & (of_class == below), below, passing=True)
    alone = sum(pod.spec.priority == priority for pod in problem.left_alone)
    placed = _count(model, alike, tier_name(priority), constant=alone)
    yield replace(placed, priority=priority)


def _count(
    model: Model, classes: BoolArray, name: str, *, constant: int = 0, internal: bool = False
) -> Tier:
    """As many of some classes as can be; a pod that comes back and one that stays are one pod."""
    problem = model.problem
    columns = model.cells(classes).columns
    most = np.minimum(problem.class_size, problem.upper.sum(axis=1))
    once = classes & ~problem.returning
    worth = np.ones(len(columns), dtype=np.int64)
    highest = int(most[once].sum())
    return Tier(name, columns, worth, constant=constant, highest=highest, internal=internal)


def _fewest_victims(
    model: Model, running: BoolArray, priority: int, *, passing: bool = False
) -> Iterator[Tier]:
    """As many as can be of the running pods stay or come back."""
    if np.any(running):
        size = int(model.problem.class_size[running].sum())
        columns = model.cells(model.problem.with_back(running)).columns
        yield Tier(
            f"victims/priority={priority}",
            columns,
            np.ones(len(columns), dtype=np.int64),
            constant=-size,
            sign=-1,
            highest=size,
            internal=True,
            passing=passing,
        )
