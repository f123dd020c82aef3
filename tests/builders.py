"""Small builders of nouns, so that a test says only what it is about.

Amounts are in the units of the nouns: cpu in milli-cores, all else in units or bytes.
Mappings stand for sorted pairs; strings stand for the one-field nouns where that reads well.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.labels import LabelSelector, NodeSelectorTerm, Requirement
from batchsched.snapshot.node import Node, Taint
from batchsched.snapshot.pod import Pod, PodAffinityTerm, PodSpec, TopologySpread
from batchsched.snapshot.snapshot import Snapshot, Window, pending

GIB = 1024**3
ZONE, HOSTNAME = "topology.kubernetes.io/zone", "kubernetes.io/hostname"


def pairs(mapping: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Sorted pairs, as the nouns hold labels and quantities."""
    return tuple(sorted(mapping.items()))


def make_node(  # noqa: PLR0913 -- every one is a field that some test is about
    name: str = "n1",
    *,
    cpu: int = 4000,
    memory: int = 16 * GIB,
    pods: int = 110,
    labels: Mapping[str, str] | None = None,
    taints: Iterable[Taint] = (),
    resources: Mapping[str, int] | None = None,
    **fields: Any,
) -> Node:
    """A node with 4 cores, 16 GiB, 110 pods and its hostname label, unless said otherwise."""
    allocatable = {"cpu": cpu, "memory": memory, "pods": pods, **(resources or {})}
    return Node(
        name=name,
        uid=f"uid-{name}",
        labels=pairs({HOSTNAME: name, **(labels or {})}),
        taints=tuple(taints),
        allocatable=pairs({k: v for k, v in allocatable.items() if v}),
        **fields,
    )


def make_spec(
    *, cpu: int = 0, memory: int = 0, requests: Mapping[str, int] | None = None, **fields: Any
) -> PodSpec:
    """A spec that requests what is named; ``node_selector`` may be a mapping."""
    amounts = {"cpu": cpu, "memory": memory, **(requests or {})}
    if isinstance(fields.get("node_selector"), Mapping):
        fields["node_selector"] = pairs(fields["node_selector"])
    return PodSpec(requests=pairs({k: v for k, v in amounts.items() if v}), **fields)


def make_pod(
    name: str = "p1",
    *,
    namespace: str = "default",
    labels: Mapping[str, str] | None = None,
    spec: PodSpec | None = None,
    node: str | None = None,
    pod: Mapping[str, Any] | None = None,
    **spec_fields: Any,
) -> Pod:
    """A pod; bound and running where ``node`` is given.

    Args:
        name: Its name.
        namespace: Its namespace.
        labels: Its labels.
        spec: A ready spec; otherwise one is made of ``spec_fields`` as ``make_spec`` does.
        node: Where it runs.
        pod: More fields of ``Pod`` itself (``phase``, ``deleting``, ``nominated_node``...).
        **spec_fields: What ``make_spec`` takes.
    """
    made = spec if spec is not None else make_spec(**spec_fields)
    fields: dict[str, Any] = {"phase": "Running" if node else "Pending", "requests": made.requests}
    return Pod(
        namespace=namespace,
        name=name,
        uid=f"uid-{namespace}-{name}",
        labels=pairs(labels or {}),
        spec=made,
        node=node,
        **{**fields, **(pod or {})},
    )


def make_replicas(count: int, name: str = "p", **fields: Any) -> list[Pod]:
    """Pods ``name-0000`` on, that share one spec object as the replicas of a controller do."""
    spec = fields.pop("spec", None)
    if spec is None:
        own = {"namespace", "labels", "node", "pod"}
        spec = make_spec(**{k: v for k, v in fields.items() if k not in own})
        fields = {k: v for k, v in fields.items() if k in own}
    return [make_pod(f"{name}-{i:04}", spec=spec, **fields) for i in range(count)]


def make_snapshot(
    nodes: Iterable[Node] = (),
    pods: Iterable[Pod] = (),
    *,
    groups: Mapping[PodGroup, Iterable[Pod]] | None = None,
    **fields: Any,
) -> Snapshot:
    """A snapshot, sorted; ``groups`` maps each group to its members."""
    ordered = sorted(groups or {}, key=lambda group: group.key)
    index = {group: i for i, group in enumerate(ordered)}
    group_of = {
        pod.key: index[group] for group, members in (groups or {}).items() for pod in members
    }
    more: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
    return Snapshot(
        nodes=tuple(sorted(nodes, key=lambda node: node.name)),
        pods=tuple(sorted(pods, key=lambda pod: pod.key)),
        groups=tuple(ordered),
        group_of=tuple(sorted(group_of.items())),
        **more,
    )


def window_of(snapshot: Snapshot) -> Window:
    """The window of everything that is pending."""
    return pending(snapshot)


def requirement(key: str, operator: str = "Exists", *values: str) -> Requirement:
    """One expression."""
    return Requirement(key, operator, tuple(sorted(set(values))))


def selector(labels: Mapping[str, str] | None = None, *expressions: Requirement) -> LabelSelector:
    """A label selector of ``matchLabels`` and expressions; with neither, the empty one."""
    equal = [Requirement(key, "In", (value,)) for key, value in (labels or {}).items()]
    return LabelSelector(tuple(sorted([*equal, *expressions])))


def node_term(*expressions: Requirement, fields: Iterable[Requirement] = ()) -> NodeSelectorTerm:
    """A node selector term; with nothing, the empty one that matches no node."""
    return NodeSelectorTerm(tuple(sorted(expressions)), tuple(sorted(fields)))


def pod_term(
    labels: Mapping[str, str] | LabelSelector | None,
    key: str = HOSTNAME,
    *,
    namespaces: Iterable[str] = (),
    namespace_selector: LabelSelector | None = None,
) -> PodAffinityTerm:
    """A pod affinity term; ``None`` for labels is the nil selector."""
    chosen = labels if labels is None or isinstance(labels, LabelSelector) else selector(labels)
    return PodAffinityTerm(key, chosen, tuple(sorted(namespaces)), namespace_selector)


def spread(
    labels: Mapping[str, str] | LabelSelector | None,
    key: str = ZONE,
    *,
    max_skew: int = 1,
    hard: bool = True,
    **fields: Any,
) -> TopologySpread:
    """A topologySpreadConstraint, hard unless said otherwise."""
    chosen = labels if labels is None or isinstance(labels, LabelSelector) else selector(labels)
    return TopologySpread(topology_key=key, max_skew=max_skew, hard=hard, selector=chosen, **fields)
