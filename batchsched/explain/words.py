"""Facts in an operator's words: the rule, whom it concerns, the numbers. Decides nothing.

Numbers of nodes are those that the filters leave where a fact holds alone, and where the other
facts of the set hold without it; so the sentences and the proof speak of the same snapshots.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from batchsched.explain.facts import PODS, Fact
from batchsched.explain.minimal import Search
from batchsched.feasibility.compile import compile_problem
from batchsched.snapshot.labels import LabelSelector, NodeSelectorTerm, Requirement
from batchsched.snapshot.pod import HostPort, Pod, PodAffinityTerm, TopologySpread
from batchsched.snapshot.reservation import Reservation
from batchsched.snapshot.snapshot import holding

NAMES_MAX = 3
RULES = {
    "node-selector": "NodeAffinity",
    "node-affinity": "NodeAffinity",
    "node-name": "NodeName",
    "taint": "TaintToleration",
    "cordon": "NodeUnschedulable",
    "capacity": "NodeResourcesFit",
    "affinity": "InterPodAffinity",
    "anti-affinity": "InterPodAffinity",
    "held-off": "InterPodAffinity",
    "topology-spread": "PodTopologySpread",
    "host-port": "NodePorts",
    "volume-claim": "VolumeBinding",
    "disk": "VolumeRestrictions",
    "inline-volume": "NodeVolumeLimits",
    "device-claim": "DynamicResources",
    "node-feature": "NodeDeclaredFeatures",
    "reserved": "Reservation",
}
"""The plugin of kube-scheduler that knows each kind of fact; groups and reservations are ours."""


def amount(resource: str, number: int) -> str:
    """An amount as people write it: cores, GiB, units."""
    if resource == "cpu":
        return f"{number / 1000:g} cpu"
    if resource in {"memory", "ephemeral-storage"} or resource.startswith("hugepages-"):
        return f"{round(number / 2**30, 3):g} GiB of {resource}"
    return f"{number:,} {resource}"


def named(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - NAMES_MAX
    return ", ".join(names[:NAMES_MAX]) + (f" and {more:,} more" if more > 0 else "")


def selector_text(selector: LabelSelector | None) -> str:
    """A label selector as kubectl writes it."""
    if selector is None:
        return "no pod"
    return ", ".join(map(_requirement, selector.requirements)) or "any pod"


def _requirement(each: Requirement) -> str:
    if each.operator == "In" and len(each.values) == 1:
        return f"{each.key}={each.values[0]}"
    values = f" ({', '.join(each.values)})" if each.values else ""
    return f"{each.key} {each.operator}{values}"


def terms_text(terms: Iterable[NodeSelectorTerm]) -> str:
    """Node selector terms, any of which is enough."""
    parts = (" and ".join(map(_requirement, (*t.expressions, *t.fields))) for t in terms)
    return " or ".join(part or "nothing" for part in parts) or "nothing"


def term_text(term: PodAffinityTerm) -> str:
    """A term of pod affinity: whom it selects, and where."""
    return f"pods with {selector_text(term.selector)} in one {term.topology_key}"


def _port(port: HostPort) -> str:
    return f"{port.port}/{port.protocol}"


@dataclass(frozen=True)
class Words:
    """Says the facts of a core; ``core`` indexes ``search.facts``."""

    search: Search
    core: frozenset[int]
    most: int | None
    """Of a gang, how many pods can be placed; proven."""

    def said(self, i: int) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
        """The sentence of a fact, the nodes it leaves to the pods, and the pods it concerns."""
        fact = self.search.facts[i]
        nodes = sorted(self._nodes(frozenset({i})))
        pods = self._pods(fact)
        match fact.kind:
            case "capacity":
                return self._capacity(i, fact.subject), tuple(nodes), pods
            case "gang-minimum":
                return self._minimum(fact.subject), (), pods
            case "gang-topology":
                return self._topology(fact.subject), (), pods
            case "reserved":
                return plain(fact), tuple(name for name, _ in fact.subject.nodes), pods
            case _:
                left = f"; {len(nodes)} of {self.total} nodes pass" if self._by_node(fact) else ""
                holders = f": {named(pods)}" if pods else ""
                return f"{plain(fact)}{holders}{left}", tuple(nodes), pods

    @property
    def total(self) -> int:
        """How many nodes there are."""
        return len(self.search.snapshot.nodes)

    @cached_property
    def unit(self) -> tuple[Pod, ...]:
        """The pods in question."""
        return self.search.question.window(self.search.snapshot).pods

    @cached_property
    def _held(self) -> dict[str, dict[str, int]]:
        """Node to what its pods hold of each resource."""
        held: dict[str, dict[str, int]] = {node.name: {} for node in self.search.snapshot.nodes}
        for pod in holding(self.search.snapshot):
            mine = held.get(pod.node or "", {})
            for resource, number in (*pod.requests, (PODS, 1)):
                mine[resource] = mine.get(resource, 0) + number
        return held

    @cached_property
    def free(self) -> dict[str, dict[str, int]]:
        """Node to what is free of each resource that it has."""
        return {
            node.name: {
                resource: max(number - self._held[node.name].get(resource, 0), 0)
                for resource, number in node.allocatable
            }
            for node in self.search.snapshot.nodes
        }

    def _nodes(self, kept: frozenset[int]) -> set[str]:
        """The nodes that take one of the pods, as far as these facts say."""
        snapshot = self.search.alone(kept)
        problem = compile_problem(snapshot, self.search.question.window(snapshot))
        waiting = [c for c, each in enumerate(problem.classes) if each.waits]
        takes = problem.candidates[waiting].sum(axis=0).tolist()
        return {node.name for node, some in zip(problem.nodes, takes, strict=True) if some}

    def _by_node(self, fact: Fact) -> bool:
        kinds = ("node-", "taint", "cordon", "volume", "host-port", "held-off")
        return fact.kind.startswith(kinds)

    def _pods(self, fact: Fact) -> tuple[str, ...]:
        """The pods that a fact speaks of: those that run, or whom room is kept for."""
        snapshot = self.search.snapshot
        if fact.kind == "host-port":
            same = (fact.subject.port, fact.subject.protocol)
            return tuple(
                pod.full_name
                for pod in holding(snapshot)
                if any((port.port, port.protocol) == same for port in pod.spec.host_ports)
            )
        if fact.kind == "held-off":
            return tuple(f"{namespace}/{name}" for namespace, name in fact.subject[1])
        if fact.kind == "reserved":
            return tuple(f"{namespace}/{name}" for namespace, name in fact.subject.pods)
        return ()

    def asked(self, resource: str) -> int:
        """The most that one of the pods asks for."""
        return (
            1
            if resource == PODS
            else max(dict(p.spec.requests).get(resource, 0) for p in self.unit)
        )

    def _capacity(self, i: int, resource: str) -> str:
        """Room: what is asked for, what the nodes that the other facts leave have free."""
        asked, free = self.asked(resource), self.free
        others = sorted(self._nodes(self.core - {i}))
        best = max(others, key=lambda name: free[name].get(resource, 0), default=None)
        count = len(self.unit)
        head = f"needs {amount(resource, asked)}"
        if count > 1:
            head = f"each of {count} pods {head}"
        which = f"{len(others)} nodes that the other facts leave"
        if len(others) == self.total:
            which = f"all {self.total} nodes"
        if best is None:
            return head
        most = free[best].get(resource, 0)
        if all(resource not in free[name] for name in others):
            return f"{head}; of {which}, none has any"
        if not most:
            return f"{head}; of {which}, none has any free"
        if most < asked:
            return f"{head}; of {which}, {best} has the most free: {amount(resource, most)}"
        slots = sum(free[name].get(resource, 0) // asked for name in others)
        return f"{head}; {which} have room for {slots}"

    def _minimum(self, subject: tuple[int, tuple[tuple[str, int], ...]]) -> str:
        minimum, parts = subject
        among = ", ".join(f"{least} of part {part}" for part, least in parts)
        head = f"the gang starts with {minimum} pods{f' ({among})' if parts else ''} or not at all"
        if len(self.unit) < minimum:
            return f"{head}; {len(self.unit)} are pending"
        return f"{head}; {self.most} can be placed" if self.most is not None else head

    def _topology(self, key: str) -> str:
        """Domains, and how many of the pods each has room for."""
        snapshot = self.search.alone(self.core)
        problem = compile_problem(snapshot, self.search.question.window(snapshot))
        room: dict[str, int] = {}
        upper = problem.upper.max(axis=0)
        for node, slots in zip(problem.nodes, upper.tolist(), strict=True):
            value = dict(node.labels).get(key)
            if value is not None:
                room[value] = room.get(value, 0) + slots
        if not room:
            return f"all its pods must be in one {key}, and no node has that label"
        (first, most), *rest = sorted(room.items(), key=lambda item: (-item[1], item[0]))
        if rest and rest[0][1] == most:
            return f"all its pods must be in one {key}: none has room for more than {most}"
        other = f", no other for more than {rest[0][1]}" if rest else ""
        return f"all its pods must be in one {key}: {first} has room for {most}{other}"


def plain(fact: Fact) -> str:
    """A fact without numbers."""
    say = PLAIN.get(fact.kind)
    return (
        f"needs {fact.kind.replace('-', ' ')} {fact.subject}" if say is None else say(fact.subject)
    )


UNDONE = {
    "cordon": "uncordon the cordoned nodes",
    "reserved": "keep no room for who has waited too long (ageing.afterWindows: 0)",
}
"""What to do about a rule that has no subject for people to change."""


def advice(fact: Fact) -> str:
    """What to do about a rule."""
    match fact.kind:
        case "taint":
            return f"tolerate {taint_text(fact.subject)}, or remove it from its nodes"
        case "cordon" | "reserved":
            return UNDONE[fact.kind]
        case "gang-topology":
            return f"let the gang span more than one {fact.subject}"
        case "affinity" | "anti-affinity" | "held-off" | "node-affinity" | "topology-spread":
            return f"make it a preference instead of a requirement: {plain(fact)}"
        case "group-problem":
            return f"mend the group: {fact.subject}"
        case _:
            return f"drop this rule: {plain(fact)}"


def taint_text(taint: object) -> str:
    """A taint as kubectl writes it."""
    key, value, effect = (getattr(taint, name) for name in ("key", "value", "effect"))
    return f"{key}={value}:{effect}" if value else f"{key}:{effect}"


def _spread(term: TopologySpread) -> str:
    chosen = selector_text(term.selector)
    return (
        f"pods with {chosen} must be spread over {term.topology_key}, skew at most {term.max_skew}"
    )


def _kept_room(made: Reservation) -> str:
    nodes = named([name for name, _ in made.nodes])
    owners = named([f"{namespace}/{name}" for namespace, name in made.pods])
    until = "; nobody knows from when on"
    if made.until_s is not None:
        until = f"; who is gone in {max(made.until_s - made.at_s, 0):,.0f} s may use it"
    return f"room on {nodes} is kept for {owners}, after too long a wait{until}"


PLAIN: dict[str, Callable[[Any], str]] = {
    "node-selector": lambda pair: f"only nodes with {pair[0]}={pair[1]}",
    "node-affinity": lambda terms: f"only nodes with {terms_text(terms)}",
    "taint": lambda taint: f"does not tolerate the taint {taint_text(taint)}",
    "cordon": lambda _: "cordoned nodes take no pods",
    "affinity": lambda term: f"must be with {term_text(term)}",
    "anti-affinity": lambda term: f"must not be with {term_text(term)}",
    "held-off": lambda held: f"running pods must not be with {term_text(held[0])}",
    "topology-spread": _spread,
    "host-port": lambda port: f"needs host port {_port(port)}",
    "group-problem": str,
    "gang-union": lambda others: f"it starts only together with {others}",
    "gang-topology": lambda key: f"all its pods must be in one {key}",
    "gang-slices": lambda said: f"its pods come in slices of {said[0]}, each in one {said[1]}",
    "volume-claim": lambda claim: f"mounts the claim {claim.name}",
    "disk": lambda disk: f"mounts the {disk.kind} {'/'.join(disk.ids)}",
    "inline-volume": lambda volume: f"mounts the volume {volume[2]} of {volume[1]}",
    "reserved": _kept_room,
    "device-claim": lambda claim: f"claims devices as {claim[0]}",
}
"""What each kind of fact says; others are named as they are."""
