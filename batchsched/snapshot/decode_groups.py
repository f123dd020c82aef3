"""What group objects, Jobs and JobSets mean for gangs. See ``api_groups`` for their form."""

from batchsched.snapshot.api_groups import (
    JobModel,
    JobSetModel,
    JobSpecModel,
    KubernetesGroupModel,
    MemberGroupModel,
)
from batchsched.snapshot.decode_cluster import namespace
from batchsched.snapshot.group import PodGroup


def kubernetes_group(model: KubernetesGroupModel, api: str) -> PodGroup:
    """A scheduling.k8s.io PodGroup; ``basic`` lets its pods come one by one."""
    policy, limits = model.spec.scheduling_policy, model.spec.scheduling_constraints
    keys = (limits and limits.topology) or []
    return PodGroup(
        api=api,
        namespace=namespace(model.metadata),
        name=model.metadata.name,
        min_count=policy.gang.min_count if policy.gang else 0,
        required_topology=keys[0].key if keys else None,
    )


def member_group(model: MemberGroupModel, api: str) -> PodGroup:
    """A PodGroup with ``minMember``."""
    count = (model.spec and model.spec.min_member) or 0
    return PodGroup(api, namespace(model.metadata), model.metadata.name, count)


def job_size(model: JobModel) -> int:
    """How many pods of a Job run together: its parallelism, or what is left of its completions."""
    size = _parallelism(model.spec)
    completions = model.spec.completions if model.spec else None
    if completions is None:
        return size
    done = (model.status and model.status.succeeded) or 0
    return min(size, max(completions - done, 0))


def job_set_size(model: JobSetModel) -> int:
    """How many pods of a JobSet run together, over all its replicated Jobs."""
    jobs = (model.spec and model.spec.replicated_jobs) or []
    return sum(
        (1 if job.replicas is None else job.replicas)
        * _parallelism(job.template.spec if job.template else None)
        for job in jobs
    )


def _parallelism(spec: JobSpecModel | None) -> int:
    return 1 if spec is None or spec.parallelism is None else spec.parallelism
