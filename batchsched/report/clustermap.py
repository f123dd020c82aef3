"""The cluster as a map: which pods are on which node, state by state.

A plan has two states, *now* and *as planned*; a run has one for each window. A pod is on a node
from one state to another, so what moves is two entries, and one picture serves both. Columns
instead of objects, and pods of a kind share what they ask for: 20,000 pods are a megabyte of the
page, which `templates/map.js` draws. It knows nothing of why; that is `report/why.py`.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import orjson

from batchsched.plan.plan import Plan
from batchsched.report.topology import places
from batchsched.snapshot.pod import Quantities
from batchsched.snapshot.snapshot import Snapshot, holding

RESOURCES_MAX = 6
NOW, PLANNED = "now", "as planned"
UNITS = {"cpu": ("CPU", "cores", 1000), "memory": ("memory", "GiB", 1024**3)}
"""Resources by the name that people give them, the unit, and how much of ours is one."""


@dataclass(frozen=True, slots=True)
class MapNode:
    """A node: where it stands and what it has."""

    name: str
    pool: str
    domain: str
    room: Quantities


@dataclass(frozen=True, slots=True)
class MapPod:
    """A pod on a node, from one state on until before another."""

    name: str
    node: str
    requests: Quantities
    gang: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Run:
    """What happened, state by state; a page may compare several."""

    name: str
    states: tuple[str, ...]
    pods: tuple[MapPod, ...]


@dataclass(frozen=True)
class ClusterMap:
    """All that the map shows."""

    nodes: tuple[MapNode, ...]
    runs: tuple[Run, ...]
    resources: tuple[str, ...] = field(default=())

    @property
    def gangs(self) -> list[str]:
        """Gangs with a place in some state, the largest first."""
        sizes = Counter(pod.gang for run in self.runs for pod in run.pods if pod.gang)
        return sorted(sizes, key=lambda gang: (-sizes[gang], gang))

    def to_json(self) -> str:
        """For the script: columns, and no character that ends an element of HTML."""
        gangs = {gang: number for number, gang in enumerate(self.gangs)}
        kinds: dict[tuple[int, tuple[int, ...]], int] = {}
        runs = [self._run(run, gangs, kinds) for run in self.runs]
        blocks = {place: i for i, place in enumerate(dict.fromkeys(map(_place, self.nodes)))}
        content = {
            "resources": [(key, *_called(key)) for key in self.resources],
            "gangs": list(gangs),
            "blocks": list(blocks),
            "nodes": {
                "name": [node.name for node in self.nodes],
                "block": [blocks[_place(node)] for node in self.nodes],
                "room": [self._amounts(node.room) for node in self.nodes],
            },
            "kinds": list(kinds),
            "runs": runs,
        }
        return orjson.dumps(content).decode().replace("<", "\\u003c")

    def _run(
        self, run: Run, gangs: dict[str, int], kinds: dict[tuple[int, tuple[int, ...]], int]
    ) -> dict[str, object]:
        index = {node.name: i for i, node in enumerate(self.nodes)}
        pods = [pod for pod in run.pods if pod.node in index]
        asked = [(gangs.get(pod.gang, -1), self._amounts(pod.requests)) for pod in pods]
        return {
            "name": run.name,
            "states": run.states,
            "pods": {
                "name": [pod.name for pod in pods],
                "node": [index[pod.node] for pod in pods],
                "kind": [kinds.setdefault(kind, len(kinds)) for kind in asked],
                "start": [pod.start for pod in pods],
                "end": [pod.end for pod in pods],
            },
        }

    def _amounts(self, quantities: Quantities) -> tuple[int, ...]:
        amounts = dict(quantities)
        return tuple(amounts.get(key, 0) for key in self.resources)


@dataclass(frozen=True, slots=True)
class Block:
    """Nodes of one pool and domain, summed up: for who reads tables, and for paper."""

    pool: str
    domain: str
    nodes: int
    pods: tuple[int, ...]
    """In the first state of the first run, and in its last."""
    shares: tuple[tuple[float | None, ...], ...]
    """Of each resource, in the same two states; None where the nodes have none of it."""


def blocks(cluster: ClusterMap) -> list[Block]:
    """Sums over pools and domains, in the order of the map."""
    places_of = {node.name: _place(node) for node in cluster.nodes}
    room: dict[tuple[str, str], Counter[str]] = {}
    count = Counter(places_of.values())
    for node in cluster.nodes:
        room.setdefault(_place(node), Counter()).update(dict(node.room))
    run = cluster.runs[0]
    ends = (0, len(run.states) - 1)
    used = {(place, state): Counter[str]() for place in room for state in ends}
    pods = Counter[tuple[tuple[str, str], int]]()
    for pod in run.pods:
        for state in ends:
            if pod.start <= state < pod.end and pod.node in places_of:
                used[places_of[pod.node], state].update(dict(pod.requests))
                pods[places_of[pod.node], state] += 1
    return [
        Block(
            *place,
            nodes=count[place],
            pods=tuple(pods[place, state] for state in ends),
            shares=tuple(
                tuple(_share(used[place, state][key], has[key]) for state in ends)
                for key in cluster.resources
            ),
        )
        for place, has in room.items()
    ]


def of_plan(snapshot: Snapshot, plan: Plan) -> ClusterMap:
    """The map of a plan: the cluster now, and as planned."""
    gangs = _gangs(snapshot)
    pods = {pod.key: pod for pod in snapshot.pods}
    leaving = {(each.namespace, each.name): each.to for each in plan.evictions}
    found = []
    for pod in holding(snapshot):
        gone = pod.key in leaving
        gang, name = gangs.get(pod.key, ""), pod.full_name
        assert pod.node is not None
        found.append(MapPod(name, pod.node, pod.requests, gang, 0, 1 if gone else 2))
        if (to := leaving.get(pod.key)) is not None:
            found.append(MapPod(name, to, pod.requests, gang, 1, 2))
    for bound in plan.bindings:
        key = (bound.namespace, bound.name)
        if key in pods:
            asked, gang = pods[key].spec.requests, gangs.get(key, "")
            found.append(MapPod(pods[key].full_name, bound.node, asked, gang, 1, 2))
    nodes = map_nodes(snapshot)
    run = Run("", (NOW, PLANNED), tuple(found))
    return ClusterMap(nodes, (run,), resources_of(nodes, found))


def map_nodes(snapshot: Snapshot) -> tuple[MapNode, ...]:
    """The nodes, those of a pool and a domain beside each other."""
    found = [
        MapNode(node.name, *place, node.allocatable)
        for node, place in zip(snapshot.nodes, places(snapshot), strict=True)
    ]
    return tuple(sorted(found, key=lambda node: (node.pool, node.domain, natural(node.name))))


def resources_of(nodes: Iterable[MapNode], pods: Iterable[MapPod]) -> tuple[str, ...]:
    """What to fill nodes by: what is scarce first, and nothing that nobody asks for."""
    asked = {key for pod in pods for key, _ in pod.requests}
    there = {key for node in nodes for key, _ in node.room}
    known = (there & asked) | (there & {"cpu", "memory"})
    ordered = sorted(known - {"pods"}, key=lambda key: (key in UNITS, key))
    return tuple(ordered)[:RESOURCES_MAX]


def natural(name: str) -> tuple[tuple[str, int], ...]:
    """A key that puts node-10 after node-9."""
    parts: list[tuple[str, int]] = []
    text, number = "", ""
    for letter in [*name, ""]:
        if letter.isdecimal():
            number += letter
            continue
        if number:
            parts.append((text, int(number)))
            text, number = "", ""
        text += letter
    return (*parts, (text, -1))


def labels_of(resources: Sequence[str]) -> list[str]:
    """What people call them."""
    return [_called(key)[0] for key in resources]


def _called(key: str) -> tuple[str, str, int]:
    if key in UNITS:
        return UNITS[key]
    short = key.rpartition("/")[2]
    return ("GPU" if short == "gpu" else short, "", 1)


def _gangs(snapshot: Snapshot) -> dict[tuple[str, str], str]:
    """Pods of groups that start together, with the group's name."""
    return {
        key: f"{snapshot.groups[index].namespace}/{snapshot.groups[index].name}"
        for key, index in snapshot.group_of
        if snapshot.groups[index].min_count > 1
    }


def _place(node: MapNode) -> tuple[str, str]:
    return (node.pool, node.domain)


def _share(amount: int, room: int) -> float | None:
    return amount / room if room else None
