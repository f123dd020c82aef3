"""Unions: gangs that start only together with others, all of them or none.

A gang names others (Koordinator's annotation ``groups``), and these may name more: a union is all
that hang together so, in whatever direction, in a ring as well (koordinator #872). Composites tie
their groups, too. Each group of a union is told who the others are; to everybody who binds, the
union is one unit.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from batchsched.snapshot.group import PodGroup

Key: TypeAlias = tuple[str, str, str]


def joined(
    made: Mapping[Key, PodGroup], together: Iterable[Sequence[Key]] = ()
) -> dict[Key, PodGroup]:
    """The groups that are of a union, as they are in it; all others are left out.

    Args:
        made: Every group, by key, each as it is by itself.
        together: Groups that start together whatever they name.
    """
    tied = {key: _named(group, made) for key, group in made.items() if group.ties}
    top: dict[Key, Key] = {}

    def find(key: Key) -> Key:
        while top.setdefault(key, key) != key:
            key = top[key]
        return key

    for one, *others in [*(found for found, _ in tied.values()), *together]:
        for other in (one, *others):
            low, high = sorted((find(one), find(other)))
            top[high] = low
    unions: dict[Key, list[Key]] = {}
    for key in sorted(top):
        unions.setdefault(find(key), []).append(key)
    missing = {key: name for key, (_, name) in tied.items() if name is not None}
    found: dict[Key, PodGroup] = {}
    for union in unions.values():
        found.update(_together(union, made, missing))
    return found


def _named(group: PodGroup, made: Mapping[Key, PodGroup]) -> tuple[list[Key], str | None]:
    """The groups that a group names, itself among them, and the first name that nobody has."""
    found, missing = [group.key], None
    for name in group.ties:
        namespace, _, own = name.rpartition("/")
        space = namespace or group.namespace
        same = [key for key in made if key[:2] == (space, own)]
        match = [key for key in same if key[2] == group.api] or sorted(same)
        found += match[:1]
        missing = missing if match else missing or f"{space}/{own}"
    return found, missing


def _together(
    union: list[Key], made: Mapping[Key, PodGroup], missing: Mapping[Key, str]
) -> dict[Key, PodGroup]:
    """The groups of one union; one that lacks a group waits for it."""
    count = sum(made[key].min_count for key in union)
    lost = next((missing[key] for key in union if key in missing), None)
    problem = lost and f"it starts only together with gang {lost}, which does not exist"
    keys = tuple(union) if len(union) > 1 else ()
    return {
        key: replace(made[key], union=keys, union_count=count, problem=made[key].problem or problem)
        for key in union
    }
