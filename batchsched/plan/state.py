"""The final state: the cluster as it will be when a plan has been carried out.

Plain Python over pods, nodes and placements, on purpose: rules are checked here in another language
than the model's arrays. What several rules ask (who is on a node, how many of a kind are in a
domain) is indexed once, when it is first asked for.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from batchsched.plan.census import Census
from batchsched.plan.leaving import Way, may_go
from batchsched.plan.reading import runs, seat
from batchsched.plan.storage import Storage
from batchsched.snapshot.allowance import NOTHING, Allowance
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot

Key = tuple[str, str]
"""(namespace, name) of a pod."""


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


def among(pods: Iterable[Pod], keys: Collection[Key]) -> dict[Key, Pod]:
    """The pods of these keys. Names are looked at first: that makes no tuple for each pod."""
    names = {name for _, name in keys}
    return {pod.key: pod for pod in pods if pod.name in names and pod.key in keys}


@dataclass(frozen=True, eq=False)
class FinalState:
    """The final state of a plan.

    Of a large cluster most pods stay where they are and concern no rule: they are in ``kept`` as
    they are in the snapshot, and what is made of them is made when it is asked for.
    """

    snapshot: Snapshot
    nodes: Mapping[str, Node]
    kept: tuple[Pod, ...]
    """Pods that stay on a known node, terminating ones too, and pods outside the window that are
    nominated to one; sorted by key."""
    placed: tuple[Placed, ...]
    """The pods that this plan places, sorted by key."""
    unplaced: tuple[Pod, ...]
    """Pending pods of the window that the plan leaves where they are."""
    evicted: frozenset[Key] = frozenset()
    """Keys of the running pods that the plan takes from their node; moved ones are placed again."""
    allowance: Allowance = NOTHING
    """What the plan may do to running pods."""

    @cached_property
    def pods(self) -> tuple[Placed, ...]:
        """Everyone that has a place, those that stay first. Dear: one object each."""
        return (*self.stay(self.kept), *self.placed)

    def stay(self, pods: Iterable[Pod]) -> Iterator[Placed]:
        """Some of the pods that stay, with their nodes."""
        return (Placed(pod, self.nodes[seat(pod)], new=False) for pod in pods)

    @cached_property
    def window_pods(self) -> tuple[Pod, ...]:
        """The pods that were asked about, by key: without moved ones, which are placed too."""
        asked = [p.pod for p in self.placed if p.pod.key not in self.evicted]
        return tuple(sorted([*asked, *self.unplaced], key=lambda pod: pod.key))

    @cached_property
    def on_node(self) -> Mapping[str, tuple[Placed, ...]]:
        """Everyone on each node that receives some pod, by the node's name."""
        found: dict[str, list[Placed]] = {name: [] for name in self.receiving}
        for staying in self.stay([pod for pod in self.kept if (pod.node or seat(pod)) in found]):
            found[staying.node.name].append(staying)
        return {name: (*pods, *self.receiving[name]) for name, pods in found.items()}

    @cached_property
    def running_members(self) -> Mapping[int, tuple[Pod, ...]]:
        """Of each pod group of which some pod is pending, or of its union: who runs and stays."""
        group_of = self.group_of
        pending = [*self.unplaced, *(placed.pod for placed in self.placed)] if group_of else ()
        found = {group_of[pod.key]: list[Pod]() for pod in pending if pod.key in group_of}
        tied = {key for group in found for key in self.snapshot.groups[group].union}
        for group, about in enumerate(self.snapshot.groups) if tied else ():
            if about.key in tied:
                found.setdefault(group, [])
        for key, pod in among(self.snapshot.pods, group_of).items() if found else ():
            if group_of[key] in found and runs(pod) and key not in self.evicted:
                found[group_of[key]].append(pod)
        return {group: tuple(pods) for group, pods in found.items()}

    @cached_property
    def group_of(self) -> Mapping[Key, int]:
        """The pod group of each pod that has one, as index into the snapshot's."""
        return dict(self.snapshot.group_of)

    @cached_property
    def receiving(self) -> Mapping[str, tuple[Placed, ...]]:
        """The placed pods of each node that receives some, nodes sorted by name."""
        found: dict[str, list[Placed]] = {}
        for placed in self.placed:
            found.setdefault(placed.node.name, []).append(placed)
        return {name: tuple(found[name]) for name in sorted(found)}

    @cached_property
    def may_go(self) -> Mapping[Key, Way]:
        """The running pods that the plan may take from their node, and how."""
        return may_go(self)

    @cached_property
    def by_key(self) -> Mapping[Key, Pod]:
        """The snapshot's pods by namespace and name. Dear in large clusters: see ``among``."""
        return {pod.key: pod for pod in self.snapshot.pods}

    @cached_property
    def census(self) -> Census:
        """Everyone counted by kind, node and domain."""
        return Census(self)

    @cached_property
    def storage(self) -> Storage:
        """The snapshot's claims and volumes by name."""
        return Storage(self.snapshot)
