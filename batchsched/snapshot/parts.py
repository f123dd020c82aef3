"""Parts of a gang: kinds of members with minimums of their own, like a leader and its workers.

Volcano calls them tasks, YuniKorn task groups, KAI subgroups. Which part a pod is in stands on the
pod, and where depends on the dialect. What a group lacks is said here for everybody who has to
wait for it: members of the whole, or of a part.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.pod import Pod

YUNIKORN_TASK, VOLCANO_TASK, KAI_SUBGROUP = (
    "yunikorn.apache.org/task-group-name",
    "volcano.sh/task-spec",
    "kai.scheduler/subgroup-name",
)


def _noted(mark: str) -> Callable[[Pod], str | None]:
    return lambda pod: dict(pod.annotations).get(mark)


def _labelled(mark: str) -> Callable[[Pod], str | None]:
    return lambda pod: dict(pod.labels).get(mark)


_PART_OF: dict[str, Callable[[Pod], str | None]] = {
    "yunikorn.apache.org": _noted(YUNIKORN_TASK),
    "scheduling.run.ai": _labelled(KAI_SUBGROUP),
    "scheduling.volcano.sh": _noted(VOLCANO_TASK),
}


def part_of(group: PodGroup, pod: Pod) -> str | None:
    """The part of a group that a member is in; ``None`` where no minimum asks for it."""
    if not group.parts or group.api not in _PART_OF:
        return None
    name = _PART_OF[group.api](pod)
    return name if any(name == part for part, _ in group.parts) else None


class Lack(NamedTuple):
    """How many members are there, and how many are needed; of the whole, or of one part."""

    there: int
    needed: int
    part: str | None = None

    @property
    def of_part(self) -> str:
        """For people: nothing, or " of part ps"."""
        return "" if self.part is None else f" of part {self.part}"


def lack(group: PodGroup, members: Iterable[Pod]) -> Lack | None:
    """What a group with these members lacks first, or ``None``."""
    of = [part_of(group, pod) for pod in members]
    if len(of) < group.min_count:
        return Lack(len(of), group.min_count)
    there = Counter(of)
    short = (Lack(there[part], least, part) for part, least in group.parts if there[part] < least)
    return next(short, None)
