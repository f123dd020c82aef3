"""Ageing: who was passed over too often, in the order in which they are to be served.

A gang or a pod that several windows have left is *overdue*. It is then tried in every window, and
named to the solve, which keeps room for the first one that can have any. What is counted here is
lost with the process and begins anew: that costs those who wait a few windows, and no state that
somebody else could read wrongly. Knows the queue; must not know what room is.
"""

from collections.abc import Sequence
from typing import TypeAlias

from batchsched.cycle.members import PodKey
from batchsched.cycle.queue import Entry, Place, Queue

Units: TypeAlias = tuple[tuple[PodKey, ...], ...]
"""Gangs, or single pods, by their keys."""

_IDLE = frozenset({Place.READY, Place.RESTING})


def overdue(queue: Queue) -> Units:
    """Who is overdue: highest priority first, then who has waited longest.

    A half-started gang is not among them: it is finished before anything else anyway.
    """
    least = queue.timing.ageing_windows
    if not least:
        return ()
    units: dict[object, tuple[PodKey, ...]] = {}
    for key, entry in queue.entries.items():
        late = entry.attempts >= least and entry.place in _IDLE and not queue.is_partial(key)
        if late and _gang(queue, entry) not in units:
            units[_gang(queue, entry) or key] = _members(queue, key, entry)
    ranked = sorted(units.values(), key=queue.rank)
    return tuple(ranked[: queue.timing.overdue_max])


def with_overdue(queue: Queue, pods: Sequence[PodKey]) -> tuple[Sequence[PodKey], Units]:
    """The pods of a window with those of the same profile that are overdue and rest; who is."""
    late, profile = overdue(queue), queue.profile(pods)
    also = (key for unit in late for key in unit if queue.entries[key].profile == profile)
    return list(dict.fromkeys((*pods, *also))), late


def _gang(queue: Queue, entry: Entry) -> object:
    """The gang of a pod, if it has to come with others."""
    group = entry.group
    return group if group is not None and queue.groups[group].min_count > 1 else None


def _members(queue: Queue, key: PodKey, entry: Entry) -> tuple[PodKey, ...]:
    """A pod with those of its gang that can be tried now, sorted."""
    if entry.group is None or _gang(queue, entry) is None:
        return (key,)
    pending = sorted(queue.groups[entry.group].pending)
    return tuple(each for each in pending if queue.entries[each].place in _IDLE)
