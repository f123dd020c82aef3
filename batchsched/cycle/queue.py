"""The queue: every pending pod in exactly one place, and what is known of its gang.

Gangs move as one: below its minimum of created members a gang waits (without blocking others), and
when one resting member is woken all are. What to do with who is where is the machine's business.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from heapq import heapify, heappop, heappush

from batchsched.cycle.members import GroupKey, Members, PodKey
from batchsched.cycle.timing import Timing
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.pod import Pod


class Place(StrEnum):
    """Where a pending pod is."""

    WAITING = "Waiting"
    """for more members of its gang to be created"""
    READY = "Ready"
    RESTING = "Resting"
    """after an attempt, until something changes or its backoff is over"""
    SOLVING = "Solving"
    BINDING = "Binding"
    NOMINATED = "Nominated"
    """its node is kept for it until its victims have left"""


@dataclass(slots=True)
class Entry:
    """A pending pod."""

    uid: str
    priority: int
    profile: str
    group: GroupKey | None
    since_s: float
    place: Place = Place.WAITING
    attempts: int = 0
    not_before_s: float = 0.0
    message: str | None = None
    """What people were told last."""


class Queue:
    """Pending pods and their gangs."""

    def __init__(self, timing: Timing, profiles: Collection[str] = ()) -> None:
        """Start empty; pods of schedulers that have a profile are kept apart from each other."""
        self.timing = timing
        self._profiles = frozenset(profiles)
        self.entries: dict[PodKey, Entry] = {}
        self.groups: dict[GroupKey, Members] = {}
        self.held: dict[PodKey, tuple[str, GroupKey | None]] = {}
        self.ready: dict[PodKey, None] = {}
        self.opened_s = 0.0
        self.last_s = 0.0
        self._rests: list[tuple[float, PodKey]] = []
        self._partial: set[GroupKey] = set()
        self._unit: dict[GroupKey, GroupKey] = {}
        """Of the gangs that are of a union, under which name their members are counted."""
        self._short: dict[GroupKey, float] = {}
        """Gangs that lack members, in the order of when that was last news."""

    # Pods come and go.

    def pend(self, pod: Pod, group: PodGroup | None, now_s: float) -> bool:
        """Take note of a pending pod; False if it is known not to be pending (a stale watch)."""
        key = pod.key
        if self.held.get(key, ("",))[0] == pod.uid and pod.uid:
            return False
        entry = self.entries.get(key)
        if entry is not None and entry.uid != pod.uid:
            self.drop(key, now_s)
            entry = None
        if self.held.get(key) is not None:
            self.drop(key, now_s)  # a pod of the same name came after the one that held a place
        if entry is None:
            name = pod.spec.scheduler_name
            profile = name if name in self._profiles else ""
            entry = Entry(pod.uid, pod.spec.priority, profile, None, now_s)
            self.entries[key] = entry
        self._join(key, entry, group, now_s)
        return True

    def hold(self, key: PodKey, uid: str, group: PodGroup | None, now_s: float) -> None:
        """Take note that a pod has a node; without a group, it is of the one it was pending in."""
        entry = self.entries.pop(key, None)
        self.ready.pop(key, None)
        known = entry.group if entry is not None else self.held.get(key, ("", None))[1]
        name = group.unit if group is not None else known
        self.held[key] = (uid, name)
        if known != name:
            self._part(key, known, now_s)
        if name is None:
            return
        members = self.groups.setdefault(name, Members(name, group.unit_count if group else 0))
        if group is not None:
            self._agree(members, group, now_s)
            members.is_of(key, group.key)
        members.pending.discard(key)
        members.held.add(key)
        self._note_partial(members, now_s)

    def drop(self, key: PodKey, now_s: float, group: PodGroup | None = None) -> None:
        """Forget a pod; its gang may need fewer others by it."""
        entry = self.entries.pop(key, None)
        _, held_group = self.held.pop(key, ("", None))
        name = entry.group if entry is not None else held_group
        self.ready.pop(key, None)
        if name is None or name not in self.groups:
            return
        members = self.groups[name]
        members.leave(key)
        if group is not None and group.unit == name:
            members.agree(group)
        if self._forget_if_empty(members):
            return
        self._note_partial(members, now_s)
        self._settle(members, now_s)

    def uid(self, key: PodKey) -> str | None:
        """The uid of a known pod, pending or held."""
        entry = self.entries.get(key)
        return entry.uid if entry is not None else self.held.get(key, (None,))[0]

    # Pods change places.

    def move(self, key: PodKey, place: Place, now_s: float) -> None:
        """Put a pending pod elsewhere; the ready ones make the window."""
        entry = self.entries[key]
        if entry.place is place:
            return
        entry.place = place
        self.ready.pop(key, None)
        if place is Place.READY:
            if not self.ready:
                self.opened_s = now_s
            self.last_s = now_s
            self.ready[key] = None

    def send_back(self, key: PodKey, now_s: float, *, helped: bool) -> float:
        """Return a pod after an attempt; give when it is ready again: now, if something changed."""
        entry = self.entries[key]
        members = self.groups.get(entry.group) if entry.group is not None else None
        entry.attempts += 1
        # Others wait for a half-started gang to be finished: it never rests for long.
        attempts = min(entry.attempts, 2) if entry.group in self._partial else entry.attempts
        entry.not_before_s = now_s if helped else now_s + self.timing.backoff_s(attempts)
        if members is not None and not members.created:
            self.move(key, Place.WAITING, now_s)
        elif helped:
            self.move(key, Place.READY, now_s)
        else:
            self.move(key, Place.RESTING, now_s)
            heappush(self._rests, (entry.not_before_s, key))
        return entry.not_before_s

    def wake(self, keys: Iterable[PodKey], now_s: float) -> None:
        """Make resting pods ready, each with the resting members of its gang."""
        for key in keys:
            entry = self.entries.get(key)
            if entry is None or entry.place is not Place.RESTING:
                continue
            members = self.groups.get(entry.group) if entry.group is not None else None
            for member in sorted(members.pending) if members is not None else (key,):
                if self.entries[member].place is Place.RESTING:
                    self.move(member, Place.READY, now_s)

    def wake_all(self, now_s: float) -> None:
        """Something changed that could help anyone."""
        rests, self._rests = self._rests, []
        self.wake((key for _, key in sorted(rests)), now_s)

    def wake_due(self, now_s: float) -> None:
        """Wake those whose rest is over."""
        while self._rests and self._rests[0][0] <= now_s:
            self.wake((heappop(self._rests)[1],), now_s)

    def next_rest_s(self) -> float | None:
        """When the next rest is over; rests that were ended otherwise are left out."""
        while self._rests and not self._still_rests(*self._rests[0]):
            heappop(self._rests)
        if len(self._rests) > 4 * len(self.entries) + 64:
            self._rests = [rest for rest in self._rests if self._still_rests(*rest)]
            heapify(self._rests)
        return self._rests[0][0] if self._rests else None

    # What the machine asks.

    def take(self, most: int) -> list[PodKey]:
        """Choose the pods of a window: highest priority first, then oldest, gangs whole.

        All are of one profile, that of the first. A gang that exceeds the limit by itself is taken
        alone: it could never be placed otherwise.
        """
        profiles = {self.entries[key].profile for key in self.ready}
        if len(self.ready) <= most and len(profiles) <= 1:
            return list(self.ready)
        units: dict[object, list[PodKey]] = {}
        for key in self.ready:
            units.setdefault(self.entries[key].group or key, []).append(key)
        ranked = sorted(units.values(), key=self.rank)
        profile = self.profile(ranked[0])
        chosen: list[PodKey] = []
        for unit in ranked:
            fits = len(chosen) + len(unit) <= most or not chosen
            if fits and self.profile(unit) == profile:
                chosen += unit
        return chosen

    def rank(self, unit: Sequence[PodKey]) -> tuple[int, float, PodKey]:
        """Who comes first: the highest priority, then who waits longest."""
        entries = [self.entries[key] for key in unit]
        return -max(e.priority for e in entries), min(e.since_s for e in entries), min(unit)

    def profile(self, keys: Iterable[PodKey]) -> str:
        """The profile of pods that are decided together."""
        return min(self.entries[key].profile for key in keys)

    def partial_groups(self) -> list[GroupKey]:
        """The half-started gangs that have not been given up, sorted."""
        return sorted(name for name in self._partial if not self.groups[name].released)

    def take_short(self, until_s: float) -> list[Members]:
        """Take the gangs that have lacked members since then, and whose number has not changed."""
        taken = []
        while self._short and next(iter(self._short.values())) <= until_s:
            name = next(iter(self._short))
            del self._short[name]
            taken.append(self.groups[name])
        return taken

    def next_short_s(self) -> float | None:
        """Since when the first of them does."""
        return next(iter(self._short.values()), None)

    def is_partial(self, key: PodKey) -> bool:
        """Whether a pending pod is of a half-started gang."""
        return self.entries[key].group in self._partial

    def ready_members(self, group: GroupKey) -> list[PodKey]:
        """The ready members of a gang, sorted."""
        pending = sorted(self.groups[group].pending)
        return [key for key in pending if self.entries[key].place is Place.READY]

    def validate(self) -> None:
        """Assert what must hold between any two changes."""
        assert list(self.ready) == [k for k in self.ready if self.entries[k].place is Place.READY]
        assert set(self.ready) == {k for k, e in self.entries.items() if e.place is Place.READY}
        assert not set(self.entries) & set(self.held), "pending and held"
        rests = {key for _, key in self._rests}
        for key, entry in self.entries.items():
            assert entry.place is not Place.RESTING or key in rests, f"{key} rests for ever"
            members = None if entry.group is None else self.groups[entry.group]
            assert members is None or key in members.pending
            waits = members is not None and not members.created
            assert entry.place is not Place.WAITING or waits, f"{key} waits for nothing"
            assert entry.place not in {Place.READY, Place.RESTING} or not waits
        for name, members in self.groups.items():
            assert members.pending | members.held, f"{name} has no members"
            assert members.pending <= set(self.entries)
            assert members.held <= set(self.held)
            assert members.partial == (members.partial_since_s is not None)
            assert members.partial == (name in self._partial)
            assert not members.created or name not in self._short
        assert self._short.keys() <= self.groups.keys()

    # Gangs.

    def _join(self, key: PodKey, entry: Entry, group: PodGroup | None, now_s: float) -> None:
        """Put a pod into its gang (which may have changed since it was last seen)."""
        name = group.unit if group is not None else None
        if entry.group != name:
            self._part(key, entry.group, now_s)
        entry.group = name
        if group is None:
            if entry.place is Place.WAITING:
                self.move(key, Place.READY, now_s)
            return
        members = self.groups.setdefault(group.unit, Members(group.unit, group.unit_count))
        was_created, was_minimum = members.created, members.min_count
        self._agree(members, group, now_s)
        members.is_of(key, group.key)
        members.pending.add(key)
        self._note_partial(members, now_s)
        if not was_created or was_minimum != members.min_count or not members.created:
            self._settle(members, now_s)
        elif entry.place is Place.WAITING:
            self.wake(tuple(members.pending), now_s)
            self.move(key, Place.READY, now_s)

    def _part(self, key: PodKey, name: GroupKey | None, now_s: float) -> None:
        """Let a pod be of a gang no more."""
        members = self.groups.get(name) if name is not None else None
        if members is not None:
            members.leave(key)
            if not self._forget_if_empty(members):
                self._note_partial(members, now_s)

    def _agree(self, members: Members, group: PodGroup, now_s: float) -> None:
        """Take in what a group says: gangs that it is tied to from now on, or no longer."""
        members.agree(group)
        for gang in group.union or (group.key,):
            other = self.groups.get(self._unit.get(gang, gang))
            if other is None or other is members:
                continue
            for key in members.take_from(other, gang):
                if key in self.entries:
                    self.entries[key].group = members.name
                else:
                    self.held[key] = (self.held[key][0], members.name)
            if not self._forget_if_empty(other):
                self._note_partial(other, now_s)
        self._unit.update(dict.fromkeys(members.least, members.name))
        if not group.union:
            self._unit.pop(group.key, None)

    def _forget_if_empty(self, members: Members) -> bool:
        """Forget a gang of which nobody is there."""
        if members.pending or members.held:
            return False
        del self.groups[members.name]
        self._partial.discard(members.name)
        self._short.pop(members.name, None)
        for gang in members.least:
            self._unit.pop(gang, None)
        return True

    def _settle(self, members: Members, now_s: float) -> None:
        """Let a gang wait for its minimum, or wait no longer."""
        self._short.pop(members.name, None)
        if not members.created:
            self._short[members.name] = now_s
        for key in sorted(members.pending):
            place = self.entries[key].place
            if members.created and place in {Place.WAITING, Place.RESTING}:
                self.move(key, Place.READY, now_s)
            elif not members.created and place in {Place.READY, Place.RESTING}:
                self.move(key, Place.WAITING, now_s)

    def _note_partial(self, members: Members, now_s: float) -> None:
        """Remember since when a gang is half-started."""
        if not members.partial:
            members.partial_since_s, members.released = None, False
            self._partial.discard(members.name)
        elif members.partial_since_s is None:
            members.partial_since_s = now_s
            self._partial.add(members.name)

    def _still_rests(self, until_s: float, key: PodKey) -> bool:
        entry = self.entries.get(key)
        return entry is not None and entry.place is Place.RESTING and entry.not_before_s == until_s
