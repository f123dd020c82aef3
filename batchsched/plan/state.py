"""The final state: the cluster as it will be when a plan has been carried out.

Plain Python over pods, nodes and placements, on purpose: rules are checked here in another language
than the model's arrays. What several rules ask (who is on a node, how many of a kind are in a
domain) is indexed once, when it is first asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from batchsched.plan.census import Census
from batchsched.plan.storage import Storage
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

    ``pods`` holds everyone that has a place on a known node: pods that stay (terminating ones too,
    and pods outside the window nominated to a node), then the placed ones, each part sorted by key.
    """

    snapshot: Snapshot
    nodes: Mapping[str, Node]
    pods: tuple[Placed, ...]
    unplaced: tuple[Pod, ...]
    """Pending pods of the window that the plan leaves where they are."""
    evicted: frozenset[tuple[str, str]] = frozenset()
    """Keys of the running pods that the plan takes from their node; moved ones are placed again."""

    @cached_property
    def placed(self) -> tuple[Placed, ...]:
        """The pods that this plan places."""
        return tuple(p for p in self.pods if p.new)

    @cached_property
    def on_node(self) -> Mapping[str, tuple[Placed, ...]]:
        """Everyone on each node that holds somebody, by the node's name."""
        found: dict[str, list[Placed]] = {}
        for placed in self.pods:
            found.setdefault(placed.node.name, []).append(placed)
        return {name: tuple(pods) for name, pods in found.items()}

    @cached_property
    def receiving(self) -> Mapping[str, tuple[Placed, ...]]:
        """The placed pods of each node that receives some, nodes sorted by name."""
        found: dict[str, list[Placed]] = {}
        for placed in self.placed:
            found.setdefault(placed.node.name, []).append(placed)
        return {name: tuple(found[name]) for name in sorted(found)}

    @cached_property
    def by_key(self) -> Mapping[tuple[str, str], Pod]:
        """The snapshot's pods by namespace and name."""
        return {pod.key: pod for pod in self.snapshot.pods}

    @cached_property
    def census(self) -> Census:
        """Everyone counted by kind, node and domain."""
        return Census(self)

    @cached_property
    def storage(self) -> Storage:
        """The snapshot's claims and volumes by name."""
        return Storage(self.snapshot)
