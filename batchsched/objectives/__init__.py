"""Objectives: what is better, one a file: ``tiers`` for the model, ``score`` for the checker.

Objectives are lexicographic: each tier is optimised, then held at its value.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from batchsched.plan.state import FinalState
from batchsched.solver.model import Model, Tier


class Objective(Protocol):
    """One or several tiers. Frozen, so that a profile can name it with its parameters."""

    @property
    def name(self) -> str:
        """The name in profiles and plans."""
        ...

    def tiers(self, model: Model) -> Sequence[Tier]:
        """Say it to the model: columns and rows where needed, then the tiers, highest first."""
        ...

    def score(self, state: FinalState) -> Mapping[str, int]:
        """Say it again: tier name to the value that a plan's file shows."""
        ...
