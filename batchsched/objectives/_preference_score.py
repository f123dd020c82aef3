"""What a final state is worth to the pods that it places, asked pod by pod (FORMULATION.md §O3).

The second saying of ``preferences``: plain Python over the final state, nothing of the model's
arrays.
"""

from collections import Counter
from collections.abc import Iterator

from batchsched.plan.reading import Company, company, meets_term, seat, untolerated, wanted_by
from batchsched.plan.state import FinalState, Placed
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import PREFER_NO_SCHEDULE, PodSpec, TopologySpread

_MIB = 1024 * 1024
_IMAGES_BYTES_MIN = 23 * _MIB
_IMAGES_BYTES_MAX = 1000 * _MIB


def score(state: FinalState) -> int:
    """The value of the tier ``preferences``."""
    nodes = _NodePoints(state)
    near = _CompanyPoints(state)
    total = sum(nodes.of(p.pod.spec, p.node) + near.of(p) for p in state.placed)
    return total + _spread_points(state) + _domain_points(state)


class _NodePoints:
    """Points that depend on spec and node alone, each pair asked once."""

    def __init__(self, state: FinalState) -> None:
        self._state = state
        self._known: dict[tuple[int, str], int] = {}
        self._images = _nodes_with(state, {i for p in state.placed for i in p.pod.spec.images})

    def of(self, spec: PodSpec, node: Node) -> int:
        """Preferred node terms, taints that are not tolerated, and images that are there."""
        key = (id(spec), node.name)
        if key not in self._known:
            labels = self._state.census.labels[node.name]
            preferred = sum(
                weight
                for weight, term in spec.preferred_nodes
                if meets_term(term, node.name, labels)
            )
            disliked = sum(
                taint.effect == PREFER_NO_SCHEDULE
                and untolerated((taint,), spec.tolerations, (PREFER_NO_SCHEDULE,)) is not None
                for taint in node.taints
            )
            self._known[key] = 2 * preferred - 30 * disliked + self._image_points(spec, node) // 10
        return self._known[key]

    def _image_points(self, spec: PodSpec, node: Node) -> int:
        """kube-scheduler's ImageLocality, 0 to 100."""
        sizes, count = dict(node.images), len(self._state.nodes)
        held = sum(sizes[i] * self._images[i] // count for i in spec.images if i in sizes)
        most = _IMAGES_BYTES_MAX * max(spec.containers, 1)
        held = min(max(held, _IMAGES_BYTES_MIN), most)
        return 100 * (held - _IMAGES_BYTES_MIN) // (most - _IMAGES_BYTES_MIN)


def _nodes_with(state: FinalState, wanted: set[str]) -> Counter[str]:
    """How many nodes hold each of the images that are wanted."""
    found: Counter[str] = Counter()
    for node in state.nodes.values() if wanted else ():
        found.update({name for name, _ in node.images if name in wanted})
    return found


class _CompanyPoints:
    """Preferred affinity and anti-affinity: met by another pod in the domain, once."""

    def __init__(self, state: FinalState) -> None:
        self._state = state
        self._counts: dict[Company, dict[str, int]] = {}

    def of(self, placed: Placed) -> int:
        """The points of one pod."""
        census, points = self._state.census, 0
        for weight, term in placed.pod.spec.preferred_affinity:
            who = company(term, placed.pod.namespace)
            domain = census.values(who.key).get(placed.node.name)
            kinds = census.selected(who)
            if who not in self._counts:
                self._counts[who] = census.per_domain(kinds, who.key)
            if domain is not None:
                others = self._counts[who].get(domain, 0) - (census.kind(placed) in kinds)
                points += 2 * weight if others > 0 else 0
        return points


def _spread_points(state: FinalState) -> int:
    """Soft spread: each distinct constraint of a placed pod, once."""
    eligible: dict[tuple[object, ...], frozenset[str]] = {}
    found: dict[tuple[object, ...], int] = {}
    owners = {(id(p.pod.spec), p.pod.namespace): p.pod for p in state.placed if p.pod.spec.spread}
    for pod in owners.values():
        spec, namespace = pod.spec, pod.namespace
        for spread in [each for each in spec.spread if not each.hard]:
            asked = (
                frozenset(each.topology_key for each in spec.spread if not each.hard),
                (spec.node_selector, spec.node_affinity) if spread.honor_node_affinity else None,
                spec.tolerations if spread.honor_node_taints else None,
            )
            if asked not in eligible:
                eligible[asked] = _eligible(state, spec, spread)
            names = eligible[asked]
            key = (spread.topology_key, spread.max_skew, spread.selector, namespace, names)
            if key not in found:
                found[key] = _excess(state, spread, namespace, names)
    return -2 * sum(found.values())


def _eligible(state: FinalState, spec: PodSpec, spread: TopologySpread) -> frozenset[str]:
    """The nodes that a soft constraint counts."""
    keys = {each.topology_key for each in spec.spread if not each.hard}
    names = set()
    for node in state.nodes.values():
        labels = state.census.labels[node.name]
        if not keys <= labels.keys():
            continue
        if spread.honor_node_affinity and not wanted_by(spec, node.name, labels):
            continue
        if spread.honor_node_taints and untolerated(node.taints, spec.tolerations):
            continue
        names.add(node.name)
    return frozenset(names)


def _excess(
    state: FinalState, spread: TopologySpread, namespace: str, eligible: frozenset[str]
) -> int:
    """Pods above what the emptiest domain and the skew allow, over all domains."""
    value_of = state.census.values(spread.topology_key)
    counts = dict.fromkeys((value_of[name] for name in sorted(eligible)), 0)
    if spread.selector is not None and spread.selector.requirements:
        who = Company(spread.topology_key, (namespace,), None, spread.selector)
        for kind in state.census.selected(who):
            for name in eligible & kind.on.keys():
                counts[value_of[name]] += kind.on[name] - kind.leaving.get(name, 0)
    lowest = min(counts.values(), default=0)
    return sum(max(0, count - lowest - spread.max_skew) for count in counts.values())


def _domain_points(state: FinalState) -> int:
    """Groups that prefer to be close: each domain that they enter anew costs."""
    entered: dict[int, set[str | None]] = {}
    running: dict[int, set[str | None]] = {}
    for new, index, node in _members(state):
        key = state.snapshot.groups[index].preferred_topology
        if key is not None:
            into = entered if new else running
            into.setdefault(index, set()).add(state.census.values(key).get(node))
    lost = (len(domains - running.get(index, set())) for index, domains in entered.items())
    return -20 * sum(lost)


def _members(state: FinalState) -> Iterator[tuple[bool, int, str]]:
    """Each member of a group that is placed or runs: whether it is placed, the group, the node."""
    for placed in state.placed if state.group_of else ():
        if placed.pod.key in state.group_of:
            yield True, state.group_of[placed.pod.key], placed.node.name
    for index, pods in state.running_members.items():
        yield from ((False, index, seat(pod)) for pod in pods if seat(pod) in state.nodes)
