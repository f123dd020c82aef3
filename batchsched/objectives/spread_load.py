"""Packing, spread (FORMULATION.md §O5): the load of no node high above that of the others.

The load of a node is its dominant share, in per mille: the largest, over cpu, memory and the
extended resources that the window asks for, of what is held there to what is allocatable, rounded
up. Full is full: what is held beyond that counts no more, so nothing here outgrows its integers.
Charged is what stands above a quarter, a half and three quarters, so that the charge grows
with the load as a square does, and stays linear.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batchsched.feasibility.problem import Problem
from batchsched.feasibility.resources import held, table
from batchsched.plan.reading import seat
from batchsched.plan.state import FinalState
from batchsched.snapshot.pod import Pod
from batchsched.solver.model import Model, Tier

IntArray = npt.NDArray[np.int64]
THRESHOLDS_PERMILLE = (250, 500, 750)
ALWAYS = ("cpu", "memory")
NOT_EXTENDED = (*ALWAYS, "ephemeral-storage", "pods")


def _weighed(pods: Iterable[Pod]) -> list[str]:
    """The resources that make the load, sorted."""
    asked = {name for pod in pods for name, _ in pod.spec.requests}
    extended = {n for n in asked if n not in NOT_EXTENDED and not n.startswith("hugepages-")}
    return sorted({*ALWAYS, *extended})


@dataclass(frozen=True, slots=True)
class SpreadLoad:
    """One tier: for each node and threshold, an integer column for what stands above it."""

    name: str = "packing/spread"

    def tiers(self, model: Model) -> Sequence[Tier]:
        """Bound each excess from below by each resource's share; the tier pays for it."""
        problem = model.problem
        resources = _weighed(problem.window_pods)
        size, used = _size_and_held(problem, resources)
        asks = _asks(problem, resources)
        most = _share(size, size)
        nodes = np.unique(model.counts.nodes)
        idle = np.setdiff1d(np.arange(len(problem.nodes)), nodes)
        columns = []
        for threshold in THRESHOLDS_PERMILLE:
            excess = model.add_columns(self.name, np.maximum(most[nodes] - threshold, 0))
            columns.append(excess)
            for r in range(len(resources)):
                self._bound(model, nodes, excess, (size[:, r], used[:, r], asks[:, r]), threshold)
        constant = -sum(_charge(share) for share in _share(used[idle], size[idle]).tolist())
        cost = np.full(3 * len(nodes), -1, dtype=np.int64)
        return [
            Tier(self.name, np.concatenate(columns), cost, constant=constant, sign=-1, highest=0)
        ]

    def _bound(
        self,
        model: Model,
        nodes: IntArray,
        excess: IntArray,
        resource: tuple[IntArray, IntArray, IntArray],
        threshold: int,
    ) -> None:
        """Rows ``1000 (held + asked) <= allocatable (threshold + excess)`` where there is any."""
        (size, used, asks), counts = resource, model.counts
        has = np.flatnonzero(size[nodes] > 0)
        if not len(has):
            return
        at = nodes[has]
        row_of = np.full(len(size), -1, dtype=np.int64)
        row_of[at] = np.arange(len(has))
        inside = (row_of[counts.nodes] >= 0) & (asks[counts.classes] > 0)
        entries = [
            (
                row_of[counts.nodes[inside]],
                counts.columns[inside],
                1000 * asks[counts.classes[inside]],
            ),
            (np.arange(len(has)), excess[has], -size[at]),
        ]
        model.add_rows(self.name, len(has), entries, upper=size[at] * threshold - 1000 * used[at])

    def score(self, state: FinalState) -> Mapping[str, int]:
        """Add up, node by node, what stands above the thresholds."""
        resources = _weighed(state.window_pods)
        used: dict[tuple[str, str], int] = {}
        everyone = [(seat(pod), pod.requests) for pod in state.kept]
        everyone += [(placed.node.name, placed.pod.spec.requests) for placed in state.placed]
        for node, requests in everyone:
            for name, amount in requests:
                used[node, name] = used.get((node, name), 0) + amount
        total = 0
        for each in state.nodes.values():
            sizes = dict(each.allocatable)
            shares = (
                -(-1000 * min(used.get((each.name, name), 0), sizes[name]) // sizes[name])
                for name in resources
                if sizes.get(name, 0) > 0
            )
            total += _charge(max(shares, default=0))
        return {self.name: total}


def _charge(share: int) -> int:
    return sum(max(0, share - threshold) for threshold in THRESHOLDS_PERMILLE)


def _share(used: IntArray, size: IntArray) -> IntArray:
    """[N] the dominant share in per mille, rounded up; 0 where nothing is allocatable."""
    share = np.where(size > 0, -(-1000 * used // np.maximum(size, 1)), 0)
    return np.asarray(share.max(axis=1, initial=0), dtype=np.int64)


def _size_and_held(problem: Problem, resources: list[str]) -> tuple[IntArray, IntArray]:
    """[N, R] what is allocatable, and what fixed pods hold of it, at most all."""
    size = table([node.allocatable for node in problem.nodes], resources)
    used = held(problem.fixed, problem.fixed_node, resources, len(problem.nodes))
    return size, np.minimum(used, size)


def _asks(problem: Problem, resources: list[str]) -> IntArray:
    """[C, R] what one pod of each class asks for."""
    return table([pods.spec.requests for pods in problem.classes], resources)
