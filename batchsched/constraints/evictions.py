"""Evictions: a running pod goes for a pod of higher priority, or comes back on another node.

Source: FORMULATION §C14; kube-scheduler's DefaultPreemption. Who may go is in the classes: others
are fixed. Nobody is evicted where no pending pod of higher priority that may preempt is placed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from batchsched.feasibility.problem import Problem
from batchsched.plan.state import FinalState, Violation
from batchsched.solver.model import IntArray, Model


@dataclass(frozen=True, slots=True)
class Evictions:
    """Who may be evicted or moved, and how many."""

    name: str = "evictions"

    def post(self, model: Model) -> None:
        """Who runs stays, comes back, or is a victim; moves are counted, victims have a cause."""
        problem = model.problem
        for k, pods in enumerate(problem.classes):
            if pods.seat is not None and pods.seat.back is not None:
                columns = model.cells(np.array([k, pods.seat.back])).columns
                least = 0 if pods.seat.preemptible else pods.size
                model.add_rows(self.name, 1, [(0, columns, 1)], lower=least, upper=pods.size)
        self._post_moves(model)
        priority = np.array([c.priority for c in problem.classes], dtype=np.int64)
        for below in np.unique(priority[problem.preemptible]).tolist():
            self._post_cause(model, priority, below)

    def _post_moves(self, model: Model) -> None:
        """``sum of all that come back <= moves``."""
        problem, limit = model.problem, model.problem.allowance.moves_max
        columns = model.cells(problem.returning).columns
        most = problem.class_size[problem.returning].sum()
        if limit is not None and len(columns) and most > limit:
            model.add_rows(self.name, 1, [(0, columns, 1)], upper=limit)

    def _post_cause(self, model: Model, priority: IntArray, below: int) -> None:
        """``victims <= U placed``: those of one priority, and those who preempt it."""
        problem = model.problem
        running = problem.preemptible & (priority == below)
        preempting = [c.waits and not c.spec.preemption_never for c in problem.classes]
        causes = np.array(preempting, dtype=np.bool_) & (priority > below)
        size = int(problem.class_size[running].sum())
        kept, placed = model.cells(problem.with_back(running)), model.cells(causes)
        entries = [(0, kept.columns, 1), (0, placed.columns, size)]
        model.add_rows(self.name, 1, entries, lower=size)

    def reads(self, problem: Problem) -> Iterable[IntArray]:
        """Nothing: it counts pods wherever they are."""
        del problem
        return ()

    def check(self, state: FinalState) -> Iterator[Violation]:
        """Who leaves may leave, for somebody; who moves is elsewhere, and moves are counted."""
        moved = {placed.pod.key: placed.node.name for placed in state.placed}
        allowed = state.may_go if state.evicted else {}
        limit = state.allowance.moves_max
        moves = sum(key in moved for key in state.evicted)
        for key in sorted(state.evicted):
            pod = state.by_key.get(key)
            if pod is None:
                yield Violation(self.name, "/".join(key), "", "evicted, but not in the snapshot")
                continue
            how = allowed.get(key)
            problem = None
            if key in moved and (how is None or not how.movable):
                problem = "moved, but may not be"
            elif key in moved and moved[key] == pod.node:
                problem = "moved to the node where it is"
            elif key in moved and limit is not None and moves > limit:
                problem = f"one of {moves} moves, {limit} are allowed"
            elif key not in moved and (how is None or not how.preemptible):
                problem = "evicted, but may not be"
            elif key not in moved and not _has_cause(state, pod.spec.priority):
                problem = "evicted, but nobody of higher priority is placed who may preempt"
            if problem is not None:
                yield Violation(self.name, pod.full_name, pod.node or "", problem)


def _has_cause(state: FinalState, priority: int) -> bool:
    """Whether a pending pod is placed that preempts pods of the priority."""
    return any(
        placed.pod.spec.priority > priority
        and not placed.pod.spec.preemption_never
        and placed.pod.key not in state.evicted
        for placed in state.placed
    )
