"""Worlds for explanations: a cluster of any size, loaded at random, that a plant then changes."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot
from batchsched.snapshot.storage import PersistentVolume, PersistentVolumeClaim
from tests.builders import (
    GIB,
    ZONE,
    make_node,
    make_pod,
    make_replicas,
    make_snapshot,
    node_term,
    requirement,
)

GPU, RACK, DRIVER = "nvidia.com/gpu", "rack", "csi.example.com"
RACK_NODES = 20


@dataclass
class World:
    """A cluster in zones and racks, some of it loaded; what is planted goes on top."""

    random: Random
    size: int
    loads: int = 1
    """Running pods on a node, at most."""
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    pods: list[Pod] = field(default_factory=list)
    storage: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        draw = self.random
        racks = max(self.size // RACK_NODES, 3)
        for i in range(self.size):
            labels = {ZONE: f"z{i % 2}", RACK: f"r{i % racks}", "disk": "ssd"}
            self.nodes[f"n{i:04}"] = {"labels": labels, "cpu": 8000, "resources": {GPU: 2}}
            for k in range(draw.randint(0, self.loads)):
                load = draw.randint(1, 3) * 500
                self.pods.append(make_pod(f"load-{i:04}-{k}", node=f"n{i:04}", cpu=load))

    @property
    def names(self) -> list[str]:
        """Of the nodes."""
        return list(self.nodes)

    def some(self, least: int = 1, most: int | None = None) -> list[str]:
        """Some of the nodes, drawn."""
        count = self.random.randint(least, most or max(self.size // 2, least))
        return sorted(self.random.sample(self.names, count))

    def everywhere(self, name: str, **fields: Any) -> None:
        """A running pod on each node."""
        self.pods += [make_pod(f"{name}-{n}", node=n, **fields) for n in self.nodes]

    def asked(self, **fields: Any) -> Snapshot:
        """The cluster and the one pod to be placed."""
        return self._made(make_pod("x", labels={"app": "x"}, **{"cpu": 1000, **fields}))

    def gang(
        self, count: int, *, labels: Any = None, rack: bool = False, **fields: Any
    ) -> Snapshot:
        """The cluster and a gang of so many, all of which it needs."""
        topology = RACK if rack else None
        group = PodGroup("batchsched.io", "default", "gang", count, required_topology=topology)
        pods = make_replicas(count, "g", labels={"app": "g"}, **fields)
        return self._made(*pods, groups={group: pods})

    def _made(self, *pods: Pod, **fields: Any) -> Snapshot:
        nodes = [make_node(name, **own) for name, own in self.nodes.items()]
        return make_snapshot(nodes, [*self.pods, *pods], **self.storage, **fields)


def bound(
    *names: str, modes: tuple[str, ...] = ("ReadWriteOnce",), zone: str = ""
) -> dict[str, Any]:
    """Claims with their volumes, in one zone or anywhere."""
    at = (node_term(requirement(ZONE, "In", zone)),) if zone else None
    claims = [
        PersistentVolumeClaim(
            "default",
            name,
            f"uid-{name}",
            storage_class="fast",
            volume_name=f"v-{name}",
            bound=True,
            phase="Bound",
            access_modes=modes,
        )
        for name in sorted(names)
    ]
    volumes = [
        PersistentVolume(
            f"v-{each.name}",
            storage_class="fast",
            capacity_bytes=GIB,
            access_modes=modes,
            node_affinity=at,
            claim=(each.namespace, each.name, each.uid),
            phase="Bound",
            driver=DRIVER,
            handle=each.name,
        )
        for each in claims
    ]
    return {"claims": tuple(claims), "volumes": tuple(volumes)}
