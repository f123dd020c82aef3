"""Members: who of a gang waits and who holds a place, and whether that makes it half-started.

Gangs that start only together are one here. They are still told apart, for one may have run before
the others were tied to it: it is not half-started by that, and nobody of it has to leave.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import TypeAlias

from batchsched.snapshot.group import PodGroup

PodKey: TypeAlias = tuple[str, str]
GroupKey: TypeAlias = tuple[str, str, str]


@dataclass(slots=True)
class Members:
    """The members of a gang or a union, by what became of them."""

    name: GroupKey
    min_count: int
    pending: set[PodKey] = field(default_factory=set)
    held: set[PodKey] = field(default_factory=set)
    partial_since_s: float | None = None
    released: bool = False
    least: dict[GroupKey, int] = field(default_factory=dict)
    """Of a union, the minimum of each gang of which a member was seen."""
    gang_of: dict[PodKey, GroupKey] = field(default_factory=dict)
    """Whose a member is, where that is not the gang of this name."""

    @property
    def created(self) -> bool:
        """Whether enough members exist to try at all."""
        return self.members >= self.min_count

    @property
    def members(self) -> int:
        """How many there are; by those that succeeded the minimum is less already."""
        return len(self.pending) + len(self.held)

    @property
    def lacks(self) -> str:
        """How many of those that it needs there are, for people."""
        there = f"{self.members} of its minimum of {self.min_count} pods exist"
        return f"gang {self.name[0]}/{self.name[1]} waits: {there}"

    @property
    def partial(self) -> bool:
        """Whether the gang is half-started."""
        if not self.held or len(self.held) < self.min_count:
            return bool(self.held)
        return bool(self.least) and bool(self._short())

    @property
    def unfinished(self) -> list[PodKey]:
        """Of a half-started gang, who holds a place in vain; not who is of a gang with its minimum.

        That one may have started before any other was tied to it.
        """
        if not self.least:
            return sorted(self.held)
        short = self._short()
        return sorted(key for key in self.held if self.whose(key) in short)

    def agree(self, group: PodGroup) -> None:
        """Take in what a group says of itself, before a pod of it comes."""
        if group.union and self.members:
            self.least.setdefault(self.name, self.min_count)  # that of a gang alone, until now
        self.min_count = group.unit_count
        if group.union:
            self.least[group.key] = group.min_count

    def take_from(self, other: "Members", gang: GroupKey) -> list[PodKey]:
        """Take over the members of a gang that were counted elsewhere; who they are."""
        keys = [key for key in (*other.pending, *other.held) if other.whose(key) == gang]
        least = other.least.pop(gang, other.min_count)
        if self.least:
            self.least.setdefault(gang, least)
        for key in keys:
            (self.pending if key in other.pending else self.held).add(key)
            self.is_of(key, gang)
            other.leave(key)
        return keys

    def is_of(self, key: PodKey, gang: GroupKey) -> None:
        """Note whose a member is."""
        if gang != self.name:
            self.gang_of[key] = gang

    def leave(self, key: PodKey) -> None:
        """Count a pod no more."""
        self.pending.discard(key)
        self.held.discard(key)
        self.gang_of.pop(key, None)

    def whose(self, key: PodKey) -> GroupKey:
        """The gang of a member."""
        return self.gang_of.get(key, self.name)

    def _short(self) -> set[GroupKey]:
        """The gangs of a union that are below their own minimum."""
        there = Counter(self.whose(key) for key in self.held)
        return {gang for gang, least in self.least.items() if there[gang] < least}
