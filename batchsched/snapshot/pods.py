"""Pods: raw objects to nouns, each distinct spec decoded once.

Replicas differ in names, labels and where they run, seldom in what a scheduler reads of their spec.
So the spec is cut down to that part, and its bytes are the key of a cache. What may differ between
pods with equal parts comes in after the cache: labels that are merged into selectors (they join the
key), claims named after the pod, and the resize state of a running pod (a cache of its own).
"""

from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from pydantic import ValidationError

from batchsched.snapshot.api import Metadata
from batchsched.snapshot.api_pod import PodModel, PodPhaseModel, PodResizeModel, PodSpecModel
from batchsched.snapshot.api_volumes import VOLUME_FIELDS
from batchsched.snapshot.decode import controller
from batchsched.snapshot.decode_pod import Priorities, pod_spec
from batchsched.snapshot.decode_volumes import own_claims
from batchsched.snapshot.labels import Pairs
from batchsched.snapshot.pod import Pod, PodSpec, Quantities
from batchsched.snapshot.refusals import input_error
from batchsched.snapshot.requests import held

_SPEC_FIELDS = tuple(
    info.alias
    for name, info in PodSpecModel.model_fields.items()
    if info.alias and name not in {"containers", "init_containers", "volumes"}
)
_CONTAINER_FIELDS = ("name", "image", "resources", "ports", "restartPolicy", "restartPolicyRules")
_STATUS_FIELDS = ("name", "resources", "allocatedResources")
_VOLUME_FIELDS = frozenset(VOLUME_FIELDS)
_ANNOTATIONS = frozenset({"scheduling.k8s.io/group-name", "kubernetes.io/config.mirror"})
_OWN_PREFIX = "batchsched.io/"
_NO_STATUS = PodPhaseModel()


@dataclass(slots=True)
class _Decoded:
    """A spec in both forms: the noun, and the model that the resize arithmetic needs."""

    model: PodSpecModel
    spec: PodSpec
    has_own_claims: bool
    held: dict[bytes, Quantities] = field(default_factory=dict)


@dataclass(slots=True)
class PodReader:
    """Reads the pods of one snapshot."""

    priorities: Priorities = field(default_factory=Priorities)
    _decoded: dict[tuple[bytes, Pairs], _Decoded] = field(default_factory=dict)
    _specs: dict[PodSpec, PodSpec] = field(default_factory=dict)
    _labels: dict[tuple[tuple[str, str], ...], Pairs] = field(default_factory=dict)

    def pod(self, raw: dict[str, Any]) -> Pod:
        """One pod.

        Raises:
            InputError: for what the API server would have refused.
        """
        try:
            model = PodModel.model_validate(raw)
        except ValidationError as error:
            raise input_error(error) from None
        meta, status = model.metadata, model.status or _NO_STATUS
        labels = self._sorted_labels(meta)
        decoded = self._decode(raw["spec"], labels)
        spec = decoded.spec
        if decoded.has_own_claims:
            spec = replace(spec, claims=own_claims(meta.name, spec.claims))
        node = model.spec.node_name or None
        return Pod(
            namespace=meta.namespace or "default",
            name=meta.name,
            uid=meta.uid or "",
            labels=labels,
            annotations=_annotations(meta),
            spec=spec,
            node=node,
            phase=status.phase or "Pending",
            deleting=meta.deletion_timestamp is not None,
            nominated_node=status.nominated_node_name or None,
            requests=_held(decoded, raw.get("status")) if node else spec.requests,
            owner=controller(meta) if meta.owner_references else None,
            created=meta.creation_timestamp or "",
            claim_names=_claim_names(status) if status.resource_claim_statuses else (),
        )

    def _sorted_labels(self, meta: Metadata) -> Pairs:
        """Labels in order, the same object for equal ones."""
        if not meta.labels:
            return ()
        key = tuple(meta.labels.items())
        found = self._labels.get(key)
        if found is None:
            found = self._labels[key] = tuple(sorted(key))
        return found

    def _decode(self, raw: dict[str, Any], labels: Pairs) -> _Decoded:
        """The decoded spec, from the cache where one of the same bytes was read before."""
        part = _scheduling_part(raw)
        try:
            text = orjson.dumps(part)
        except TypeError:  # nested too deep or numbers too large for JSON: no cache, and an error below
            return self._decode_part(part, labels)
        key = (text, labels if b"atchLabelKeys" in text else ())
        found = self._decoded.get(key)
        if found is None:
            found = self._decoded[key] = self._decode_part(part, labels)
        return found

    def _decode_part(self, part: dict[str, Any], labels: Pairs) -> _Decoded:
        try:
            model = PodSpecModel.model_validate(part)
        except ValidationError as error:
            raise input_error(error, "spec") from None
        spec = pod_spec(model, dict(labels), self.priorities)
        spec = self._specs.setdefault(spec, spec)
        return _Decoded(model, spec, any(ref.ephemeral for ref in spec.claims))


def _scheduling_part(raw: dict[str, Any]) -> dict[str, Any]:
    """The spec without what does not matter; what is malformed stays, to be refused later."""
    part = {name: raw[name] for name in _SPEC_FIELDS if name in raw}
    for name in ("containers", "initContainers"):
        if name in raw:
            part[name] = _cut(raw[name], _CONTAINER_FIELDS)
    volumes = raw.get("volumes")
    if volumes:
        kept = [_volume(volume) for volume in volumes] if volumes.__class__ is list else volumes
        if kept.__class__ is not list or any(volume is not None for volume in kept):
            part["volumes"] = kept
    return part


def _cut(values: Any, fields: tuple[str, ...]) -> Any:
    """Each object of a list with these fields alone."""
    if values.__class__ is not list:
        return values
    return [
        {name: value[name] for name in fields if name in value} if value.__class__ is dict else value
        for value in values
    ]


def _volume(raw: Any) -> Any:
    """A volume, if it is of a kind that matters; ``None`` keeps the place of others."""
    if raw.__class__ is not dict:
        return raw
    if _VOLUME_FIELDS.isdisjoint(raw):
        return None
    return {name: raw[name] for name in ("name", *VOLUME_FIELDS) if name in raw}


def _held(decoded: _Decoded, status: Any) -> Quantities:
    """What a bound pod holds: as its spec says, or more while it is being resized."""
    part = _resize_part(status) if status else None
    if not part:
        return decoded.spec.requests
    try:
        key = orjson.dumps(part)
    except TypeError:
        key = b""
    found = decoded.held.get(key) if key else None
    if found is None:
        try:
            found = held(decoded.model, PodResizeModel.model_validate(part))
        except ValidationError as error:
            raise input_error(error, "status") from None
        if key:
            decoded.held[key] = found
    return found


def _resize_part(status: dict[str, Any]) -> dict[str, Any]:
    """What in-place resize wrote into a status; nothing on clusters that do not have it."""
    part: dict[str, Any] = {}
    for name in ("containerStatuses", "initContainerStatuses"):
        cut = _cut(status.get(name), _STATUS_FIELDS)
        if cut.__class__ is not list or any(
            entry.__class__ is not dict or len(entry) > ("name" in entry) for entry in cut
        ):
            part[name] = cut
    part = {name: value for name, value in part.items() if value is not None}
    for name in ("resources", "allocatedResources"):
        if status.get(name) is not None:
            part[name] = status[name]
    conditions = status.get("conditions")
    if part and conditions is not None:
        part["conditions"] = (
            [c for c in conditions if c.__class__ is not dict or c.get("type") == "PodResizePending"]
            if conditions.__class__ is list
            else conditions
        )
    return part


def _annotations(meta: Metadata) -> Pairs:
    """The annotations that scheduling reads."""
    if not meta.annotations:
        return ()
    return tuple(
        sorted(
            (key, value)
            for key, value in meta.annotations.items()
            if key in _ANNOTATIONS or key.startswith(_OWN_PREFIX)
        )
    )


def _claim_names(status: PodPhaseModel) -> tuple[tuple[str, str | None], ...]:
    """Which ResourceClaims were made for the pod."""
    return tuple((c.name, c.resource_claim_name) for c in status.resource_claim_statuses or ())
