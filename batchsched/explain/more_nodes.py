"""Help from the outside: the fewest nodes to add, of a shape that is there.

A shape is what a node is but for its name. Which shapes the filters would let a pod on is seen for
all at once, and so is whether more nodes help at all; only then is each shape tried.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from batchsched.explain.facts import uncordoned
from batchsched.explain.question import Question
from batchsched.explain.remedy import Change, Remedy
from batchsched.feasibility.compile import compile_problem
from batchsched.snapshot.node import Node
from batchsched.snapshot.snapshot import Snapshot

HOSTNAME = "kubernetes.io/hostname"
KINDS_MAX, LABELLED_MAX = 4, 3
"""Kinds of nodes (room and taints) that are tried, those that most nodes are of first; and of each
kind, how many that differ in labels."""


@dataclass(frozen=True)
class MoreNodes:
    """What could be bought."""

    snapshot: Snapshot
    question: Question

    def found(self) -> Iterator[Remedy]:
        """The fewest copies of one node, for each kind that is there; fewest first."""
        kinds = self._kinds()
        if not self._helps([node for nodes in kinds for node in nodes], len(self.question.unit)):
            return
        found: list[tuple[int, Node]] = []
        for nodes in kinds:
            counts = ((self._fewest(node), node) for node in nodes)
            helping = [(count, node) for count, node in counts if count is not None]
            found += sorted(helping, key=lambda each: (each[0], each[1].name))[:1]
        for count, node in sorted(found, key=lambda each: (each[0], each[1].name)):
            what = f"add {count} node{'s' if count > 1 else ''} like {node.name}"
            yield Remedy("nodes", what, with_copies(node, count))

    def _kinds(self) -> list[list[Node]]:
        """Nodes that would take one of the pods: for each kind a few, of different labels."""
        shapes: dict[object, list[Node]] = {}
        for node in self.snapshot.nodes:
            shapes.setdefault(_shape(node), []).append(node)
        often = sorted(shapes.values(), key=lambda nodes: (-len(nodes), nodes[0].name))
        kinds: dict[object, list[Node]] = {}
        for node in self._taking([nodes[0] for nodes in often]):
            kinds.setdefault((node.allocatable, uncordoned(node).taints), []).append(node)
        return [nodes[:LABELLED_MAX] for nodes in kinds.values()][:KINDS_MAX]

    def _taking(self, patterns: list[Node]) -> list[Node]:
        """Those of which a copy passes the filters for one of the pods."""
        pairs = [(node, new) for node in patterns for new in _copies(self.snapshot, node, 1)]
        snapshot = _with(self.snapshot, pairs)
        problem = compile_problem(snapshot, self.question.window(snapshot))
        waiting = [c for c, each in enumerate(problem.classes) if each.waits]
        takes = problem.candidates[waiting].sum(axis=0).tolist()
        free = {n.name for n, some in zip(problem.nodes, takes, strict=True) if some}
        return [node for node, new in pairs if new.name in free]

    def _fewest(self, node: Node) -> int | None:
        """How many copies of a node it takes; ``None`` where one for each pod is not enough."""
        low, high = 0, len(self.question.unit)
        if not self._helps([node], high):
            return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._helps([node], middle) else (middle, high)
        return high

    def _helps(self, nodes: list[Node], count: int) -> bool:
        """Whether it helps to add so many copies of each of these."""

        def change(snapshot: Snapshot) -> Snapshot:
            for node in nodes:
                snapshot = with_copies(node, count)(snapshot)
            return snapshot

        remedy = Remedy("nodes", "", change)
        return bool(nodes) and remedy.helps(self.question, self.snapshot)


def _shape(node: Node) -> object:
    labels = tuple(pair for pair in node.labels if pair[0] != HOSTNAME)
    return labels, uncordoned(node).taints, node.allocatable


def with_copies(node: Node, count: int) -> Change:
    """The change that adds empty nodes like this one."""

    def change(snapshot: Snapshot) -> Snapshot:
        return _with(snapshot, [(node, new) for new in _copies(snapshot, node, count)])

    return change


def _copies(snapshot: Snapshot, node: Node, count: int) -> Iterator[Node]:
    """Empty nodes like one, under names that nobody has."""
    taken = {each.name for each in snapshot.nodes}
    for number in range(1, count + 1):
        name = f"{node.name}-copy-{number}"
        while name in taken:
            name += "x"
        labels = tuple((key, name if key == HOSTNAME else value) for key, value in node.labels)
        yield replace(uncordoned(node), name=name, uid=name, labels=labels)


def _with(snapshot: Snapshot, pairs: Iterable[tuple[Node, Node]]) -> Snapshot:
    """The snapshot with more nodes, each with the drivers of the one that it is like."""
    likes = [(node.name, new) for node, new in pairs]
    drivers = {each.name: each for each in snapshot.csi_nodes}
    csi = (replace(drivers[own], name=new.name) for own, new in likes if own in drivers)
    nodes = (*snapshot.nodes, *(new for _, new in likes))
    return replace(
        snapshot,
        nodes=tuple(sorted(nodes, key=lambda each: each.name)),
        csi_nodes=tuple(sorted((*snapshot.csi_nodes, *csi), key=lambda each: each.name)),
    )
