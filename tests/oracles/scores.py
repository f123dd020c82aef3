"""The tiers of a final state (O1 to O6 of models/placement/FORMULATION.md), in plain Python."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any

from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod
from tests.oracles.cluster import Cluster, Places, Stand
from tests.oracles.reading import term_holds, term_selects, terms_hold, tolerates
from tests.oracles.rules import counts, eligible

MIB = 1024**2
State = tuple[Stand, ...]
NATIVE = {"cpu", "memory", "ephemeral-storage", "pods"}


def tiers(cluster: Cluster, places: Places, packing: str = "fewest-nodes") -> dict[str, int]:
    """Tier name to the value that a plan shows, highest first."""
    state = cluster.final(places)
    found = {f"placed/priority={p}": n for p, n in placed(cluster, places).items()}
    found["disruption"] = 0
    found["preferences"] = preferences(cluster, state)
    found[f"packing/{packing}"] = PACKING[packing](cluster, state)
    return found


def is_small_better(tier: str) -> bool:
    """Whether a tier's value is to be small."""
    return tier in {"disruption", "packing/fewest-nodes", "packing/spread"}


def placed(cluster: Cluster, places: Places) -> dict[int, int]:
    """O1: priority to the number of placed pods, highest first."""
    priorities = {pod.spec.priority for pod in cluster.window.pods}
    found = dict.fromkeys(sorted(priorities, reverse=True), 0)
    for pod in cluster.window.pods:
        found[pod.spec.priority] += pod.key in places
    return found


def preferences(cluster: Cluster, state: State) -> int:
    """O3."""
    new = [stand for stand in state if stand.new]
    return (
        sum(node_score(cluster, s.pod, s.node) for s in new if s.node)
        + sum(pod_score(cluster, state, stand) for stand in new)
        + soft_spread(cluster, state, new)
        + preferred_topology(cluster, new)
    )


def node_score(cluster: Cluster, pod: Pod, node: Node) -> int:
    """O3.1, O3.2 and O3.5: what the node alone is worth to the pod."""
    terms = sum(2 * weight for weight, term in pod.spec.preferred_nodes if term_holds(term, node))
    taints = sum(t.effect == "PreferNoSchedule" and not tolerates(pod, t) for t in node.taints)
    return terms - 30 * taints + image_score(cluster, pod, node) // 10


def full_image(name: str) -> str:
    """An image with its tag, ``latest`` where none is named."""
    return name if name.rfind(":") > name.rfind("/") else f"{name}:latest"


def image_score(cluster: Cluster, pod: Pod, node: Node) -> int:
    """0 to 100 for the bytes of the pod's images that need not be pulled."""
    there = dict(node.images)
    total = 0
    for image in map(full_image, pod.spec.images):
        if image in there:
            spread_over = sum(image in dict(n.images) for n in cluster.snapshot.nodes)
            total += there[image] * spread_over // len(cluster.snapshot.nodes)
    low, high = 23 * MIB, 1000 * MIB * max(1, pod.spec.containers)
    return 100 * (min(max(total, low), high) - low) // (high - low)


def pod_score(cluster: Cluster, state: State, stand: Stand) -> int:
    """O3.3: preferred pod affinity; anti-affinity has negative weights."""
    return sum(
        2 * weight
        for weight, term in stand.pod.spec.preferred_affinity
        if stand.domain(term.topology_key) is not None
        and any(
            other is not stand
            and other.domain(term.topology_key) == stand.domain(term.topology_key)
            and term_selects(cluster.snapshot, stand.pod, term, other.pod)
            for other in state
        )
    )


def soft_spread(cluster: Cluster, state: State, new: list[Stand]) -> int:
    """O3.4: once for each distinct soft constraint of the placed pods."""
    distinct = {}
    for stand in new:
        for constraint in stand.pod.spec.spread:
            if not constraint.hard:
                nodes = tuple(n.name for n in eligible(cluster, stand.pod, constraint))
                key = constraint.topology_key, constraint.max_skew, constraint.selector
                distinct[key, stand.pod.namespace, nodes] = stand.pod, constraint
    excess = 0
    for pod, constraint in distinct.values():
        found = counts(cluster, state, pod, constraint).values()
        excess += sum(max(0, c - min(found) - constraint.max_skew) for c in found)
    return -2 * excess


def preferred_topology(cluster: Cluster, new: list[Stand]) -> int:
    """O3.6: domains that a group opens."""
    opened = 0
    for group in cluster.groups:
        if group.preferred:
            members = {s.domain(group.preferred) for s in new if s.pod.key in group.members}
            running = {s.domain(group.preferred) for s in group.running if s.node}
            opened += len(members - running)
    return -20 * opened


def fewest_nodes(_cluster: Cluster, state: State) -> int:
    """O4."""
    return len(
        {
            stand.node.name
            for stand in state
            if stand.node
            and not (stand.pod.owner and stand.pod.owner.kind in {"DaemonSet", "Node"})
        }
    )


def used(state: State, node: Node) -> dict[str, int]:
    """What the pods on a node take."""
    found: dict[str, int] = {}
    for stand in state:
        if stand.node is node:
            for resource, amount in stand.requests.items():
                found[resource] = found.get(resource, 0) + amount
    return found


def is_extended(resource: str) -> bool:
    """Whether a resource is none of Kubernetes' own."""
    return resource not in NATIVE and not resource.startswith("hugepages-")


def extended(cluster: Cluster) -> list[str]:
    """The extended resources that pods of the window ask for."""
    asked = {r for pod in cluster.window.pods for r, amount in pod.spec.requests if amount > 0}
    return sorted(filter(is_extended, asked))


def dominant_excess(cluster: Cluster, state: State) -> int:
    """O5."""
    total = 0
    for node in cluster.snapshot.nodes:
        allocatable, taken = dict(node.allocatable), used(state, node)
        shares = [
            min(1000, ceil(Fraction(1000 * taken.get(r, 0), allocatable[r])))
            for r in ["cpu", "memory", *extended(cluster)]
            if allocatable.get(r, 0) > 0
        ]
        total += sum(max(0, max(shares, default=0) - limit) for limit in (250, 500, 750))
    return total


@dataclass(frozen=True)
class Mix:
    """What pods ask for: the scarce resource, its least amount, and each shape's popularity."""

    scarce: str
    piece: int
    shapes: list[tuple[dict[str, int], Pod, int]]
    """Request, a pod that has it, and how many in per mille."""


def mix(cluster: Cluster) -> Mix:
    """The eight shapes of O6, from those who hold a place and those who wait."""
    pods = [(stand.requests, stand.pod) for stand in cluster.fixed if stand.node]
    pods += [(dict(pod.spec.requests), pod) for pod in cluster.window.pods]
    total = {r: sum(q.get(r, 0) for q, _ in pods) for p, _ in pods for r in p}
    there = {r: sum(dict(n.allocatable).get(r, 0) for n in cluster.snapshot.nodes) for r in total}
    scarce = max(
        sorted(r for r in total if is_extended(r) and total[r] > 0),
        key=lambda r: Fraction(total[r], max(1, there[r])),
        default="cpu",
    )
    asking = [(q, pod) for q, pod in pods if q.get(scarce, 0) > 0]
    kinds: dict[object, list[tuple[dict[str, int], Pod]]] = {}
    for q, pod in asking:
        terms = [] if pod.spec.node_affinity is None else [pod.spec.node_affinity]
        kinds.setdefault(
            (tuple(sorted(q.items())), pod.spec.node_selector, tuple(terms)), []
        ).append((q, pod))

    def rank(kind: Any) -> Any:
        return -len(kinds[kind]) * dict(kind[0])[scarce], kind

    ranked = [kinds[kind] for kind in sorted(kinds, key=rank)[:8]]
    return Mix(
        scarce,
        min((like[0][0][scarce] for like in ranked), default=1),
        [(*like[0], max(1, 1000 * len(like) // len(asking))) for like in ranked],
    )


def of_use(cluster: Cluster, state: State) -> int:
    """O6."""
    typical = mix(cluster)
    total = 0
    for node in cluster.snapshot.nodes:
        allocatable, taken = dict(node.allocatable), used(state, node)
        slots = allocatable.get("pods", 0) - sum(s.node is node for s in state)
        left = {r: max(0, allocatable.get(r, 0) - taken.get(r, 0)) for r in allocatable}
        pieces = max(0, min(slots, left.get(typical.scarce, 0) // typical.piece))
        for shape, pod, popularity in typical.shapes:
            fits = all(left.get(r, 0) >= amount for r, amount in shape.items())
            if fits and selects_node(pod, node):
                total += popularity * pieces
    return total


def selects_node(pod: Pod, node: Node) -> bool:
    """Whether node selector and required node affinity of a pod take a node."""
    labels = dict(node.labels)
    return all(labels.get(k) == v for k, v in pod.spec.node_selector) and terms_hold(
        pod.spec.node_affinity, node
    )


PACKING = {
    "fewest-nodes": fewest_nodes,
    "spread": dominant_excess,
    "least-fragmentation": of_use,
}
