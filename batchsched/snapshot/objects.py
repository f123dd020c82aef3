"""Documents to objects: lists taken apart, and each object's kind told, from its list or its shape.

Knows which kinds there are and where lists hide them; does not know what they mean.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from batchsched.snapshot.errors import InputError, shortened

LIST_DEPTH_MAX = 10

READ = {
    "": (
        "Node",
        "Pod",
        "Namespace",
        "PersistentVolumeClaim",
        "PersistentVolume",
        "Service",
        "ReplicationController",
    ),
    "apps": ("ReplicaSet", "StatefulSet"),
    "batch": ("Job",),
    "jobset.x-k8s.io": ("JobSet",),
    "policy": ("PodDisruptionBudget",),
    "resource.k8s.io": ("ResourceClaim",),
    "scheduling.k8s.io": ("PriorityClass", "PodGroup", "CompositePodGroup"),
    "scheduling.x-k8s.io": ("PodGroup",),
    "scheduling.sigs.k8s.io": ("PodGroup",),
    "scheduling.volcano.sh": ("PodGroup",),
    "scheduling.run.ai": ("PodGroup",),
    "storage.k8s.io": (
        "StorageClass",
        "CSINode",
        "CSIDriver",
        "CSIStorageCapacity",
        "VolumeAttachment",
    ),
}
"""The kinds that are read, by API group."""

OWN = ("batchsched.io", "Reservation")
"""Read from files alone: no API server has it."""

CLUSTER_SCOPED = frozenset(
    {
        "Node",
        "Namespace",
        "PersistentVolume",
        "PriorityClass",
        "StorageClass",
        "CSINode",
        "CSIDriver",
        "VolumeAttachment",
    }
)
_KINDS = frozenset((group, kind) for group, kinds in READ.items() for kind in kinds) | {OWN}
_GROUP_OF = {kind: group for group, kinds in READ.items() for kind in kinds if kind != "PodGroup"}


_SHAPES = (
    ("Node", ("status.nodeInfo",)),
    ("Node", ("status.allocatable",)),
    ("Pod", ("spec.containers",)),
    ("PersistentVolume", ("spec.persistentVolumeReclaimPolicy",)),
    ("PersistentVolume", ("spec.capacity", "spec.accessModes")),
    ("PersistentVolumeClaim", ("spec.accessModes", "spec.resources")),
    ("PodDisruptionBudget", ("status.disruptionsAllowed",)),
    ("StorageClass", ("provisioner",)),
    ("VolumeAttachment", ("spec.attacher", "spec.nodeName")),
)
"""Kinds and fields that no other kind has, for exports that left the kind out."""


class Kind(NamedTuple):
    """What an object is."""

    group: str
    version: str
    name: str

    @property
    def is_read(self) -> bool:
        """Whether it is a kind that scheduling reads."""
        return (self.group, self.name) in _KINDS

    @property
    def label(self) -> str:
        """``Kind`` or ``Kind.group``, as kubectl writes kinds."""
        return f"{self.name}.{self.group}" if self.group else self.name


class _Place(NamedTuple):
    """Where in the input the walk is, and what the list around it said about its items."""

    source: str
    at: str = ""
    kind: str = ""
    api_version: str = ""
    depth: int = 0

    def item(self, index: int) -> "_Place":
        """The place of one item of the list that this is the place of."""
        return self._replace(at=f"{self.at}[{index}]")


class Item(NamedTuple):
    """One object as it was found; ``place`` is that of the list it stands in, if it does."""

    kind: Kind
    raw: dict[str, Any]
    place: _Place
    number: int | None = None

    @property
    def source(self) -> str:
        """The file it stands in."""
        return self.place.source

    @property
    def where(self) -> str:
        """``Kind namespace/name``, or where it stands if it has no name."""
        metadata = self.raw.get("metadata")
        fields = metadata if isinstance(metadata, dict) else {}
        name, namespace = fields.get("name"), fields.get("namespace")
        kind = shortened(self.kind.name)
        if not (isinstance(name, str) and name):
            at = (self.place if self.number is None else self.place.item(self.number)).at
            return f"{kind} at {at}" if at else kind
        if self.kind.name in CLUSTER_SCOPED or not isinstance(namespace, str):
            return f"{kind} {shortened(name)}"
        return f"{kind} {shortened(namespace)}/{shortened(name)}"

    def refusal(self, error: InputError) -> InputError:
        """The same error, with the place where it happened."""
        return InputError(error.what, source=self.source, where=self.where, field=error.field)


def item(kind: Kind, raw: dict[str, Any], source: str) -> Item:
    """An object whose kind is known, as a list or a watch of one kind gives it."""
    return Item(kind, raw, _Place(source))


def items(source: str, document: Any) -> Iterator[Item]:
    """The objects in one document.

    Raises:
        InputError: where the kind of something cannot be told.
    """
    place = _Place(source)
    if isinstance(document, list):
        yield from _each(document, place)
    else:
        yield from _one(document, place)


def _one(value: Any, place: _Place) -> Iterator[Item]:
    """One object, or what a list holds."""
    if value.__class__ is not dict:
        raise InputError(
            "is not a Kubernetes object; an object with kind and metadata belongs here",
            source=place.source,
            where=place.at or None,
        )
    kind, version = _text(value, "kind", place), _text(value, "apiVersion", place)
    if _is_list(value, kind):
        typed = kind != "List"
        yield from _each(
            value.get("items"),
            _Place(
                place.source,
                f"{place.at}.items" if place.at else "items",
                kind.removesuffix("List"),
                version if typed else "",
                place.depth + 1,
            ),
        )
        return
    kind = kind or place.kind or _by_shape(value)
    if not kind:
        raise InputError(
            "the kind of this object cannot be told; add apiVersion and kind",
            source=place.source,
            where=place.at or None,
        )
    yield Item(_kind(kind, version or place.api_version, place), value, place)


def _each(values: Any, place: _Place) -> Iterator[Item]:
    """The objects of a list."""
    if values is None:
        return
    if not isinstance(values, list):
        raise InputError("must be a list of objects", source=place.source, field=place.at)
    if place.depth > LIST_DEPTH_MAX:
        raise InputError(f"lists in lists, deeper than {LIST_DEPTH_MAX}", source=place.source)
    for index, value in enumerate(values):
        if value.__class__ is dict:
            kind, version = value.get("kind"), value.get("apiVersion")
            if (
                kind.__class__ is str
                and version.__class__ is str
                and version
                and kind[-4:] != "List"
            ):
                yield Item(_named(kind, version), value, place, index)
                continue
        yield from _one(value, place.item(index))


def _text(value: dict[str, Any], field: str, place: _Place) -> str:
    """``kind`` or ``apiVersion``, which are text if they are there."""
    found = value.get(field)
    if found is None or found.__class__ is str:
        return found or ""
    raise InputError("must be text", source=place.source, where=place.at or None, field=field)


def _is_list(value: dict[str, Any], kind: str) -> bool:
    """Whether it is a list: one by name, or something with items and no kind at all."""
    if kind in {"", "List"}:
        return kind == "List" or ("items" in value and "spec" not in value)
    return kind.endswith("List") and ("items" in value or kind.removesuffix("List") in _GROUP_OF)


def _kind(name: str, api_version: str, place: _Place) -> Kind:
    """The kind of a name, and of the group it usually is of where none is given."""
    if api_version or name != "PodGroup":
        return _named(name, api_version)
    raise InputError(
        "six API groups have a kind PodGroup; add apiVersion",
        source=place.source,
        where=place.at or None,
    )


@lru_cache(maxsize=4096)
def _named(name: str, api_version: str) -> Kind:
    """``apps/v1`` and ``Deployment`` as one."""
    group, _, version = api_version.rpartition("/")
    return Kind(group if api_version else _GROUP_OF.get(name, ""), version, name)


def _by_shape(value: dict[str, Any]) -> str:
    """The kind of an object that does not say it, by fields that only that kind has."""
    for kind, fields in _SHAPES:
        parts = (_at(value, field) for field in fields)
        if all(parts):
            return kind
    return ""


def _at(value: dict[str, Any], field: str) -> bool:
    """Whether an object has a field such as ``status.nodeInfo``."""
    part, _, name = field.rpartition(".")
    inner = value.get(part) if part else value
    return isinstance(inner, dict) and name in inner
