"""What is kept for others, read once more and as plainly as possible (§C15)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from batchsched.snapshot.durations import seconds
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.reservation import Reservation
from tests.oracles.cluster import Cluster

SERVICES = {"DaemonSet", "Node", "ReplicaSet", "ReplicationController", "StatefulSet"}
STARTS_AFTER_S = 5


def takes(pod: Pod) -> float | None:
    """How long the pod says that it runs at most."""
    said = dict(pod.annotations).get("batchsched.io/expected-duration")
    known = [float(pod.spec.deadline_s)] if pod.spec.deadline_s is not None else []
    return min([*known, seconds(said)] if said is not None else known, default=None)


def held_back(pod: Pod, made: Reservation) -> bool:
    """Whether a pod that comes now is to keep off what is kept."""
    if pod.key in made.pods or pod.spec.priority > made.priority:
        return False
    length = takes(pod)
    if length is None or made.until_s is None:
        return True
    return made.at_s + STARTS_AFTER_S + length > made.until_s


def runs_on(pod: Pod, made: Reservation) -> bool:
    """Whether a pod that is there has to be reckoned with at that time."""
    length = takes(pod)
    if made.until_s is None:
        service = pod.owner is not None and pod.owner.kind in SERVICES
        return service and length is None and not pod.deleting
    if pod.deleting:
        return made.at_s > made.until_s
    if length is None:
        return True
    since = datetime.fromisoformat(pod.started).timestamp() if pod.started else made.at_s
    return max(made.at_s, since + length) > made.until_s


def left(cluster: Cluster, node: Node, made: Reservation) -> dict[str, int]:
    """What others may have of a node on which room is kept, for good."""
    found = dict(node.allocatable)
    for resource, amount in dict(made.nodes)[node.name]:
        found[resource] = found.get(resource, 0) - amount
    for stand in cluster.fixed:
        if stand.node is node and stand.pod.key not in made.pods and runs_on(stand.pod, made):
            for resource, amount in {**stand.requests, "pods": 1}.items():
                found[resource] = found.get(resource, 0) - amount
    return {resource: max(0, amount) for resource, amount in found.items()}


def in_numbers(cluster: Cluster, pods: Sequence[Pod], unit: Mapping[str, int]) -> dict[str, Any]:
    """The same as data for MiniZinc: nodes and pods count from 1, amounts in units."""
    made = cluster.snapshot.reservation
    names = {name for name, _ in made.nodes} if made is not None else set()
    there = [n for n, node in enumerate(cluster.snapshot.nodes) if node.name in names]
    rooms = [left(cluster, cluster.snapshot.nodes[n], made) for n in there if made is not None]
    late = [made is not None and held_back(pod, made) for pod in pods]
    return {
        "kepts": len(there),
        "kept_node": [n + 1 for n in there],
        "kept_room": [room.get(r, 0) // each for room in rooms for r, each in unit.items()],
        "kept_slots": [room.get("pods", 0) for room in rooms],
        "late": {i for i, is_late in enumerate(late, start=1) if is_late},
    }
