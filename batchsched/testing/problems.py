"""Small random problems that use every rule: up to three pending pods on up to three nodes.

Everything is drawn from few values, so that pods meet, match and clash. A problem is about one or
two themes; whatever a theme does not set is left as simple as can be.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol, TypeAlias, TypeVar

from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.labels import LabelSelector, NodeSelectorTerm, Requirement
from batchsched.snapshot.node import Node, Taint
from batchsched.snapshot.parts import VOLCANO_TASK
from batchsched.snapshot.pod import (
    ClaimRef,
    Disk,
    HostPort,
    Pod,
    PodAffinityTerm,
    Toleration,
    TopologySpread,
)
from batchsched.snapshot.snapshot import Snapshot
from batchsched.snapshot.storage import (
    CSIDriver,
    CSINode,
    PersistentVolume,
    PersistentVolumeClaim,
    StorageClass,
    VolumeAttachment,
)
from batchsched.testing.builders import HOSTNAME, make_node, make_pod, snapshot_of

ZONE = "topology.kubernetes.io/zone"
_DRIVER = "csi.example.com"
Spec: TypeAlias = dict[str, Any]
Value = TypeVar("Value")


class Draw(Protocol):
    """What is drawn from: ``random.Random`` is one."""

    def random(self) -> float:
        """A number from 0 to 1."""
        ...

    def randint(self, a: int, b: int, /) -> int:
        """An integer from a to b."""
        ...


def random_snapshot(draw: Draw, themes: tuple[str, ...] = ()) -> Snapshot:
    """A small random cluster with pending pods.

    Args:
        draw: Where chance comes from; the same draws are the same snapshot.
        themes: What it is about, of ``THEMES``; drawn if left out.
    """
    if not themes:
        themes = (_one(draw, sorted(THEMES)), _one(draw, sorted(THEMES)))
    nodes = [_node(draw, f"n{i}", themes) for i in range(_one(draw, [1, 2, 3, 3]))]
    kinds = [_spec(draw, themes) for _ in range(draw.randint(1, 2))]
    pods = [_pod(draw, f"p{i}", _one(draw, kinds)) for i in range(_one(draw, [1, 2, 3, 3]))]
    seats = [node.name for node in nodes] + ["gone"]
    for i in range(_one(draw, [0, 0, 1, 2])):
        gone = {"deleting": True} if draw.random() < 0.2 else {}  # noqa: PLR2004 -- odds
        spec = _one(draw, kinds) if draw.random() < 0.5 else _spec(draw, themes)  # noqa: PLR2004 -- a coin
        pods.append(_pod(draw, f"r{i}", spec, node=_one(draw, seats), pod=gone))
    groups = {}
    if "gang" in themes:
        groups = _groups(draw, pods)
    fields = _storage(draw, nodes) if {"claims", "limits"} & set(themes) else {}
    spaces = (("other", (("team", "b"),)),)
    return snapshot_of(*nodes, *pods, groups=groups, namespaces=spaces, **fields)


def _one(draw: Draw, values: "list[Value] | tuple[Value, ...]") -> Value:
    return values[draw.randint(0, len(values) - 1)]


def _maybe(draw: Draw, odds: float) -> bool:
    return draw.random() < odds


def _node(draw: Draw, name: str, themes: tuple[str, ...]) -> Node:
    labels = {ZONE: _one(draw, ["a", "b"])} if _maybe(draw, 0.8) else {}
    node = make_node(name, labels=labels, allocatable={"cpu": _one(draw, [1, 2, 4]), "pods": 3})
    if "capacity" in themes:
        tight = {"cpu": draw.randint(0, 3), "pods": draw.randint(0, 3), "example.com/gpu": 1}
        node = make_node(name, labels=labels, allocatable=tight)
    if "node" in themes:
        taint = Taint("k", _one(draw, ["1", "2"]), _one(draw, ["NoSchedule", "NoExecute"]))
        cordoned = _maybe(draw, 0.2)
        taints = (taint,) if _maybe(draw, 0.4) else ()
        node = replace(node, taints=taints, unschedulable=cordoned)
    return node


def _spec(draw: Draw, themes: tuple[str, ...]) -> Spec:
    spec: Spec = {"requests": {"cpu": 1}} if _maybe(draw, 0.3) else {}
    for theme in themes:
        if _maybe(draw, 0.8):
            spec.update(THEMES[theme](draw))
    return spec


def _pod(draw: Draw, name: str, spec: Spec, **fields: Any) -> Pod:  # noqa: ANN401 -- make_pod's
    labels = {"app": _one(draw, ["x", "y"])} if _maybe(draw, 0.9) else {}
    namespace = "default" if _maybe(draw, 0.8) else "other"
    return make_pod(name, namespace=namespace, labels=labels, **fields, **spec)


def _selector(draw: Draw) -> LabelSelector | None:
    if _maybe(draw, 0.1):
        return _one(draw, [None, LabelSelector()])
    operator = _one(draw, ["In", "In", "In", "NotIn"])
    return LabelSelector((Requirement("app", operator, (_one(draw, ["x", "y"]),)),))


def _term(draw: Draw) -> PodAffinityTerm:
    key, selector = _one(draw, [ZONE, ZONE, HOSTNAME]), _selector(draw)
    if _maybe(draw, 0.2):
        everywhere = LabelSelector()
        team = LabelSelector((Requirement("team", "In", ("b",)),))
        return PodAffinityTerm(key, selector, (), _one(draw, [everywhere, team]))
    if _maybe(draw, 0.1):
        return PodAffinityTerm(key, selector, ("other",))
    return PodAffinityTerm(key, selector)


def _affinity(draw: Draw) -> Spec:
    return {"affinity": tuple(_term(draw) for _ in range(draw.randint(1, 2)))}


def _anti_affinity(draw: Draw) -> Spec:
    return {"anti_affinity": tuple(_term(draw) for _ in range(draw.randint(1, 2)))}


def _spread(draw: Draw) -> Spec:
    spreads = [
        TopologySpread(
            _one(draw, [ZONE, HOSTNAME]),
            draw.randint(1, 2),
            _maybe(draw, 0.9),
            _selector(draw),
            min_domains=_one(draw, [1, 1, 2, 3]),
            honor_node_affinity=_maybe(draw, 0.7),
            honor_node_taints=_maybe(draw, 0.3),
        )
        for _ in range(draw.randint(1, 2))
    ]
    narrow = {"node_selector": ((ZONE, "a"),)} if _maybe(draw, 0.2) else {}
    return {"spread": tuple(spreads), **narrow}


def _ports(draw: Draw) -> Spec:
    ips = ["0.0.0.0", "10.0.0.1", "10.0.0.2"]  # noqa: S104 -- the wildcard
    found = {
        HostPort(_one(draw, [80, 81]), _one(draw, ["TCP", "TCP", "UDP"]), _one(draw, ips))
        for _ in range(draw.randint(1, 2))
    }
    return {"host_ports": tuple(sorted(found))}


def _disks(draw: Draw) -> Spec:
    found = set()
    for _ in range(draw.randint(1, 2)):
        kind = _one(draw, ["gcePersistentDisk", "awsElasticBlockStore", "iscsi", "rbd"])
        monitors = _one(draw, [("m1",), ("m2",), ("m1", "m2")]) if kind == "rbd" else ()
        read_only = _maybe(draw, 0.6)
        found.add(Disk(kind, ("pool", "image") if kind == "rbd" else ("d",), read_only, monitors))
    return {"disks": tuple(sorted(found))}


def _capacity(draw: Draw) -> Spec:
    requests = {"cpu": draw.randint(0, 2), "example.com/gpu": draw.randint(0, 1)}
    return {"requests": {name: amount for name, amount in requests.items() if amount}}


def _node_theme(draw: Draw) -> Spec:
    spec: Spec = {}
    if _maybe(draw, 0.5):
        toleration = Toleration("k", _one(draw, ["Exists", "Equal", "Gt", "Lt"]), "1")
        spec["tolerations"] = (toleration,)
    if _maybe(draw, 0.4):
        expressions = Requirement(ZONE, _one(draw, ["In", "NotIn"]), ("a",))
        terms = (NodeSelectorTerm((expressions,)), NodeSelectorTerm())
        spec["node_affinity"] = _one(draw, [terms, terms[:1], ()])
    if _maybe(draw, 0.2):
        spec["node_selector"] = ((ZONE, "a"),)
    return spec


def _claims(draw: Draw) -> Spec:
    names = {_one(draw, ["c0", "c1", "c2", "c3"]) for _ in range(draw.randint(1, 2))}
    return {"claims": tuple(ClaimRef(name) for name in sorted(names))}


def _gang(_: Draw) -> Spec:
    return {}


THEMES: dict[str, Callable[[Draw], Spec]] = {
    "affinity": _affinity,
    "anti_affinity": _anti_affinity,
    "capacity": _capacity,
    "claims": _claims,
    "disks": _disks,
    "gang": _gang,
    "limits": _claims,
    "node": _node_theme,
    "ports": _ports,
    "spread": _spread,
}
"""What a problem can be about."""


def _groups(draw: Draw, pods: list[Pod]) -> dict[PodGroup, list[Pod]]:
    """One or two groups over the pods of the default namespace."""
    found: dict[PodGroup, list[Pod]] = {}
    for name in ("g1", "g2")[: draw.randint(1, 2)]:
        topology = _one(draw, [None, ZONE, HOSTNAME])
        slices = _one(draw, [ZONE, HOSTNAME]) if _maybe(draw, 0.25) else None
        problem = "it has two minimums" if _maybe(draw, 0.05) else None
        parts = _one(draw, [{}, {}, {"a": 1}, {"a": 2, "b": 1}])
        group = PodGroup(
            "scheduling.volcano.sh",
            "default",
            name,
            min_count=draw.randint(sum(parts.values()), 3),
            required_topology=topology,
            problem=problem,
            parts=tuple(parts.items()),
            slice_topology=slices,
            slice_size=2 if slices else 0,
        )
        found[group] = []
    if len(found) > 1 and _maybe(draw, 0.25):
        keys, count = tuple(g.key for g in found), sum(g.min_count for g in found)
        found = {replace(group, union=keys, union_count=count): [] for group in found}
    for i, pod in enumerate(pods):
        if pod.namespace == "default" and _maybe(draw, 0.8):
            pods[i] = replace(pod, annotations=((VOLCANO_TASK, _one(draw, ["a", "b", "c"])),))
            found[_one(draw, list(found))].append(pods[i])
    return found


def _storage(draw: Draw, nodes: list[Node]) -> dict[str, Any]:
    """Four claims, bound and unbound, two volumes, attach limits."""
    modes = ("ReadWriteOnce",), ("ReadWriteMany",), ("ReadWriteOncePod",)
    zone_a = (NodeSelectorTerm((Requirement(ZONE, "In", ("a",)),)),)
    on_first = (NodeSelectorTerm((Requirement(HOSTNAME, "In", ("n0",)),)),)
    claims = []
    volumes = [
        PersistentVolume(
            f"v{i}",
            storage_class="late",
            capacity_bytes=draw.randint(1, 3),
            access_modes=("ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"),
            node_affinity=_one(draw, [None, zone_a, on_first]),
            labels=((ZONE, "a"),) if _maybe(draw, 0.2) else (),
            phase="Available",
            driver=_DRIVER,
            handle=f"h{i}",
        )
        for i in range(3)
    ]
    for i in range(4):
        bound = i == 0 or (i == 1 and _maybe(draw, 0.5))
        if bound:
            volumes[i] = replace(volumes[i], phase="Bound", claim=("default", f"c{i}", ""))
        claims.append(
            PersistentVolumeClaim(
                "default",
                f"c{i}",
                storage_class="late",
                volume_name=f"v{i}" if bound else "",
                bound=bound,
                access_modes=_one(draw, list(modes)),
                request_bytes=draw.randint(1, 2),
            )
        )
    provisioner = _one(draw, ["kubernetes.io/no-provisioner", _DRIVER])
    allowed = _one(draw, [None, zone_a])
    limits = [(_DRIVER, _one(draw, [None, 0, 1, 2, 2, 3]))] if _maybe(draw, 0.8) else []
    attached = [VolumeAttachment("a0", nodes[0].name, _DRIVER, "v2")] if _maybe(draw, 0.2) else []
    return {
        "claims": tuple(claims),
        "volumes": tuple(volumes),
        "storage_classes": (
            StorageClass(
                "late", provisioner, wait_for_first_consumer=True, allowed_topologies=allowed
            ),
        ),
        "csi_nodes": tuple(CSINode(node.name, tuple(limits)) for node in nodes),
        "csi_drivers": (CSIDriver(_DRIVER, prevent_scheduling_if_missing=_maybe(draw, 0.3)),),
        "attachments": tuple(attached),
    }
