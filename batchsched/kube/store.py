"""What the watches have shown, as a Snapshot and as changes: nouns in, nouns out, no thread.

A snapshot is asked for many times a second while plans are bound, so it costs what changed: each
kind keeps its sorted tuple, groups are made anew where a member or an object of theirs changed, and
while nothing did the same Snapshot is given. Three things depend on several objects at once:
default spreading (Services and owners), groups, and nodes shut by a pod that cannot be read.

Pods that have ended hold nothing. Those of a gang are kept, because its members that succeeded
count for it after a restart as well; all others are told of once and forgotten.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Generic, NamedTuple, TypeVar

from batchsched.daemon.ports import Change, NodeChange, PodChange
from batchsched.kube.membership import Membership
from batchsched.kube.reading import Unreadable
from batchsched.snapshot.groups import Declared, key_of_group, ranked
from batchsched.snapshot.kinds import (
    DECLARING,
    DECODERS,
    FIELDS,
    PLAIN_OWNERS,
    GroupKind,
    Key,
    default_spread,
)
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot
from batchsched.snapshot.spread_defaults import DefaultSpread

Noun = TypeVar("Noun")

POD, NODE, SERVICE = ("", "Pod"), ("", "Node"), ("", "Service")
_SPREADING = frozenset({SERVICE, *PLAIN_OWNERS})
_DECLARING = frozenset(DECLARING)


class _Sorted(Generic[Noun]):
    """Nouns by identity, and in its order as one tuple that is made when it is asked for."""

    def __init__(self) -> None:
        self.by_key: dict[Key, Noun] = {}
        self._all: tuple[Noun, ...] | None = ()
        self._in_order = True

    def put(self, key: Key, noun: Noun | None) -> None:
        """Set, or remove with ``None``."""
        if noun is None:
            self.by_key.pop(key, None)
        else:
            self._in_order = self._in_order and key in self.by_key
            self.by_key[key] = noun
        self._all = None

    def all(self) -> tuple[Noun, ...]:
        """Every noun, in order of identity."""
        if self._all is None:
            if not self._in_order:
                self.by_key = dict(sorted(self.by_key.items(), key=_first))
                self._in_order = True
            self._all = tuple(self.by_key.values())
        return self._all


def _first(entry: tuple[Key, object]) -> Key:
    return entry[0]


class _Told(NamedTuple):
    """A change of a pod; its group is known when all was taken in."""

    old: Pod | None
    new: Pod | None


class Store:
    """The state of a cluster as far as it was shown."""

    def __init__(self) -> None:
        """Start empty."""
        self._nouns: dict[GroupKind, dict[Key, Any]] = {kind: {} for kind in DECODERS}
        self._fields: dict[GroupKind, _Sorted[Any]] = {kind: _Sorted() for kind in FIELDS.values()}
        self._plain: dict[Key, Pod] = {}
        """Pods as they were read: without what they get from others (spreading, priority)."""
        self._pods: _Sorted[Pod] = _Sorted()
        self._membership = Membership()
        self._spread, self._spread_stale = DefaultSpread(), False
        self._shut_by: dict[str, set[Key]] = {}
        self._unreadable: dict[Key, str] = {}
        self._told: list[_Told | NodeChange] = []
        self._snapshot: Snapshot | None = None

    def listed(self, kind: GroupKind, nouns: Mapping[Key, Any]) -> None:
        """Take in a whole list: what is not in it is gone."""
        known = self._known(kind)
        for key in sorted(known.keys() - nouns.keys()):
            self.put(kind, key, None)
        for key in sorted(nouns):
            self.put(kind, key, nouns[key])

    def put(self, kind: GroupKind, key: Key, noun: Any) -> None:
        """Take in what one object is now; ``None`` where it is gone or says nothing."""
        if kind == POD:
            self._put_pod(key, noun)
        elif self._nouns[kind].get(key) != noun:
            if kind == NODE:
                self._put_node(key, noun)
            _set(self._nouns[kind], key, noun)
            self._field(kind, key, noun)
            self._spread_stale = self._spread_stale or kind in _SPREADING
            if kind in _DECLARING:
                self._membership.declare(kind, key, noun)
                self._snapshot = None

    def changes(self) -> Sequence[Change]:
        """What changed since the last call, in order."""
        self._settle()
        told, self._told = self._told, []
        return [
            change if isinstance(change, NodeChange) else self._with_group(change)
            for change in told
        ]

    def snapshot(self) -> Snapshot:
        """The state now; the same object while nothing changed."""
        self._settle()
        if self._snapshot is None:
            groups, group_of = self._membership.index()
            nouns = ((field, self._fields[kind].all()) for field, kind in FIELDS.items())
            fields: dict[str, Any] = dict(nouns)
            self._snapshot = Snapshot(
                pods=self._pods.all(), groups=groups, group_of=group_of, **fields
            )
        return self._snapshot

    def sizes(self) -> dict[str, int]:
        """How many objects of each kind are known."""
        sizes = {
            f"{name}.{group}" if group else name: len(found)
            for (group, name), found in self._nouns.items()
        }
        return {"Pod": len(self._plain), **sizes}

    # Pods.

    def _put_pod(self, key: Key, noun: Pod | Unreadable | None) -> None:
        """Take in a pod, and tell of it if it is not as before."""
        if isinstance(noun, Unreadable):
            self._shut(key, noun.pod.node)
            noun = noun.pod
        elif key in self._unreadable:
            self._shut(key, None)
        old = self._plain.get(key)
        if noun == old:
            return
        shown_old = self._pods.by_key.get(key)
        kept = noun if noun is None or not noun.terminal or _in_gang(noun) else None
        self._membership.put(old, kept)
        shown = self._pod_as_shown(noun) if noun is not None else None
        _set(self._plain, key, kept)
        if old is not None or kept is not None:
            self._pods.put(key, shown if kept is not None else None)
            self._snapshot = None
        if shown_old is not None or kept is not None:
            self._told.append(_Told(shown_old, shown))

    def _pod_as_shown(self, plain: Pod) -> Pod:
        """A pod with the spreading and the priority that others give it."""
        return ranked(self._spread.spread(plain), self._membership.of(plain.key))

    def _with_group(self, change: _Told) -> PodChange:
        pod = change.new or change.old
        assert pod is not None
        return PodChange(change.old, change.new, self._membership.of(pod.key))

    # Nodes.

    def _put_node(self, key: Key, noun: Node | None) -> None:
        """Tell of a node as it is shown."""
        shown = self._as_shown(noun)
        self._told.append(NodeChange(self._fields[NODE].by_key.get(key), shown))

    def _field(self, kind: GroupKind, key: Key, noun: Any) -> None:
        if kind in self._fields:
            shown = self._as_shown(noun) if kind == NODE else noun
            self._fields[kind].put(key, shown)
            self._snapshot = None

    def _as_shown(self, node: Node | None) -> Node | None:
        """A node, without room where nobody knows what its pods hold."""
        if node is None or node.name not in self._shut_by:
            return node
        return replace(node, unschedulable=True, allocatable=())

    def _shut(self, pod: Key, node: str | None) -> None:
        """Shut the node of a pod that cannot be read; ``None`` where it can be, or is gone."""
        before = self._unreadable.get(pod)
        if before == node:
            return
        if before is not None:
            del self._unreadable[pod]
            self._shut_by[before].discard(pod)
            if not self._shut_by[before]:
                del self._shut_by[before]
        if node is not None:
            self._unreadable[pod] = node
            self._shut_by.setdefault(node, set()).add(pod)
        for name in {before, node} - {None}:
            self._show_again(("", str(name)))

    def _show_again(self, key: Key) -> None:
        noun = self._nouns[NODE].get(key)
        shown = self._as_shown(noun)
        if shown != self._fields[NODE].by_key.get(key):
            self._put_node(key, noun)
            self._field(NODE, key, noun)

    # What depends on several objects.

    def _settle(self) -> None:
        """Bring up to date what depends on several objects, and tell whom it changes."""
        if self._spread_stale:
            self._spread, self._spread_stale = default_spread(self._nouns), False
            self._told.extend(self._spread_again())
        held = set[int]()
        for pod in self._membership.settle():
            old, new = self._pods.by_key[pod.key], self._pod_as_shown(pod)
            self._snapshot = None
            if old != new:
                self._pods.put(pod.key, new)
            group, runs = id(self._membership.of(pod.key)), pod.node is not None
            if old != new or not (pod.terminal or (runs and group in held)):
                self._told.append(_Told(old, new))  # of those on nodes one says it for all
                held |= {group} if runs else set()

    def _spread_again(self) -> Iterator[_Told]:
        """Give all pods the spreading that they have now."""
        for key, plain in self._plain.items():
            old, new = self._pods.by_key[key], self._pod_as_shown(plain)
            if new != old:
                self._pods.put(key, new)
                self._snapshot = None
                yield _Told(old, new)

    def _known(self, kind: GroupKind) -> Mapping[Key, Any]:
        return self._plain if kind == POD else self._nouns[kind]


_NOTHING = Declared()


def _in_gang(pod: Pod) -> bool:
    return key_of_group(pod, _NOTHING) is not None


def _set(found: dict[Key, Any], key: Key, noun: Any) -> None:
    """Set, or remove with ``None``."""
    if noun is None:
        found.pop(key, None)
    else:
        found[key] = noun
