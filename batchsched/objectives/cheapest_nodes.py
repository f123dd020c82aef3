"""Packing, cheapest nodes (FORMULATION.md §O4): the nodes that get pods cost as little as can be.

A node's price is that of its value of one label, so a profile can say what instance types cost, and
`what-if --fit-all` what shapes do; a node whose value has no price, or without the label, costs
nothing. What runs already was paid for: only a node that held nobody and gets somebody is charged.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from batchsched.feasibility.problem import Problem
from batchsched.objectives._charged_nodes import chargeable, charged
from batchsched.plan.state import FinalState
from batchsched.snapshot.node import Node
from batchsched.snapshot.snapshot import holding
from batchsched.solver.model import IntArray, Model, Tier

INSTANCE_TYPE = "node.kubernetes.io/instance-type"


@dataclass(frozen=True)
class CheapestNodes:
    """One tier: a 0/1 column for each node with a price on which nobody runs.

    Attributes:
        prices: Of each value of the label, in whole units of whatever money.
        label: Which label tells what a node costs.
    """

    prices: Mapping[str, int] = field(default_factory=dict)
    label: str = INSTANCE_TYPE
    name: str = "packing/cheapest-nodes"

    def tiers(self, model: Model) -> Sequence[Tier]:
        """Charge each such node that gets a pod, by its price."""
        price = self._price(model.problem)
        everybody = np.ones(len(model.problem.classes), dtype=np.bool_)
        nodes, used = charged(model, self.name, everybody, price > 0)
        return [Tier(self.name, used, -price[nodes], sign=-1, highest=0)]

    def charged_nodes(self, model: Model) -> IntArray:
        """The node of each column of the tier."""
        everybody = np.ones(len(model.problem.classes), dtype=np.bool_)
        return chargeable(model, everybody, self._price(model.problem) > 0)

    def reads(self, problem: Problem) -> Iterable[IntArray]:
        """What the node would cost."""
        return [self._price(problem)]

    def score(self, state: FinalState) -> Mapping[str, int]:
        """Add up the prices of nodes that hold new pods alone."""
        taken = {pod.node for pod in holding(state.snapshot)}
        opened = {p.node.name: p.node for p in state.placed if p.node.name not in taken}
        return {self.name: sum(self._price_of(node) for node in opened.values())}

    def _price(self, problem: Problem) -> IntArray:
        """[N] what a node costs when it gets a pod: nothing where somebody runs."""
        price = np.array([self._price_of(node) for node in problem.nodes], dtype=np.int64)
        taken = {pod.node for pod in holding(problem.snapshot)}
        price[[node.name in taken for node in problem.nodes]] = 0
        return price

    def _price_of(self, node: Node) -> int:
        return self.prices.get(dict(node.labels).get(self.label, ""), 0)
