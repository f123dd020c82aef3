"""Which pods belong together, in any of the dialects that say so; the first that a pod uses counts.

The dialects and their order are those of the contract ("Groups of pods"). A group that cannot be
scheduled whatever the room (it does not exist, its members contradict each other) is still a group,
with a ``problem`` that says what to mend: its pods wait for that, and the other pods do not.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.labels import integer
from batchsched.snapshot.pod import OwnerRef, Pod

KUBERNETES, COSCHEDULING, COSCHEDULING_OLD, VOLCANO, OWN, JOB, JOBSET = (
    "scheduling.k8s.io",
    "scheduling.x-k8s.io",
    "scheduling.sigs.k8s.io",
    "scheduling.volcano.sh",
    "batchsched.io",
    "batch",
    "jobset.x-k8s.io",
)
LABEL, LABEL_OLD = "scheduling.x-k8s.io/pod-group", "pod-group.scheduling.sigs.k8s.io"
_LABELS = frozenset({LABEL, LABEL_OLD})
VOLCANO_ANNOTATION = "scheduling.k8s.io/group-name"
GANG, MIN_AVAILABLE = "batchsched.io/gang", "batchsched.io/min-available"
REQUIRED_TOPOLOGY, PREFERRED_TOPOLOGY = (
    "batchsched.io/required-topology",
    "batchsched.io/preferred-topology",
)
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
    made = tuple(group_made(key, members.get(key, []), declared) for key in found)
    return made, tuple(sorted((pod, index[key]) for pod, key in key_of))


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
    if notes.get(VOLCANO_ANNOTATION):
        return (space, notes[VOLCANO_ANNOTATION], VOLCANO)
    name = notes.get(GANG)
    if name == OWNER:
        return _owner_key(pod, labels.get(JOBSET_LABEL), declared)
    return (space, name, OWN) if name else None


def _only(declared: Declared, namespace: str, name: str, api: str, other: str) -> bool:
    """Whether the group is declared in the one API and not in the other."""
    return (namespace, name, api) in declared.groups and (
        namespace,
        name,
        other,
    ) not in declared.groups


def _owner_key(pod: Pod, job_set: str | None, declared: Declared) -> Key:
    """The Job of a pod, or the JobSet above it; the pod itself where it has neither."""
    owner = pod.owner
    if owner is None or owner.kind != "Job" or not owner.api_version.startswith("batch/"):
        return (pod.namespace, pod.name, OWN)
    above = declared.job_owners.get((pod.namespace, owner.name))
    if above is not None and above.kind == "JobSet":
        return (pod.namespace, above.name, JOBSET)
    return (pod.namespace, job_set, JOBSET) if job_set else (pod.namespace, owner.name, JOB)


def group_made(key: Key, members: list[Pod], declared: Declared) -> PodGroup:
    """One group: what its object says, what its members add, and what is wrong with it."""
    live = [pod for pod in members if not pod.terminal] or members
    group = declared.groups.get(key) or _from_members(key, live, declared)
    required, conflict = _agreed(live, REQUIRED_TOPOLOGY)
    preferred, other_conflict = _agreed(live, PREFERRED_TOPOLOGY)
    problem = group.problem or conflict or other_conflict
    return replace(
        group,
        required_topology=group.required_topology or required,
        preferred_topology=group.preferred_topology or preferred,
        problem=problem or _two_topologies(group, required) or _schedulers(live),
    )


def _from_members(key: Key, members: list[Pod], declared: Declared) -> PodGroup:
    """A group without an object of its own."""
    namespace, name, api = key
    group = PodGroup(api, namespace, name)
    if api in {JOB, JOBSET}:
        return _of_owner(group, declared)
    if api == OWN:
        return _of_annotations(group, members)
    return replace(group, problem=missing(group))


def missing(group: PodGroup) -> str:
    """What is wrong with a group whose object does not exist."""
    name = f"{group.namespace}/{group.name}"
    if group.api in {JOB, JOBSET}:
        kind = "Job" if group.api == JOB else "JobSet"
        return f"{kind} {name} does not exist; its parallelism is the size of the gang"
    return f"PodGroup {name} does not exist; create it in {group.api}"


def _of_annotations(group: PodGroup, members: list[Pod]) -> PodGroup:
    """A gang that stands on its pods alone."""
    name = f"{group.namespace}/{group.name}"
    if any(dict(pod.annotations).get(GANG) == OWNER for pod in members):
        problem = f"pod {name} says {GANG}: owner, but no Job or JobSet owns it; name a gang"
        return replace(group, problem=problem)
    text, conflict = _agreed(members, MIN_AVAILABLE)
    count = integer(text) if text else None
    if conflict is None and count is not None and count > 0:
        return replace(group, min_count=count)
    said = f'"{text}"' if text else "missing"
    problem = f"{MIN_AVAILABLE} of gang {name} is {said}; write a whole number from 1 on its pods"
    return replace(group, problem=conflict or problem)


def _of_owner(group: PodGroup, declared: Declared) -> PodGroup:
    """The gang of a Job or JobSet."""
    sizes: Mapping[tuple[str, str], int] = declared.jobs if group.api == JOB else declared.job_sets
    size = sizes.get((group.namespace, group.name))
    if size is not None:
        return replace(group, min_count=size)
    return replace(group, problem=missing(group))


def _agreed(members: list[Pod], annotation: str) -> tuple[str | None, str | None]:
    """The one value that members give, and the problem if they give several."""
    found = sorted(
        (value, pod.key) for pod in members for key, value in pod.annotations if key == annotation
    )
    if not found:
        return None, None
    (value, (namespace, name)), (other, (_, last)) = found[0], found[-1]
    if value == other:
        return value, None
    return value, (
        f'{annotation} is "{value}" on pod {namespace}/{name} and "{other}" on '
        f"{namespace}/{last}; write the same on all pods of the gang"
    )


def _two_topologies(group: PodGroup, required: str | None) -> str | None:
    """What the object of the group requires and what its pods require must be the same."""
    if not required or group.required_topology in {None, required}:
        return None
    return (
        f"PodGroup {group.namespace}/{group.name} requires one {group.required_topology}, its pods "
        f"({REQUIRED_TOPOLOGY}) one {required}; remove one of the two"
    )


def _schedulers(members: list[Pod]) -> str | None:
    """All members must name one scheduler, or no scheduler sees the whole gang."""
    names = sorted({pod.spec.scheduler_name for pod in members})
    if len(names) <= 1:
        return None
    return f"its pods name several schedulers ({', '.join(names)}); set one schedulerName"
