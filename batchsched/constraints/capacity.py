"""Capacity: what a node allows is not exceeded, in any resource and in pods.

Source: FORMULATION §C2; kube-scheduler's NodeResourcesFit. A pod that requests nothing of a
resource is not stopped by it, even where others have taken too much; the number of pods stops
everyone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from batchsched.feasibility.problem import Problem
from batchsched.plan.state import FinalState, Placed, Violation
from batchsched.solver.model import Cells, IntArray, Model
from batchsched.solver.sums import Entries, numbered


@dataclass(frozen=True, slots=True)
class Capacity:
    """Requests fit into what is allocatable."""

    name: str = "capacity"

    def post(self, model: Model) -> None:
        """One row for each node and resource, and one for its pods, where they can be short."""
        problem, cells = model.problem, model.counts
        upper = problem.upper[cells.classes, cells.nodes]
        for resource in range(len(problem.resources)):
            requests = problem.requests[:, resource]
            if (divisor := int(np.gcd.reduce(requests))) > 0:
                free = problem.free[:, resource] // divisor
                self._post(model, cells, (requests // divisor)[cells.classes], upper, free)
        self._post(model, cells, np.ones(len(cells), dtype=np.int64), upper, problem.slots)

    def _post(
        self, model: Model, cells: Cells, weights: IntArray, upper: IntArray, free: IntArray
    ) -> None:
        """``sum of weight * x <= free`` on each node that could be asked for more than is free."""
        # Bytes may add up to more than a float holds exactly: in doubt, the row is posted.
        most = np.bincount(cells.nodes, weights.astype(np.float64) * upper, len(free)) * (1 + 1e-9)
        count, row = numbered(most > free)
        rows = row[cells.nodes]
        chosen = (rows >= 0) & (weights > 0)
        if count:
            entries: list[Entries] = [(rows[chosen], cells.columns[chosen], weights[chosen])]
            model.add_rows(self.name, count, entries, upper=free[row >= 0])

    def reads(self, problem: Problem) -> Iterable[IntArray]:
        """Nothing: room is compared apart."""
        del problem
        return ()

    def check(self, state: FinalState) -> Iterator[Violation]:
        """On each node that receives pods, every resource that these request is enough for all."""
        for name, placed in state.receiving.items():
            everyone = state.on_node[name]
            allocatable = dict(everyone[0].node.allocatable)
            limit = allocatable.get("pods", 0)
            if len(everyone) > limit:
                message = f"{len(everyone)} pods, {limit} are allowed"
                yield Violation(self.name, placed[-1].pod.full_name, name, message)
            asked: dict[str, str] = {}
            for each in placed:
                for resource, amount in each.pod.spec.requests:
                    if amount > 0:
                        asked[resource] = each.pod.full_name
            used = _used(everyone)
            for resource in sorted(asked):
                have, want = allocatable.get(resource, 0), used.get(resource, 0)
                if want > have and resource != "pods":
                    message = f"{want} of {resource} requested, {have} allocatable"
                    yield Violation(self.name, asked[resource], name, message)


def _used(pods: Iterable[Placed]) -> dict[str, int]:
    """What pods hold together; a placed pod holds what its spec requests."""
    used: dict[str, int] = {}
    for placed in pods:
        for resource, amount in placed.pod.spec.requests if placed.new else placed.pod.requests:
            used[resource] = used.get(resource, 0) + amount
    return used
