"""Which pods fit on their node when its kubelet looks: the last check of all, in order of arrival.

A scheduler that trusts an old view of the cluster is found out here: the pod fails with the reason
``OutOfcpu`` and is never started. Written apart from the arithmetic of batchsched, on purpose.
"""

from collections import defaultdict
from typing import NamedTuple

from batchsched.snapshot.quantities import amount, nano
from tests.controlplane.api import Object

Amounts = dict[str, int]
"""By resource, in nanos."""
ONE = 10**9


class Refusal(NamedTuple):
    """Why a kubelet does not start a pod, in its words."""

    reason: str
    message: str


class Admission:
    """What every node has, and what the pods on it hold."""

    def __init__(self) -> None:
        self._capacity: dict[str, Amounts] = {}
        self._used: dict[str, Amounts] = defaultdict(lambda: defaultdict(int))
        self._held: dict[str, tuple[str, Amounts]] = {}

    def knows(self, node: str) -> bool:
        """Whether a node was ever learned of."""
        return node in self._capacity

    def learn(self, node: Object) -> None:
        """Learn of a node, or of what changed about it."""
        allocatable = node["status"].get("allocatable", {})
        self._capacity[node["metadata"]["name"]] = {
            resource: nano(text) for resource, text in allocatable.items()
        }

    def admit(self, pod: Object, *, runs: bool = False) -> Refusal | None:
        """Let a pod in, or say why not; one that runs already is in."""
        node, asked = pod["spec"]["nodeName"], requested(pod["spec"])
        capacity, used = self._capacity[node], self._used[node]
        for resource in sorted(asked, key=lambda name: (name != "pods", name)):
            # A resource that the node does not have is the business of nobody here.
            wanted, most = asked[resource], capacity.get(resource)
            if not runs and most is not None and wanted and used[resource] + wanted > most:
                return _refusal(resource, wanted, used[resource], most)
        for resource, wanted in asked.items():
            used[resource] += wanted
        self._held[pod["metadata"]["uid"]] = node, asked
        return None

    def release(self, uid: str) -> None:
        """Take a pod out; one that is not in stays out."""
        node, asked = self._held.pop(uid, ("", {}))
        for resource, wanted in asked.items():
            self._used[node][resource] -= wanted


def requested(spec: Object) -> Amounts:
    """What a pod asks for: all containers and sidecars, or an init container that needs more."""
    running: Amounts = defaultdict(int)
    most: Amounts = defaultdict(int)
    for container in spec.get("initContainers", ()):
        own = _requests(container)
        if container.get("restartPolicy") == "Always":
            _add(running, own)
        for resource, wanted in own.items():
            alone = 0 if container.get("restartPolicy") == "Always" else wanted
            most[resource] = max(most[resource], running[resource] + alone)
    for container in spec["containers"]:
        _add(running, _requests(container))
    asked = {name: max(running[name], most[name]) for name in {*running, *most}}
    asked |= _requests(spec)  # of the pod as a whole: in place of its containers'
    _add(asked, {name: nano(text) for name, text in spec.get("overhead", {}).items()})
    return asked | {"pods": ONE}


def _requests(thing: Object) -> Amounts:
    requests = thing.get("resources", {}).get("requests", {})
    return {resource: nano(text) for resource, text in requests.items()}


def _add(total: Amounts, more: Amounts) -> None:
    for resource, wanted in more.items():
        total[resource] = total.get(resource, 0) + wanted


def _refusal(resource: str, wanted: int, used: int, most: int) -> Refusal:
    numbers = [amount(resource, nanos) for nanos in (wanted, used, most)]
    shortage = "requested: {}, used: {}, capacity: {}".format(*numbers)
    return Refusal(
        f"OutOf{resource}",
        f"Pod was rejected: Node didn't have enough resource: {resource}, {shortage}",
    )
