"""Pods: raw objects to nouns, each distinct spec decoded once.

Replicas differ in names, labels and where they run, seldom in what a scheduler reads of their spec.
So the spec is cut down to that part, and its bytes are the key of a cache. What may differ between
pods with equal parts comes in after the cache: labels that are merged into selectors (they join the
key), claims named after the pod, and the resize state of a running pod (a cache of its own).
"""

from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, TypeVar

import orjson
from pydantic import ValidationError

from batchsched.snapshot.api import Api, aliases
from batchsched.snapshot.api_pod import (
    REPLICA,
    ContainerModel,
    ContainerStatusModel,
    PodResizeModel,
    PodSpecModel,
    ReplicaStatus,
    SharedMetadata,
)
from batchsched.snapshot.api_volumes import VolumeSources
from batchsched.snapshot.decode import controller, pairs
from batchsched.snapshot.decode_pod import Priorities, pod_spec
from batchsched.snapshot.decode_volumes import own_claims
from batchsched.snapshot.groups import READ_ANNOTATIONS
from batchsched.snapshot.labels import Pairs
from batchsched.snapshot.pod import OwnerRef, Pod, PodSpec, Quantities
from batchsched.snapshot.refusals import input_error
from batchsched.snapshot.requests import held

_SPEC_FIELDS = aliases(PodSpecModel) - {"volumes"}
_SHARED_FIELDS = sorted(aliases(SharedMetadata))
_CONTAINER_FIELDS = aliases(ContainerModel)
_STATUS_FIELDS = aliases(ContainerStatusModel)
_RESIZE_FIELDS = aliases(PodResizeModel) - {"conditions"}
_VOLUME_SOURCES = aliases(VolumeSources) - {"name"}
_ANNOTATIONS = READ_ANNOTATIONS | {"kubernetes.io/config.mirror"}
_OWN_PREFIX = "batchsched.io/"
_NO_STATUS: ReplicaStatus = {}


_Shared: TypeAlias = tuple[Pairs, OwnerRef | None]
Model = TypeVar("Model", bound=Api)


@dataclass(slots=True)
class _Decoded:
    """A spec in both forms: the noun, and the model that the resize arithmetic needs."""

    model: PodSpecModel
    spec: PodSpec
    has_own_claims: bool
    held: dict[bytes, Quantities] = field(default_factory=dict)


@dataclass(slots=True)
class PodReader:
    """Reads the pods of one snapshot, or of one watch.

    Args:
        priorities: What PriorityClasses say.
        kept_max: How many distinct parts are kept. A watch goes on for months, and every Job brings
            labels of its own; when there are so many all are forgotten, which costs time alone.
    """

    priorities: Priorities = field(default_factory=Priorities)
    kept_max: int = 1_000_000
    _decoded: dict[tuple[bytes, object], _Decoded] = field(default_factory=dict)
    _specs: dict[PodSpec, PodSpec] = field(default_factory=dict)
    _shared: dict[bytes, _Shared] = field(default_factory=dict)

    def pod(self, raw: dict[str, Any]) -> Pod:
        """One pod.

        Raises:
            InputError: for what the API server would have refused.
        """
        try:
            replica = REPLICA.validate_python(raw)
        except ValidationError as error:
            raise input_error(error) from None
        if len(self._decoded) + len(self._shared) > self.kept_max:
            self._forget()
        meta, status = replica["metadata"], replica.get("status") or _NO_STATUS
        labels, owner = self._labels_and_owner(raw["metadata"])
        decoded = self._decode(raw["spec"], labels, served=bool(meta.get("uid")))
        spec, name = decoded.spec, meta["name"]
        if decoded.has_own_claims:
            spec = replace(spec, claims=own_claims(name, spec.claims))
        node = replica["spec"].get("node_name") or None
        notes, made = meta.get("annotations"), status.get("resource_claim_statuses")
        return Pod(
            namespace=meta.get("namespace") or "default",
            name=name,
            uid=meta.get("uid") or "",
            labels=labels,
            annotations=_annotations(notes) if notes else (),
            spec=spec,
            node=node,
            phase=status.get("phase") or "Pending",
            deleting=meta.get("deletion_timestamp") is not None,
            nominated_node=status.get("nominated_node_name") or None,
            requests=_held(decoded, raw.get("status")) if node else spec.requests,
            owner=owner,
            created=meta.get("creation_timestamp") or "",
            claim_names=tuple((c.name, c.resource_claim_name) for c in made or ()),
            started=status.get("start_time") or "",
        )

    def _forget(self) -> None:
        """Start anew."""
        self._decoded.clear()
        self._specs.clear()
        self._shared.clear()

    def _labels_and_owner(self, raw: dict[str, Any]) -> _Shared:
        """Labels in order and the controller; the same objects for replicas."""
        part = {name: raw[name] for name in _SHARED_FIELDS if name in raw}
        key = _key(part)
        found = self._shared.get(key) if key else None
        if found is None:
            model = _checked(SharedMetadata, part, "metadata")
            found = (pairs(model.labels), controller(model.owner_references))
            if key:
                self._shared[key] = found
        return found

    def _decode(self, raw: dict[str, Any], labels: Pairs, *, served: bool) -> _Decoded:
        """The decoded spec, from the cache where one of the same bytes was read before."""
        part = _scheduling_part(raw)
        text = _key(part)
        key = (text, (labels, served) if b"atchLabelKeys" in text else ())
        found = self._decoded.get(key) if text else None
        if found is None:
            model = _checked(PodSpecModel, part, "spec")
            spec = pod_spec(model, dict(labels), self.priorities, served=served)
            spec = self._specs.setdefault(spec, spec)
            found = _Decoded(model, spec, any(ref.ephemeral for ref in spec.claims))
            if text:
                self._decoded[key] = found
        return found


def _key(part: dict[str, Any]) -> bytes:
    """The bytes of a part, or none where it cannot be JSON (and so will be refused, or is deep)."""
    try:
        return orjson.dumps(part)
    except TypeError:
        return b""


def _checked(model: type[Model], raw: Any, *prefix: str) -> Model:
    """A part of a pod in the form of its model.

    Raises:
        InputError: where it is not of that form.
    """
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise input_error(error, *prefix) from None


def _scheduling_part(raw: dict[str, Any]) -> dict[str, Any]:
    """The spec without what does not matter; what is malformed stays, to be refused later."""
    part = {name: value for name, value in raw.items() if name in _SPEC_FIELDS}
    for name in ("containers", "initContainers"):
        if name in part:
            part[name] = _cut(part[name], _CONTAINER_FIELDS)
    volumes = raw.get("volumes")
    if volumes:
        kept = [_volume(volume) for volume in volumes] if volumes.__class__ is list else volumes
        if kept.__class__ is not list or any(volume is not None for volume in kept):
            part["volumes"] = kept
    return part


def _cut(values: Any, fields: frozenset[str]) -> Any:
    """Each object of a list with these fields alone."""
    if values.__class__ is not list:
        return values
    return [
        {name: part for name, part in value.items() if name in fields}
        if value.__class__ is dict
        else value
        for value in values
    ]


def _volume(raw: Any) -> Any:
    """A volume, if it is of a kind that matters; ``None`` keeps the place of others."""
    if raw.__class__ is not dict:
        return raw
    if _VOLUME_SOURCES.isdisjoint(raw):
        return None
    return {name: part for name, part in raw.items() if name in _VOLUME_SOURCES or name == "name"}


def _held(decoded: _Decoded, status: Any) -> Quantities:
    """What a bound pod holds: as its spec says, or more while it is being resized."""
    if not status or _RESIZE_FIELDS.isdisjoint(status):
        return decoded.spec.requests
    part = _resize_part(status)
    key = _key(part)
    found = decoded.held.get(key) if key else None
    if found is None:
        found = held(decoded.model, _checked(PodResizeModel, part, "status"))
        if key:
            decoded.held[key] = found
    return found


def _resize_part(status: dict[str, Any]) -> dict[str, Any]:
    """What in-place resize wrote into a status."""
    part = {name: _cut(status[name], _STATUS_FIELDS) for name in _RESIZE_FIELDS if name in status}
    conditions = status.get("conditions")
    if conditions.__class__ is list:
        part["conditions"] = [c for c in conditions if _is_resize(c)]
    elif conditions is not None:
        part["conditions"] = conditions
    return part


def _is_resize(condition: Any) -> bool:
    """Whether a condition says how a resize goes (or is malformed, and so to be refused)."""
    return condition.__class__ is not dict or condition.get("type") == "PodResizePending"


def _annotations(found: dict[str, str]) -> Pairs:
    """The annotations that scheduling reads."""
    return tuple(
        sorted(
            (key, value)
            for key, value in found.items()
            if key in _ANNOTATIONS or key.startswith(_OWN_PREFIX)
        )
    )
