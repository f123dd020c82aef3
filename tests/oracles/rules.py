"""The rules of the final state, said a third time and as plainly as possible.

One function for each § of models/placement/FORMULATION.md; each yields what is wrong. Nothing here
is fast, and nothing here is shared with batchsched.constraints.
"""

from collections.abc import Iterator
from itertools import product

from batchsched.snapshot.labels import LabelSelector
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod, TopologySpread
from batchsched.snapshot.storage import PersistentVolumeClaim
from tests.oracles.cluster import Cluster, Places, Stand
from tests.oracles.reading import (
    disks_clash,
    kept_off,
    ports_clash,
    selected,
    term_selects,
    wants_node,
)
from tests.oracles.reserved import held_back, left

State = tuple[Stand, ...]


def broken(cluster: Cluster, places: Places) -> Iterator[str]:
    """Every rule that a plan breaks, as "C5 namespace/name: why"."""
    state = cluster.final(places)
    yield from node_rules(cluster, places)
    yield from capacity(cluster, state)
    for stand in (s for s in state if s.new):
        for other in state:
            if other is not stand:
                yield from pairwise(cluster, stand, other)
        yield from affinity(cluster, state, stand)
        yield from spread(cluster, state, stand)
    yield from gangs(cluster, places)
    yield from slices(cluster, places)
    yield from volume_limits(cluster, state)
    yield from volume_binding(cluster, state)
    yield from reservation(cluster, state)


def node_rules(cluster: Cluster, places: Places) -> Iterator[str]:
    """§C13 (and the node's part of the others)."""
    for key, node in places.items():
        if node not in cluster.allowed.get(key, ()):
            yield f"C13 {key}: not on {node}"


def capacity(cluster: Cluster, state: State) -> Iterator[str]:
    """§C2."""
    for node in cluster.snapshot.nodes:
        here = [s for s in state if s.node is node]
        allocatable = dict(node.allocatable)
        asked = {r for s in here if s.new for r, amount in s.requests.items() if amount > 0}
        for resource in sorted(asked):
            if sum(s.requests.get(resource, 0) for s in here) > allocatable.get(resource, 0):
                yield f"C2 {node.name}: {resource}"
        if any(s.new for s in here) and len(here) > allocatable.get("pods", 0):
            yield f"C2 {node.name}: pods"


def pairwise(cluster: Cluster, a: Stand, b: Stand) -> Iterator[str]:
    """§C3, §C4, §C5, §C9 and §C10: what two pods, at least one of them new, cannot do together."""
    if a.node is not None and a.node is b.node:
        if any(ports_clash(p, q) for p, q in product(a.pod.spec.host_ports, b.pod.spec.host_ports)):
            yield f"C3 {a.pod.full_name}: port of {b.pod.full_name}"
        if any(disks_clash(p, q) for p, q in product(a.pod.spec.disks, b.pod.spec.disks)):
            yield f"C4 {a.pod.full_name}: disk of {b.pod.full_name}"
    if shuns(cluster, a, b) or shuns(cluster, b, a):
        yield f"C5 {a.pod.full_name}: {b.pod.full_name}"
    shared = cluster.storage.exclusive(a.pod) & cluster.storage.exclusive(b.pod)
    if shared and b.node is not None:
        yield f"C10 {a.pod.full_name}: {b.pod.full_name}"
    index = cluster.group_index.get(a.pod.key)
    if index is not None and cluster.group_index.get(b.pod.key) == index:
        key = cluster.snapshot.groups[index].required_topology
        runs = b.new or (b.pod.node is not None and not b.pod.deleting)
        if key and runs and b.domain(key) is not None and a.domain(key) != b.domain(key):
            yield f"C9 {a.pod.full_name}: not with {b.pod.full_name}"


def shuns(cluster: Cluster, owner: Stand, other: Stand) -> bool:
    """Whether a required anti-affinity term of ``owner`` forbids ``other`` where it stands."""
    return any(
        owner.domain(term.topology_key) is not None
        and owner.domain(term.topology_key) == other.domain(term.topology_key)
        and term_selects(cluster.snapshot, owner.pod, term, other.pod)
        for term in owner.pod.spec.anti_affinity
    )


def matches_all(cluster: Cluster, owner: Pod, other: Pod) -> bool:
    """Whether every required affinity term of ``owner`` selects ``other``."""
    return all(term_selects(cluster.snapshot, owner, t, other) for t in owner.spec.affinity)


def affinity(cluster: Cluster, state: State, stand: Stand) -> Iterator[str]:
    """§C6."""
    keys = {term.topology_key for term in stand.pod.spec.affinity}
    if not keys:
        return
    others = [
        other
        for other in state
        if other is not stand
        and any(other.domain(key) is not None for key in keys)
        and matches_all(cluster, stand.pod, other.pod)
    ]
    if not others and matches_all(cluster, stand.pod, stand.pod):
        return
    for key in sorted(keys):
        if not any(other.domain(key) == stand.domain(key) for other in others):
            yield f"C6 {stand.pod.full_name}: nobody in its {key}"


def eligible(cluster: Cluster, pod: Pod, constraint: TopologySpread) -> list[Node]:
    """The nodes that count for a spread constraint of a pod."""
    keys = {s.topology_key for s in pod.spec.spread if s.hard == constraint.hard}
    return [
        node
        for node in cluster.snapshot.nodes
        if keys <= set(dict(node.labels))
        and (not constraint.honor_node_affinity or wants_node(pod, node))
        and (not constraint.honor_node_taints or not kept_off(pod, node))
    ]


def counted(selector: LabelSelector | None, namespace: str, pod: Pod) -> bool:
    """Whether spreading counts a pod; an empty selector counts nobody."""
    return (
        selector is not None
        and bool(selector.requirements)
        and pod.namespace == namespace
        and not pod.deleting
        and selected(selector, dict(pod.labels))
    )


def counts(cluster: Cluster, state: State, pod: Pod, constraint: TopologySpread) -> dict[str, int]:
    """How many pods a spread constraint of a pod counts in each eligible domain."""
    nodes = eligible(cluster, pod, constraint)
    found = {dict(node.labels)[constraint.topology_key]: 0 for node in nodes}
    for stand in state:
        if stand.node in nodes and counted(constraint.selector, pod.namespace, stand.pod):
            found[dict(stand.node.labels)[constraint.topology_key]] += 1
    return found


def spread(cluster: Cluster, state: State, stand: Stand) -> Iterator[str]:
    """§C7."""
    for constraint in stand.pod.spec.spread:
        if constraint.hard:
            found = counts(cluster, state, stand.pod, constraint)
            least = 0 if len(found) < constraint.min_domains else min(found.values(), default=0)
            here = found.get(stand.domain(constraint.topology_key) or "", 0)
            if here - least > constraint.max_skew:
                yield f"C7 {stand.pod.full_name}: skew of {constraint.topology_key}"


def gangs(cluster: Cluster, places: Places) -> Iterator[str]:
    """§C8, and the part of §C9 that running members alone decide."""
    for group in cluster.groups:
        placed = sum(key in places for key in group.members)
        for need, who in group.needs if placed else ():
            if sum(key in places for key in who) < need:
                yield f"C8 {group.members[0]}: not {need} of {who}"
        if group.required and placed:
            domains = {s.domain(group.required) for s in group.running} - {None}
            if len(domains) > 1:
                yield f"C9 {group.members[0]}: members run in {sorted(map(str, domains))}"


def slices(cluster: Cluster, places: Places) -> Iterator[str]:
    """§C16."""
    for group in cluster.groups:
        about = cluster.snapshot.groups[cluster.group_index[group.members[0]]]
        key, placed = about.slice_topology, [m for m in group.members if m in places]
        if key is None:
            continue
        at = [dict(cluster.nodes[places[m]].labels).get(key) for m in placed]
        ran = [stand.domain(key) for stand in group.running]
        for domain in sorted({*at}, key=str):
            if domain is None or (at.count(domain) + ran.count(domain)) % about.slice_size:
                yield f"C16 {group.members[0]}: slices in {domain}"


def reservation(cluster: Cluster, state: State) -> Iterator[str]:
    """§C15."""
    made = cluster.snapshot.reservation
    for name, _ in made.nodes if made is not None else ():
        if made is None or name not in cluster.nodes:
            continue
        free = left(cluster, cluster.nodes[name], made)
        late = [s for s in state if s.new and s.node and s.node.name == name]
        asked = [{**s.requests, "pods": 1} for s in late if held_back(s.pod, made)]
        for resource in sorted({resource for each in asked for resource in each}):
            if sum(each.get(resource, 0) for each in asked) > free.get(resource, 0):
                yield f"C15 {name}: {resource}"


def volume_limits(cluster: Cluster, state: State) -> Iterator[str]:
    """§C11."""
    storage = cluster.storage
    for node in cluster.snapshot.nodes:
        here = [s.pod for s in state if s.node is node and not s.new]
        there = storage.attachments(node).union(*(storage.attached(p, node) for p in here))
        new = [s.pod for s in state if s.node is node and s.new]
        coming = set().union(*(storage.attached(p, node) for p in new)) - there
        for driver in sorted({driver for driver, _ in coming}):
            limit = storage.limit(node, driver)
            total = sum(d == driver for d, _ in there | coming)
            if limit is not None and total > limit:
                yield f"C11 {node.name}: {total} volumes of {driver}"


def volume_binding(cluster: Cluster, state: State) -> Iterator[str]:
    """§C12: some choice for every unbound claim, no volume twice."""
    users: dict[tuple[str, str], list[Node]] = {}
    for stand in state:
        if stand.new and stand.node is not None:
            for claim in cluster.storage.claims_of(stand.pod):
                if cluster.storage.waits(claim):
                    users.setdefault(claim.key, []).append(stand.node)
    options = []
    for key, nodes in sorted(users.items()):
        claim = cluster.storage.claims[key]
        static, provision = claim_choices(cluster, claim, nodes)
        if not provision:
            options.append(sorted(static))
    if not distinct(options):
        yield f"C12 {sorted(users)}"


def claim_choices(
    cluster: Cluster, claim: PersistentVolumeClaim, nodes: list[Node]
) -> tuple[set[str], bool]:
    """The static volumes usable by users on all these nodes, and whether provisioning is."""
    static = set.intersection(*(cluster.storage.choices(claim, node) for node in nodes))
    same = all(node is nodes[0] for node in nodes)
    return static, same and cluster.storage.provisions(claim, nodes[0])


def distinct(options: list[list[str]], taken: frozenset[str] = frozenset()) -> bool:
    """Whether everyone can have an option of its own."""
    if not options:
        return True
    return any(
        distinct(options[1:], taken | {option}) for option in options[0] if option not in taken
    )
