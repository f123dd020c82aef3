"""Assignment: a pod is placed at most once, and only a pending pod is placed at all.

Source: FORMULATION §C1. The model counts pods of a class, so there a class is not placed more often
than it has pods.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from batchsched.feasibility.problem import Problem
from batchsched.plan.state import FinalState, Violation, among
from batchsched.snapshot.pod import Pod
from batchsched.solver.model import IntArray, Model
from batchsched.solver.sums import numbered


@dataclass(frozen=True, slots=True)
class Assignment:
    """Each pending pod goes to one node or to none."""

    name: str = "assignment"

    def post(self, model: Model) -> None:
        """``sum of x[c, n] <= size[c]`` for each class whose nodes hold more than its pods."""
        problem = model.problem
        room = problem.upper.sum(axis=1, dtype=np.int64)
        chosen = room > problem.class_size
        count, row = numbered(chosen)
        if not count:
            return
        cells = model.cells(chosen)
        model.add_rows(
            self.name,
            count,
            [(row[cells.classes], cells.columns, 1)],
            upper=problem.class_size[chosen],
        )

    def reads(self, problem: Problem) -> Iterable[IntArray]:
        """Nothing: it counts pods wherever they are."""
        del problem
        return ()

    def check(self, state: FinalState) -> Iterator[Violation]:
        """Every placed pod is pending in the snapshot, and has one place."""
        keys = {placed.pod.key for placed in state.placed}
        snapshot_pods = among(state.snapshot.pods, keys)
        seen = set(among(state.kept, keys))
        left = {pod.key for pod in state.unplaced}
        for placed in state.placed:
            key, known = placed.pod.key, snapshot_pods.get(placed.pod.key)
            problem = None
            if key in seen:
                problem = "the pod has a place already"
            elif key in left:
                problem = "the pod is both placed and left unplaced"
            elif known is None or known.uid != placed.pod.uid:
                problem = "the snapshot holds no such pod"
            elif not _waits(known) and key not in state.evicted:
                problem = "the pod is not pending"
            seen.add(key)
            if problem is not None:
                yield Violation(self.name, placed.pod.full_name, placed.node.name, problem)


def _waits(pod: Pod) -> bool:
    """Whether a pod may be placed: not bound, not ended, not gated, not on its way out."""
    ready = not (pod.spec.gated or pod.deleting)
    return pod.node is None and pod.phase in ("Pending", "") and ready
