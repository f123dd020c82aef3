"""Gang: a pod group is placed with at least its minimum of members, or not at all.

Source: FORMULATION §C8. Members that run already count; where they alone are enough, or with one
more, the others may come one by one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from batchsched.feasibility.problem import Gang as ProblemGang
from batchsched.feasibility.problem import Problem
from batchsched.plan.reading import runs
from batchsched.plan.state import FinalState, Placed, Violation, among
from batchsched.snapshot.snapshot import Snapshot
from batchsched.solver.model import IntArray, Model
from batchsched.solver.sums import Entries, numbered


@dataclass(frozen=True, slots=True)
class Gang:
    """All or nothing, up to ``min_count``."""

    name: str = "gang"

    def post(self, model: Model) -> None:
        """Group by group: there are few, of few classes each."""
        problem = model.problem
        room = np.minimum(problem.upper.sum(axis=1, dtype=np.int64), problem.class_size)
        for gang, members in _coming(problem):
            need = gang.group.min_count - gang.running
            if need > 1:
                classes = np.array(members, dtype=np.int64)
                self._post_group(model, classes[room[classes] > 0], room, need)
        self._post_running(model, room)

    def _post_running(self, model: Model, room: IntArray) -> None:
        """Of a group that runs, its minimum stays or comes, or nobody of it is there."""
        problem = model.problem
        seated: dict[int, list[int]] = {}
        for index, pods in enumerate(problem.classes):
            if pods.seat is not None and pods.seat.group is not None:
                seated.setdefault(pods.seat.group, []).append(index)
        coming = {gang.group.key: members for gang, members in _coming(problem)}
        running = _running(problem.snapshot) if seated else {}
        for group, seats in sorted(seated.items()):
            about, going = problem.snapshot.groups[group], int(problem.class_size[seats].sum())
            need = about.min_count - (running[group] - going)
            if need > 1:
                classes = np.array(sorted([*seats, *coming.get(about.key, [])]), dtype=np.int64)
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
        model.together(classes, np.concatenate(rows), need)

    def reads(self, problem: Problem) -> Iterable[IntArray]:
        """Nothing: it counts pods wherever they are."""
        del problem
        return ()

    def check(self, state: FinalState) -> Iterator[Violation]:
        """A group of which a pod is placed, or one that stays was left, has its minimum."""
        group_of = state.group_of
        yield from _halved(state)
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


def _coming(problem: Problem) -> list[tuple[ProblemGang, list[int]]]:
    """The gangs of the window, with the classes of their pending members."""
    members: dict[int, list[int]] = {}
    for index, pods in enumerate(problem.classes):
        if pods.group is not None:
            members.setdefault(pods.group, []).append(index)
    return [(problem.gangs[group], members[group]) for group in sorted(members)]


def _running(snapshot: Snapshot) -> dict[int, int]:
    """How many members of each group run."""
    group_of, running = dict(snapshot.group_of), dict[int, int]()
    for pod in snapshot.pods:
        group = group_of.get(pod.key)
        if group is not None and runs(pod):
            running[group] = running.get(group, 0) + 1
    return running


def _halved(state: FinalState) -> Iterator[Violation]:
    """Groups that lose a member, keep others, and are not left with their minimum."""
    lost = {state.group_of[key] for key in state.evicted if key in state.group_of}
    members = among(state.snapshot.pods, state.group_of) if lost else {}
    arriving = {state.group_of.get(each.pod.key) for each in state.placed if lost}
    for group in sorted(lost - arriving):
        about = state.snapshot.groups[group]
        here = [
            pod
            for key, pod in sorted(members.items())
            if state.group_of[key] == group and runs(pod) and key not in state.evicted
        ]
        if here and len(here) < about.min_count:
            message = f"pod group {about.namespace}/{about.name}: {len(here)} of the"
            message += f" {about.min_count} members that it needs would stay"
            yield Violation("gang", here[0].full_name, here[0].node or "", message)
