"""Constraints: the hard rules, one a file, each said twice.

``post`` says a rule to the model as linear rows; ``check`` says it again in plain Python over the
final state. The two must agree on every placement; ``batchsched.testing.verify_constraint`` proves
it.
"""

import importlib
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


def default_constraints() -> tuple[Constraint, ...]:
    """Every rule of this package, in the order of the formulation (C1 to C16).

    Imported when called: whoever only names the protocol needs none of them.
    """
    return tuple(
        getattr(importlib.import_module(f"{__name__}.{module}"), rule)()
        for module, rule in _DEFAULT
    )


_DEFAULT = (
    ("assignment", "Assignment"),
    ("capacity", "Capacity"),
    ("ports", "Ports"),
    ("disks", "Disks"),
    ("anti_affinity", "AntiAffinity"),
    ("affinity", "Affinity"),
    ("spread", "Spread"),
    ("gang", "Gang"),
    ("gang_topology", "GangTopology"),
    ("exclusive_claims", "ExclusiveClaims"),
    ("volume_limits", "VolumeLimits"),
    ("volume_binding", "VolumeBinding"),
    ("node_rules", "NodeRules"),
    ("evictions", "Evictions"),
    ("reservation", "Reservation"),
    ("gang_slices", "GangSlices"),
)
