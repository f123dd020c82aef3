"""The embedded cluster: nodes and pods in memory, bound and deleted as an API server does it.

There is the truth, which bindings and controllers change, and there is what watches have shown of
it so far, which is all that a scheduler sees. Without faults the two are the same.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from batchsched.cycle import Binding, PodKey
from batchsched.daemon.grouping import Grouping
from batchsched.daemon.ports import (
    Answer,
    BindWrite,
    Change,
    EvictWrite,
    NodeChange,
    NominateWrite,
    PodChange,
    Write,
)
from batchsched.sim.clock import VirtualClock
from batchsched.snapshot.groups import ranked
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot

START_DELAY_S = 2.0
"""From a binding to a running container: images are there, the kubelet is quick."""
GRACE_S = 1.0
"""From a deletion to the end of the pod."""
LOST_PODS_DELETED_AFTER_S = 5.0
"""How long pods on a node that is no more stay, until garbage collection deletes them."""

IN_FLIGHT_MAX = 4
"""Writes that are begun before the first of them has to be answered."""

Listener = Callable[[PodChange], None]


class SimCluster:
    """The cluster of a simulation; implements the port ``daemon.ports.Cluster``.

    Args:
        base: What does not change: volumes, claims, services, namespaces, budgets.
        grouping: Which pods belong together.
        clock: The time.
        watch_delay_s: Called for each change: how late the watch is with it.
    """

    def __init__(
        self,
        base: Snapshot,
        grouping: Grouping,
        clock: VirtualClock,
        watch_delay_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Start with the nodes of the base and no pod."""
        self.clock, self.grouping = clock, grouping
        self.nodes: dict[str, Node] = {node.name: node for node in base.nodes}
        self.pods: dict[PodKey, Pod] = {}
        self.listeners: list[Listener] = []
        self.bound: dict[str, str] = {}
        """Uid to node of every binding that was ever written."""
        self._base = base
        self._durations: dict[PodKey, float | None] = {}
        self._delay_s = watch_delay_s
        self._coming: list[tuple[float, Change]] = []
        self._shown: list[Change] = []
        self._seen_nodes = dict(self.nodes)
        self._seen_pods: dict[PodKey, Pod] = {}
        self._snapshot: Snapshot | None = None
        self._births = 0
        self._answers: list[Answer] = []

    # What a scheduler may do.

    def snapshot(self) -> Snapshot:
        """Give what the watches have shown so far."""
        self._deliver()
        if self._snapshot is None:
            pods = tuple(self._seen_pods[key] for key in sorted(self._seen_pods))
            groups, group_of = self.grouping.of_all(pods)
            self._snapshot = replace(
                self._base,
                nodes=tuple(self._seen_nodes[name] for name in sorted(self._seen_nodes)),
                pods=pods,
                groups=groups,
                group_of=group_of,
            )
        return self._snapshot

    def changes(self) -> Sequence[Change]:
        """Give what the watches showed since the last call."""
        self._deliver()
        shown, self._shown = self._shown, []
        return shown

    def free(self) -> int:
        """As the port says."""
        return IN_FLIGHT_MAX - len(self._answers)

    def begin(self, write: Write) -> None:
        """Carry a write out at once; its answer comes when it is asked for."""
        self._answers.append(Answer(write, self.carry_out(write)))

    def answers(self) -> Sequence[Answer]:
        """Give what was answered since the last call."""
        answers, self._answers = self._answers, []
        return answers

    def carry_out(self, write: Write) -> str | None:
        """Do what a write says, as the API server does; None if done, else why it was refused."""
        if isinstance(write, BindWrite):
            return self.bind(write.binding, dry_run=write.dry_run)
        if isinstance(write, NominateWrite):
            return self.nominate(write.pod, write.uid, write.node)
        if not (isinstance(write, EvictWrite) and write.dry_run):
            self.delete(write.pod, write.uid, write.message)
        return None

    def nominate(self, pod: PodKey, uid: str, node: str | None) -> str | None:
        """Say in a pod's status which node is kept for it."""
        found = self.pods.get(pod)
        if found is None or found.uid != uid:
            return f'404 Not Found: pods "{pod[1]}" not found'
        if found.nominated_node != node:
            self._put(found, replace(found, nominated_node=node))
        return None

    def bind(self, binding: Binding, *, dry_run: bool = False) -> str | None:
        """Write a binding; one that is written again, as its answer may have been lost, is done.

        The node's existence is not checked: the API server does not either.
        """
        pod = self.pods.get(binding.pod)
        if pod is None:
            return f'404 Not Found: pods "{binding.pod[1]}" not found'
        if (pod.uid, pod.node) == (binding.uid, binding.node):
            return None
        if refusal := _conflict(pod, binding.uid):
            return f"409 Conflict: {refusal}"
        if not dry_run:
            assert binding.uid not in self.bound, f"{pod.full_name} is bound twice"
            self.bound[binding.uid] = binding.node
            self._put(pod, replace(pod, node=binding.node, nominated_node=None))
            self.clock.after(START_DELAY_S, lambda: self._run(binding.pod, binding.uid))
            if binding.node not in self.nodes:
                self._delete_later(binding.pod, binding.uid, LOST_PODS_DELETED_AFTER_S)
        return None

    def delete(self, pod: PodKey, uid: str, reason: str) -> None:
        """Delete a pod, gone after its grace period; another pod of this name is left alone."""
        found = self.pods.get(pod)
        if found is not None and found.uid == uid and not found.deleting:
            self._put(found, replace(found, deleting=True))
            self._delete_later(pod, uid, GRACE_S)

    # What controllers and the outside do.

    def create(self, pod: Pod, duration_s: float | None = None) -> Pod:
        """Create a pod that succeeds so long after it started to run, None: never.

        It has the priority of its group, where that has its own.
        """
        assert pod.key not in self.pods, f"{pod.full_name} exists"
        self._births += 1
        made = replace(pod, uid=pod.uid or f"uid-{self._births:08}")
        made = ranked(made, self.grouping.of(made))
        self._durations[made.key] = duration_s
        self._put(None, made)
        return made

    def remove(self, key: PodKey) -> None:
        """Remove a pod object at once."""
        self._durations.pop(key, None)
        self._put(self.pods[key], None)

    def add_node(self, node: Node) -> None:
        """Add a node, or change it."""
        self._watch(NodeChange(self.nodes.get(node.name), node))
        self.nodes[node.name] = node

    def lose_node(self, name: str) -> None:
        """Take a node away; its pods are deleted a little later."""
        self._watch(NodeChange(self.nodes.pop(name), None))
        for key, pod in sorted(self.pods.items()):
            if pod.node == name:
                self._delete_later(key, pod.uid, LOST_PODS_DELETED_AFTER_S)

    def restart_watches(self) -> None:
        """Show everything at once: a new process lists before it watches, and awaits no answer."""
        self._answers.clear()
        self._deliver(everything=True)
        self._shown.clear()

    # Lifetimes.

    def _run(self, key: PodKey, uid: str) -> None:
        pod = self.pods.get(key)
        if pod is None or pod.uid != uid or pod.deleting or pod.node not in self.nodes:
            return
        started = datetime.fromtimestamp(self.clock.wall_s(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._put(pod, replace(pod, phase="Running", started=started))
        duration_s = self._durations.get(key)
        if duration_s is not None:
            self.clock.after(duration_s, lambda: self._succeed(key, uid))

    def _succeed(self, key: PodKey, uid: str) -> None:
        pod = self.pods.get(key)
        if pod is None or pod.uid != uid or pod.deleting:
            return
        self._put(pod, replace(pod, phase="Succeeded"))
        if pod.owner is None and key in self.pods:
            for over in self.grouping.over(pod):
                self.remove(over.key)

    def _delete_later(self, key: PodKey, uid: str, delay_s: float) -> None:
        def delete() -> None:
            pod = self.pods.get(key)
            if pod is not None and pod.uid == uid:
                self.remove(key)

        self.clock.after(delay_s, delete)

    # Watches.

    def _put(self, old: Pod | None, new: Pod | None) -> None:
        subject = new or old
        assert subject is not None
        if new is None:
            del self.pods[subject.key]
        else:
            self.pods[subject.key] = new
        self.grouping.note(old, new)
        change = PodChange(old, new, self.grouping.of(subject))
        self._watch(change)
        for listener in self.listeners:
            listener(change)

    def tell_again(self, alike: Iterable[PodKey]) -> None:
        """More was said of a gang: show its pods once more, of those on nodes one, as a watch does.

        Args:
            alike: Pods of one template: if one is in no gang, none is.
        """
        self.grouping.changed()
        held = False
        for pod in (self.pods[key] for key in sorted(alike) if key in self.pods):
            group = self.grouping.of(pod)
            if group is None:
                return
            if not pod.terminal and not (held and pod.node is not None):
                held = held or pod.node is not None
                self._watch(PodChange(pod, pod, group))

    def _watch(self, change: Change) -> None:
        last_s = self._coming[-1][0] if self._coming else 0.0
        self._coming.append((max(last_s, self.clock.now_s() + self._delay_s()), change))

    def next_watch_s(self) -> float | None:
        """When the watches show something next."""
        return self._coming[0][0] if self._coming else None

    def _deliver(self, *, everything: bool = False) -> None:
        now_s, arrived = self.clock.now_s(), 0
        for at_s, change in self._coming:
            if at_s > now_s and not everything:
                break
            arrived += 1
            self._show(change)
        if arrived:
            del self._coming[:arrived]
            self._snapshot = None

    def _show(self, change: Change) -> None:
        self._shown.append(change)
        if isinstance(change, NodeChange):
            if change.new is not None:
                self._seen_nodes[change.new.name] = change.new
            elif change.old is not None:
                del self._seen_nodes[change.old.name]
        elif change.new is not None:
            self._seen_pods[change.new.key] = change.new
        elif change.old is not None:
            del self._seen_pods[change.old.key]


def _conflict(pod: Pod, uid: str) -> str | None:
    """Why the API server would refuse to bind this pod now."""
    if pod.uid != uid:
        return f"the UID in the precondition ({uid}) does not match the UID in record ({pod.uid})"
    if pod.node is not None:
        return f'pod {pod.name} is already assigned to node "{pod.node}"'
    if pod.deleting:
        return f"pod {pod.name} is being deleted, cannot be assigned to a host"
    return f"pod {pod.name} has non-empty .spec.schedulingGates" if pod.spec.gated else None
