"""Groups of pods and the owners that make some, as far as a scheduler reads them. See ``api``."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from batchsched.snapshot.api import Api, Count, Int32, NotEmpty, Object, Positive, refuse


class BasicModel(Api):
    """``basic: {}``."""


class GangModel(Api):
    """``gang``."""

    min_count: Positive


class PolicyModel(Api):
    """``schedulingPolicy``: exactly one of the two."""

    basic: BasicModel | None = None
    gang: GangModel | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> "PolicyModel":
        if (self.basic is None) == (self.gang is None):
            refuse("needs exactly one of basic and gang")
        return self


class TopologyKeyModel(Api):
    """One topology constraint of a group."""

    key: NotEmpty


class GroupConstraintsModel(Api):
    """``schedulingConstraints``."""

    topology: Annotated[list[TopologyKeyModel] | None, Field(max_length=1)] = None


class DisruptionModel(Api):
    """``disruptionMode`` from v1alpha3 on: exactly one of the two."""

    all: BasicModel | None = None
    single: BasicModel | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> "DisruptionModel":
        if (self.all is None) == (self.single is None):
            refuse("needs exactly one of all and single")
        return self


class KubernetesGroupSpec(Api):
    """``spec`` of a scheduling.k8s.io PodGroup."""

    scheduling_policy: PolicyModel
    scheduling_constraints: GroupConstraintsModel | None = None
    disruption_mode: DisruptionModel | Literal["Pod", "PodGroup"] | None = None
    priority: Int32 | None = None
    preemption_policy: Literal["Never", "PreemptLowerPriority"] | None = None
    parent_composite_pod_group_name: str | None = None


class KubernetesGroupModel(Object):
    """A scheduling.k8s.io PodGroup."""

    spec: KubernetesGroupSpec


class CompositeGangModel(Api):
    """``gang`` of groups."""

    min_group_count: Positive


class CompositePolicyModel(Api):
    """``schedulingPolicy`` of a group of groups: exactly one of the two."""

    basic: BasicModel | None = None
    gang: CompositeGangModel | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> "CompositePolicyModel":
        if (self.basic is None) == (self.gang is None):
            refuse("needs exactly one of basic and gang")
        return self


class CompositeGroupSpec(Api):
    """``spec`` of a CompositePodGroup."""

    scheduling_policy: CompositePolicyModel
    scheduling_constraints: GroupConstraintsModel | None = None
    disruption_mode: DisruptionModel | None = None
    priority: Int32 | None = None
    preemption_policy: Literal["Never", "PreemptLowerPriority"] | None = None
    parent_composite_pod_group_name: str | None = None


class CompositeGroupModel(Object):
    """A scheduling.k8s.io CompositePodGroup."""

    spec: CompositeGroupSpec


class MemberGroupSpec(Api):
    """``spec`` with ``minMember`` (coscheduling, Volcano)."""

    min_member: Count | None = None
    min_task_member: dict[str, Count] | None = None


class MemberGroupModel(Object):
    """A PodGroup of coscheduling or Volcano."""

    spec: MemberGroupSpec | None = None


class KaiTopologyModel(Api):
    """``topologyConstraint``."""

    required_topology_level: str | None = None
    preferred_topology_level: str | None = None


class KaiSubGroupModel(Api):
    """One of ``subGroups``."""

    name: NotEmpty
    parent: str | None = None
    min_member: Count | None = None
    min_sub_group: Count | None = None
    topology_constraint: KaiTopologyModel | None = None


class KaiGroupSpec(Api):
    """``spec`` of a PodGroup of KAI."""

    min_member: Count | None = None
    min_sub_group: Count | None = None
    sub_groups: list[KaiSubGroupModel] | None = None
    topology_constraint: KaiTopologyModel | None = None


class KaiGroupModel(Object):
    """A PodGroup of KAI."""

    spec: KaiGroupSpec | None = None


class JobSpecModel(Api):
    """``spec`` of a Job."""

    parallelism: Count | None = None
    completions: Count | None = None


class JobStatusModel(Api):
    """``status`` of a Job."""

    succeeded: Count | None = None


class JobModel(Object):
    """A batch Job."""

    spec: JobSpecModel | None = None
    status: JobStatusModel | None = None


class JobTemplateModel(Api):
    """``template`` of a replicated Job."""

    spec: JobSpecModel | None = None


class ReplicatedJobModel(Api):
    """One of ``replicatedJobs``."""

    replicas: Count | None = None
    template: JobTemplateModel | None = None


class JobSetSpecModel(Api):
    """``spec`` of a JobSet."""

    replicated_jobs: list[ReplicatedJobModel] | None = None


class JobSetModel(Object):
    """A JobSet."""

    spec: JobSetSpecModel | None = None
