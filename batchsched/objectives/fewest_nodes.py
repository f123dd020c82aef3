"""Packing, fewest nodes (FORMULATION.md §O4): as few nodes in use as can be.

A node is in use when it holds a pod that is neither a DaemonSet's nor static (owned by the Node):
what a node runs of its own accord keeps no node from being switched off.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from batchsched.feasibility.problem import Problem
from batchsched.objectives._charged_nodes import charged
from batchsched.plan.reading import seat
from batchsched.plan.state import FinalState
from batchsched.snapshot.pod import OwnerRef
from batchsched.solver.model import Model, Tier
from batchsched.solver.sums import BoolArray


def counts_as_use(owner: OwnerRef | None) -> bool:
    """Whether a pod of this owner keeps its node in use."""
    return owner is None or owner.kind not in {"DaemonSet", "Node"}


@dataclass(frozen=True, slots=True)
class FewestNodes:
    """One tier: a 0/1 column for each node that is idle and could be used."""

    name: str = "packing/fewest-nodes"

    def tiers(self, model: Model) -> Sequence[Tier]:
        """Charge each idle node that gets a pod."""
        problem = model.problem
        busy = _busy(problem)
        counted = [counts_as_use(c.pods[0].owner) for c in problem.classes]
        idle, used = charged(model, self.name, np.array(counted, dtype=np.bool_), ~busy)
        cost = np.full(len(idle), -1, dtype=np.int64)
        return [Tier(self.name, used, cost, constant=-int(busy.sum()), sign=-1, highest=0)]

    def reads(self, problem: Problem) -> Iterable[BoolArray]:
        """Whether the node is in use."""
        return [_busy(problem)]

    def score(self, state: FinalState) -> Mapping[str, int]:
        """Count the nodes in use."""
        used = {seat(pod) for pod in state.kept if counts_as_use(pod.owner)}
        used |= {placed.node.name for placed in state.placed if counts_as_use(placed.pod.owner)}
        return {self.name: len(used)}


def _busy(problem: Problem) -> BoolArray:
    """[N] the nodes that fixed pods keep in use."""
    owners, of = problem.fixed.owners
    using = np.array([counts_as_use(owner) for owner in owners], dtype=np.bool_)[of]
    busy = np.zeros(len(problem.nodes), dtype=np.bool_)
    busy[problem.fixed_node[using & (problem.fixed_node >= 0)]] = True
    return busy
