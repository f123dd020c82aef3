"""Constraints: the hard rules, one a file, each said twice.

``post`` says a rule to the model as linear rows; ``check`` says it again in plain Python over the final
state. The two must agree on every placement; ``batchsched.testing.verify_constraint`` proves it.
"""

from collections.abc import Iterator
from typing import Protocol

from batchsched.plan.state import FinalState, Violation
from batchsched.solver.model import Model


class Constraint(Protocol):
    """A hard rule. Frozen, so that a profile can name it with its parameters."""

    @property
    def name(self) -> str:
        """The name in profiles, metrics and explanations."""
        ...

    def post(self, model: Model) -> None:
        """Say the rule to the model; nothing to add where no class or pod is concerned."""
        ...

    def check(self, state: FinalState) -> Iterator[Violation]:
        """Say the rule again: yield each way in which the final state breaks it."""
        ...
