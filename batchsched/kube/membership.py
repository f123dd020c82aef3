"""Which pods belong together, kept up as watches show pods and group objects one by one.

``snapshot.groups`` reads a whole cluster at once, which is right for a file and too slow for each
of a thousand changes in a second. Here only the groups that a change touches are made anew, by the
same rules; tests hold both against each other. What a pod's group is can depend on objects that
come later (a Job that turns out to belong to a JobSet), so pods are also found by the names that
they depend on.
"""

from collections.abc import Iterator

from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.groups import Declared, Key, among_others, group_made, key_of_group
from batchsched.snapshot.kinds import GroupKind, declare
from batchsched.snapshot.kinds import Key as Name
from batchsched.snapshot.pod import Pod

Index = tuple[tuple[PodGroup, ...], tuple[tuple[Name, int], ...]]
"""As a Snapshot holds them: all groups, and the index of each member's."""


class Membership:
    """The groups of a cluster and their members."""

    def __init__(self) -> None:
        """Start with none."""
        self._declared = Declared()
        self._members: dict[Key, dict[Name, Pod]] = {}
        self._key_of: dict[Name, Key] = {}
        self._by_name: dict[Name, set[Name]] = {}
        self._made: dict[Key, PodGroup] = {}
        """Every group by itself."""
        self._groups: dict[Key, PodGroup] = {}
        """The same, each in its composites and its union."""
        self._stale: set[Key] = set()
        self._declared_stale = False
        self._index: Index | None = ((), ())

    def put(self, old: Pod | None, new: Pod | None) -> None:
        """Take in that a pod came, changed or went."""
        before = self._key_of.get(old.key) if old is not None else None
        after = key_of_group(new, self._declared) if new is not None else None
        if before is not None and old is not None:
            if new is not None and before == after and _says(old) == _says(new):
                self._members[before][new.key] = new
                return
            self._remove(old, before)
        if after is not None and new is not None:
            self._add(new, after)

    def declare(self, kind: GroupKind, name: Name, noun: object) -> None:
        """Take in that an object which makes groups came, changed or went (``None``)."""
        declare(self._declared, kind, name, noun)
        if kind[1] == "PodGroup":
            self._stale.add((*name, kind[0]))
        else:
            self._stale.update((*name, api) for api in ("batch", "jobset.x-k8s.io"))
        for pod in [self._members[self._key_of[key]][key] for key in self._by_name.get(name, ())]:
            self.put(pod, pod)
        self._index, self._declared_stale = None, True

    def of(self, pod: Name) -> PodGroup | None:
        """The group of a pod, ``None`` for most; as of the last ``settle``."""
        key = self._key_of.get(pod)
        return self._groups.get(key) if key is not None else None

    def settle(self) -> Iterator[Pod]:
        """Make anew what was touched, and give the members of groups that are not as before."""
        stale, self._stale = self._stale, set()
        anew = [self._make(key) for key in stale]
        if not (any(anew) or self._declared_stale):  # most news are of pods, and say nothing new
            return
        self._declared_stale = False
        others = among_others(self._made, self._declared)
        were = {key for key, group in self._groups.items() if group.ties or group.union}
        for key in sorted(stale | others.keys() | were):
            before, members = self._groups.get(key), self._members.get(key, {})
            now = others.get(key) or self._made.get(key)
            if now is None:
                self._groups.pop(key, None)
            else:
                self._groups[key] = now
            if now != before:
                self._index = None
                yield from [members[name] for name in sorted(members)]

    def index(self) -> Index:
        """All groups and who belongs to them; the same objects while nothing changed."""
        if self._index is None:
            keys = sorted(self._groups)
            at = {key: number for number, key in enumerate(keys)}
            members = sorted(self._key_of)
            self._index = (
                tuple(self._groups[key] for key in keys),
                tuple((pod, at[self._key_of[pod]]) for pod in members),
            )
        return self._index

    def _make(self, key: Key) -> bool:
        """Make a group by itself; whether it is not as before."""
        before, members = self._made.get(key), self._members.get(key, {})
        if members or key in self._declared.groups:
            ordered = [members[name] for name in sorted(members)]
            self._made[key] = group_made(key, ordered, self._declared)
        else:
            self._made.pop(key, None)
        return self._made.get(key) != before

    def _add(self, pod: Pod, key: Key) -> None:
        self._members.setdefault(key, {})[pod.key] = pod
        self._key_of[pod.key] = key
        for name in _names(pod, key):
            self._by_name.setdefault(name, set()).add(pod.key)
        self._stale.add(key)
        self._index = None

    def _remove(self, pod: Pod, key: Key) -> None:
        members = self._members[key]
        members.pop(pod.key, None)
        if not members:
            del self._members[key]
        del self._key_of[pod.key]
        for name in _names(pod, key):
            found = self._by_name[name]
            found.discard(pod.key)
            if not found:
                del self._by_name[name]
        self._stale.add(key)
        self._index = None


def _says(pod: Pod) -> tuple[object, ...]:
    """All that a group takes from a member: a binding or a heartbeat does not make it anew."""
    end = (pod.phase, pod.deleting) if pod.terminal else None
    return (pod.labels, pod.annotations, pod.owner, end, pod.spec.scheduler_name)


def _names(pod: Pod, key: Key) -> set[Name]:
    """The (namespace, name) of every object that may decide which group a pod belongs to."""
    owner = {(pod.namespace, pod.owner.name)} if pod.owner is not None else set()
    return {key[:2], *owner}
