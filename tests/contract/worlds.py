"""Two worlds with one set of rules: the embedded cluster, and a real API server and our adapter.

A test of the contract says what happens in a world, and looks at it from two sides: through the
port, as the scheduler does, and at the truth. It cannot tell which of the two worlds it is in; what
holds in one and not in the other is a lie of the simulator, or a bug of the adapter.
"""

import http.client
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from batchsched.cycle import Binding, PodKey
from batchsched.daemon.clock import SystemClock
from batchsched.daemon.grouping import Grouping
from batchsched.daemon.ports import Answer, Cluster, DatedClock, Write
from batchsched.daemon.wake import Wake
from batchsched.kube.cache import Cache
from batchsched.kube.cluster import KubeCluster
from batchsched.kube.connection import Connection
from batchsched.kube.reading import Reader
from batchsched.kube.writer import Writer
from batchsched.sim.clock import VirtualClock
from batchsched.sim.cluster import SimCluster
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot
from tests.controlplane import cluster as real
from tests.controlplane.api import ApiError, Object, collection
from tests.controlplane.kubelets import Kubelets
from tests.controlplane.objects import create_nodes, create_pods, make_node, make_pod
from tests.controlplane.waiting import wait_for

OURS = "batchsched"
HIGH, HIGH_PRIORITY = "contract-high", 1000
GATE = {"name": "example.com/quota"}
HOLD = "batchsched.io/held-by-a-test"
"""A finalizer: with it a pod that was never bound can be seen being deleted."""
TURN_S, TURNS_MAX = 0.05, 4000
END_S = 0.3
"""How long a pod takes to end: long enough to see that somebody waits for it."""


@dataclass(frozen=True)
class Truth:
    """A pod as it is, whatever a watch has shown of it."""

    uid: str
    node: str | None
    nominated: str | None
    deleting: bool


class World(Protocol):
    """What a test does to a cluster that is not the scheduler's business, and what it sees."""

    namespace: str

    @property
    def cluster(self) -> Cluster:
        """The port of the process that runs now."""

    @property
    def clock(self) -> DatedClock:
        """The time in this world."""

    def add_node(self, name: str, cpu: str = "4") -> None:
        """Add a node."""

    def add(self, manifest: Object) -> Binding:
        """Create a pod; a binding of it to nowhere says who it is."""

    def delete(self, pod: Binding) -> None:
        """Delete a pod. One that runs takes a moment to end; one that is held stays."""

    def truth(self, pod: PodKey) -> Truth | None:
        """The pod as it is; None: it is gone."""

    def restart(self) -> None:
        """Be another process: with a port that knows what it reads now, and nothing else."""

    def wait(self, what: Callable[[], bool], turn: Callable[[], object] = lambda: None) -> None:
        """Turn until something is so, and let time pass."""


class SimWorld:
    """The embedded cluster, in virtual time."""

    def __init__(self) -> None:
        self.namespace = "default"
        self.clock = VirtualClock()
        self.cluster = self._sim = SimCluster(Snapshot(), Grouping(), self.clock)

    def add_node(self, name: str, cpu: str = "4") -> None:
        node = _read("Node", make_node(name, {"cpu": cpu}))
        assert isinstance(node, Node)
        self._sim.add_node(node)

    def add(self, manifest: Object) -> Binding:
        manifest = {**manifest, "metadata": {**manifest["metadata"], "namespace": self.namespace}}
        pod = _read("Pod", manifest)
        assert isinstance(pod, Pod)
        made = self._sim.create(pod)
        return Binding(made.key, made.uid, "")

    def delete(self, pod: Binding) -> None:
        self._sim.delete(pod.pod, pod.uid, "by a test")

    def truth(self, pod: PodKey) -> Truth | None:
        found = self._sim.pods.get(pod)
        if found is None:
            return None
        return Truth(found.uid, found.node, found.nominated_node, found.deleting)

    def restart(self) -> None:
        self._sim.restart_watches()

    def wait(self, what: Callable[[], bool], turn: Callable[[], object] = lambda: None) -> None:
        for _ in range(TURNS_MAX):
            if what():
                return
            turn()
            self.clock.advance(self.clock.now_s() + TURN_S)
        raise AssertionError("waited in vain")


class KubeWorld:
    """A real API server, in real time, with stand-ins for its kubelets."""

    def __init__(self, cluster: real.Cluster, namespace: str) -> None:
        self.namespace, self.clock = namespace, SystemClock()
        self._api, self._admin = cluster.api(), cluster.admin
        self._held: list[str] = []
        self._define_priority()
        self._kubelets = Kubelets(self._api, end_s=END_S, leases=False)
        self._kubelets.__enter__()
        self._begin()

    def close(self) -> None:
        self._end()
        self._kubelets.__exit__()
        free = {"metadata": {"finalizers": None}}
        for name in self._held:
            self._api.patch(self._path(name), free)

    def add_node(self, name: str, cpu: str = "4") -> None:
        create_nodes(self._api, [make_node(name, {"cpu": cpu})])
        self.wait(lambda: name in {node.name for node in self.cluster.snapshot().nodes})

    def add(self, manifest: Object) -> Binding:
        (made,) = create_pods(self._api, self.namespace, [manifest])
        meta = made["metadata"]
        if HOLD in meta.get("finalizers", ()):
            self._held.append(meta["name"])
        return Binding((self.namespace, meta["name"]), meta["uid"], "")

    def delete(self, pod: Binding) -> None:
        self._api.delete(self._path(pod.pod[1]))

    def truth(self, pod: PodKey) -> Truth | None:
        found = unless(http.client.NOT_FOUND, lambda: self._api.get(self._path(pod[1])))
        if found is None:
            return None
        meta, nominated = found["metadata"], found["status"].get("nominatedNodeName")
        node, deleting = found["spec"].get("nodeName"), "deletionTimestamp" in meta
        return Truth(meta["uid"], node, nominated, deleting)

    def restart(self) -> None:
        self._end()
        self._begin()

    def wait(self, what: Callable[[], bool], turn: Callable[[], object] = lambda: None) -> None:
        def turned() -> bool:
            turn()
            return what()

        wait_for(turned)

    def _begin(self) -> None:
        wake = Wake()
        self._connection = Connection.open(kubeconfig=str(self._admin))
        self._cache = Cache(self._connection, Random(1), wake)
        self._writer = Writer(self._connection, self.clock, allowance_s=lambda: 60.0, wake=wake)
        self._cache.start()
        self._writer.start()
        self.cluster = KubeCluster(self._cache, self._writer, self.clock)
        wait_for(self._cache.synced)
        self.cluster.changes()

    def _end(self) -> None:
        self._cache.stop()
        self._writer.stop()
        self._connection.close()

    def _path(self, name: str) -> str:
        return f"{collection('pods', self.namespace)}/{name}"

    def _define_priority(self) -> None:
        path = collection("priorityclasses", group="scheduling.k8s.io/v1")
        body = {"metadata": {"name": HIGH}, "value": HIGH_PRIORITY, "globalDefault": False}
        unless(http.client.CONFLICT, lambda: self._api.create(path, body))


def pod(name: str, cpu: str = "1", *, high: bool = False, **fields: Any) -> Object:
    """A pod of ours, as both worlds take it; the rest as ``make_pod``."""
    priority: dict[str, Any] = (
        {"priorityClassName": HIGH, "priority": HIGH_PRIORITY} if high else {}
    )
    return make_pod(name, {"cpu": cpu}, schedulerName=OURS, **priority, **fields)


def gang(name: str, size: int, cpu: str = "1") -> list[Object]:
    """The members of a gang, all of which it needs."""
    notes = {"batchsched.io/gang": name, "batchsched.io/min-available": str(size)}
    return [pod(f"{name}-{i}", cpu, metadata={"annotations": notes}) for i in range(size)]


def unless(code: int, call: Callable[[], Object]) -> Object | None:
    """Make a call; None where this code is the answer."""
    try:
        return call()
    except ApiError as error:
        if error.code != code:
            raise
        return None


def answered(world: World, *writes: Write) -> list[Answer]:
    """Begin writes as there is room for them, and wait for an answer to each."""
    answers: list[Answer] = []
    waiting = list(writes)

    def turn() -> None:
        while waiting and world.cluster.free() > 0:
            world.cluster.begin(waiting.pop(0))
        answers.extend(world.cluster.answers())

    world.wait(lambda: len(answers) >= len(writes), turn)
    return answers


def refusals(world: World, *writes: Write) -> list[str | None]:
    """What became of each of several writes, in their order."""
    by_write = {answer.write: answer.refusal for answer in answered(world, *writes)}
    return [by_write[write] for write in writes]


def seen(world: World, pods: Sequence[Binding]) -> None:
    """Wait until a scheduler can see these pods."""
    wanted = {each.pod for each in pods}
    world.wait(lambda: wanted <= {p.key for p in world.cluster.snapshot().pods})


def _read(kind: str, manifest: Object) -> Any:
    """An object of the API as the noun that it is."""
    read = Reader(("", kind)).read("v1", manifest)
    assert read is not None
    return read[1]
