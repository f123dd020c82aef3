"""What would help, cheapest first; nothing is said that was not decided on and placed.

Each remedy is a changed snapshot. The order is what it costs: a rule of the pods' own, their
request, the gang's size, waiting for who runs, evicting them, nodes to buy.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from batchsched.explain.facts import PODS, Fact, asking, on_group, on_pods, uncordoned, without
from batchsched.explain.minimal import Core
from batchsched.explain.question import Answer, Question
from batchsched.explain.words import Words, amount, named, plain, taint_text
from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.node import Node
from batchsched.snapshot.snapshot import Snapshot

HOSTNAME = "kubernetes.io/hostname"
SHAPES_MAX = 6
"""Of nodes that are tried; those that most nodes have."""
SLOTS_MAX = 16
"""Pods of the unit on one node, up to which lower requests are looked for."""

Change = Callable[[Snapshot], Snapshot]


class Remedy(NamedTuple):
    """Something that helps, and the snapshot's change that shows it."""

    kind: str
    message: str
    change: Change


@dataclass(frozen=True)
class Remedies:
    """Finds what would help against a core."""

    snapshot: Snapshot
    question: Question
    core: Core
    words: Words

    def found(self) -> Iterator[Remedy]:
        """Each remedy, placed by a plan that the verifier passed."""
        yield from self._rules()
        yield from self._requests()
        yield from self._smaller_gang()
        yield from self._departures()
        yield from self._more_nodes()

    def _helps(self, change: Change) -> bool:
        return self.question.ask(change(self.snapshot)) is Answer.YES

    def _rules(self) -> Iterator[Remedy]:
        """One rule less, or where none alone is enough, the fewest of the core together."""
        rules = [f for f in self.core.facts if f.kind not in {"capacity", "gang-minimum"}]
        single = [Remedy("rule", _advice(f), f.dropped) for f in rules if self._helps(f.dropped)]
        yield from single
        if single or len(rules) < 2:  # noqa: PLR2004 -- together means two
            return
        together: list[Fact] = [*rules]
        if not self._helps(_dropping(together)):
            return
        for fact in rules:
            fewer = [each for each in together if each is not fact]
            if self._helps(_dropping(fewer)):
                together = fewer
        yield Remedy("rule", "; and ".join(map(_advice, together)), _dropping(together))

    def _requests(self) -> Iterator[Remedy]:
        """For each resource that is short, the most that could be asked for instead."""
        for fact in self.core.facts:
            if fact.kind == "capacity" and fact.subject != PODS:
                yield from self._lower(fact.subject)

    def _lower(self, resource: str) -> Iterator[Remedy]:
        now, free = self.words.asked(resource), self.words.free.values()
        slots = range(1, min(len(self.question.unit), SLOTS_MAX) + 1)
        shares = {room.get(resource, 0) // k for room in free for k in slots}
        amounts = sorted(each for each in shares if 0 < each < now)

        def lowered(most: int) -> Change:
            return on_pods(self.question.unit, asking(resource, most))

        if not amounts or not self._helps(lowered(amounts[0])):
            if self._helps(lowered(0)):
                yield Remedy("request", f"do without {resource}", lowered(0))
            return
        low, high = 0, len(amounts)  # the one helps; the other does not, or is not there
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._helps(lowered(amounts[middle])) else (low, middle)
        what = f"ask for {amount(resource, amounts[low])} instead of {amount(resource, now)}"
        yield Remedy("request", what, lowered(amounts[low]))

    def _smaller_gang(self) -> Iterator[Remedy]:
        """The most pods that the gang could start with."""
        most, index = self.words.most, self.question.group
        if not most or index is None or all(f.kind != "gang-minimum" for f in self.core.facts):
            return
        change = on_group(index, min_count=most, parts=())
        minimum = self.snapshot.groups[index].min_count
        if most < minimum and self._helps(change):
            yield Remedy(
                "gang", f"let the gang start with {most} instead of {minimum} pods", change
            )

    def _departures(self) -> Iterator[Remedy]:
        """The fewest running pods whose end makes room; evictable ones, if that is allowed."""
        unit = self.question.unit
        top = 1 + max((p.spec.priority for p in self.snapshot.pods), default=0)
        raised = on_pods(unit, lambda s: replace(s, priority=top, preemption_never=False))
        allowed = replace(self.question.means, allowance=Allowance(preemption=True))
        freely = replace(self.question, means=allowed)
        if allowed.left_s <= 0:
            return
        snapshot = raised(self.snapshot)
        plan = freely.plan(snapshot)
        gone = frozenset((e.namespace, e.name) for e in plan.evictions)
        if not gone or freely.answered(snapshot, plan) is not Answer.YES:
            return

        def ended(snapshot: Snapshot) -> Snapshot:
            return replace(snapshot, pods=tuple(p for p in snapshot.pods if p.key not in gone))

        if not self._helps(ended):
            return
        leaving = [p for p in self.snapshot.pods if p.key in gone]
        names = named([pod.full_name for pod in leaving])
        yield Remedy("wait", f"wait until {names} ended", ended)
        lowest = min(pod.spec.priority for pod in self.words.unit)
        never = any(pod.spec.preemption_never for pod in self.words.unit)
        if not never and all(pod.spec.priority < lowest for pod in leaving):
            yield Remedy(
                "evict", f"allow preemption (--preemption lower-priority) of {names}", ended
            )

    def _more_nodes(self) -> Iterator[Remedy]:
        """The fewest copies of one node, for each shape that is there; best shape first."""
        shapes: dict[object, list[Node]] = {}
        for node in self.snapshot.nodes:
            labels = tuple(pair for pair in node.labels if pair[0] != HOSTNAME)
            like = uncordoned(node)
            key = (labels, like.taints, like.allocatable)
            shapes.setdefault(key, []).append(node)
        often = sorted(shapes.values(), key=lambda nodes: (-len(nodes), nodes[0].name))
        found = []
        for nodes in often[:SHAPES_MAX]:
            count = self._fewest(nodes[0])
            if count is not None:
                found.append((count, nodes[0]))
        told: set[object] = set()  # of nodes that differ in labels alone, the first
        for count, node in sorted(found, key=lambda each: (each[0], each[1].name)):
            shape = (node.allocatable, node.taints)
            if shape in told:
                continue
            told.add(shape)
            what = f"add {count} node{'s' if count > 1 else ''} like {node.name}"
            yield Remedy("nodes", what, _with_copies(node, count))

    def _fewest(self, node: Node) -> int | None:
        """How many copies of a node it takes; ``None`` where one for each pod is not enough."""
        low, high = 0, len(self.question.unit)
        if not self._helps(_with_copies(node, high)):
            return None
        while high - low > 1:
            middle = (low + high) // 2
            helps = self._helps(_with_copies(node, middle))
            low, high = (low, middle) if helps else (middle, high)
        return high


def _dropping(facts: Sequence[Fact]) -> Change:
    """The change that drops facts together."""
    return lambda snapshot: without(snapshot, facts)


def _with_copies(node: Node, count: int) -> Change:
    """The change that adds empty nodes like this one."""

    def copy(number: int, taken: set[str]) -> Node:
        name = f"{node.name}-copy-{number}"
        while name in taken:
            name += "x"
        labels = tuple((key, name if key == HOSTNAME else value) for key, value in node.labels)
        return replace(uncordoned(node), name=name, uid=name, labels=labels)

    def change(snapshot: Snapshot) -> Snapshot:
        taken = {each.name for each in snapshot.nodes}
        nodes = (*snapshot.nodes, *(copy(number, taken) for number in range(1, count + 1)))
        own = [each for each in snapshot.csi_nodes if each.name == node.name]
        csi = (replace(o, name=n.name) for o in own for n in nodes[len(snapshot.nodes) :])
        return replace(
            snapshot,
            nodes=tuple(sorted(nodes, key=lambda each: each.name)),
            csi_nodes=tuple(sorted((*snapshot.csi_nodes, *csi), key=lambda each: each.name)),
        )

    return change


def _advice(fact: Fact) -> str:
    """What to do about a rule."""
    match fact.kind:
        case "taint":
            return f"tolerate {taint_text(fact.subject)}, or remove it from its nodes"
        case "cordon":
            return "uncordon the cordoned nodes"
        case "gang-topology":
            return f"let the gang span more than one {fact.subject}"
        case "affinity" | "anti-affinity" | "held-off" | "node-affinity" | "topology-spread":
            return f"make it a preference instead of a requirement: {plain(fact)}"
        case "group-problem":
            return f"mend the group: {fact.subject}"
        case _:
            return f"drop this rule: {plain(fact)}"
