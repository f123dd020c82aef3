"""Groups of pods and the owners that make some, as far as a scheduler reads them. See ``api``."""

from typing import Annotated

from pydantic import Field, model_validator

from batchsched.snapshot.api import Api, Count, NotEmpty, Object, Positive, refuse


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


class KubernetesGroupSpec(Api):
    """``spec`` of a scheduling.k8s.io PodGroup."""

    scheduling_policy: PolicyModel
    scheduling_constraints: GroupConstraintsModel | None = None


class KubernetesGroupModel(Object):
    """A scheduling.k8s.io PodGroup."""

    spec: KubernetesGroupSpec


class MemberGroupSpec(Api):
    """``spec`` with ``minMember`` (coscheduling, Volcano)."""

    min_member: Count | None = None


class MemberGroupModel(Object):
    """A PodGroup of coscheduling or Volcano."""

    spec: MemberGroupSpec | None = None


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
