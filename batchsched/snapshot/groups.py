"""Which pods belong together, in any of the dialects that say so; the first that a pod uses counts.

The dialects and their order are those of the contract ("Groups of pods"). A group that cannot be
scheduled whatever the room (it does not exist, its members contradict each other) is still a group,
with a ``problem`` that says what to mend: its pods wait for that, and the other pods do not.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from batchsched.snapshot.composites import in_composites
from batchsched.snapshot.finished import finished
from batchsched.snapshot.group import CompositePodGroup, PodGroup
from batchsched.snapshot.labels import integer
from batchsched.snapshot.parts import part_of
from batchsched.snapshot.pod import OwnerRef, Pod
from batchsched.snapshot.pod_gangs import (
    DIALECTS,
    GANG,
    GANG_ANNOTATIONS,
    KAI_BATCH,
    KAI_MIN,
    KUEUE,
    LWS,
    NAMING_LABELS,
    OWN,
    agreed,
    lws_group,
    named,
    of_pods,
    with_parts,
)
from batchsched.snapshot.unions import joined

KUBERNETES, COSCHEDULING, COSCHEDULING_OLD, VOLCANO, KAI, JOB, JOBSET = (
    "scheduling.k8s.io",
    "scheduling.x-k8s.io",
    "scheduling.sigs.k8s.io",
    "scheduling.volcano.sh",
    "scheduling.run.ai",
    "batch",
    "jobset.x-k8s.io",
)
LABEL, LABEL_OLD = "scheduling.x-k8s.io/pod-group", "pod-group.scheduling.sigs.k8s.io"
_LABELS = frozenset({LABEL, LABEL_OLD}) | NAMING_LABELS
VOLCANO_ANNOTATION, VOLCANO_OWN_ANNOTATION, KAI_ANNOTATION = (
    "scheduling.k8s.io/group-name",
    "scheduling.volcano.sh/group-name",
    "pod-group-name",
)
REQUIRED_TOPOLOGY, PREFERRED_TOPOLOGY = (
    "batchsched.io/required-topology",
    "batchsched.io/preferred-topology",
)
SLICE_TOPOLOGY, SLICE_SIZE = "batchsched.io/slice-topology", "batchsched.io/slice-size"
KAI_REQUIRED_TOPOLOGY, KAI_PREFERRED_TOPOLOGY = (
    "kai.scheduler/topology-required-placement",
    "kai.scheduler/topology-preferred-placement",
)
READ_ANNOTATIONS = frozenset(
    {
        VOLCANO_ANNOTATION,
        VOLCANO_OWN_ANNOTATION,
        KAI_ANNOTATION,
        KAI_REQUIRED_TOPOLOGY,
        KAI_PREFERRED_TOPOLOGY,
        *GANG_ANNOTATIONS,
    }
)
"""The annotations of pods that are read here; own ones are all read."""
JOBSET_LABEL = "jobset.sigs.k8s.io/jobset-name"
OWNER = "owner"

Key = tuple[str, str, str]
"""(namespace, name, api), as ``PodGroup.key``."""


class JobSize(NamedTuple):
    """What a Job says about a gang: how many of its pods run together, and what controls it."""

    pods: int
    owner: OwnerRef | None = None


@dataclass(slots=True)
class Declared:
    """What the snapshot holds that makes groups."""

    groups: dict[Key, PodGroup] = field(default_factory=dict)
    jobs: dict[tuple[str, str], int] = field(default_factory=dict)
    """(namespace, name) of Jobs to how many of their pods run together."""
    job_sets: dict[tuple[str, str], int] = field(default_factory=dict)
    job_owners: dict[tuple[str, str], OwnerRef] = field(default_factory=dict)
    """(namespace, name) of Jobs to what controls them."""
    composites: dict[tuple[str, str], CompositePodGroup] = field(default_factory=dict)


def groups(
    pods: Iterable[Pod], declared: Declared
) -> tuple[tuple[PodGroup, ...], tuple[tuple[tuple[str, str], int], ...]]:
    """Every group, sorted, and the index into them of every pod that belongs to one."""
    members: dict[Key, list[Pod]] = {}
    key_of: list[tuple[tuple[str, str], Key]] = []
    for pod in pods:
        key = key_of_group(pod, declared)
        if key is not None:
            members.setdefault(key, []).append(pod)
            key_of.append((pod.key, key))
    found = sorted(declared.groups.keys() | members.keys())
    index = {key: at for at, key in enumerate(found)}
    made = {key: group_made(key, members.get(key, []), declared) for key in found}
    made |= among_others(made, declared)
    return tuple(made.values()), tuple(sorted((pod, index[key]) for pod, key in key_of))


def among_others(made: Mapping[Key, PodGroup], declared: Declared) -> dict[Key, PodGroup]:
    """The groups that are in composites or in unions, as they are there; all others are left out.

    Args:
        made: Every group, by key, each as it is by itself.
        declared: What the snapshot holds that makes groups.
    """
    found, together = in_composites(made, declared.groups, declared.composites)
    return found | joined({**made, **found} if found else made, together)


def key_of_group(pod: Pod, declared: Declared) -> Key | None:
    """The group that a pod belongs to; whether there is one depends on the pod alone."""
    space = pod.namespace
    if pod.spec.pod_group:
        return (space, pod.spec.pod_group, KUBERNETES)
    if not pod.annotations and not any(key in _LABELS for key, _ in pod.labels):
        return None
    labels = dict(pod.labels)
    name = labels.get(LABEL) or labels.get(LABEL_OLD)
    if name:
        first, second = (
            (COSCHEDULING, COSCHEDULING_OLD)
            if labels.get(LABEL)
            else (COSCHEDULING_OLD, COSCHEDULING)
        )
        return (space, name, second if _only(declared, space, name, second, first) else first)
    notes = dict(pod.annotations)
    name = notes.get(VOLCANO_ANNOTATION) or notes.get(VOLCANO_OWN_ANNOTATION)
    if name:
        return (space, name, VOLCANO)
    name = notes.get(GANG)
    if name == OWNER:
        return _owner_key(pod, labels, declared)
    return (space, name, OWN) if name else _key_of_others(pod, labels, notes)


def _key_of_others(pod: Pod, labels: dict[str, str], notes: dict[str, str]) -> Key | None:
    """The gang of a pod as it is written for Koordinator, YuniKorn, KAI or Kueue."""
    found = named(labels, notes)
    if found is not None and found[1] != KUEUE:
        return (pod.namespace, *found)
    if notes.get(KAI_ANNOTATION):
        return (pod.namespace, notes[KAI_ANNOTATION], KAI)
    if notes.get(KAI_MIN):
        return (pod.namespace, pod.owner.name if pod.owner else pod.name, KAI_BATCH)
    return (pod.namespace, *found) if found is not None else None


def _only(declared: Declared, namespace: str, name: str, api: str, other: str) -> bool:
    """Whether the group is declared in the one API and not in the other."""
    return (namespace, name, api) in declared.groups and (
        namespace,
        name,
        other,
    ) not in declared.groups


def _owner_key(pod: Pod, labels: dict[str, str], declared: Declared) -> Key:
    """The Job of a pod, the JobSet above it, or its replica of a LeaderWorkerSet; else itself."""
    owner, job_set, replica = pod.owner, labels.get(JOBSET_LABEL), lws_group(labels)
    if replica is not None:
        return (pod.namespace, replica, LWS)
    if owner is None or owner.kind != "Job" or not owner.api_version.startswith("batch/"):
        return (pod.namespace, pod.name, OWN)
    above = declared.job_owners.get((pod.namespace, owner.name))
    if above is not None and above.kind == "JobSet":
        return (pod.namespace, above.name, JOBSET)
    return (pod.namespace, job_set, JOBSET) if job_set else (pod.namespace, owner.name, JOB)


def group_made(key: Key, members: list[Pod], declared: Declared) -> PodGroup:
    """One group by itself: what its object says, what its members add, and what is wrong."""
    live = [pod for pod in members if not pod.terminal] or members
    group = declared.groups.get(key) or _from_members(key, live, declared)
    required, conflict = _topology(live, REQUIRED_TOPOLOGY, KAI_REQUIRED_TOPOLOGY)
    preferred, other_conflict = _topology(live, PREFERRED_TOPOLOGY, KAI_PREFERRED_TOPOLOGY)
    problem = group.problem or conflict or other_conflict
    return replace(
        _in_slices(_less_finished(group, members), live),
        required_topology=group.required_topology or required,
        preferred_topology=group.preferred_topology or preferred,
        problem=problem
        or _two_topologies(group, required)
        or _slices_problem(live)
        or _schedulers(live),
    )


def _less_finished(group: PodGroup, members: list[Pod]) -> PodGroup:
    """What a group still needs; a Job counts its own, also those that are no more."""
    if group.api == JOB:
        return group
    done = finished(members, group.min_count)
    of_part = Counter(part_of(group, pod) for pod in done) if group.parts else {}
    left = [(part, least - of_part.get(part, 0)) for part, least in group.parts]
    return with_parts(replace(group, min_count=max(group.min_count - len(done), 0)), left)


def _in_slices(group: PodGroup, members: list[Pod]) -> PodGroup:
    """The group with the slices that its members ask for, if they say how large these are."""
    key, size = agreed(members, SLICE_TOPOLOGY)[0], agreed(members, SLICE_SIZE)[0]
    count = integer(size) if size else None
    if not key or count is None or count <= 0:
        return group
    return replace(group, slice_topology=key, slice_size=count)


def _slices_problem(members: list[Pod]) -> str | None:
    """What is wrong with slices: one of the two is missing, or members contradict each other."""
    (key, conflict), (size, other) = agreed(members, SLICE_TOPOLOGY), agreed(members, SLICE_SIZE)
    if conflict or other or (not key and not size):
        return conflict or other
    if not key:
        return f"{SLICE_SIZE} is {size}, but {SLICE_TOPOLOGY} is missing; write both or none"
    count = integer(size) if size else None
    if count is not None and count > 0:
        return None
    said = f'"{size}"' if size else "missing"
    return f"{SLICE_SIZE} is {said}; write a whole number from 1 on all pods of the gang"


def _topology(members: list[Pod], *marks: str) -> tuple[str | None, str | None]:
    """The node label that members ask for, by the first mark that any has; or the problem."""
    found = (agreed(members, mark) for mark in marks)
    return next((each for each in found if each[0] is not None), (None, None))


def _from_members(key: Key, live: list[Pod], declared: Declared) -> PodGroup:
    """A group without an object of its own."""
    namespace, name, api = key
    group = PodGroup(api, namespace, name)
    if api in {JOB, JOBSET}:
        return _of_owner(group, declared)
    if api == OWN and any(dict(pod.annotations).get(GANG) == OWNER for pod in live):
        return replace(group, problem=_no_owner(group))
    if api in DIALECTS:
        return of_pods(group, live)
    return replace(group, problem=missing(group))


def missing(group: PodGroup) -> str:
    """What is wrong with a group whose object does not exist."""
    name = f"{group.namespace}/{group.name}"
    if group.api in {JOB, JOBSET}:
        kind = "Job" if group.api == JOB else "JobSet"
        return f"{kind} {name} does not exist; its parallelism is the size of the gang"
    return f"PodGroup {name} does not exist; create it in {group.api}"


def _no_owner(group: PodGroup) -> str:
    """What is wrong with a pod that nothing owns and that asks for the gang of its owner."""
    name = f"{group.namespace}/{group.name}"
    return (
        f"pod {name} says {GANG}: owner, but no Job, JobSet or LeaderWorkerSet owns it; name a gang"
    )


def _of_owner(group: PodGroup, declared: Declared) -> PodGroup:
    """The gang of a Job or JobSet."""
    sizes: Mapping[tuple[str, str], int] = declared.jobs if group.api == JOB else declared.job_sets
    size = sizes.get((group.namespace, group.name))
    if size is not None:
        return replace(group, min_count=size)
    return replace(group, problem=missing(group))


def _two_topologies(group: PodGroup, required: str | None) -> str | None:
    """What the object of the group requires and what its pods require must be the same."""
    if not required or group.required_topology in {None, required}:
        return None
    return (
        f"PodGroup {group.namespace}/{group.name} requires one {group.required_topology}, its pods "
        f"one {required}; remove one of the two"
    )


def _schedulers(members: list[Pod]) -> str | None:
    """All members must name one scheduler, or no scheduler sees the whole gang."""
    names = sorted({pod.spec.scheduler_name for pod in members})
    if len(names) <= 1:
        return None
    return f"its pods name several schedulers ({', '.join(names)}); set one schedulerName"


def ranked(pod: Pod, group: PodGroup | None) -> Pod:
    """A pod with the priority and preemption policy of its group, where that has its own."""
    if group is None or (group.priority is None and not group.preemption_never):
        return pod
    spec = pod.spec
    priority = spec.priority if group.priority is None else group.priority
    never = spec.preemption_never or group.preemption_never
    if (priority, never) == (spec.priority, spec.preemption_never):
        return pod
    return replace(pod, spec=replace(spec, priority=priority, preemption_never=never))
