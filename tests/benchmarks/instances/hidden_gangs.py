"""Gangs that fit by construction: a placement is drawn first, and then hidden.

Racks of eight nodes of three shapes, eight racks to a zone. Gangs of all kinds take room until
there is little left: of members that differ, in one rack or zone, in each other's company, apart
from each other, spread over zones. So there is a plan that places everybody. With ``planted`` one
more gang comes, which no plan can place whatever becomes of the others.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot
from tests.builders import (
    GIB,
    HOSTNAME,
    ZONE,
    make_node,
    make_pod,
    make_snapshot,
    make_spec,
    pod_term,
    spread,
)

IntArray = npt.NDArray[np.int64]

RACK, GPU = "topology.kubernetes.io/rack", "nvidia.com/gpu"
NODES_PER_RACK, RACKS_PER_ZONE = 8, 8
SHAPES = np.array([[32_000, 0], [64_000, 4], [96_000, 8]])
"""Milli-cores and GPUs; 4 GiB to a core."""
MEMBERS = 2, 24
FAILURES_MAX = 30
"""Gangs in a row that find no place."""
NAMESPACE = "train"


class Kind(NamedTuple):
    """What a gang asks of the places of its members."""

    within: str | None = None
    """The key of the domain that all are in."""
    by_affinity: bool = False
    """Whether they say so by affinity to each other, instead of the group."""
    apart: bool = False
    """On different nodes."""
    even: bool = False
    """Spread over zones."""


KINDS = (
    Kind(),
    Kind(RACK),
    Kind(ZONE),
    Kind(ZONE, by_affinity=True),
    Kind(apart=True),
    Kind(ZONE, apart=True),
    Kind(even=True),
)
IMPOSSIBLE = ("rack too small", "more than half nodes", "apart in a rack", "friends apart")


def hidden_gangs(
    nodes: int, *, left: float = 0.1, seed: int = 1, planted: str | None = None
) -> Snapshot:
    """A cluster, and gangs that all fit, but for one if it is planted.

    Args:
        nodes: How many.
        left: Of the cores, what may be left when no more gangs come.
        seed: Of all that is drawn.
        planted: One of ``IMPOSSIBLE``.
    """
    drawing = _Drawing(np.random.default_rng(seed), nodes)
    empty = drawing.free.copy()
    failures = 0
    while failures < FAILURES_MAX and drawing.share_left > left:
        failures = 0 if drawing.add() else failures + 1
    if planted is not None:
        drawing.plant(planted, empty)
    waiting = [pod for members in drawing.groups.values() for pod in members]
    return make_snapshot(drawing.nodes, [*waiting, *drawing.loads], groups=drawing.groups)


class _Drawing:
    """The cluster, the gangs drawn so far, and the room that their hidden places leave."""

    def __init__(self, random: np.random.Generator, nodes: int) -> None:
        self._random, number = random, np.arange(nodes)
        self._domain = {RACK: number // NODES_PER_RACK}
        self._domain[ZONE] = self._domain[RACK] // RACKS_PER_ZONE
        self.free: IntArray = SHAPES[random.integers(0, len(SHAPES), nodes)]
        self._cores = int(self.free[:, 0].sum())
        self.nodes = [self._node(i) for i in range(nodes)]
        taken = self.free[:, 0] * random.integers(0, 5, nodes) // 8
        self.free[:, 0] -= taken
        self.loads = [
            _load(node, cpu) for node, cpu in zip(self.nodes, taken.tolist(), strict=True)
        ]
        self.groups: dict[PodGroup, list[Pod]] = {}

    @property
    def share_left(self) -> float:
        """Of the cores of the cluster."""
        return float(self.free[:, 0].sum()) / self._cores

    def _node(self, i: int) -> Node:
        cpu, cards = self.free[i].tolist()
        labels = {key: f"{key[-4:]}-{domain[i]:03}" for key, domain in self._domain.items()}
        return make_node(
            f"node-{i:04}", cpu=cpu, memory=_memory(cpu), labels=labels, resources={GPU: cards}
        )

    def add(self) -> bool:
        """One more gang, as many of its members as find a place; whether there is one."""
        kind = KINDS[self._random.integers(len(KINDS))]
        low, high = MEMBERS
        size, kinds = self._random.integers(low, high + 1), self._random.integers(1, 4)
        asked = np.column_stack(
            [self._random.integers(2, 25, kinds) * 500, self._random.integers(0, 3, kinds) // 2]
        )
        where, free = self._within(kind.within), self.free.copy()
        members: list[tuple[int, int]] = []
        for m in range(int(size)):
            fits = where & np.all(free >= asked[m % kinds], axis=1)
            if kind.even:
                fits &= self._domain[ZONE] == m % (self._domain[ZONE].max() + 1)
            if not fits.any():
                break
            node = self._random.choice(np.flatnonzero(fits))
            free[node] -= asked[m % kinds]
            where[node] &= not kind.apart
            members.append((int(asked[m % kinds, 0]), int(asked[m % kinds, 1])))
        if len(members) < low:
            return False
        self.free = free
        self._gang(members, kind)
        return True

    def _within(self, key: str | None) -> npt.NDArray[np.bool_]:
        """The nodes of one domain, or all."""
        domain = self._domain[key] if key else np.zeros(len(self.nodes), dtype=np.int64)
        return np.asarray(domain == self._random.choice(domain), dtype=np.bool_)

    def plant(self, planted: str, empty: IntArray) -> None:
        """One gang that does not fit even into the cluster without the others."""
        cores, racks = empty[:, 0], self._domain[RACK]
        most = int(np.bincount(racks, cores // 4_000).max())
        half = int(cores.max()) // 2 + 500
        asked = {
            "rack too small": ([(4_000, 0)] * (most + 1), Kind(RACK)),
            "more than half nodes": ([(half, 0)] * (int((cores >= half).sum()) + 1), Kind()),
            "apart in a rack": ([(500, 0)] * (NODES_PER_RACK + 1), Kind(RACK, apart=True)),
            "friends apart": ([(500, 0)] * 4, Kind(RACK, by_affinity=True, apart=True)),
        }
        self._gang(*asked[planted])

    def _gang(self, members: Iterable[tuple[int, int]], kind: Kind) -> None:
        """A gang of members (milli-cores, GPUs) that are all needed."""
        name, members = f"gang-{len(self.groups):04}", list(members)
        labels, rules = {"gang": name}, dict[str, Any]()
        if kind.by_affinity and kind.within:
            rules["affinity"] = (pod_term(labels, kind.within),)
        if kind.apart:
            key = (kind.within or HOSTNAME) if kind.by_affinity else HOSTNAME
            rules["anti_affinity"] = (pod_term(labels, key),)
        if kind.even:
            rules["spread"] = (spread(labels, ZONE),)
        group = PodGroup(
            *("scheduling.k8s.io", NAMESPACE, name),
            min_count=len(members),
            required_topology=None if kind.by_affinity else kind.within,
        )
        specs = {
            (cpu, cards): make_spec(
                cpu=cpu, memory=_memory(cpu), requests={GPU: cards}, pod_group=name, **rules
            )
            for cpu, cards in sorted(set(members))
        }
        self.groups[group] = [
            make_pod(f"{name}-{i:02}", namespace=NAMESPACE, labels=labels, spec=specs[member])
            for i, member in enumerate(members)
        ]


def _memory(cpu_milli: int) -> int:
    return cpu_milli * 4 * GIB // 1000


def _load(node: Node, cpu_milli: int) -> Pod:
    """One pod that stands for all that runs on a node."""
    return make_pod(
        f"load-{node.name}",
        namespace="system",
        cpu=cpu_milli,
        memory=_memory(cpu_milli),
        node=node.name,
    )
