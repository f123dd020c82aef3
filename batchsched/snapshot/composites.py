"""Composites: gangs of gangs, as a CompositePodGroup of Kubernetes makes trees of them (KEP-6012).

A composite is over PodGroups and other composites, those that name it as their parent. With the
policy ``basic`` each of them comes by itself; with ``gang``, ``minGroupCount`` of them start or
none does. Where that is one, each comes by itself, too; where it is all of them, what is below the
composite is a union (see ``unions``). Some of several, and one domain for all, are not scheduled
yet. That, what kube-scheduler refuses, and a tree of which a part does not exist yet are problems
of the PodGroups that are below: their pods wait, and those that run are evicted by nobody.

Does not know pods, nor where objects come from.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, pairwise
from typing import TypeAlias

from batchsched.snapshot.group import CompositePodGroup, PodGroup

Key: TypeAlias = tuple[str, str, str]
Name: TypeAlias = tuple[str, str]
Child: TypeAlias = PodGroup | CompositePodGroup

LEVELS_MAX = 4
"""Composites above a PodGroup; kube-scheduler refuses deeper trees."""


def in_composites(
    made: Mapping[Key, PodGroup],
    declared: Mapping[Key, PodGroup],
    composites: Mapping[Name, CompositePodGroup],
) -> tuple[dict[Key, PodGroup], list[list[Key]]]:
    """The groups that are in composites, as they are there, and those that start together.

    Args:
        made: Every group, by key, each as it is by itself.
        declared: What the objects of groups say: the minimums before any member succeeded.
        composites: All of them.
    """
    keys = sorted(key for key, group in made.items() if group.parent is not None)
    if not keys:
        return {}, []
    trees = _Trees([declared.get(key, made[key]) for key in keys], composites)
    unions: dict[Name, list[Key]] = {}
    for key in keys:
        top = trees.top(made[key])
        if top is not None:
            unions.setdefault(top, []).append(key)
    return {key: trees.placed(made[key]) for key in keys}, list(unions.values())


class _Trees:
    """All composites, and what is wrong with each by itself or with what is in it."""

    def __init__(
        self, groups: Sequence[PodGroup], composites: Mapping[Name, CompositePodGroup]
    ) -> None:
        self._composites = composites
        self._in: dict[Name, list[Child]] = {}
        lower = [composites[key] for key in sorted(composites) if composites[key].parent]
        children: list[Child] = [*lower, *groups]
        for child in children:
            self._in.setdefault((child.namespace, child.parent or ""), []).append(child)
        self._whole: set[Name] = set()
        """Composites of which all starts, or nothing."""
        self._problem: dict[Name, str] = {}
        above = {key: self.above(composites[key]) for key in sorted(composites)}
        depth = {key: len(found) for key, found in above.items() if not isinstance(found, str)}
        for key in sorted(depth, key=lambda key: (-depth[key], key)):  # what is below comes first
            self._judge(composites[key])

    def above(self, child: Child) -> list[CompositePodGroup] | str:
        """The composites above a group, the nearest first; or why it has no place in a tree."""
        found: list[CompositePodGroup] = []
        at = child
        while at.parent is not None:
            over = self._composites.get((at.namespace, at.parent))
            if over is None:
                return (
                    f"{_name(at)} is in CompositePodGroup {at.parent}, which does not exist; "
                    "create it"
                )
            if len(found) == LEVELS_MAX:
                return (
                    f"{_name(child)} is below more than {LEVELS_MAX} CompositePodGroups, or in a "
                    "ring of them; make one tree of fewer levels"
                )
            found.append(over)
            at = over
        return found

    def top(self, group: PodGroup) -> Name | None:
        """The highest composite with which a group starts together, if there is one."""
        above, found = self.above(group), None
        for over in above if isinstance(above, list) else ():
            if over.key not in self._whole:
                break
            found = over.key
        return found

    def placed(self, group: PodGroup) -> PodGroup:
        """A group with what the composites above it say about its pods."""
        above = self.above(group)
        if isinstance(above, str):
            return replace(group, problem=group.problem or above)
        tree: list[Child] = [group, *above]
        ranks = {each.priority for each in tree} - {None}
        problem = next(chain(self._problems(above), _two_priorities(tree)), None)
        return replace(
            group,
            problem=group.problem or problem,
            priority=ranks.pop() if len(ranks) == 1 else group.priority,
            preemption_never=any(each.preemption_never for each in tree),
            goes_whole=any(each.goes_whole for each in tree),
        )

    def _problems(self, above: Sequence[CompositePodGroup]) -> Iterator[str]:
        """What is wrong with the composites above a group, the highest first."""
        together = False
        for over in reversed(above):
            if over.key in self._problem:
                yield self._problem[over.key]
            together = together or over.goes_whole
            if together and over.key not in self._whole and len(self._in[over.key]) > 1:
                yield (
                    f"the groups of {_name(over)} start one by one and are disrupted only all "
                    "together, which is not scheduled yet; use disruptionMode single"
                )

    def _judge(self, at: CompositePodGroup) -> None:
        """Note whether a composite starts whole, and what is wrong with it."""
        inside = self._in.get(at.key, [])
        lower = [each for each in inside if isinstance(each, CompositePodGroup)]
        if 0 < at.min_count == len(inside) and all(each.key in self._whole for each in lower):
            self._whole.add(at.key)
        problem = self._problem_of(at, inside, lower)
        if problem is not None:
            self._problem[at.key] = problem

    def _problem_of(
        self, at: CompositePodGroup, inside: Sequence[Child], lower: Sequence[CompositePodGroup]
    ) -> str | None:
        name, least, count = _name(at), at.min_count, len(inside)
        if at.required_topology is not None:
            return (
                f"{name} requires one {at.required_topology} for all of its groups, which is not "
                "scheduled yet; require one of each PodGroup instead"
            )
        if count < least:
            return f"{name} waits for groups: {count} of {least} exist"
        if 1 < least < count:
            return (
                f"{name} starts with {least} of its {count} groups, which is not scheduled yet; "
                "ask for one or for all of them (minGroupCount)"
            )
        basic = next((each for each in inside if not each.min_count), None) if least else None
        if basic is not None:
            return f"{name} is a gang, and {_name(basic)} in it is basic; make that a gang, too"
        part = next((each for each in lower if each.key not in self._whole), None)
        if least > 1 and part is not None:
            return self._problem.get(part.key) or (
                f"{name} starts whole, and {_name(part)} in it with a part, which is not "
                "scheduled yet; ask for all of its groups (minGroupCount)"
            )
        return None


def _two_priorities(tree: Sequence[Child]) -> Iterator[str]:
    """What is wrong with the priorities of a group and of the composites above it."""
    ranked = [each for each in tree if each.priority is not None]
    for low, high in pairwise(ranked):
        if low.priority != high.priority:
            yield (
                f"{_name(low)} has priority {low.priority}, {_name(high)} {high.priority}; "
                "give all groups of a tree the same"
            )


def _name(group: Child) -> str:
    kind = "PodGroup" if isinstance(group, PodGroup) else "CompositePodGroup"
    return f"{kind} {group.namespace}/{group.name}"
