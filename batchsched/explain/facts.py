"""Facts: what of a snapshot may keep pods from being placed, each with the snapshot without it.

One function for each family of rules. A fact is dropped where it stands: from the pods in question,
from nodes, from running pods, or from the group. What is left must still be a snapshot that could
exist, because it is decided on like any other.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from batchsched.explain.question import PodKey
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import NO_EXECUTE, NO_SCHEDULE, Pod, PodAffinityTerm, PodSpec
from batchsched.snapshot.snapshot import Snapshot, holding

CORDON = "node.kubernetes.io/unschedulable"
PODS = "pods"
ROOM_MAX = 1_000_000
"""Pods on a node whose limit was dropped: more than any window has."""

LISTS = {
    "affinity": "affinity",
    "anti_affinity": "anti-affinity",
    "host_ports": "host-port",
    "claims": "volume-claim",
    "disks": "disk",
    "inline_volumes": "inline-volume",
    "resource_claims": "device-claim",
    "features": "node-feature",
}
"""Fields of a pod's spec that are lists of requirements, each a fact; and the kind of fact."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that can be dropped.

    Attributes:
        kind: Which rule it is of.
        subject: What of that rule, as the noun that says it.
        dropped: The snapshot without it.
    """

    kind: str
    subject: Any
    dropped: Callable[[Snapshot], Snapshot] = field(compare=False, repr=False)


def facts_of(snapshot: Snapshot, unit: frozenset[PodKey], group: int | None) -> tuple[Fact, ...]:
    """Every fact that may matter to the pods, in an order that depends on the content alone."""
    pods = [pod for pod in snapshot.pods if pod.key in unit]
    specs = list(dict.fromkeys(pod.spec for pod in pods))
    families = (
        _group_facts(snapshot, group),
        _node_rules(specs, unit),
        _node_facts(snapshot),
        _list_facts(specs, unit),
        _capacity_facts(specs, unit),
        _holders_anti_affinity(snapshot, unit),
        _kept_room(snapshot),
    )
    return tuple(fact for family in families for fact in family)


def without(snapshot: Snapshot, facts: Iterable[Fact]) -> Snapshot:
    """The snapshot without these facts."""
    for fact in facts:
        snapshot = fact.dropped(snapshot)
    return snapshot


def on_pods(
    keys: frozenset[PodKey], edit: Callable[[PodSpec], PodSpec]
) -> Callable[[Snapshot], Snapshot]:
    """The change of a snapshot that edits the specs of some pods."""

    def changed(snapshot: Snapshot) -> Snapshot:
        known: dict[int, PodSpec] = {}  # one for each spec, for replicas to share

        def edited(pod: Pod) -> Pod:
            spec = known.get(id(pod.spec))
            if spec is None:
                spec = known[id(pod.spec)] = edit(pod.spec)
            return replace(pod, spec=spec, requests=pod.requests if pod.node else spec.requests)

        pods = tuple(edited(pod) if pod.key in keys else pod for pod in snapshot.pods)
        return replace(snapshot, pods=pods)

    return changed


def _on_nodes(edit: Callable[[Node], Node]) -> Callable[[Snapshot], Snapshot]:
    return lambda snapshot: replace(snapshot, nodes=tuple(map(edit, snapshot.nodes)))


def on_group(index: int, **fields: Any) -> Callable[[Snapshot], Snapshot]:  # noqa: ANN401 -- fields of a group
    """The change of a snapshot that edits one group."""

    def changed(snapshot: Snapshot) -> Snapshot:
        groups = list(snapshot.groups)
        groups[index] = replace(groups[index], **fields)
        return replace(snapshot, groups=tuple(groups))

    return changed


def _group_facts(snapshot: Snapshot, index: int | None) -> Iterator[Fact]:
    """What the group asks for: that it exists, its minimum, its topology."""
    if index is None:
        return
    group = snapshot.groups[index]
    if group.problem is not None:
        yield Fact("group-problem", group.problem, on_group(index, problem=None))
    if group.min_count > 1:
        freed = on_group(index, min_count=1, parts=())
        yield Fact("gang-minimum", (group.min_count, group.parts), freed)
    if group.union:
        alone = on_group(index, union=(), union_count=0)
        others = ", ".join(f"{key[0]}/{key[1]}" for key in group.union if key != group.key)
        yield Fact("gang-union", others, alone)
    if group.required_topology is not None:
        topology = on_group(index, required_topology=None)
        yield Fact("gang-topology", group.required_topology, topology)
    if group.slice_topology is not None:
        slices = on_group(index, slice_topology=None)
        yield Fact("gang-slices", (group.slice_size, group.slice_topology), slices)


def _node_rules(specs: list[PodSpec], unit: frozenset[PodKey]) -> Iterator[Fact]:
    """What the pods ask of a node by its labels or name."""
    for pair in sorted({pair for spec in specs for pair in spec.node_selector}):
        yield Fact("node-selector", pair, _without_item(unit, "node_selector", pair))
    found = {spec.node_affinity: None for spec in specs if spec.node_affinity is not None}
    for terms in found:
        edit = _replaced("node_affinity", terms, None)
        yield Fact("node-affinity", terms, on_pods(unit, edit))
    for name in sorted({spec.node_name for spec in specs if spec.node_name}):
        yield Fact("node-name", name, on_pods(unit, _replaced("node_name", name, "")))


def _replaced(name: str, old: object, new: object) -> Callable[[PodSpec], PodSpec]:
    def edit(spec: PodSpec) -> PodSpec:
        fields: dict[str, Any] = {name: new}
        return replace(spec, **fields) if getattr(spec, name) == old else spec

    return edit


def _without_item(
    keys: frozenset[PodKey], name: str, item: object
) -> Callable[[Snapshot], Snapshot]:
    """The change that takes one item out of a list of the pods' specs."""

    def edit(spec: PodSpec) -> PodSpec:
        fields: dict[str, Any] = {name: tuple(i for i in getattr(spec, name) if i != item)}
        return replace(spec, **fields)

    return on_pods(keys, edit)


def _node_facts(snapshot: Snapshot) -> Iterator[Fact]:
    """What nodes hold off pods with: cordons, taints, how many pods they take."""
    if any(node.unschedulable for node in snapshot.nodes):
        yield Fact("cordon", None, _on_nodes(uncordoned))
    hard = {NO_SCHEDULE, NO_EXECUTE}
    taints = {t for node in snapshot.nodes for t in node.taints if t.effect in hard}
    for taint in sorted(t for t in taints if t.key != CORDON):

        def edit(node: Node, taint: object = taint) -> Node:
            return replace(node, taints=tuple(t for t in node.taints if t != taint))

        yield Fact("taint", taint, _on_nodes(edit))
    yield Fact("capacity", PODS, _on_nodes(_roomy))


def uncordoned(node: Node) -> Node:
    """The node, open to pods."""
    taints = tuple(taint for taint in node.taints if taint.key != CORDON)
    return replace(node, unschedulable=False, taints=taints)


def _roomy(node: Node) -> Node:
    allocatable = dict(node.allocatable) | {PODS: ROOM_MAX}
    return replace(node, allocatable=tuple(sorted(allocatable.items())))


def _list_facts(specs: list[PodSpec], unit: frozenset[PodKey]) -> Iterator[Fact]:
    """What the pods ask of each other, of running pods, and of what a node has but once."""
    for name, kind in LISTS.items():
        for item in dict.fromkeys(item for spec in specs for item in getattr(spec, name)):
            yield Fact(kind, item, _without_item(unit, name, item))
    for item in dict.fromkeys(item for spec in specs for item in spec.spread if item.hard):
        yield Fact("topology-spread", item, _without_item(unit, "spread", item))


def _capacity_facts(specs: list[PodSpec], unit: frozenset[PodKey]) -> Iterator[Fact]:
    """The room that each resource has."""
    for resource in sorted({name for spec in specs for name, _ in spec.requests} - {PODS}):
        yield Fact("capacity", resource, on_pods(unit, asking(resource, 0)))


def asking(resource: str, most: int) -> Callable[[PodSpec], PodSpec]:
    """The change of a spec that asks for at most so much of a resource."""

    def edit(spec: PodSpec) -> PodSpec:
        pairs = ((r, min(amount, most) if r == resource else amount) for r, amount in spec.requests)
        return replace(spec, requests=tuple((r, amount) for r, amount in pairs if amount))

    return edit


def _kept_room(snapshot: Snapshot) -> Iterator[Fact]:
    """The room that is kept for who has waited too long."""
    if snapshot.reservation is not None:
        dropped = partial(replace, reservation=None)
        yield Fact("reserved", snapshot.reservation, dropped)


def _holders_anti_affinity(snapshot: Snapshot, unit: frozenset[PodKey]) -> Iterator[Fact]:
    """Terms of running pods that may hold these off."""
    held: dict[tuple[str, PodAffinityTerm], list[PodKey]] = {}
    for pod in holding(snapshot):
        for term in pod.spec.anti_affinity if pod.key not in unit else ():
            held.setdefault((pod.namespace, term), []).append(pod.key)
    for (_, term), keys in held.items():
        pods = frozenset(keys)
        edit = _without_item(pods, "anti_affinity", term)
        yield Fact("held-off", (term, tuple(sorted(keys))), edit)
