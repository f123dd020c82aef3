"""Spread: pods that must be spread evenly are, in every domain that received one of them.

Source: FORMULATION §C7; kube-scheduler's PodTopologySpread with DoNotSchedule. Counted are the
pods of the owner's namespace that the selector matches, on eligible nodes, terminating ones not. A
domain that receives an owner may hold ``max_skew`` more than the eligible domain that holds fewest.
"""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from batchsched.feasibility.problem import PodClass, Problem
from batchsched.feasibility.selection import PodSelector
from batchsched.feasibility.spreading import eligible, lifted
from batchsched.plan.state import FinalState, Violation
from batchsched.plan.tallies import Spreads
from batchsched.snapshot.pod import PodSpec, TopologySpread
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
            lowest = int(held[eligible].min())
            coming = int(problem.class_size[np.unique(counted.cells.classes)].sum())
            highest = lifted(held[eligible], coming, int(most[eligible].min()))
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

    def reads(self, problem: Problem) -> Iterable[IntArray | BoolArray]:
        """Eligibility, the domain of the key, the count in those that are one node."""
        for group in _groups(problem):
            domains = problem.domains(group.spread.topology_key)
            yield group.eligible
            yield domains.shared
            yield domains.own(_held(problem, group, np.arange(len(problem.nodes))))

    def check(self, state: FinalState) -> Iterator[Violation]:
        """Every placed pod's domain holds at most ``max_skew`` more than the emptiest one."""
        spreads = Spreads(state, kept=False)
        for placed in state.placed:
            for tally in spreads.of(placed.pod) if placed.pod.spec.spread else ():
                key = tally.spread.topology_key
                domain = tally.domain_of.get(placed.node.name)
                if domain is None:
                    problem = f"the node has no label {key}"
                elif tally.excess(domain) > 0:
                    problem = f"{tally.counts[domain]} in {key}={domain}, {tally.least} in the"
                    problem += f" emptiest domain: more than {tally.spread.max_skew} apart"
                else:
                    continue
                yield Violation(self.name, placed.pod.full_name, placed.node.name, problem)


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
    seen = _Eligible(problem)
    for index, pods in enumerate(problem.classes):
        for spread in _counting(pods):
            key = (spread, pods.namespace, seen.key(pods.spec, spread))
            owners.setdefault(key, []).append(index)
    for (spread, namespace, packed), indices in owners.items():
        mask = np.zeros(len(problem.classes), dtype=np.bool_)
        mask[indices] = True
        yield _Group(spread, namespace, seen.nodes[packed], mask)


def _counting(pods: PodClass) -> Iterator[TopologySpread]:
    """The hard constraints of a class that count anybody: an empty or no selector does not."""
    for spread in dict.fromkeys(pods.spec.spread):
        if spread.hard and spread.selector is not None and spread.selector.requirements:
            yield spread


class _Eligible:
    """The eligible nodes [N] of constraints, each distinct set held once under its bits."""

    def __init__(self, problem: Problem) -> None:
        self._topology = problem.topology
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
            nodes = eligible(self._topology, spec, spread)
            self._keys[asked] = np.packbits(nodes).tobytes()
            self.nodes[self._keys[asked]] = nodes
        return self._keys[asked]


def _counted(problem: Problem, group: _Group) -> BoolArray:
    """[C] whose pods count."""
    return problem.selections.classes(PodSelector((group.namespace,), None, group.spread.selector))


def _held(problem: Problem, group: _Group, of_node: IntArray) -> IntArray:
    """The domains of the fixed pods that count, one entry each."""
    selector = PodSelector((group.namespace,), None, group.spread.selector)
    counted = problem.selections.fixed(selector) & problem.fixed.staying
    nodes = problem.fixed_node[counted & (problem.fixed_node >= 0)]
    at: IntArray = of_node[nodes]
    return at[at >= 0]
