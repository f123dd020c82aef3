"""Spread: pods that must be spread evenly are, in every domain that received one of them.

Source: FORMULATION §C7; kube-scheduler's PodTopologySpread with DoNotSchedule. Counted are the
pods of the owner's namespace that the selector matches, on eligible nodes, terminating ones not. A
domain that receives an owner may hold ``max_skew`` more than the eligible domain that holds fewest.
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

import numpy as np

from batchsched.feasibility.columns import distinct
from batchsched.feasibility.node_terms import NodeTerms
from batchsched.feasibility.nodes import intolerable
from batchsched.feasibility.problem import PodClass, Problem
from batchsched.feasibility.selection import PodSelector
from batchsched.plan.reading import Company, untolerated, wanted_by
from batchsched.plan.state import FinalState, Violation
from batchsched.snapshot.labels import NodeSelectorTerm, Pairs
from batchsched.snapshot.pod import NO_EXECUTE, NO_SCHEDULE, PodSpec, Toleration, TopologySpread
from batchsched.solver.model import IntArray, Model
from batchsched.solver.sums import BoolArray, Entries, Sums, add_up, numbered, sums


@dataclass(frozen=True, slots=True)
class Spread:
    """Hard topology spread of placed pods."""

    name: str = "spread"

    def post(self, model: Model) -> None:
        """Owners of one constraint, namespace and set of eligible nodes share rows."""
        for group in _groups(model.problem):
            self._post_group(model, group)

    def _post_group(self, model: Model, group: "_Group") -> None:
        """``count <= min + max_skew`` where owners are placed, ``min <= count`` wherever eligible.

        Counts here are less what the emptiest domain holds already, which min starts from.
        """
        problem, spread = model.problem, group.spread
        domains = problem.domains(spread.topology_key)
        of_node = np.where(group.eligible, domains.of_node, -1)
        eligible = add_up(of_node[of_node >= 0], 1, len(domains)) > 0
        held = add_up(_held(problem, group, of_node), 1, len(domains))
        owners = sums(model, group.owners, domains.of_node, len(domains))
        counted = sums(model, _counted(problem, group), of_node, len(domains))
        most = held + counted.most
        lowest = highest = 0
        if 0 < np.count_nonzero(eligible) >= spread.min_domains:
            lowest, highest = int(held[eligible].min()), int(most[eligible].min())
        concerned = (owners.most > 0) & (most > lowest + spread.max_skew)
        if not concerned.any():
            return
        minimum = None
        if highest > lowest:
            minimum = self._post_minimum(model, counted, held - lowest, eligible, highest - lowest)
        room = lowest + spread.max_skew - held
        others = sums(model, _counted(problem, group) & ~group.owners, of_node, len(domains))
        # Where only owners raise the count, and it is not too high, "owner is here" is not asked.
        free = concerned & (room >= 0) & (others.most == 0)
        self._post_limits(model, counted, free, room, minimum)
        self._post_guarded(model, owners, counted, concerned & ~free, room, minimum)

    def _post_minimum(
        self, model: Model, counted: Sums, held: IntArray, eligible: BoolArray, most: int
    ) -> IntArray:
        """A column that is at most the count of each eligible domain."""
        minimum = model.add_columns(self.name, most, 1)
        count, row = numbered(eligible & (held < most))
        entries: list[Entries] = [
            counted.entries(row, -1),
            (np.arange(count), np.repeat(minimum, count), 1),
        ]
        model.add_rows(self.name, count, entries, upper=held[row >= 0])
        return minimum

    def _post_limits(
        self,
        model: Model,
        counted: Sums,
        chosen: BoolArray,
        room: IntArray,
        minimum: IntArray | None,
    ) -> None:
        """``count - min <= room`` in the chosen domains."""
        count, row = numbered(chosen)
        if not count:
            return
        entries: list[Entries] = [counted.entries(row)]
        if minimum is not None:
            entries.append((np.arange(count), np.repeat(minimum, count), np.full(count, -1)))
        model.add_rows(self.name, count, entries, upper=room[chosen])

    def _post_guarded(
        self,
        model: Model,
        owners: Sums,
        counted: Sums,
        chosen: BoolArray,
        room: IntArray,
        minimum: IntArray | None,
    ) -> None:
        """``count - min <= room`` in those of the chosen domains that receive an owner."""
        count, row = numbered(chosen)
        if not count:
            return
        excess = counted.most - room
        entries: list[Entries] = [counted.entries(row)]
        # One owner at most is its own "owner is here".
        single, several = chosen & (owners.most == 1), chosen & (owners.most > 1)
        entries.append(owners.entries(np.where(single, row, -1), excess))
        added, present_row = numbered(several)
        if added:
            present = model.add_columns(self.name, 1, added)
            held: list[Entries] = [
                owners.entries(present_row),
                (np.arange(added), present, -owners.most[several]),
            ]
            model.add_rows(self.name, added, held, upper=0)
            entries.append((row[several], present, excess[several]))
        if minimum is not None:
            entries.append((np.arange(count), np.repeat(minimum, count), np.full(count, -1)))
        model.add_rows(self.name, count, entries, upper=(room + excess)[chosen])

    def check(self, state: FinalState) -> Iterator[Violation]:
        """Every placed pod's domain holds at most ``max_skew`` more than the emptiest one."""
        tallies: dict[Hashable, _Tally] = {}
        eligible: dict[Hashable, frozenset[str]] = {}
        for placed in state.placed:
            hard = [each for each in placed.pod.spec.spread if each.hard]
            for spread in hard:
                asked = _asked(placed.pod.spec, hard, spread)
                key = (spread, placed.pod.namespace, asked)
                if key not in tallies:
                    if asked not in eligible:
                        eligible[asked] = _eligible(state, placed.pod.spec, hard, spread)
                    tallies[key] = _Tally(state, placed.pod.namespace, spread, eligible[asked])
                problem = tallies[key].problem(state, placed.node.name)
                if problem is not None:
                    yield Violation(self.name, placed.pod.full_name, placed.node.name, problem)


class _Tally:
    """The pods that count for a constraint, by domain."""

    def __init__(
        self, state: FinalState, namespace: str, spread: TopologySpread, eligible: frozenset[str]
    ) -> None:
        self.spread = spread
        domain_of = state.census.values(spread.topology_key)
        self.counts = dict.fromkeys((domain_of[name] for name in eligible), 0)
        if spread.selector is not None and spread.selector.requirements:
            who = Company(spread.topology_key, (namespace,), None, spread.selector)
            for kind in state.census.selected(who):
                for node, count in kind.on.items():
                    if node in eligible:
                        self.counts[domain_of[node]] += count - kind.leaving.get(node, 0)
        enough = len(self.counts) >= spread.min_domains
        self.least = min(self.counts.values()) if enough and self.counts else 0

    def problem(self, state: FinalState, node: str) -> str | None:
        """What is wrong with a pod on this node, if anything."""
        key = self.spread.topology_key
        domain = state.census.values(key).get(node)
        if domain is None:
            return f"the node has no label {key}"
        count = self.counts.get(domain, 0)
        if count - self.least > self.spread.max_skew:
            apart = f"{count} in {key}={domain}, {self.least} in the emptiest domain"
            return f"{apart}: more than {self.spread.max_skew} apart"
        return None


def _asked(spec: PodSpec, hard: list[TopologySpread], spread: TopologySpread) -> Hashable:
    """What the eligible nodes of a constraint depend on."""
    return (
        tuple(sorted({each.topology_key for each in hard})),
        (spec.node_selector, spec.node_affinity) if spread.honor_node_affinity else None,
        spec.tolerations if spread.honor_node_taints else None,
    )


def _eligible(
    state: FinalState, spec: PodSpec, hard: list[TopologySpread], spread: TopologySpread
) -> frozenset[str]:
    """The nodes that count: with all keys, and let in by the constraint's policies."""
    keys = {each.topology_key for each in hard}
    return frozenset(
        name
        for name, labels in state.census.labels.items()
        if all(key in labels for key in keys)
        and (not spread.honor_node_affinity or wanted_by(spec, name, labels))
        and (
            not spread.honor_node_taints
            or untolerated(state.nodes[name].taints, spec.tolerations) is None
        )
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """Owners [C] of one constraint in one namespace, with the same eligible nodes [N]."""

    spread: TopologySpread
    namespace: str
    eligible: BoolArray
    owners: BoolArray


def _groups(problem: Problem) -> Iterator[_Group]:
    """The groups, each by its first class."""
    owners: dict[tuple[TopologySpread, str, bytes], list[int]] = {}
    eligible = _Eligible(problem)
    for index, pods in enumerate(problem.classes):
        for spread in _counting(pods):
            key = (spread, pods.namespace, eligible.key(pods.spec, spread))
            owners.setdefault(key, []).append(index)
    for (spread, namespace, packed), indices in owners.items():
        mask = np.zeros(len(problem.classes), dtype=np.bool_)
        mask[indices] = True
        yield _Group(spread, namespace, eligible.nodes[packed], mask)


def _counting(pods: PodClass) -> Iterator[TopologySpread]:
    """The hard constraints of a class that count anybody: an empty or no selector does not."""
    for spread in dict.fromkeys(pods.spec.spread):
        if spread.hard and spread.selector is not None and spread.selector.requirements:
            yield spread


class _Eligible:
    """The eligible nodes [N] of constraints, each distinct set held once under its bits."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._terms: NodeTerms | None = None
        self._keys: dict[Hashable, bytes] = {}
        self.nodes: dict[bytes, BoolArray] = {}

    def key(self, spec: PodSpec, spread: TopologySpread) -> bytes:
        """The bits of the nodes that count for a constraint of a pod."""
        asked = (
            tuple(sorted({each.topology_key for each in spec.spread if each.hard})),
            (spec.node_selector, spec.node_affinity) if spread.honor_node_affinity else None,
            spec.tolerations if spread.honor_node_taints else None,
        )
        if asked not in self._keys:
            nodes = self._ask(*asked)
            self._keys[asked] = np.packbits(nodes).tobytes()
            self.nodes[self._keys[asked]] = nodes
        return self._keys[asked]

    def _ask(
        self,
        topology_keys: tuple[str, ...],
        affinity: tuple[Pairs, tuple[NodeSelectorTerm, ...] | None] | None,
        tolerations: tuple[Toleration, ...] | None,
    ) -> BoolArray:
        nodes: BoolArray = np.ones(len(self._problem.nodes), dtype=np.bool_)
        for key in topology_keys:
            nodes &= self._problem.domains(key).has_key
        if affinity is not None and affinity != ((), None):
            self._terms = self._terms or NodeTerms(self._problem.nodes)
            nodes &= self._terms.required(*affinity)
        if tolerations is not None:
            effects = frozenset({NO_SCHEDULE, NO_EXECUTE})
            taints, of_node = distinct(node.taints for node in self._problem.nodes)
            passes = [not intolerable(tolerations, each, effects) for each in taints]
            nodes &= np.array(passes, dtype=np.bool_)[of_node]
        return nodes


def _counted(problem: Problem, group: _Group) -> BoolArray:
    """[C] whose pods count."""
    return problem.selections.classes(PodSelector((group.namespace,), None, group.spread.selector))


def _held(problem: Problem, group: _Group, of_node: IntArray) -> IntArray:
    """The domains of the fixed pods that count, one entry each."""
    selector = PodSelector((group.namespace,), None, group.spread.selector)
    staying = np.array([not pod.deleting for pod in problem.fixed], dtype=np.bool_)
    nodes = problem.fixed_node[
        problem.selections.fixed(selector) & staying & (problem.fixed_node >= 0)
    ]
    at: IntArray = of_node[nodes]
    return at[at >= 0]
