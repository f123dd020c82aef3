"""Objects cut down to what scheduling reads, as they are or with every name replaced.

What leaves a cluster in a file is a list of what may leave, not of what may not: the fields that
the readers know (their own models say which), and nothing else. So environment variables,
arguments, managed fields, annotations of others and whatever a new version brings stay behind.

Redacted, texts are replaced as well, and the placement stays the same: what was equal is equal, in
all kinds of objects. Each word of a text is replaced by itself (``web-7f9`` is two words), because
names are made of others: the claim of an ephemeral volume is called ``<pod>-<volume>``, a region is
the beginning of its zones, an image is a repository and a tag. Words become keyed hashes: without
the key, which is thrown away, nobody can try names one by one. What says how to schedule and not
whose it is stays readable: kinds, operators, phases, times, amounts and names of resources, label
keys of Kubernetes itself, drivers, the scheduler's name, and numbers that are compared by size.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from typing import Any, get_args

from batchsched.snapshot.api import Api, Metadata, Object
from batchsched.snapshot.api_cluster import CSINodeDriverModel
from batchsched.snapshot.api_pod import ClaimStatusModel, PodResizeModel, PodSpecModel
from batchsched.snapshot.ends import EXPECTED_DURATION
from batchsched.snapshot.groups import (
    KAI_PREFERRED_TOPOLOGY,
    KAI_REQUIRED_TOPOLOGY,
    LABEL_OLD,
    OWNER,
    PREFERRED_TOPOLOGY,
    READ_ANNOTATIONS,
    REQUIRED_TOPOLOGY,
    SLICE_SIZE,
    SLICE_TOPOLOGY,
)
from batchsched.snapshot.kinds import DECODERS, GroupKind
from batchsched.snapshot.labels import integer
from batchsched.snapshot.pod_gangs import (
    KAI_MIN,
    KOORDINATOR_GROUPS,
    KOORDINATOR_LABEL,
    KOORDINATOR_MIN,
    KOORDINATOR_MIN_LABEL,
    KOORDINATOR_TOTAL,
    KUEUE_TOTAL,
    LWS_SIZE,
    MIN_AVAILABLE,
    YUNIKORN_APPS,
    YUNIKORN_TASKS,
)

NAME_CHARACTERS_MAX = 252
HASH_CHARACTERS = 6

Raw = dict[str, Any]


class _PodSpec(PodSpecModel):
    node_name: str | None = None


class _PodStatus(PodResizeModel):
    phase: str | None = None
    start_time: str | None = None
    nominated_node_name: str | None = None
    resource_claim_statuses: list[ClaimStatusModel] | None = None


class _Pod(Object):
    """A pod, all of it that is read."""

    spec: _PodSpec
    status: _PodStatus | None = None


MODELS: dict[GroupKind, type[Object]] = {
    ("", "Pod"): _Pod,
    **{kind: decoder.model for kind, decoder in DECODERS.items()},
}

_AMOUNTS = frozenset({"requests", "limits", "allocatable", "capacity", "overhead",
                      "allocatedResources", "maximumVolumeSize"})  # fmt: skip
_PLAIN = _AMOUNTS | {
    "accessModes", "action", "apiVersion", "attacher", "creationTimestamp", "declaredFeatures",
    "deletionTimestamp", "driver", "effect", "kind", "nodeAffinityPolicy", "nodeTaintsPolicy",
    "operator", "phase", "preemptionPolicy", "protocol", "provisioner", "reason", "restartPolicy",
    "schedulerName", "startTime", "type", "volumeBindingMode", "volumeMode", "whenUnsatisfiable",
}  # fmt: skip
"""Fields that say how to schedule, and not whose it is."""
_KEYS = frozenset({"topologyKey", "key", "matchLabelKeys", "mismatchLabelKeys",
                   "requiredTopologyLevel", "preferredTopologyLevel"})  # fmt: skip
_MAPS = frozenset({"labels", "nodeSelector", "matchLabels"})
_WORD = re.compile(r"[^-./:_]+")
_PLAIN_WORDS = frozenset(
    {"cluster", "critical", "default", "kube", "latest", "node", "rbd", "system"}
)
"""Words that scheduling knows: of the default namespace, system priorities, defaults of volumes."""
_PLAIN_LABELS = frozenset({LABEL_OLD, KOORDINATOR_LABEL, KOORDINATOR_MIN_LABEL, *YUNIKORN_APPS})
"""Keys by which gangs are known."""
_PLAIN_TEXTS = _PLAIN_LABELS | {"metadata.name", "0.0.0.0"}  # noqa: S104 -- Kubernetes' wildcard
_PLAIN_DOMAINS = ("kubernetes.io", "k8s.io", "batchsched.io", "kai.scheduler")
_ROLES = ("node-role.kubernetes.io", "node-restriction.kubernetes.io")
"""Domains of Kubernetes in which people choose the name."""

_OWN_PREFIX = "batchsched.io/"

KEY, TEXT, PLAIN, JSON = "key", "text", "plain", "json"
_ANNOTATIONS = {
    **dict.fromkeys(READ_ANNOTATIONS, TEXT),
    MIN_AVAILABLE: PLAIN,
    KOORDINATOR_MIN: PLAIN,
    KOORDINATOR_TOTAL: PLAIN,
    KUEUE_TOTAL: PLAIN,
    LWS_SIZE: PLAIN,
    KAI_MIN: PLAIN,
    EXPECTED_DURATION: PLAIN,
    KOORDINATOR_GROUPS: JSON,
    YUNIKORN_TASKS: JSON,
    REQUIRED_TOPOLOGY: KEY,
    PREFERRED_TOPOLOGY: KEY,
    SLICE_TOPOLOGY: KEY,
    SLICE_SIZE: PLAIN,
    KAI_REQUIRED_TOPOLOGY: KEY,
    KAI_PREFERRED_TOPOLOGY: KEY,
    "kubernetes.io/config.mirror": TEXT,
    "pv.kubernetes.io/bind-completed": PLAIN,
    "storage.alpha.kubernetes.io/migrated-plugins": PLAIN,
    "storageclass.beta.kubernetes.io/is-default-class": PLAIN,
    "storageclass.kubernetes.io/is-default-class": PLAIN,
    "volume.beta.kubernetes.io/storage-class": TEXT,
    "volume.kubernetes.io/selected-node": TEXT,
}
"""The annotations that are read, and what they hold."""


class Names:
    """Replaces texts, the same by the same; with no key it leaves them as they are.

    Args:
        key: Of the hashes; ``None``: replace nothing.
    """

    def __init__(self, key: bytes | None = None) -> None:
        """Replace nothing yet."""
        self._key = key
        self._hash_of: dict[str, str] = {}
        self._taken: set[str] = set()
        self._compared: set[str] = set()

    def compare(self, objects: Iterable[Raw]) -> None:
        """Learn which labels and taints are compared by size in these objects."""
        for raw in objects:
            self._compared.update(_compared(raw))

    def text(self, text: str) -> str:
        """A name, a label's value, anything that people chose."""
        if self._key is None or text in _PLAIN_TEXTS:
            return text
        found = _WORD.sub(lambda match: self._word(match[0]), text)
        return found if len(found) <= NAME_CHARACTERS_MAX else self._word(text)

    def key(self, key: str) -> str:
        """The key of a label or a taint; those of Kubernetes itself stay."""
        domain, slash, name = key.rpartition("/")
        if self._key is None or key in _PLAIN_TEXTS:
            return key
        if domain.endswith(_ROLES):
            return f"{domain}{slash}{self.text(name)}"
        return key if domain.endswith(_PLAIN_DOMAINS) else self.text(key)

    def value(self, key: Any, value: Any) -> Any:
        """A value of a label or taint; numbers stay where some pod compares them."""
        counted = key in self._compared or key == KOORDINATOR_MIN_LABEL
        if not isinstance(value, str) or (counted and integer(value) is not None):
            return value
        return self.text(value)

    def _word(self, word: str) -> str:
        if word in _PLAIN_WORDS:
            return word
        found = self._hash_of.get(word)
        if found is None:
            found = self._hash_of[word] = next(
                made for made in self._hashes(word) if made not in self._taken
            )
            self._taken.add(found)
        return found

    def _hashes(self, word: str) -> Iterator[str]:
        """Hashes of a word: short ones, so the first may be another's."""
        number = 0
        while True:
            digest = blake2b(f"{number}:{word}".encode(), key=self._key or b"").hexdigest()
            yield digest[:HASH_CHARACTERS]
            number += 1


def reduced(objects: Iterable[tuple[GroupKind, Raw]], names: Names) -> Iterator[Raw]:
    """The objects with the fields that are read, of the kinds that are read; names replaced."""
    for kind, raw in objects:
        model = MODELS.get(kind)
        if model is not None:
            found = _object(model, raw, names)
            if kind == ("storage.k8s.io", "CSIDriver"):  # it is called as its driver, which stays
                found["metadata"]["name"] = raw["metadata"]["name"]
            yield {field: raw[field] for field in ("apiVersion", "kind") if field in raw} | found


def _compared(value: Any) -> Iterator[str]:
    """The keys of labels and taints that an object compares by size (Gt, Lt)."""
    if isinstance(value, list):
        for part in value:
            yield from _compared(part)
    elif isinstance(value, dict):
        if value.get("operator") in {"Gt", "Lt"} and isinstance(value.get("key"), str):
            yield value["key"]
        for part in value.values():
            if isinstance(part, (dict, list)):
                yield from _compared(part)


def _object(model: type[Api], raw: Raw, names: Names) -> Raw:
    """The fields of a model, in their order."""
    found = {}
    for name, info in model.model_fields.items():
        field = info.alias or name
        value = raw.get(field)
        if value is None:
            continue
        mode = field == "disruptionMode" and isinstance(value, str)
        if mode or (model is CSINodeDriverModel and field == "name"):
            found[field] = value
        elif (inner := _inner(info.annotation)) is not None:
            found[field] = _nested(inner, value, names)
        elif model is Metadata and field == "annotations":
            found[field] = _annotations(value, names)
        else:
            found[field] = _leaf(field, value, raw.get("key"), names)
    return found


def _inner(annotation: Any) -> type[Api] | None:
    """The model inside a type such as ``list[Model] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, Api):
        return annotation
    return next((inner for part in get_args(annotation) if (inner := _inner(part))), None)


def _nested(model: type[Api], value: Any, names: Names) -> Any:
    if isinstance(value, list):
        return [_nested(model, part, names) for part in value]
    return _object(model, value, names) if isinstance(value, dict) else None


def _leaf(field: str, value: Any, key: Any, names: Names) -> Any:
    """A field without a model of its own: texts, maps of texts, amounts, numbers."""
    if field in _PLAIN:
        return value
    if field in _MAPS or (field == "selector" and isinstance(value, dict)):
        return {names.key(label): names.value(label, text) for label, text in value.items()}
    if field == "minTaskMember" and isinstance(value, dict):
        return {names.text(task): least for task, least in value.items()}
    if field in {"value", "values"}:
        return _each(value, lambda text: names.value(key, text))
    return _each(value, names.key if field in _KEYS else names.text)


def _each(value: Any, replaced: Callable[[str], Any]) -> Any:
    """A text or a list of texts replaced; numbers stay."""
    if isinstance(value, list):
        return [_each(part, replaced) for part in value]
    return replaced(value) if isinstance(value, str) else value


def _annotations(found: dict[str, str], names: Names) -> dict[str, str]:
    """The annotations that are read."""
    said: dict[str, Callable[[str], str]] = {
        TEXT: names.text,
        KEY: names.key,
        PLAIN: str,
        JSON: lambda text: _inside(text, names),
    }
    return {
        key: OWNER if value == OWNER else said[_ANNOTATIONS.get(key, TEXT)](value)
        for key, value in found.items()
        if key in _ANNOTATIONS or key.startswith(_OWN_PREFIX)
    }


def _inside(text: str, names: Names) -> str:
    """JSON of names, or of objects with names and minimums; other text is replaced as a whole."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return names.text(text)
    entries = found if isinstance(found, list) else [found]
    kept = [
        {name: each[name] for name in ("name", "minMember") if name in each}
        if isinstance(each, dict)
        else each
        for each in entries
    ]
    return json.dumps([_named(each, names) for each in kept])


def _named(entry: Any, names: Names) -> Any:
    """A name replaced, also inside of an object."""
    if isinstance(entry, dict):
        return {field: _each(value, names.text) for field, value in entry.items()}
    return _each(entry, names.text)
