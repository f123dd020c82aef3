"""Pods, as far as a scheduler reads them. See ``api``."""

from typing import Annotated, Literal, NotRequired, Required

from pydantic import Field, TypeAdapter, model_validator, with_config
from typing_extensions import TypedDict

from batchsched.snapshot.api import (
    Amounts,
    Api,
    Int32,
    LabelSelectorModel,
    Name,
    NodeSelectorModel,
    NodeTermModel,
    NotEmpty,
    Owner,
    Positive,
    StringMap,
    refuse,
)
from batchsched.snapshot.api_volumes import VolumeSources

Weight = Annotated[int, Field(ge=1, le=100)]
PortNumber = Annotated[int, Field(ge=0, le=65535)]
PREEMPTION_POLICY = Literal["PreemptLowerPriority", "Never", ""]


class ResourceModel(Api):
    """``resources`` of a container or a pod; limits are checked, and not read."""

    requests: Amounts | None = None
    limits: Amounts | None = None


class PortModel(Api):
    """A container port."""

    container_port: PortNumber | None = None
    host_port: PortNumber | None = None
    host_ip: Annotated[str | None, Field(alias="hostIP")] = None
    protocol: Literal["TCP", "UDP", "SCTP", ""] | None = None


class RestartRuleModel(Api):
    """A container restart rule."""

    action: str | None = None


class ContainerModel(Api):
    """A container or an init container."""

    name: str | None = None
    image: str | None = None
    resources: ResourceModel | None = None
    ports: list[PortModel] | None = None
    restart_policy: str | None = None
    restart_policy_rules: list[RestartRuleModel] | None = None


class TolerationModel(Api):
    """A toleration."""

    key: str | None = None
    operator: Literal["Equal", "Exists", "Gt", "Lt", ""] | None = None
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute", ""] | None = None

    @model_validator(mode="after")
    def _complete(self) -> "TolerationModel":
        if not self.key and self.operator != "Exists":
            refuse("a toleration without a key needs operator: Exists")
        if self.operator == "Exists" and self.value:
            refuse("operator Exists takes no value; remove value")
        return self


class PodTermModel(Api):
    """One term of pod affinity or anti-affinity."""

    topology_key: NotEmpty
    label_selector: LabelSelectorModel | None = None
    namespaces: list[str] | None = None
    namespace_selector: LabelSelectorModel | None = None
    match_label_keys: list[str] | None = None
    mismatch_label_keys: list[str] | None = None


class WeightedPodTermModel(Api):
    """A preferred term."""

    weight: Weight
    pod_affinity_term: PodTermModel


class PodAffinityModel(Api):
    """``podAffinity`` or ``podAntiAffinity``."""

    required: Annotated[
        list[PodTermModel] | None, Field(alias="requiredDuringSchedulingIgnoredDuringExecution")
    ] = None
    preferred: Annotated[
        list[WeightedPodTermModel] | None,
        Field(alias="preferredDuringSchedulingIgnoredDuringExecution"),
    ] = None


class WeightedNodeTermModel(Api):
    """A preferred node term."""

    weight: Weight
    preference: NodeTermModel


class NodeAffinityModel(Api):
    """``nodeAffinity``."""

    required: Annotated[
        NodeSelectorModel | None, Field(alias="requiredDuringSchedulingIgnoredDuringExecution")
    ] = None
    preferred: Annotated[
        list[WeightedNodeTermModel] | None,
        Field(alias="preferredDuringSchedulingIgnoredDuringExecution"),
    ] = None


class AffinityModel(Api):
    """``affinity``."""

    node_affinity: NodeAffinityModel | None = None
    pod_affinity: PodAffinityModel | None = None
    pod_anti_affinity: PodAffinityModel | None = None


class SpreadModel(Api):
    """One topology spread constraint."""

    topology_key: NotEmpty
    max_skew: Positive
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"]
    label_selector: LabelSelectorModel | None = None
    min_domains: Positive | None = None
    match_label_keys: list[str] | None = None
    node_affinity_policy: Literal["Honor", "Ignore"] | None = None
    node_taints_policy: Literal["Honor", "Ignore"] | None = None

    @model_validator(mode="after")
    def _domains_are_hard(self) -> "SpreadModel":
        if self.min_domains is not None and self.when_unsatisfiable != "DoNotSchedule":
            refuse("minDomains needs whenUnsatisfiable: DoNotSchedule")
        return self


class GateModel(Api):
    """A scheduling gate."""

    name: str | None = None


class GroupRefModel(Api):
    """``schedulingGroup``."""

    pod_group_name: str | None = None


class ResourceClaimRefModel(Api):
    """One of ``resourceClaims``."""

    name: NotEmpty
    resource_claim_name: str | None = None
    resource_claim_template_name: str | None = None


class PodSpecModel(Api):
    """``spec`` of a pod."""

    scheduler_name: str | None = None
    containers: Annotated[list[ContainerModel], Field(min_length=1)]
    init_containers: list[ContainerModel] | None = None
    resources: ResourceModel | None = None
    overhead: Amounts | None = None
    node_selector: StringMap | None = None
    affinity: AffinityModel | None = None
    topology_spread_constraints: list[SpreadModel] | None = None
    tolerations: list[TolerationModel] | None = None
    volumes: list[VolumeSources | None] | None = None
    resource_claims: list[ResourceClaimRefModel] | None = None
    priority: Int32 | None = None
    priority_class_name: str | None = None
    preemption_policy: PREEMPTION_POLICY | None = None
    scheduling_gates: list[GateModel] | None = None
    scheduling_group: GroupRefModel | None = None
    host_network: bool | None = None
    host_users: bool | None = None
    active_deadline_seconds: Positive | None = None


class SharedMetadata(Api):
    """The part of ``metadata`` that replicas mostly share."""

    labels: StringMap | None = None
    owner_references: list[Owner] | None = None


class ClaimStatusModel(Api):
    """One of ``status.resourceClaimStatuses``."""

    name: NotEmpty
    resource_claim_name: str | None = None


# What differs from pod to pod is checked once a pod, and so in the form that is checked fastest:
# typed dicts, which cost a third of what models do. All else is read once for all replicas.


@with_config(Api.model_config)
class ReplicaMetadata(TypedDict, total=False):
    """The part of ``metadata`` that differs from replica to replica."""

    name: Required[Name]
    namespace: str | None
    uid: str | None
    annotations: StringMap | None
    creation_timestamp: str | None
    deletion_timestamp: str | None


@with_config(Api.model_config)
class ReplicaSpec(TypedDict, total=False):
    """The one field of ``spec`` that differs from replica to replica."""

    node_name: str | None


@with_config(Api.model_config)
class ReplicaStatus(TypedDict, total=False):
    """The part of ``status`` that every pod has."""

    phase: Literal["Pending", "Running", "Succeeded", "Failed", "Unknown", ""] | None
    nominated_node_name: str | None
    start_time: str | None
    resource_claim_statuses: list[ClaimStatusModel] | None


@with_config(Api.model_config)
class Replica(TypedDict):
    """A pod, without what it shares with its replicas."""

    metadata: ReplicaMetadata
    spec: ReplicaSpec
    status: NotRequired[ReplicaStatus | None]


REPLICA = TypeAdapter(Replica)


class ContainerStatusModel(Api):
    """What a container was given by the kubelet (in-place resize)."""

    name: str | None = None
    allocated_resources: Amounts | None = None
    resources: ResourceModel | None = None


class ConditionModel(Api):
    """A condition of a pod."""

    type: str | None = None
    reason: str | None = None


class PodResizeModel(Api):
    """``status``, the part that in-place resize fills."""

    conditions: list[ConditionModel] | None = None
    container_statuses: list[ContainerStatusModel] | None = None
    init_container_statuses: list[ContainerStatusModel] | None = None
    allocated_resources: Amounts | None = None
    resources: ResourceModel | None = None
