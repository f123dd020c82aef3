"""The allowance: what a plan may do to pods that run. Nothing, unless somebody says so.

Both halves of the project read it, the model and the verifier; each decides by itself who may go.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allowance:
    """What may be done to running pods."""

    preemption: bool = False
    """Whether pods may be evicted for pods of higher priority."""
    moves_max: int | None = 0
    """How many pods may be moved to another node; ``None`` is any number."""
    draining: bool = False
    """Whether they may move though nothing is pending, so that their nodes are empty."""

    def __bool__(self) -> bool:
        """Whether anything is allowed at all."""
        return self.preemption or self.moves_max != 0


NOTHING = Allowance()
