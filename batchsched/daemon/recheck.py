"""The re-check: may this still be bound, on the newest state that we know? Pure.

The whole plan was verified on the snapshot it was made from; that is `plan.verify`. Between then
and the write the cluster moves, and the API server checks neither room nor nodes. So each unit (a
pod, or a gang) is held against the newest snapshot once more, by simple means: pods, nodes, room.
"""

from collections import Counter
from collections.abc import Iterable

from batchsched.cycle import Binding
from batchsched.daemon.ports import Change, NodeChange
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot, holding


def moves_room(change: Change) -> bool:
    """Whether a change makes what is known of the room out of date."""
    if isinstance(change, NodeChange) or change.old is None or change.new is None:
        return True
    old, new = change.old, change.new
    fields = ("node", "uid", "requests", "deleting", "terminal")
    return any(getattr(old, name) != getattr(new, name) for name in fields)


class Room:
    """What is free on every node; built once for a plan, kept up while it is bound."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Take the room that pods hold out of what nodes have."""
        self.snapshot = snapshot
        self.nodes = {node.name: node for node in snapshot.nodes}
        self.pods = {pod.key: pod for pod in snapshot.pods}
        self.used: dict[str, Counter[str]] = {}
        for pod in holding(snapshot):
            assert pod.node is not None
            self.take(pod, pod.node)

    def take(self, pod: Pod, node: str) -> None:
        """Give a pod its room."""
        used = self.used.setdefault(node, Counter())
        used.update(dict(pod.requests))
        used["pods"] += 1

    def refusals(self, unit: Iterable[Binding]) -> list[tuple[Binding, str]]:
        """Say which bindings of a unit may not be written any more, and why."""
        found: list[tuple[Binding, str]] = []
        asked: dict[str, Counter[str]] = {}
        for binding in unit:
            pod, node = self.pods.get(binding.pod), self.nodes.get(binding.node)
            if pod is None or pod.uid != binding.uid or pod.node is not None or pod.deleting:
                found.append((binding, "the pod does not wait for a node any more"))
            elif node is None:
                found.append((binding, f"node {binding.node} is gone"))
            else:
                wants = asked.setdefault(node.name, Counter())
                wants.update(dict(pod.spec.requests))
                wants["pods"] += 1
                if (short := self._short(node, wants)) is not None:
                    found.append((binding, f"node {node.name} has not enough {short} any more"))
        return found

    def _short(self, node: Node, wants: Counter[str]) -> str | None:
        """Name a resource that a node lacks for what a unit asks of it."""
        allocatable, used = dict(node.allocatable), self.used.get(node.name, Counter())
        for resource, amount in sorted(wants.items()):
            if amount and used[resource] + amount > allocatable.get(resource, 0):
                return resource
        return None
