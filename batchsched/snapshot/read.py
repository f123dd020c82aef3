"""Documents to a Snapshot: the one way in, for files, for tests and for a live cluster's lists.

Two passes: first every object is found and its kind told, then kinds are decoded in the order in
which they need each other (PriorityClasses before pods). Whatever the bytes, the outcome is a
Snapshot or an ``InputError``.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import ValidationError

from batchsched.snapshot import api_cluster as cluster
from batchsched.snapshot import api_groups, decode_cluster, decode_groups
from batchsched.snapshot.api import Object
from batchsched.snapshot.decode import controller, label_selector, map_selector, pairs
from batchsched.snapshot.decode_pod import Priorities
from batchsched.snapshot.documents import documents as parsed
from batchsched.snapshot.errors import InputError
from batchsched.snapshot.groups import (
    COSCHEDULING,
    COSCHEDULING_OLD,
    KUBERNETES,
    VOLCANO,
    Declared,
    groups,
)
from batchsched.snapshot.labels import Pairs
from batchsched.snapshot.objects import CLUSTER_SCOPED, Item, Kind, items
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.pods import PodReader
from batchsched.snapshot.refusals import input_error
from batchsched.snapshot.snapshot import Snapshot
from batchsched.snapshot.spread_defaults import DefaultSpread

Model = TypeVar("Model", bound=Object)
Noun = TypeVar("Noun")


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

    def objects(self, group: str, kind: str, model: type[Model]) -> list[tuple[Model, Item]]:
        """All objects of one kind, checked, sorted by identity.

        Raises:
            InputError: if one is malformed, or two are the same object.
        """
        seen: dict[tuple[str, str], tuple[Model, Item]] = {}
        for item in self.each(group, kind):
            checked = as_model(model, item)
            key = _identity(checked, kind)
            if key in seen:
                raise _duplicate(item, seen[key][1])
            seen[key] = (checked, item)
        return [seen[key] for key in sorted(seen)]

    def nouns(
        self, group: str, kind: str, model: type[Model], decode: Callable[[Model], Noun]
    ) -> tuple[Noun, ...]:
        """All objects of one kind, decoded, sorted by identity."""
        return tuple(decode(checked) for checked, _ in self.objects(group, kind, model))


def as_model(model: type[Model], item: Item) -> Model:
    """One object in the form of its model.

    Raises:
        InputError: It does not have that form; says where and how.
    """
    try:
        return model.model_validate(item.raw)
    except ValidationError as error:
        raise item.refusal(input_error(error)) from None


def _identity(checked: Object, kind: str) -> tuple[str, str]:
    """``(namespace, name)``, no namespace for what is cluster-scoped."""
    meta = checked.metadata
    return ("" if kind in CLUSTER_SCOPED else decode_cluster.namespace(meta), meta.name)


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
    pods = _pods(found)
    made, group_of = groups(pods, _declared(found))
    storage, core = "storage.k8s.io", decode_cluster
    snapshot = Snapshot(
        nodes=found.nouns("", "Node", cluster.NodeModel, core.node),
        pods=pods,
        namespaces=found.nouns("", "Namespace", Object, _namespace),
        groups=made,
        group_of=group_of,
        claims=found.nouns("", "PersistentVolumeClaim", cluster.PVCModel, core.claim),
        volumes=found.nouns("", "PersistentVolume", cluster.PVModel, core.volume),
        storage_classes=found.nouns(
            storage, "StorageClass", cluster.StorageClassModel, core.storage_class
        ),
        csi_nodes=found.nouns(storage, "CSINode", cluster.CSINodeModel, core.csi_node),
        csi_drivers=found.nouns(storage, "CSIDriver", cluster.CSIDriverModel, core.csi_driver),
        csi_capacities=found.nouns(
            storage, "CSIStorageCapacity", cluster.CSIStorageCapacityModel, core.csi_capacity
        ),
        attachments=found.nouns(
            storage, "VolumeAttachment", cluster.VolumeAttachmentModel, core.attachment
        ),
        resource_claims=found.nouns(
            "resource.k8s.io", "ResourceClaim", cluster.ResourceClaimModel, core.resource_claim
        ),
        budgets=tuple(
            core.budget(model, item.kind.version)
            for model, item in found.objects("policy", "PodDisruptionBudget", cluster.BudgetModel)
        ),
        services=_services(found),
        others=found.counts(others=True),
    )
    if not snapshot.nodes:
        raise InputError(_no_nodes(found))
    return snapshot


def _no_nodes(found: _Found) -> str:
    """Say what the snapshot does hold, so that one sees which file was forgotten."""
    held = ", ".join(f"{count} {kind}" for kind, count in found.counts(others=False)[:5])
    return (
        f"the snapshot has no Node ({held or 'nothing at all'}); "
        "add the output of: kubectl get nodes -o json"
    )


def _namespace(model: Object) -> tuple[str, Pairs]:
    return (model.metadata.name, pairs(model.metadata.labels))


def _services(found: _Found) -> tuple[tuple[str, str, Pairs], ...]:
    """Services that select something."""
    every = found.objects("", "Service", cluster.MapSelectorModel)
    return tuple(
        (decode_cluster.namespace(model.metadata), model.metadata.name, pairs(model.spec.selector))
        for model, _ in every
        if model.spec and model.spec.selector
    )


def _pods(found: _Found) -> tuple[Pod, ...]:
    """All pods, with the spreading that kube-scheduler would give them."""
    reader, spread = PodReader(_priorities(found)), _default_spread(found)
    seen: dict[tuple[str, str], tuple[Pod, Item]] = {}
    for item in found.each("", "Pod"):
        try:
            pod = spread.spread(reader.pod(item.raw))
        except InputError as error:
            raise item.refusal(error) from None
        if pod.key in seen:
            raise _duplicate(item, seen[pod.key][1])
        seen[pod.key] = (pod, item)
    return tuple(seen[key][0] for key in sorted(seen))


def _priorities(found: _Found) -> Priorities:
    """What PriorityClasses say; of several global defaults the lowest counts, as at admission."""
    classes, defaults = {}, []
    for model, _ in found.objects("scheduling.k8s.io", "PriorityClass", cluster.PriorityClassModel):
        meaning = (model.value or 0, model.preemption_policy == "Never")
        classes[model.metadata.name] = meaning
        if model.global_default:
            defaults.append(meaning)
    return Priorities(classes, min(defaults, default=(0, False)))


def _default_spread(found: _Found) -> DefaultSpread:
    """Services and owners that default spreading looks at."""
    spread = DefaultSpread()
    for namespace, _, labels in _services(found):
        spread.services.setdefault(namespace, []).append(labels)
    for kind in ("ReplicaSet", "StatefulSet"):
        for model, _ in found.objects("apps", kind, cluster.SelectorModel):
            selector = label_selector(model.spec.selector) if model.spec else None
            if selector is not None:
                spread.owners[(kind, *_identity(model, kind))] = selector
    kind = "ReplicationController"
    for owner, _ in found.objects("", kind, cluster.MapSelectorModel):
        plain = (owner.spec and owner.spec.selector) or {}
        spread.owners[(kind, *_identity(owner, kind))] = map_selector(plain)
    return spread


def _declared(found: _Found) -> Declared:
    """The objects that make groups."""
    declared = Declared()
    for model, _ in found.objects(KUBERNETES, "PodGroup", api_groups.KubernetesGroupModel):
        group = decode_groups.kubernetes_group(model, KUBERNETES)
        declared.groups[group.key] = group
    for api in (COSCHEDULING, COSCHEDULING_OLD, VOLCANO):
        for member_model, _ in found.objects(api, "PodGroup", api_groups.MemberGroupModel):
            group = decode_groups.member_group(member_model, api)
            declared.groups[group.key] = group
    for job, _ in found.objects("batch", "Job", api_groups.JobModel):
        key = _identity(job, "Job")
        declared.jobs[key] = decode_groups.job_size(job)
        owner = controller(job.metadata.owner_references)
        if owner is not None:
            declared.job_owners[key] = owner
    for job_set, _ in found.objects("jobset.x-k8s.io", "JobSet", api_groups.JobSetModel):
        declared.job_sets[_identity(job_set, "JobSet")] = decode_groups.job_set_size(job_set)
    return declared
