"""Groups back to the objects that declare them. See ``encode``.

Gangs that stand on annotations of their pods need no object; one that was said not to exist must
get none, or it would exist when it is read again.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from batchsched.snapshot.encode import Object, api_object, metadata
from batchsched.snapshot.finished import finished
from batchsched.snapshot.group import CompositePodGroup, PodGroup
from batchsched.snapshot.groups import (
    COSCHEDULING,
    COSCHEDULING_OLD,
    JOB,
    JOBSET,
    KAI,
    KUBERNETES,
    VOLCANO,
    missing,
)
from batchsched.snapshot.parts import part_of
from batchsched.snapshot.pod import OwnerRef, Pod
from batchsched.snapshot.pod_gangs import KOORDINATOR_GROUPS, PROBLEM
from batchsched.snapshot.snapshot import Snapshot

_VERSIONS = {COSCHEDULING: "v1alpha1", COSCHEDULING_OLD: "v1alpha1", VOLCANO: "v1beta1"}


def group_objects(snapshot: Snapshot) -> Iterator[Object]:
    """PodGroups, composites, Jobs and JobSets, as far as they make groups."""
    yield from map(_composite, snapshot.composites)
    ended = _ended(snapshot)
    for g, group in enumerate(snapshot.groups):
        if group.problem != missing(group):
            done = finished(ended.get(g, []), group.min_count) if group.api != JOB else []
            yield from _object(_as_it_was(group, done))
    yield from _jobs_of_job_sets(snapshot)


def _as_it_was(group: PodGroup, done: list[Pod]) -> PodGroup:
    """A group before members of it succeeded."""
    if not done:
        return group
    of_part = Counter(part_of(group, pod) for pod in done)
    parts = tuple((part, least + of_part[part]) for part, least in group.parts)
    return replace(group, min_count=group.min_count + len(done), parts=parts)


def _ended(snapshot: Snapshot) -> dict[int, list[Pod]]:
    """The members of groups of which some succeeded: their minimum was more."""
    of, found = dict(snapshot.group_of), dict[int, list[Pod]]()
    some = {of[p.key] for p in snapshot.pods if p.phase == "Succeeded" and p.key in of}
    for pod in snapshot.pods if some else ():
        if of.get(pod.key) in some:
            found.setdefault(of[pod.key], []).append(pod)
    return found


def _object(group: PodGroup) -> Iterator[Object]:
    """The object that declares a group, if its dialect has one."""
    notes = ((PROBLEM, group.problem),) if group.problem else ()
    notes = (*notes, (KOORDINATOR_GROUPS, json.dumps(group.ties))) if group.ties else notes
    meta = metadata(group.name, group.namespace, annotations=notes)
    if group.api == KUBERNETES:
        yield _kubernetes(group, meta)
    elif group.api in _VERSIONS:
        version = f"{group.api}/{_VERSIONS[group.api]}"
        spec = {"minMember": group.min_count, "minTaskMember": dict(group.parts)}
        yield api_object(version, "PodGroup", meta, spec=spec)
    elif group.api == KAI:
        yield _kai(group, meta)
    elif group.api == JOB:
        found = api_object("batch/v1", "Job", meta)
        yield {**found, "spec": {"parallelism": group.min_count}}
    elif group.api == JOBSET:
        jobs = [{"replicas": 1, "template": {"spec": {"parallelism": group.min_count}}}]
        yield api_object(f"{JOBSET}/v1alpha2", "JobSet", meta, spec={"replicatedJobs": jobs})


def _kubernetes(group: PodGroup, meta: Object) -> Object:
    """A scheduling.k8s.io PodGroup."""
    count = group.min_count
    policy: Object = {"gang": {"minCount": count}} if count else {"basic": {}}
    return api_object(f"{KUBERNETES}/v1beta1", "PodGroup", meta, spec=_spec(group, policy))


def _composite(group: CompositePodGroup) -> Object:
    """A CompositePodGroup."""
    count = group.min_count
    policy: Object = {"gang": {"minGroupCount": count}} if count else {"basic": {}}
    meta, version = metadata(group.name, group.namespace), f"{KUBERNETES}/v1alpha3"
    return api_object(version, "CompositePodGroup", meta, spec=_spec(group, policy))


def _spec(group: PodGroup | CompositePodGroup, policy: Object) -> Object:
    """What both kinds of Kubernetes' groups say."""
    key = group.required_topology
    return {
        "schedulingPolicy": policy,
        "schedulingConstraints": {"topology": [{"key": key}]} if key else {},
        **({"disruptionMode": {"all": {}}} if group.goes_whole else {}),
        **({"priority": group.priority} if group.priority is not None else {}),
        **({"preemptionPolicy": "Never"} if group.preemption_never else {}),
        **({"parentCompositePodGroupName": group.parent} if group.parent else {}),
    }


def _kai(group: PodGroup, meta: Object) -> Object:
    """A PodGroup of KAI."""
    levels = {
        "requiredTopologyLevel": group.required_topology,
        "preferredTopologyLevel": group.preferred_topology,
    }
    spec = {
        "minMember": group.min_count,
        "subGroups": [{"name": name, "minMember": least} for name, least in group.parts],
        "topologyConstraint": {name: level for name, level in levels.items() if level},
    }
    return api_object(f"{KAI}/v2alpha2", "PodGroup", meta, spec=spec)


def _jobs_of_job_sets(snapshot: Snapshot) -> Iterator[Object]:
    """The Jobs between pods and their JobSets, which say that they belong to them."""
    at = dict(snapshot.group_of)
    above: dict[tuple[str, str], OwnerRef] = {}
    for pod in snapshot.pods:
        group = snapshot.groups[at[pod.key]] if pod.key in at else None
        if group is not None and group.api == JOBSET and pod.owner is not None:
            owner = OwnerRef(f"{JOBSET}/v1alpha2", "JobSet", group.name, "")
            above[pod.namespace, pod.owner.name] = owner
    for (namespace, name), owner in sorted(above.items()):
        yield api_object("batch/v1", "Job", metadata(name, namespace, owner=owner))
