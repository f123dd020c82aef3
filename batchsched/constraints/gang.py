"""Gang: a pod group is placed with at least its minimum of members, or not at all.

Source: FORMULATION §C8. Members that run already count; where they alone are enough, or with one
more, the others may come one by one. Parts of a group (a leader, its workers) may have minimums of
their own; then all of them hold, or nobody is placed. A union of groups is admitted as one.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from batchsched.feasibility.problem import Gang as ProblemGang
from batchsched.feasibility.problem import PodClass, Problem
from batchsched.plan.reading import runs
from batchsched.plan.state import FinalState, Placed, Violation, among
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.parts import lack, part_of
from batchsched.snapshot.snapshot import Snapshot
from batchsched.solver.model import IntArray, Model
from batchsched.solver.sums import Entries, numbered

if TYPE_CHECKING:
    from batchsched.snapshot.pod import Pod

BoolArray: TypeAlias = npt.NDArray[np.bool_]
Needs: TypeAlias = dict[str | None, int]
"""How many more members each part needs; ``None``: all parts together."""
Sets: TypeAlias = list[tuple[BoolArray, int]]
"""Which of some classes have to give how many."""


@dataclass(frozen=True, slots=True)
class Gang:
    """All or nothing, up to ``min_count``, and of each part up to its own minimum."""

    name: str = "gang"

    def post(self, model: Model) -> None:
        """Group by group: there are few, of few classes each."""
        problem = model.problem
        room = np.minimum(problem.upper.sum(axis=1, dtype=np.int64), problem.class_size)
        for union in _unions(problem):
            classes = np.array(sorted(c for _, members in union for c in members), dtype=np.int64)
            classes = classes[room[classes] > 0]
            sets = [
                each
                for gang, members in union
                for each in _sets(problem, classes, np.isin(classes, members), _missing(gang))
            ]
            least = sum(_least(_missing(gang)) for gang, _ in union)
            self._post_group(model, classes, room, sets, least)
        self._post_running(model, room)
        self._post_whole(model)

    def _post_running(self, model: Model, room: IntArray) -> None:
        """Of a group that runs, its minimum stays or comes, or nobody of it is there."""
        problem = model.problem
        seated: dict[int, list[int]] = {}
        for index, pods in enumerate(problem.classes):
            if pods.seat is not None and pods.seat.group is not None:
                seated.setdefault(pods.seat.group, []).append(index)
        coming = {gang.group.key: members for gang, members in _gangs(problem)}
        running = _running(problem.snapshot) if seated else {}
        for group, seats in sorted(seated.items()):
            about, there = problem.snapshot.groups[group], running[group].copy()
            for c in seats:
                there[_part(problem.classes[c])] -= problem.classes[c].size
            needs = _needs(about, there.total(), there)
            classes = np.array(sorted([*seats, *coming.get(about.key, [])]), dtype=np.int64)
            classes = classes[room[classes] > 0]
            everyone = np.ones(len(classes), dtype=np.bool_)
            sets = _sets(problem, classes, everyone, needs)
            if not there.total():
                self._post_group(model, classes, room, sets, _least(needs))
                continue
            for of_set, need in sets:  # somebody is there whatever happens
                columns = model.cells(classes[of_set]).columns
                model.add_rows(self.name, 1, [(0, columns, 1)], lower=need)

    def _post_whole(self, model: Model) -> None:
        """Of a group that goes whole, all that run stay, or nobody is there: ``b`` says that.

        ``kept = size (1 - b)`` for classes that run, ``placed <= size (1 - b)`` for others.
        """
        problem = model.problem
        seated: dict[int, list[int]] = {}
        for index, pods in enumerate(problem.classes):
            group = None if pods.seat is None else pods.seat.group
            if group is not None and problem.snapshot.groups[group].goes_whole:
                seated.setdefault(group, []).append(index)
        coming = {gang.group.key: members for gang, members in _gangs(problem)} if seated else {}
        for group, seats in sorted(seated.items()):
            waiting = coming.get(problem.snapshot.groups[group].key, [])
            classes = np.array(sorted([*seats, *waiting]), dtype=np.int64)
            size = problem.class_size[classes]
            if size.sum() > 1:
                broken = model.add_columns(self.name, 1, 1, resting=True)
                cells, rows = model.cells(classes), np.arange(len(classes))
                there = (np.searchsorted(classes, cells.classes), cells.columns, 1)
                least = np.where(problem.running[classes], size, 0)
                entries: list[Entries] = [there, (rows, broken, size)]
                model.add_rows(self.name, len(classes), entries, lower=least, upper=size)

    def _post_group(
        self, model: Model, classes: IntArray, room: IntArray, sets: Sets, least_of_all: int
    ) -> None:
        """``sum of a class <= room a``, ``sum of all >= need a``, with a "the group is admitted".

        The same for each part. Of each class at least what the others cannot make up for: that is
        the tighter relaxation.
        """
        most = room[classes]
        if not len(classes) or all(need <= 1 and of_set.all() for of_set, need in sets):
            return
        count = len(classes)
        cells = model.cells(classes)
        if any(most[of_set].sum() < need for of_set, need in sets):  # never enough of them
            model.add_rows(self.name, 1, [(0, cells.columns, 1)], upper=0)
            return
        of_class, columns = np.searchsorted(classes, cells.classes), cells.columns
        admitted = model.add_columns(self.name, 1, 1)
        entries: list[Entries] = [(of_class, columns, 1), (np.arange(count), admitted, -most)]
        model.add_rows(self.name, count, entries, upper=0)
        least = np.zeros(count, dtype=np.int64)
        for of_set, need in sets:
            alone = need - (most[of_set].sum() - most[of_set])
            least[of_set] = np.maximum(least[of_set], alone)
        some, row = numbered(least > 0)
        chosen = row[of_class] >= 0
        entries = [(row[of_class[chosen]], columns[chosen], 1)]
        entries.append((np.arange(some), np.repeat(admitted, some), -least[least > 0]))
        rows = [model.add_rows(self.name, some, entries, lower=0)] if some else []
        for of_set, need in sets:
            if most[of_set].sum() > need and of_set.sum() > 1:
                entries = [(0, columns[of_set[of_class]], 1), (0, admitted, -need)]
                rows.append(model.add_rows(self.name, 1, entries, lower=0))
        first = [(classes[of_set], need) for of_set, need in sets if not of_set.all()]
        model.together(classes, np.concatenate(rows), least_of_all, tuple(first))

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
            members = [*state.running_members[group], *(each.pod for each in placed[group])]
            problem = about.problem
            if problem is None and (lacking := lack(about, members)) is not None:
                problem = f"{lacking.there} of the {lacking.needed} members{lacking.of_part}"
                problem += " that it needs"
            if problem is None:
                problem = _forsaken(state, about, placed)
            if problem is not None:
                message = f"pod group {about.namespace}/{about.name}: {problem}"
                yield Violation(self.name, first.pod.full_name, first.node.name, message)


def _gangs(problem: Problem) -> list[tuple[ProblemGang, list[int]]]:
    """The gangs of the window, with the classes of their pending members that can be placed."""
    members = [list[int]() for _ in problem.gangs]
    for index, pods in enumerate(problem.classes):
        if pods.group is not None:
            members[pods.group].append(index)
    return list(zip(problem.gangs, members, strict=True))


def _running(snapshot: Snapshot) -> dict[int, Counter[str | None]]:
    """How many members of each group run, by part."""
    group_of, running = dict(snapshot.group_of), dict[int, Counter[str | None]]()
    for pod in snapshot.pods:
        group = group_of.get(pod.key)
        if group is not None and runs(pod):
            part = part_of(snapshot.groups[group], pod)
            running.setdefault(group, Counter())[part] += 1
    return running


def _part(pods: PodClass) -> str | None:
    """The part of its group that a class is in, whether it runs or waits."""
    return pods.seat.part if pods.seat is not None else pods.part


def _needs(group: PodGroup, running: int, of_part: Mapping[str | None, int]) -> Needs:
    """How many members more than those that stay anyway a group needs, and each part of it."""
    needs: Needs = {None: group.min_count - running}
    needs.update({part: least - of_part[part] for part, least in group.parts})
    return needs


def _least(needs: Needs) -> int:
    """How many pods come, if any do: enough for the whole, and for all parts."""
    of_parts = sum(max(need, 0) for part, need in needs.items() if part is not None)
    return max(needs[None], of_parts, 0)


def _missing(gang: ProblemGang) -> Needs:
    """How many pods a gang needs, beside its members that run."""
    parts: list[str | None] = [part for part, _ in gang.group.parts]
    return _needs(gang.group, gang.running, dict(zip(parts, gang.running_of, strict=True)))


def _sets(problem: Problem, classes: IntArray, own: BoolArray, needs: Needs) -> Sets:
    """Which of the classes have to give how many; the whole where its parts do not say it all.

    Args:
        problem: The problem.
        classes: The classes, of a union perhaps.
        own: Which of them are of the group.
        needs: What the group needs.
    """
    of = [_part(problem.classes[c]) for c in classes.tolist()]
    found = [
        (own & np.array([each == part for each in of], dtype=np.bool_), need)
        for part, need in needs.items()
        if part is not None and need > 0
    ]
    whole = needs[None]
    if whole > sum(need for _, need in found):
        found.append((own, whole))
    return found


def _unions(problem: Problem) -> list[list[tuple[ProblemGang, list[int]]]]:
    """The gangs of the window that start together, most of them alone.

    A gang may have no class, because none of its pods can be placed: then its union cannot be.
    """
    found: dict[tuple[str, str, str], list[tuple[ProblemGang, list[int]]]] = {}
    for gang, members in _gangs(problem):
        found.setdefault(gang.group.unit, []).append((gang, members))
    return list(found.values())


def _forsaken(state: FinalState, about: PodGroup, placed: Mapping[int, list[Placed]]) -> str | None:
    """Which group of its union does not start with a group."""
    for group, other in enumerate(state.snapshot.groups) if about.union else ():
        if other.key in about.union:
            there = [*state.running_members[group], *(p.pod for p in placed.get(group, ()))]
            if other.problem is not None or lack(other, there) is not None:
                return f"pod group {other.namespace}/{other.name} does not start with it"
    return None


def _halved(state: FinalState) -> Iterator[Violation]:
    """Groups that lose a member, keep others, and are not left with their minimum, or go whole."""
    lost = {state.group_of[key] for key in state.evicted if key in state.group_of}
    there: dict[int, list[tuple[Pod, str]]] = {group: [] for group in sorted(lost)}
    for key, pod in sorted(among(state.snapshot.pods, state.group_of).items()) if lost else ():
        if state.group_of[key] in lost and runs(pod) and key not in state.evicted:
            there[state.group_of[key]].append((pod, pod.node or ""))
    arriving = [each for each in state.placed if state.group_of.get(each.pod.key) in lost]
    for each in arriving:
        there[state.group_of[each.pod.key]].append((each.pod, each.node.name))
    placed = {state.group_of[each.pod.key] for each in arriving}
    for group, members in there.items():
        about, problem = state.snapshot.groups[group], None
        lacking = None if group in placed else lack(about, [pod for pod, _ in members])
        if about.goes_whole:
            problem = f"it goes whole or not at all, and {len(members)} of it would be there"
        elif lacking is not None:
            problem = f"{lacking.there} of the {lacking.needed} members{lacking.of_part}"
            problem += " that it needs would stay"
        if members and problem is not None:
            pod, node = members[0]
            message = f"pod group {about.namespace}/{about.name}: {problem}"
            yield Violation("gang", pod.full_name, node, message)
