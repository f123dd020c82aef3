"""Gang: a pod group is placed with at least its minimum of members, or not at all.

Source: FORMULATION §C8. Members that run already count; where they alone are enough, or with one
more, the others may come one by one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from batchsched.feasibility.problem import Problem
from batchsched.plan.state import FinalState, Placed, Violation
from batchsched.solver.model import IntArray, Model
from batchsched.solver.sums import Entries, numbered


@dataclass(frozen=True, slots=True)
class Gang:
    """All or nothing, up to ``min_count``."""

    name: str = "gang"

    def post(self, model: Model) -> None:
        """Group by group: there are few, of few classes each."""
        problem = model.problem
        members: dict[int, list[int]] = {}
        for index, pods in enumerate(problem.classes):
            if pods.group is not None:
                members.setdefault(pods.group, []).append(index)
        room = np.minimum(problem.upper.sum(axis=1, dtype=np.int64), problem.class_size)
        for group in sorted(members):
            need = problem.gangs[group].group.min_count - problem.gangs[group].running
            if need > 1:
                classes = np.array(members[group], dtype=np.int64)
                self._post_group(model, classes[room[classes] > 0], room, need)

    def _post_group(self, model: Model, classes: IntArray, room: IntArray, need: int) -> None:
        """``sum of a class <= room a``, ``sum of all >= need a``, with a "the group is admitted".

        Of each class at least what the others cannot make up for: that is the tighter relaxation.
        """
        if not len(classes):
            return
        most = room[classes]
        count, total = len(classes), int(most.sum())
        cells = model.cells(classes)
        if total < need:  # never enough of them
            model.add_rows(self.name, 1, [(0, cells.columns, 1)], upper=0)
            return
        of_class, columns = np.searchsorted(classes, cells.classes), cells.columns
        admitted = model.add_columns(self.name, 1, 1)
        entries: list[Entries] = [(of_class, columns, 1), (np.arange(count), admitted, -most)]
        model.add_rows(self.name, count, entries, upper=0)
        least = np.maximum(need - (total - most), 0)
        some, row = numbered(least > 0)
        chosen = row[of_class] >= 0
        entries = [(row[of_class[chosen]], columns[chosen], 1)]
        entries.append((np.arange(some), np.repeat(admitted, some), -least[least > 0]))
        rows = [model.add_rows(self.name, some, entries, lower=0)] if some else []
        if total > need and count > 1:
            entries = [(0, columns, 1), (0, admitted, -need)]
            rows.append(model.add_rows(self.name, 1, entries, lower=0))
        model.together(classes, np.concatenate(rows))

    def reads(self, problem: Problem) -> Iterable[IntArray]:
        """Nothing: it counts pods wherever they are."""
        del problem
        return ()

    def check(self, state: FinalState) -> Iterator[Violation]:
        """A group of which a pod is placed has its minimum in the final state."""
        group_of = state.group_of
        placed: dict[int, list[Placed]] = {}
        for each in state.placed:
            if each.pod.key in group_of:
                placed.setdefault(group_of[each.pod.key], []).append(each)
        for group in sorted(placed):
            about, first = state.snapshot.groups[group], placed[group][0]
            members = len(state.running_members[group]) + len(placed[group])
            problem = about.problem
            if problem is None and members < about.min_count:
                problem = f"{members} of the {about.min_count} members that it needs"
            if problem is not None:
                message = f"pod group {about.namespace}/{about.name}: {problem}"
                yield Violation(self.name, first.pod.full_name, first.node.name, message)
