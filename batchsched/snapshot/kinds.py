"""What each kind of object becomes: one table, for files and for a live cluster's watches.

Most kinds are nouns of the snapshot as they are. The others are what nouns are made with: selectors
of Services and owners (default spreading), PriorityClasses, and what declares groups. Pods stand
apart: their specs are shared, see ``pods``. Does not know where objects come from.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias, TypeVar

from pydantic import ValidationError

from batchsched.snapshot import api_cluster as cluster
from batchsched.snapshot import api_groups, decode_groups
from batchsched.snapshot import decode_cluster as core
from batchsched.snapshot.api import Object
from batchsched.snapshot.decode import controller, label_selector, map_selector, pairs
from batchsched.snapshot.decode_pod import Priorities
from batchsched.snapshot.groups import (
    COSCHEDULING,
    COSCHEDULING_OLD,
    KAI,
    KUBERNETES,
    VOLCANO,
    Declared,
    JobSize,
)
from batchsched.snapshot.labels import LabelSelector, Pairs
from batchsched.snapshot.objects import CLUSTER_SCOPED, Item
from batchsched.snapshot.refusals import input_error
from batchsched.snapshot.spread_defaults import DefaultSpread

Key: TypeAlias = tuple[str, str]
"""``(namespace, name)``; no namespace for what is cluster-scoped."""

GroupKind: TypeAlias = tuple[str, str]
"""``(API group, kind)``."""

Nouns: TypeAlias = Mapping[GroupKind, Mapping[Key, Any]]
"""What objects of each kind became, by identity."""

Model = TypeVar("Model", bound=Object)


class Decoder(NamedTuple):
    """How one kind is read: its form, and what it means (given the version it was written in)."""

    model: type[Object]
    noun: Callable[[Any, str], Any]


class PriorityMeaning(NamedTuple):
    """What a PriorityClass says."""

    value: int
    never: bool
    default: bool


def _plain(model: type[Object], decode: Callable[[Any], Any]) -> Decoder:
    """A kind that means the same in all its versions."""
    return Decoder(model, lambda found, _: decode(found))


def _namespace(model: Object) -> tuple[str, Pairs]:
    return (model.metadata.name, pairs(model.metadata.labels))


def _service(model: cluster.MapSelectorModel) -> tuple[str, str, Pairs] | None:
    """A Service, if it selects something."""
    if model.spec is None or not model.spec.selector:
        return None
    return (core.namespace(model.metadata), model.metadata.name, pairs(model.spec.selector))


def _owner(model: cluster.SelectorModel) -> LabelSelector | None:
    return label_selector(model.spec.selector) if model.spec else None


def _plain_owner(model: cluster.MapSelectorModel) -> LabelSelector:
    return map_selector((model.spec and model.spec.selector) or {})


def _priority(model: cluster.PriorityClassModel) -> PriorityMeaning:
    return PriorityMeaning(
        model.value or 0, model.preemption_policy == "Never", bool(model.global_default)
    )


def _job(model: api_groups.JobModel) -> JobSize:
    return JobSize(decode_groups.job_size(model), controller(model.metadata.owner_references))


def _member_group(api: str) -> Decoder:
    return _plain(api_groups.MemberGroupModel, lambda model: decode_groups.member_group(model, api))


_MEMBER_GROUPS = (COSCHEDULING, COSCHEDULING_OLD, VOLCANO)

DECODERS: dict[GroupKind, Decoder] = {
    ("", "Node"): _plain(cluster.NodeModel, core.node),
    ("", "Namespace"): _plain(Object, _namespace),
    ("", "PersistentVolumeClaim"): _plain(cluster.PVCModel, core.claim),
    ("", "PersistentVolume"): _plain(cluster.PVModel, core.volume),
    ("", "Service"): _plain(cluster.MapSelectorModel, _service),
    ("", "ReplicationController"): _plain(cluster.MapSelectorModel, _plain_owner),
    ("apps", "ReplicaSet"): _plain(cluster.SelectorModel, _owner),
    ("apps", "StatefulSet"): _plain(cluster.SelectorModel, _owner),
    ("batch", "Job"): _plain(api_groups.JobModel, _job),
    ("jobset.x-k8s.io", "JobSet"): _plain(api_groups.JobSetModel, decode_groups.job_set_size),
    ("policy", "PodDisruptionBudget"): Decoder(cluster.BudgetModel, core.budget),
    ("resource.k8s.io", "ResourceClaim"): _plain(cluster.ResourceClaimModel, core.resource_claim),
    ("scheduling.k8s.io", "PriorityClass"): _plain(cluster.PriorityClassModel, _priority),
    (KUBERNETES, "PodGroup"): _plain(
        api_groups.KubernetesGroupModel,
        lambda model: decode_groups.kubernetes_group(model, KUBERNETES),
    ),
    (KUBERNETES, "CompositePodGroup"): _plain(
        api_groups.CompositeGroupModel, decode_groups.composite_group
    ),
    **{(api, "PodGroup"): _member_group(api) for api in _MEMBER_GROUPS},
    (KAI, "PodGroup"): _plain(
        api_groups.KaiGroupModel, lambda model: decode_groups.kai_group(model, KAI)
    ),
    ("storage.k8s.io", "StorageClass"): _plain(cluster.StorageClassModel, core.storage_class),
    ("storage.k8s.io", "CSINode"): _plain(cluster.CSINodeModel, core.csi_node),
    ("storage.k8s.io", "CSIDriver"): _plain(cluster.CSIDriverModel, core.csi_driver),
    ("storage.k8s.io", "CSIStorageCapacity"): _plain(
        cluster.CSIStorageCapacityModel, core.csi_capacity
    ),
    ("storage.k8s.io", "VolumeAttachment"): _plain(cluster.VolumeAttachmentModel, core.attachment),
}
"""Every kind that is read, but Pod."""

FIELDS: dict[str, GroupKind] = {
    "nodes": ("", "Node"),
    "namespaces": ("", "Namespace"),
    "claims": ("", "PersistentVolumeClaim"),
    "volumes": ("", "PersistentVolume"),
    "storage_classes": ("storage.k8s.io", "StorageClass"),
    "csi_nodes": ("storage.k8s.io", "CSINode"),
    "csi_drivers": ("storage.k8s.io", "CSIDriver"),
    "csi_capacities": ("storage.k8s.io", "CSIStorageCapacity"),
    "attachments": ("storage.k8s.io", "VolumeAttachment"),
    "resource_claims": ("resource.k8s.io", "ResourceClaim"),
    "budgets": ("policy", "PodDisruptionBudget"),
    "services": ("", "Service"),
    "composites": (KUBERNETES, "CompositePodGroup"),
}
"""The fields of a Snapshot that hold all nouns of one kind, sorted by identity."""

PLAIN_OWNERS: tuple[GroupKind, ...] = (
    ("apps", "ReplicaSet"),
    ("apps", "StatefulSet"),
    ("", "ReplicationController"),
)
"""Owners whose selectors are the default spreading of their pods."""

DECLARING: tuple[GroupKind, ...] = (
    (KUBERNETES, "PodGroup"),
    (KUBERNETES, "CompositePodGroup"),
    *((api, "PodGroup") for api in (*_MEMBER_GROUPS, KAI)),
    ("batch", "Job"),
    ("jobset.x-k8s.io", "JobSet"),
)
"""Kinds that make groups."""


def as_model(model: type[Model], item: Item) -> Model:
    """One object in the form of its model.

    Raises:
        InputError: It does not have that form; says where and how.
    """
    try:
        return model.model_validate(item.raw)
    except ValidationError as error:
        raise item.refusal(input_error(error)) from None


def decoded(item: Item) -> tuple[Key, Any]:
    """The identity of an object, and what it became (``None``: nothing that matters).

    Raises:
        InputError: It does not have the form of its kind.
    """
    kind = item.kind
    decoder = DECODERS[kind.group, kind.name]
    model = as_model(decoder.model, item)
    namespace = "" if kind.name in CLUSTER_SCOPED else core.namespace(model.metadata)
    return (namespace, model.metadata.name), decoder.noun(model, kind.version)


def priorities(found: Iterable[tuple[Key, PriorityMeaning]]) -> Priorities:
    """What PriorityClasses say; of several global defaults the lowest counts, as at admission."""
    classes, defaults = {}, []
    for (_, name), meaning in found:
        classes[name] = (meaning.value, meaning.never)
        if meaning.default:
            defaults.append(classes[name])
    return Priorities(classes, min(defaults, default=(0, False)))


def default_spread(nouns: Nouns) -> DefaultSpread:
    """Services and owners that default spreading looks at."""
    spread = DefaultSpread()
    for (namespace, _), service in nouns.get(("", "Service"), {}).items():
        if service is not None:
            spread.services.setdefault(namespace, []).append(service[2])
    for group, kind in PLAIN_OWNERS:
        for key, selector in nouns.get((group, kind), {}).items():
            if selector is not None:
                spread.owners[(kind, *key)] = selector
    return spread


def declare(declared: Declared, kind: GroupKind, key: Key, noun: Any) -> None:
    """Take in what one object says about groups; ``None`` where it is gone."""
    group, name = kind
    if name == "PodGroup":
        _put(declared.groups, (*key, group), noun)
    elif name == "CompositePodGroup":
        _put(declared.composites, key, noun)
    elif name == "Job":
        _put(declared.jobs, key, None if noun is None else noun.pods)
        _put(declared.job_owners, key, None if noun is None else noun.owner)
    else:
        _put(declared.job_sets, key, noun)


def _put(found: dict[Any, Any], key: object, value: Any) -> None:
    """Set or remove an entry."""
    if value is None:
        found.pop(key, None)
    else:
        found[key] = value
