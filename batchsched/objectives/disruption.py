"""Disruption (FORMULATION.md §O2): fewest budgets violated, then fewest running pods terminated.

Nothing may be evicted or moved yet, so the tier is met before it is solved; it stands in the plan
so that readers find it where it will be.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from batchsched.feasibility.problem import Problem
from batchsched.plan.state import FinalState
from batchsched.solver.model import IntArray, Model, Tier


@dataclass(frozen=True, slots=True)
class Disruption:
    """One tier, always met while every running pod stays."""

    name: str = "disruption"

    def tiers(self, model: Model) -> Sequence[Tier]:
        """No column is charged: no running pod can go."""
        del model
        none = np.zeros(0, dtype=np.int64)
        return [Tier(self.name, none, none, sign=-1, highest=0)]

    def reads(self, problem: Problem) -> Iterable[IntArray]:
        """Nothing: it is not about pods to place."""
        del problem
        return ()

    def score(self, state: FinalState) -> Mapping[str, int]:
        """Nobody is terminated."""
        del state
        return {self.name: 0}
