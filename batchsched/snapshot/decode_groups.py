"""What group objects, Jobs and JobSets mean for gangs. See ``api_groups`` for their form."""

from collections import Counter
from dataclasses import replace

from batchsched.snapshot.api import Object
from batchsched.snapshot.api_groups import (
    CompositeGroupModel,
    CompositeGroupSpec,
    JobModel,
    JobSetModel,
    JobSpecModel,
    KaiGroupModel,
    KaiGroupSpec,
    KubernetesGroupModel,
    KubernetesGroupSpec,
    MemberGroupModel,
)
from batchsched.snapshot.decode_cluster import namespace
from batchsched.snapshot.group import CompositePodGroup, PodGroup
from batchsched.snapshot.groups import VOLCANO
from batchsched.snapshot.pod_gangs import (
    KOORDINATOR_GROUPS,
    PROBLEM,
    tied,
    with_parts,
)


def kubernetes_group(model: KubernetesGroupModel, api: str) -> PodGroup:
    """A scheduling.k8s.io PodGroup; ``basic`` lets its pods come one by one."""
    spec, policy = model.spec, model.spec.scheduling_policy
    return PodGroup(
        api=api,
        namespace=namespace(model.metadata),
        name=model.metadata.name,
        min_count=policy.gang.min_count if policy.gang else 0,
        required_topology=_topology(spec),
        problem=_known(model),
        priority=spec.priority,
        preemption_never=spec.preemption_policy == "Never",
        goes_whole=_goes_whole(spec),
        parent=spec.parent_composite_pod_group_name or None,
    )


def composite_group(model: CompositeGroupModel) -> CompositePodGroup:
    """A CompositePodGroup; ``basic`` lets its groups come one by one."""
    spec, policy = model.spec, model.spec.scheduling_policy
    return CompositePodGroup(
        namespace=namespace(model.metadata),
        name=model.metadata.name,
        min_count=policy.gang.min_group_count if policy.gang else 0,
        parent=spec.parent_composite_pod_group_name or None,
        required_topology=_topology(spec),
        priority=spec.priority,
        preemption_never=spec.preemption_policy == "Never",
        goes_whole=_goes_whole(spec),
    )


def _known(model: Object) -> str | None:
    """What was wrong with a group when its snapshot was recorded."""
    return (model.metadata.annotations or {}).get(PROBLEM)


def _topology(spec: KubernetesGroupSpec | CompositeGroupSpec) -> str | None:
    """The node label of the one domain that a group asks for."""
    limits = spec.scheduling_constraints
    keys = (limits and limits.topology) or []
    return keys[0].key if keys else None


def _goes_whole(spec: KubernetesGroupSpec | CompositeGroupSpec) -> bool:
    """``disruptionMode``: ``all`` is called ``PodGroup`` in v1alpha2."""
    mode = spec.disruption_mode
    return mode == "PodGroup" if mode is None or isinstance(mode, str) else mode.all is not None


def member_group(model: MemberGroupModel, api: str) -> PodGroup:
    """A PodGroup with ``minMember``, and of Volcano ``minTaskMember``; Koordinator adds notes."""
    spec, meta = model.spec, model.metadata
    group = PodGroup(api, namespace(meta), meta.name, (spec and spec.min_member) or 0)
    others = (meta.annotations or {}).get(KOORDINATOR_GROUPS)
    parts = spec.min_task_member if spec is not None and api == VOLCANO else None
    group = tied(replace(group, problem=_known(model)), others)
    return with_parts(group, [*(parts or {}).items()])


def kai_group(model: KaiGroupModel, api: str) -> PodGroup:
    """A PodGroup of KAI; of nested subgroups the innermost have pods, and all have to start."""
    spec, meta = model.spec or KaiGroupSpec(), model.metadata
    group = PodGroup(api, namespace(meta), meta.name, spec.min_member or 0)
    above = {each.parent for each in spec.sub_groups or ()}
    leaves = [each for each in spec.sub_groups or () if each.name not in above]
    parts = [(each.name, each.min_member or 0) for each in leaves]
    level = spec.topology_constraint
    return replace(
        with_parts(group, parts),
        required_topology=(level and level.required_topology_level) or None,
        preferred_topology=(level and level.preferred_topology_level) or None,
        problem=_kai_problem(group, spec) or _known(model),
    )


def _kai_problem(group: PodGroup, spec: KaiGroupSpec) -> str | None:
    """Subgroups that are more than counted: some of several, or with a topology of their own."""
    subgroups = spec.sub_groups or []
    topology = [each.topology_constraint for each in subgroups]
    own = any(t and (t.required_topology_level or t.preferred_topology_level) for t in topology)
    inside = Counter(each.parent for each in subgroups)
    some = any(
        least is not None and least < inside[name]
        for name, least in [
            (None, spec.min_sub_group),
            *((s.name, s.min_sub_group) for s in subgroups),
        ]
    )
    if not (own or some):
        return None
    what = "have topologies of their own" if own else "need not all start"
    return (
        f"subgroups of PodGroup {group.namespace}/{group.name} {what}, which is not scheduled yet: "
        "make a PodGroup of each, or leave that out"
    )


def job_size(model: JobModel) -> int:
    """How many pods of a Job must start together: those that run at once, less who succeeded."""
    done = (model.status and model.status.succeeded) or 0
    return max(_at_once(model.spec) - done, 0)


def job_set_size(model: JobSetModel) -> int:
    """How many pods of a JobSet run together, over all its replicated Jobs."""
    jobs = (model.spec and model.spec.replicated_jobs) or []
    return sum(
        (1 if job.replicas is None else job.replicas)
        * _at_once(job.template.spec if job.template else None)
        for job in jobs
    )


def _at_once(spec: JobSpecModel | None) -> int:
    """How many pods a Job runs at once, when it starts."""
    size = 1 if spec is None or spec.parallelism is None else spec.parallelism
    return size if spec is None or spec.completions is None else min(size, spec.completions)
