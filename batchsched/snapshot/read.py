"""Documents to a Snapshot: the way in for files and for tests.

Two passes: first every object is found and its kind told, then kinds are decoded (by ``kinds``, as
are a live cluster's watches), pods last. Whatever the bytes, the outcome is a Snapshot or an
``InputError``.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from batchsched.snapshot.api_reservation import ReservationModel, reservation
from batchsched.snapshot.documents import documents as parsed
from batchsched.snapshot.errors import InputError
from batchsched.snapshot.groups import Declared, groups, ranked
from batchsched.snapshot.kinds import (
    DECLARING,
    DECODERS,
    FIELDS,
    GroupKind,
    Key,
    Nouns,
    as_model,
    declare,
    decoded,
    default_spread,
    priorities,
)
from batchsched.snapshot.objects import OWN, Item, Kind, items
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.pods import PodReader
from batchsched.snapshot.reservation import Reservation
from batchsched.snapshot.snapshot import Snapshot


def read(documents: Iterable[tuple[str, bytes]]) -> Snapshot:
    """Read a snapshot from (name of the source, bytes) pairs.

    Raises:
        InputError: for anything that cannot be a snapshot, naming source, object and field.
    """
    found = _Found()
    for source, data in documents:
        try:
            for document in parsed(data):
                found.add(items(source, document))
        except InputError as error:
            raise error if error.source else InputError(error.what, source=source) from None
    return _snapshot(found)


@dataclass(slots=True)
class _Found:
    """The objects of all documents, by kind."""

    kinds: dict[Kind, list[Item]] = field(default_factory=dict)

    def add(self, found: Iterable[Item]) -> None:
        """Take in the objects of one document."""
        for item in found:
            if item.kind in self.kinds:
                self.kinds[item.kind].append(item)
            else:
                self.kinds[item.kind] = [item]

    def each(self, group: str, name: str) -> list[Item]:
        """The objects of one kind, of whatever version."""
        wanted = [kind for kind in self.kinds if (kind.group, kind.name) == (group, name)]
        return [item for kind in wanted for item in self.kinds[kind]]

    def counts(self, *, others: bool) -> tuple[tuple[str, int], ...]:
        """How many objects of each kind there are; of those that are not read, or of all."""
        total: Counter[str] = Counter()
        for kind, found in self.kinds.items():
            if not (others and kind.is_read):
                total[kind.label] += len(found)
        return tuple(sorted(total.items()))

    def nouns(self, kind: GroupKind) -> dict[Key, Any]:
        """What the objects of one kind became, by identity, in order.

        Raises:
            InputError: if one is malformed, or two are the same object.
        """
        seen: dict[Key, tuple[Any, Item]] = {}
        for item in self.each(*kind):
            key, noun = decoded(item)
            if key in seen:
                raise _duplicate(item, seen[key][1])
            seen[key] = (noun, item)
        return {key: seen[key][0] for key in sorted(seen)}


def _duplicate(item: Item, first: Item) -> InputError:
    """Two objects of one identity: we cannot know which of them is true."""
    place = "in the same file" if item.source == first.source else f"in {first.source}"
    return InputError(
        f"is there twice, the first time {place}; leave one of them out",
        source=item.source,
        where=item.where,
    )


def _snapshot(found: _Found) -> Snapshot:
    """Decode everything, kind by kind."""
    nouns = {kind: found.nouns(kind) for kind in DECODERS}
    pods = _pods(found, nouns)
    declared = Declared()
    for kind in DECLARING:
        for key, noun in nouns[kind].items():
            declare(declared, kind, key, noun)
    made, group_of = groups(pods, declared)
    at = dict(group_of)
    pods = tuple(ranked(pod, made[at[pod.key]]) if pod.key in at else pod for pod in pods)
    fields = {
        field: tuple(noun for noun in nouns[kind].values() if noun is not None)
        for field, kind in FIELDS.items()
    }
    snapshot = Snapshot(
        pods=pods,
        groups=made,
        group_of=group_of,
        others=found.counts(others=True),
        reservation=_reservation(found),
        **fields,
    )
    if not snapshot.nodes:
        raise InputError(_no_nodes(found))
    return snapshot


def _reservation(found: _Found) -> Reservation | None:
    """What is kept for pods that have waited long, in the record of a window."""
    made = found.each(*OWN)
    if len(made) > 1:
        raise made[1].refusal(InputError("there is another one; a snapshot has one at most"))
    return reservation(as_model(ReservationModel, made[0])) if made else None


def _no_nodes(found: _Found) -> str:
    """Say what the snapshot does hold, so that one sees which file was forgotten."""
    held = ", ".join(f"{count} {kind}" for kind, count in found.counts(others=False)[:5])
    return (
        f"the snapshot has no Node ({held or 'nothing at all'}); "
        "add the output of: kubectl get nodes -o json"
    )


def _pods(found: _Found, nouns: Nouns) -> tuple[Pod, ...]:
    """All pods, with the spreading that kube-scheduler would give them."""
    reader = PodReader(priorities(nouns["scheduling.k8s.io", "PriorityClass"].items()))
    spread = default_spread(nouns)
    seen: dict[Key, tuple[Pod, Item]] = {}
    for item in found.each("", "Pod"):
        try:
            pod = spread.spread(reader.pod(item.raw))
        except InputError as error:
            raise item.refusal(error) from None
        if pod.key in seen:
            raise _duplicate(item, seen[pod.key][1])
        seen[pod.key] = (pod, item)
    return tuple(seen[key][0] for key in sorted(seen))
