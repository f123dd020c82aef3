"""The final state: the cluster as it will be when a plan has been carried out.

Plain Python over pods, nodes and placements, on purpose: rules are checked here in another language than
the model's arrays.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule broken: which, by whom, where, and how."""

    rule: str
    pod: str
    node: str
    message: str


@dataclass(frozen=True, slots=True)
class Placed:
    """A pod on a node in the final state; ``new`` if this plan puts it there."""

    pod: Pod
    node: Node
    new: bool


@dataclass(frozen=True, eq=False)
class FinalState:
    """The final state of a plan.

    ``pods`` holds everyone that has a place on a known node: pods that stay (terminating ones too, and
    pods of other schedulers nominated to a node), then the placed ones, each part sorted by key.
    """

    snapshot: Snapshot
    nodes: Mapping[str, Node]
    pods: tuple[Placed, ...]
    unplaced: tuple[Pod, ...]
    """Pending pods of the window that the plan leaves where they are."""

    @property
    def placed(self) -> tuple[Placed, ...]:
        """The pods that this plan places."""
        return tuple(p for p in self.pods if p.new)
