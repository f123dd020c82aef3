"""Gang slices: members of a group come in slices of so many, each slice in one domain.

Source: FORMULATION §C16; Kueue's slices of a pod set (tensor-parallel workers of one model replica,
say). Members are alike to the rule, so it counts: in each domain a multiple of the size.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from batchsched.feasibility.problem import Gang, Problem
from batchsched.plan.state import FinalState, Violation, among
from batchsched.solver.model import IntArray, Model
from batchsched.solver.sums import BoolArray, sums


@dataclass(frozen=True, slots=True)
class GangSlices:
    """``slice_topology`` and ``slice_size`` of pod groups."""

    name: str = "gang_slices"

    def post(self, model: Model) -> None:
        """Group by group: there are few."""
        problem = model.problem
        for index, gang in enumerate(problem.gangs):
            if gang.group.slice_topology is not None:
                members = np.array([c.group == index for c in problem.classes], dtype=np.bool_)
                self._post_group(model, members, gang, gang.group.slice_topology)

    def _post_group(
        self,
        model: Model,
        members: BoolArray,
        gang: Gang,
        key: str,
    ) -> None:
        """``sum of members in d = k z_d``; where a slice is short, those it lacks come too."""
        domains, size = model.problem.domains(key), gang.group.slice_size
        inside = sums(model, members, domains.of_node, len(domains))
        on = domains.of_node[list(gang.running_nodes)]
        over = np.bincount(on[on >= 0], minlength=len(domains)) % size
        there = np.flatnonzero(inside.most > 0)
        row = np.full(len(domains), -1, dtype=np.int64)
        row[there] = np.arange(len(there))
        slices = model.add_columns(self.name, (inside.most + over)[there] // size)
        broken = np.flatnonzero(over[there])
        mended = model.add_columns(self.name, 1, len(broken))
        entries = [inside.entries(row), (np.arange(len(there)), slices, -size)]
        entries.append((broken, mended, over[there][broken]))
        model.add_rows(self.name, len(there), entries, lower=0, upper=0)
        most = ((inside.most + over)[there] // size)[broken]
        entries = [(np.arange(len(broken)), slices[broken], 1)]
        entries.append((np.arange(len(broken)), mended, -most))
        model.add_rows(self.name, len(broken), entries, upper=0)
        model.in_steps(np.flatnonzero(members), size)

    def reads(self, problem: Problem) -> Iterable[IntArray]:
        """The domain of each key, and the running members in those of one node."""
        for gang in problem.gangs:
            if gang.group.slice_topology is not None:
                domains = problem.domains(gang.group.slice_topology)
                yield domains.shared
                yield domains.own(np.array(gang.running_nodes, dtype=np.int64))

    def check(self, state: FinalState) -> Iterator[Violation]:
        """Where a member is placed, members are a multiple of the size, with those that ran."""
        gone = among(state.snapshot.pods, state.evicted) if state.evicted else {}
        ran = [
            (state.group_of[key], pod.node) for key, pod in gone.items() if key in state.group_of
        ]
        run = [(g, pod.node) for g, pods in state.running_members.items() for pod in pods]
        placed = [p for p in state.placed if p.pod.key in state.group_of]
        here = [(state.group_of[p.pod.key], p.node.name) for p in placed]
        counts: Counter[tuple[int, str | None]] = Counter()
        for group, node in (*run, *ran, *here):
            if state.snapshot.groups[group].slice_topology is not None:
                counts[group, self._domain(state, group, node)] += 1
        for each, (group, node) in zip(placed, here, strict=True):
            about = state.snapshot.groups[group]
            if about.slice_topology is None:
                continue
            domain = self._domain(state, group, node)
            many = counts[group, domain]
            if domain is None:
                problem = f"its pod group needs nodes with the label {about.slice_topology}"
            elif many % about.slice_size:
                problem = f"{many} members in {domain}, in slices of {about.slice_size}"
            else:
                continue
            yield Violation(self.name, each.pod.full_name, each.node.name, problem)

    def _domain(self, state: FinalState, group: int, node: str | None) -> str | None:
        """Where a slice with a member on this node is."""
        key = state.snapshot.groups[group].slice_topology
        return state.census.values(key).get(node) if key is not None and node is not None else None
