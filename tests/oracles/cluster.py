"""The cluster as the oracles see it: who is fixed, who is to be decided, and on which nodes.

Follows models/placement/FORMULATION.md, sections 1 and C13.
"""

from dataclasses import dataclass, field
from functools import cached_property

from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.node import Node, Taint
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot, Window, pending
from tests.oracles.reading import kept_off, terms_hold, tolerates, wants_node
from tests.oracles.storage import Storage

Key = tuple[str, str]
Places = dict[Key, str]
PART_MARKS = (
    "volcano.sh/task-spec",
    "yunikorn.apache.org/task-group-name",
    "kai.scheduler/subgroup-name",
)
CORDON = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")


@dataclass(frozen=True, eq=False)
class Stand:
    """A pod on a node of the final state (``None``: on a node that nobody knows)."""

    pod: Pod
    node: Node | None
    new: bool

    def domain(self, key: str) -> str | None:
        """The value of a node label where the pod stands."""
        return None if self.node is None else dict(self.node.labels).get(key)

    @property
    def requests(self) -> dict[str, int]:
        """What the pod takes: what it asks for, or what it holds where it runs."""
        return dict(self.pod.spec.requests if self.new else self.pod.requests)


def part_of(pod: Pod) -> str | None:
    """The part of its gang that a pod says it is in."""
    said = dict(pod.annotations) | dict(pod.labels)
    return next((said[mark] for mark in PART_MARKS if mark in said), None)


def has_minimums(group: PodGroup, members: list[Pod]) -> bool:
    """Whether these are enough of a group, and of each part of it."""
    of = [part_of(pod) for pod in members]
    return len(of) >= group.min_count and all(of.count(p) >= least for p, least in group.parts)


@dataclass(frozen=True, eq=False)
class Group:
    """A pod group: its members to decide on, and those that run."""

    needs: tuple[tuple[int, tuple[Key, ...]], ...]
    """How many of which members must be placed if one is: of all, and of each part."""
    required: str | None
    preferred: str | None
    members: tuple[Key, ...]
    running: tuple[Stand, ...]


@dataclass(frozen=True, eq=False)
class Cluster:
    """One problem, read anew."""

    snapshot: Snapshot
    window: Window = field(default=Window())

    @classmethod
    def of(cls, snapshot: Snapshot) -> "Cluster":
        """The problem of deciding on everything that is pending."""
        return cls(snapshot, pending(snapshot))

    @cached_property
    def nodes(self) -> dict[str, Node]:
        return {node.name: node for node in self.snapshot.nodes}

    @cached_property
    def storage(self) -> Storage:
        return Storage(self.snapshot)

    @cached_property
    def fixed(self) -> tuple[Stand, ...]:
        """Bound pods that did not end, and unbound ones outside the window with a nomination."""
        waiting = {pod.key for pod in self.window.pods}
        found = []
        for pod in self.snapshot.pods:
            if pod.phase in {"Succeeded", "Failed"} or pod.key in waiting:
                continue
            if pod.node is not None:
                found.append(Stand(pod, self.nodes.get(pod.node), new=False))
            elif pod.nominated_node and not pod.deleting and not pod.spec.gated:
                found.append(Stand(pod, self.nodes.get(pod.nominated_node), new=False))
        return tuple(found)

    @cached_property
    def group_index(self) -> dict[Key, int]:
        return dict(self.snapshot.group_of)

    @cached_property
    def pods(self) -> tuple[Pod, ...]:
        """The pods to decide on: the window without those set aside."""
        return tuple(pod for pod in self.window.pods if not self.set_aside(pod))

    def set_aside(self, pod: Pod) -> bool:
        """Whether no final state can hold the pod, whatever the room."""
        index = self.group_index.get(pod.key)
        if index is not None:
            for each in self.union(index):
                needs = self.needs(each, list(self.window.pods))
                if self.snapshot.groups[each].problem or any(n > len(who) for n, who in needs):
                    return True
        return self.storage.hopeless(pod) or any(
            claim is None or not claim.allocated or claim.deleting for claim in self.devices(pod)
        )

    def union(self, index: int) -> list[int]:
        """The groups that start together with a group, itself among them."""
        keys = {self.snapshot.groups[index].key, *self.snapshot.groups[index].union}
        return [i for i, group in enumerate(self.snapshot.groups) if group.key in keys]

    def needs(self, index: int, pods: list[Pod]) -> tuple[tuple[int, tuple[Key, ...]], ...]:
        """How many of which of these pods a group needs beside its members that run."""
        group, running = self.snapshot.groups[index], [s.pod for s in self.running(index)]
        pods = [p for p in pods if self.group_index.get(p.key) == index]
        found = [(group.min_count - len(running), tuple(p.key for p in pods))]
        for part, least in group.parts:
            there = sum(part_of(pod) == part for pod in running)
            found.append((least - there, tuple(p.key for p in pods if part_of(p) == part)))
        return tuple((max(0, need), who) for need, who in found)

    def running(self, index: int) -> tuple[Stand, ...]:
        """The members of a group that are bound and will stay."""
        return tuple(
            stand
            for stand in self.fixed
            if self.group_index.get(stand.pod.key) == index
            and stand.pod.node is not None
            and not stand.pod.deleting
        )

    def devices(self, pod: Pod) -> list:  # type: ignore[type-arg]
        """The device claims of a pod; ``None`` for one that does not exist."""
        by_key = {(c.namespace, c.name): c for c in self.snapshot.resource_claims}
        generated = dict(pod.claim_names)
        found = []
        for name, claim, _template in pod.spec.resource_claims:
            if claim is None and name in generated and generated[name] is None:
                continue  # the controller found that none is needed
            found.append(by_key.get((pod.namespace, claim or generated.get(name) or "")))
        return found

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The groups that have members to decide on."""
        found = [self.group(index) for index in range(len(self.snapshot.groups))]
        return tuple(group for group in found if group.members)

    def group(self, index: int) -> Group:
        """A group, with its members to decide on."""
        group, pods = self.snapshot.groups[index], list(self.pods)
        needs = tuple(need for each in self.union(index) for need in self.needs(each, pods))
        members = tuple(p.key for p in pods if self.group_index.get(p.key) == index)
        required, preferred = group.required_topology, group.preferred_topology
        return Group(needs, required, preferred, members, self.running(index))

    def minimums(self, index: int) -> tuple[tuple[int, tuple[Key, ...], tuple[Key, ...]], ...]:
        """What a group and its parts need: how many, of whom that wait and whom that run."""
        group = self.snapshot.groups[index]
        waiting = [p for p in self.pods if self.group_index.get(p.key) == index]
        running = [stand.pod for stand in self.running(index)]
        found = [(group.min_count, waiting, running)]
        for part, least in group.parts:
            own = [[p for p in pods if part_of(p) == part] for pods in (waiting, running)]
            found.append((least, own[0], own[1]))
        return tuple((n, tuple(p.key for p in a), tuple(p.key for p in b)) for n, a, b in found)

    @cached_property
    def allowed(self) -> dict[Key, tuple[str, ...]]:
        """For each pod the nodes that the rules of nodes (§C13) leave it."""
        return {
            pod.key: tuple(
                node.name
                for node in self.snapshot.nodes
                if self.admits(pod, node) and self._attaches(pod, node)
            )
            for pod in self.pods
        }

    def admits(self, pod: Pod, node: Node) -> bool:
        """Whether the node has what the pod asks for, whoever else is there."""
        labels = dict(node.labels)
        keys = [t.topology_key for t in pod.spec.affinity]
        keys += [s.topology_key for s in pod.spec.spread if s.hard]
        index = self.group_index.get(pod.key)
        if index is not None and (required := self.snapshot.groups[index].required_topology):
            keys.append(required)
        if index is not None and (sliced := self.snapshot.groups[index].slice_topology):
            keys.append(sliced)
        drivers = {driver for driver, _ in self.storage.attached(pod, node)}
        return (
            (not node.unschedulable or tolerates(pod, CORDON))
            and pod.spec.node_name in {"", node.name}
            and not kept_off(pod, node)
            and wants_node(pod, node)
            and all(key in labels for key in keys)
            and self.storage.reaches(pod, node)
            and set(pod.spec.features) <= set(node.features)
            and all(terms_hold(claim.node_selector, node) for claim in self.devices(pod))
            and not any(self.storage.driver_missing(node, driver) for driver in drivers)
        )

    def _attaches(self, pod: Pod, node: Node) -> bool:
        """Whether kube-scheduler's count of volumes lets the pod in as the node is now (§C11)."""
        running = [stand.pod for stand in self.fixed if stand.node is node]
        used = {volume for other in running for volume in self.storage.attached(other, node)}
        there, new = used | self.storage.attachments(node), self.storage.attached(pod, node) - used
        for driver in {driver for driver, _ in new}:
            limit = self.storage.limit(node, driver)
            total = [d for d, _ in (*there, *new)].count(driver)
            if limit is not None and total > limit:
                return False
        return True

    def final(self, places: Places) -> tuple[Stand, ...]:
        """The final state of a plan."""
        return self.fixed + tuple(
            Stand(pod, self.nodes[places[pod.key]], new=True)
            for pod in self.window.pods
            if pod.key in places
        )
