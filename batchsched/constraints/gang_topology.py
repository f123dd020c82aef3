"""Gang topology: a group that asks for one domain stands in one domain, running members among it.

Source: FORMULATION §C9; topology-aware workload scheduling. Nodes without the key receive no
member, and running members pin the domain: both are in the candidates.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from batchsched.feasibility.problem import Problem
from batchsched.plan.state import FinalState, Violation, among
from batchsched.snapshot.group import PodGroup
from batchsched.solver.model import IntArray, Model
from batchsched.solver.sums import Entries, add_up


@dataclass(frozen=True, slots=True)
class GangTopology:
    """``required_topology`` of pod groups."""

    name: str = "gang_topology"

    def post(self, model: Model) -> None:
        """Group by group: there are few."""
        members: dict[int, list[int]] = {}
        for index, pods in enumerate(model.problem.classes):
            if pods.group is not None:
                members.setdefault(pods.group, []).append(index)
        for group in sorted(members):
            key = model.problem.gangs[group].group.required_topology
            if key is not None:
                self._post_group(model, np.array(members[group], dtype=np.int64), key)

    def _post_group(self, model: Model, classes: IntArray, key: str) -> None:
        """``x <= U u_d`` for each class and domain, and one u at most.

        Where the group has a minimum it is asked for in the domain: ``sum of all >= need u_d``.
        That follows, but not for fractions: those of a gang in domains too small for the whole.
        """
        problem = model.problem
        cells = model.cells(classes)
        domain = problem.domains(key).of_node[cells.nodes]
        if len(np.unique(domain)) <= 1:
            return
        width = int(domain.max()) + 1
        pairs, of_cell = np.unique(cells.classes * width + domain, return_inverse=True)
        room = add_up(of_cell, problem.upper[cells.classes, cells.nodes], len(pairs))
        most = np.minimum(room, problem.class_size[pairs // width])
        domains, of_pair = np.unique(pairs % width, return_inverse=True)
        chosen = model.add_columns(self.name, 1, len(domains))
        entries: list[Entries] = [(of_cell, cells.columns, 1)]
        entries.append((np.arange(len(most)), chosen[of_pair], -most))
        model.add_rows(self.name, len(most), entries, upper=0)
        model.add_rows(self.name, 1, [(0, chosen, 1)], upper=1)
        need = model.least_of(np.unique(cells.classes))
        if need > 1:
            entries = [(of_pair[of_cell], cells.columns, 1)]
            entries.append((np.arange(len(chosen)), chosen, -need))
            rows = model.add_rows(self.name, len(chosen), entries, lower=0)
            model.complete_later(np.unique(cells.classes), rows)

    def reads(self, problem: Problem) -> Iterable[IntArray]:
        """The domain of each key; running members keep classes off for good."""
        keys = {gang.group.required_topology or "" for gang in problem.gangs} - {""}
        return [problem.domains(key).shared for key in sorted(keys)]

    def check(self, state: FinalState) -> Iterator[Violation]:
        """Placed members of such a group are in one domain, where its members run or ran."""
        domains: dict[int, set[str]] = {}
        gone = among(state.snapshot.pods, state.evicted) if state.evicted else {}
        ran = [(state.group_of[key], pod) for key, pod in gone.items() if key in state.group_of]
        run = [(group, pod) for group, pods in state.running_members.items() for pod in pods]
        for group, pod in (*run, *ran):
            domain = _domain(state, state.snapshot.groups[group], pod.node)
            if domain is not None:
                domains.setdefault(group, set()).add(domain)
        for placed in state.placed:
            group = state.group_of.get(placed.pod.key, -1)
            key = state.snapshot.groups[group].required_topology if group >= 0 else None
            if key is None:
                continue
            domain = _domain(state, state.snapshot.groups[group], placed.node.name)
            if domain is None:
                problem = f"its pod group needs nodes with the label {key}"
            elif domains.setdefault(group, {domain}) != {domain}:
                problem = f"its pod group is not in one domain of {key}"
            else:
                continue
            yield Violation(self.name, placed.pod.full_name, placed.node.name, problem)


def _domain(state: FinalState, group: PodGroup, node: str | None) -> str | None:
    """The domain that the group would be in with a member on this node."""
    if group.required_topology is None or node is None:
        return None
    return state.census.values(group.required_topology).get(node)
