"""The filters again, one pod and one node at a time: what the arrays are compared with.

Verdicts only, no reasons; volumes and device claims are left out.
"""

from batchsched.snapshot.node import Node, Taint
from batchsched.snapshot.pod import Pod, TopologySpread
from batchsched.snapshot.snapshot import Snapshot, holding
from tests.oracles.reading import (
    disks_clash,
    kept_off,
    ports_clash,
    selected,
    term_selects,
    tolerates,
    wants_node,
)

CORDON = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")


class Cluster:
    """A snapshot with its running pods on their nodes."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.nodes = {node.name: node for node in snapshot.nodes}
        bound = [(pod, self.nodes.get(pod.node or "")) for pod in holding(snapshot)]
        self.running = [(pod, node) for pod, node in bound if node is not None]

    def fits(self, pod: Pod, node: Node) -> bool:
        """Whether every filter lets the pod onto the node."""
        return (
            not kept_off(pod, node)
            and (not node.unschedulable or tolerates(pod, CORDON))
            and wants_node(pod, node)
            and pod.spec.node_name in {"", node.name}
            and set(pod.spec.features) <= set(node.features)
            and self._room(pod, node)
            and self._alone(pod, node)
            and all(self._even(pod, node, s) for s in pod.spec.spread if s.hard)
            and self._clear(pod, node)
            and self._near(pod, node)
        )

    def _room(self, pod: Pod, node: Node) -> bool:
        there = [other for other, on in self.running if on is node]
        allocatable = dict(node.allocatable)
        held = {
            name: sum(dict(other.requests).get(name, 0) for other in there)
            for name, _ in pod.spec.requests
        }
        return len(there) < allocatable.get("pods", 0) and all(
            held[name] + amount <= allocatable.get(name, 0) for name, amount in pod.spec.requests
        )

    def _alone(self, pod: Pod, node: Node) -> bool:
        there = [other.spec for other, on in self.running if on is node]
        ports = [(a, b) for s in there for a in pod.spec.host_ports for b in s.host_ports]
        disks = [(a, b) for s in there for a in pod.spec.disks for b in s.disks]
        return not any(ports_clash(*pair) for pair in ports) and not any(
            disks_clash(*pair) for pair in disks
        )

    def _even(self, pod: Pod, node: Node, spread: TopologySpread) -> bool:
        keys = {s.topology_key for s in pod.spec.spread if s.hard}
        if not keys <= dict(node.labels).keys():
            return False
        counts: dict[str, int] = {}
        for each in self.nodes.values():
            if not keys <= dict(each.labels).keys() or not self._counts(pod, each, spread):
                continue
            value = dict(each.labels)[spread.topology_key]
            counts[value] = counts.get(value, 0) + sum(
                on is each and _is_counted(other, pod, spread) for other, on in self.running
            )
        least = min(counts.values(), default=0) if len(counts) >= spread.min_domains else 0
        own = selected(spread.selector, dict(pod.labels))
        return (
            counts.get(dict(node.labels)[spread.topology_key], 0) + own - least <= spread.max_skew
        )

    def _counts(self, pod: Pod, node: Node, spread: TopologySpread) -> bool:
        if spread.honor_node_affinity and not wants_node(pod, node):
            return False
        return not (spread.honor_node_taints and _is_tainted(pod, node))

    def _clear(self, pod: Pod, node: Node) -> bool:
        mine = [
            (term.topology_key, on)
            for term in pod.spec.anti_affinity
            for other, on in self.running
            if term_selects(self.snapshot, pod, term, other)
        ]
        theirs = [
            (term.topology_key, on)
            for other, on in self.running
            for term in other.spec.anti_affinity
            if term_selects(self.snapshot, other, term, pod)
        ]
        return not any(_together(key, on, node) for key, on in [*mine, *theirs])

    def _near(self, pod: Pod, node: Node) -> bool:
        terms, labels = pod.spec.affinity, dict(node.labels)
        if any(term.topology_key not in labels for term in terms):
            return False
        company = [
            on
            for other, on in self.running
            if all(term_selects(self.snapshot, pod, term, other) for term in terms)
            and any(term.topology_key in dict(on.labels) for term in terms)
        ]
        if all(any(_together(t.topology_key, on, node) for on in company) for t in terms):
            return True
        return not company and all(term_selects(self.snapshot, pod, t, pod) for t in terms)


def _is_counted(other: Pod, pod: Pod, spread: TopologySpread) -> bool:
    if spread.selector is None or not spread.selector.requirements:
        return False
    same = other.namespace == pod.namespace and not other.deleting
    return same and selected(spread.selector, dict(other.labels))


def _is_tainted(pod: Pod, node: Node) -> bool:
    return kept_off(pod, Node(node.name, taints=node.taints))


def _together(key: str, one: Node, other: Node) -> bool:
    value = dict(one.labels).get(key)
    return value is not None and value == dict(other.labels).get(key)
