"""Documents to objects: lists taken apart, and each object's kind told, from its list or its shape.

Knows which kinds there are and where lists hide them; does not know what they mean.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from batchsched.snapshot.errors import InputError

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
    "scheduling.k8s.io": ("PriorityClass", "PodGroup"),
    "scheduling.x-k8s.io": ("PodGroup",),
    "scheduling.sigs.k8s.io": ("PodGroup",),
    "scheduling.volcano.sh": ("PodGroup",),
    "storage.k8s.io": (
        "StorageClass",
        "CSINode",
        "CSIDriver",
        "CSIStorageCapacity",
        "VolumeAttachment",
    ),
}
"""The kinds that are read, by API group."""

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
_KINDS = frozenset((group, kind) for group, kinds in READ.items() for kind in kinds)
_GROUP_OF = {kind: group for group, kinds in READ.items() for kind in kinds if kind != "PodGroup"}


@dataclass(frozen=True, slots=True)
class Item:
    """One object as it was found."""

    group: str
    version: str
    kind: str
    raw: dict[str, Any]
    source: str
    at: str

    @property
    def is_read(self) -> bool:
        """Whether its kind is one that scheduling reads."""
        return (self.group, self.kind) in _KINDS

    @property
    def label(self) -> str:
        """``Kind`` or ``Kind.group``, as kubectl writes kinds."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @property
    def where(self) -> str:
        """``Kind namespace/name``, or where it stands if it has no name."""
        metadata = self.raw.get("metadata")
        fields = metadata if isinstance(metadata, dict) else {}
        name, namespace = fields.get("name"), fields.get("namespace")
        if not (isinstance(name, str) and name):
            return f"{self.kind} at {self.at}" if self.at else self.kind
        if self.kind in CLUSTER_SCOPED or not isinstance(namespace, str):
            return f"{self.kind} {name[:80]}"
        return f"{self.kind} {namespace[:80]}/{name[:80]}"

    def refusal(self, error: InputError) -> InputError:
        """The same error, with the place where it happened."""
        return InputError(error.what, source=self.source, where=self.where, field=error.field)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the input the walk is, and what the list around it said about its items."""

    source: str
    at: str = ""
    kind: str = ""
    api_version: str = ""
    depth: int = 0


def items(source: str, document: Any) -> Iterator[Item]:
    """The objects in one document.

    Raises:
        InputError: where the kind of something cannot be told.
    """
    place = _Place(source)
    if isinstance(document, list):
        yield from _each(document, place, "")
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
        inner = _Place(
            place.source,
            place.at,
            kind.removesuffix("List"),
            version if kind != "List" else "",
            place.depth + 1,
        )
        yield from _each(value.get("items"), inner, "items")
        return
    kind = kind or place.kind or _by_shape(value)
    if not kind:
        raise InputError(
            "the kind of this object cannot be told; add apiVersion and kind",
            source=place.source,
            where=place.at or None,
        )
    yield _item(value, kind, version or place.api_version, place)


def _each(values: Any, place: _Place, field: str) -> Iterator[Item]:
    """The objects of a list."""
    if values is None:
        return
    if not isinstance(values, list):
        raise InputError("must be a list of objects", source=place.source, where=place.at or None, field=field)
    if place.depth > LIST_DEPTH_MAX:
        raise InputError(f"lists in lists, deeper than {LIST_DEPTH_MAX}", source=place.source)
    prefix = f"{place.at}.{field}" if place.at else field
    for index, value in enumerate(values):
        here = _Place(place.source, f"{prefix}[{index}]", place.kind, place.api_version, place.depth)
        yield from _one(value, here)


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


def _item(value: dict[str, Any], kind: str, api_version: str, place: _Place) -> Item:
    """An object whose kind is known."""
    group, slash, version = api_version.rpartition("/")
    if not api_version:
        if kind == "PodGroup":
            raise InputError(
                "six API groups have a kind PodGroup; add apiVersion",
                source=place.source,
                where=place.at or None,
            )
        group = _GROUP_OF.get(kind, "")
    elif not slash:
        group = ""
    return Item(group, version, kind, value, place.source, place.at)


def _by_shape(value: dict[str, Any]) -> str:
    """The kind of an object that does not say it, by what only that kind has."""
    spec, status = value.get("spec"), value.get("status")
    spec = spec if isinstance(spec, dict) else {}
    status = status if isinstance(status, dict) else {}
    if "nodeInfo" in status or "allocatable" in status:
        return "Node"
    if "containers" in spec:
        return "Pod"
    if "persistentVolumeReclaimPolicy" in spec or ("capacity" in spec and "accessModes" in spec):
        return "PersistentVolume"
    if "accessModes" in spec and "resources" in spec:
        return "PersistentVolumeClaim"
    if "disruptionsAllowed" in status:
        return "PodDisruptionBudget"
    if "provisioner" in value:
        return "StorageClass"
    if "attacher" in spec and "nodeName" in spec:
        return "VolumeAttachment"
    return ""
