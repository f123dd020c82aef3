"""Raw objects of one kind to nouns, as a watch brings them: no object stops a scheduler.

A file with one malformed object is refused whole, because somebody can mend it. A live cluster goes
on: what cannot be read is left out, logged once, and counted. What is left out must never make room
or permission out of nothing, so two kinds are read halfway rather than not at all:

- a *node* keeps its labels (the domains that spreading counts are still there), but has no room;
- a *pod on a node* keeps its place, its labels and its phase. What it holds is not known, so it
  shuts its node to all others (``Unreadable``, see ``store``), and stays where it is.

A pod that waits and cannot be read goes on waiting. Without its claim, volume, PodGroup or Job a
pod waits too. A budget that is left out is asked by the eviction API itself, and an attachment by
the attach controller. No raw JSON is kept.

PriorityClasses are not asked: pods that the API server serves carry their priority themselves.
"""

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

from batchsched.snapshot.errors import InputError
from batchsched.snapshot.kinds import GroupKind, Key, decoded
from batchsched.snapshot.node import Node
from batchsched.snapshot.objects import CLUSTER_SCOPED, Item, Kind, item
from batchsched.snapshot.pod import OwnerRef, Pod
from batchsched.snapshot.pods import PodReader

LOGGED_MAX = 10_000
"""Objects that we remember having logged."""
KEPT_PARTS_MAX = 10_000
"""Distinct specs and labels that the reader of pods keeps."""

_LOG = logging.getLogger(__name__)


class Unreadable(NamedTuple):
    """A pod on a node that could not be read: what is known of it."""

    pod: Pod


class Reader:
    """Reads objects of one kind; used by one thread.

    Args:
        kind: Which.
    """

    def __init__(self, kind: GroupKind) -> None:
        """Start with nothing read."""
        self.kind = kind
        self.unreadable: dict[Key, str] = {}
        """The objects that cannot be read now, and why."""
        self.generations: dict[Key, int] = {}
        """Of each pod without a node: which one of its spec was read."""
        self._pods = PodReader(kept_max=KEPT_PARTS_MAX)
        self._partly: Callable[[dict[str, Any]], Any] = _PARTLY.get(kind, lambda _: None)

    def read(self, version: str, raw: dict[str, Any]) -> tuple[Key, Any] | None:
        """The identity of an object and what it became; ``None`` where not even that is there."""
        found = item(Kind(self.kind[0], version, self.kind[1]), raw, "the API server")
        try:
            key, noun = self._noun(found)
        except InputError as error:
            return self._refused(found, error)
        self.unreadable.pop(key, None)
        return key, noun

    def gone(self, raw: dict[str, Any]) -> Key | None:
        """The identity of an object that is no more."""
        key = _identity(self.kind[1], raw)
        if key is not None:
            self.unreadable.pop(key, None)
            self.generations.pop(key, None)
        return key

    def relisted(self) -> None:
        """All is read anew."""
        self.unreadable.clear()
        self.generations.clear()

    def _noun(self, found: Item) -> tuple[Key, Any]:
        if self.kind != ("", "Pod"):
            return decoded(found)
        pod = self._pods.pod(found.raw)
        generation = _part(found.raw, "metadata").get("generation")
        if pod.node is None and isinstance(generation, int):
            self.generations[pod.key] = generation
        else:
            self.generations.pop(pod.key, None)
        return pod.key, pod

    def _refused(self, found: Item, error: InputError) -> tuple[Key, Any] | None:
        """Read what can be read, and say once what cannot."""
        key = _identity(self.kind[1], found.raw)
        why = str(found.refusal(error))
        if key is None or self.unreadable.get(key) != why:
            _LOG.warning("an object is left out, it cannot be read: %s", why)
        if key is None:
            return None
        if len(self.unreadable) < LOGGED_MAX:
            self.unreadable[key] = why
        return key, self._partly(found.raw)


def _identity(kind: str, raw: dict[str, Any]) -> Key | None:
    meta = _part(raw, "metadata")
    name = _text(meta, "name")
    if not name:
        return None
    return ("" if kind in CLUSTER_SCOPED else _text(meta, "namespace") or "default", name)


def _part_of_node(raw: dict[str, Any]) -> Node:
    """A node with its labels, and shut."""
    meta = _part(raw, "metadata")
    return Node(
        _text(meta, "name"),
        uid=_text(meta, "uid"),
        labels=_strings(meta.get("labels")),
        unschedulable=True,
    )


def _part_of_pod(raw: dict[str, Any]) -> Unreadable | None:
    """A pod in its place, if it has one and has not ended."""
    meta, status = _part(raw, "metadata"), _part(raw, "status")
    node, phase = _text(_part(raw, "spec"), "nodeName"), _text(status, "phase") or "Pending"
    if not node or phase in {"Succeeded", "Failed"}:
        return None
    return Unreadable(
        Pod(
            namespace=_text(meta, "namespace") or "default",
            name=_text(meta, "name"),
            uid=_text(meta, "uid"),
            labels=_strings(meta.get("labels")),
            node=node,
            phase=phase,
            deleting=meta.get("deletionTimestamp") is not None,
            owner=OwnerRef("v1", "Node", node, ""),  # as a static pod: evicted and moved by nobody
            created=_text(meta, "creationTimestamp"),
        )
    )


_PARTLY: dict[GroupKind, Callable[[dict[str, Any]], Any]] = {
    ("", "Node"): _part_of_node,
    ("", "Pod"): _part_of_pod,
}


def _part(raw: dict[str, Any], name: str) -> dict[str, Any]:
    """A part of an object; an empty one where it is something else."""
    found = raw.get(name)
    return found if isinstance(found, dict) else {}


def _text(raw: dict[str, Any], name: str) -> str:
    found = raw.get(name)
    return found if isinstance(found, str) else ""


def _strings(found: Any) -> tuple[tuple[str, str], ...]:
    """The pairs of a map that are text."""
    if not isinstance(found, dict):
        return ()
    return tuple(sorted((k, v) for k, v in found.items() if isinstance(v, str)))
