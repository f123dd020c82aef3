"""Gangs that stand on labels and annotations of their pods: whose they are, and how they count.

One line a dialect; own annotations come first, as the contract says. What an object would have said
(the minimum) every pod says here, so members can contradict each other. That is a problem of the
gang, so its pods wait.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.labels import integer
from batchsched.snapshot.parts import VOLCANO_TASK, YUNIKORN_TASK
from batchsched.snapshot.pod import Pod

OWN, KOORDINATOR, YUNIKORN, KUEUE, LWS, KAI_BATCH = (
    "batchsched.io",
    "gang.scheduling.koordinator.sh",
    "yunikorn.apache.org",
    "kueue.x-k8s.io",
    "leaderworkerset.x-k8s.io",
    "kai.scheduler",
)
GANG, MIN_AVAILABLE = "batchsched.io/gang", "batchsched.io/min-available"
KOORDINATOR_NAME, KOORDINATOR_MIN, KOORDINATOR_TOTAL, KOORDINATOR_GROUPS = (
    "gang.scheduling.koordinator.sh/name",
    "gang.scheduling.koordinator.sh/min-available",
    "gang.scheduling.koordinator.sh/total-number",
    "gang.scheduling.koordinator.sh/groups",
)
KOORDINATOR_LABEL, KOORDINATOR_MIN_LABEL = (
    "pod-group.scheduling.sigs.k8s.io/name",
    "pod-group.scheduling.sigs.k8s.io/min-available",
)
KUEUE_NAME, KUEUE_TOTAL = "kueue.x-k8s.io/pod-group-name", "kueue.x-k8s.io/pod-group-total-count"
YUNIKORN_TASKS = "yunikorn.apache.org/task-groups"
YUNIKORN_APPS = ("yunikorn.apache.org/app-id", "applicationId")
KAI_MIN = "kai.scheduler/batch-min-member"
LWS_NAME, LWS_GROUP, LWS_REVISION, LWS_SIZE = (
    "leaderworkerset.sigs.k8s.io/name",
    "leaderworkerset.sigs.k8s.io/group-index",
    "leaderworkerset.sigs.k8s.io/template-revision-hash",
    "leaderworkerset.sigs.k8s.io/size",
)
PROBLEM = "batchsched.io/problem"
"""On a group of a recorded snapshot: what was wrong with it, which its other fields do not say."""
GANG_ANNOTATIONS = frozenset(
    {
        KOORDINATOR_NAME,
        KOORDINATOR_MIN,
        KOORDINATOR_TOTAL,
        KOORDINATOR_GROUPS,
        KUEUE_TOTAL,
        YUNIKORN_TASK,
        YUNIKORN_TASKS,
        YUNIKORN_APPS[0],
        KAI_MIN,
        LWS_SIZE,
        VOLCANO_TASK,
    }
)
"""The annotations that are read here, but our own."""
NAMING_LABELS = frozenset({KOORDINATOR_LABEL, KUEUE_NAME})
"""Labels that put a pod into a gang, without any annotation."""

Agreement = tuple[str | None, str | None]
Words = dict[str, str]


class Dialect(NamedTuple):
    """How pods say the minimum of their gang.

    Args:
        api: The dialect, as in ``PodGroup.api``.
        minimum: Labels or annotations that hold it, as people write them.
    """

    api: str
    minimum: tuple[str, ...]


DIALECTS = {
    found.api: found
    for found in (
        Dialect(OWN, (MIN_AVAILABLE,)),
        Dialect(KOORDINATOR, (KOORDINATOR_MIN, KOORDINATOR_MIN_LABEL)),
        Dialect(KUEUE, (KUEUE_TOTAL,)),
        Dialect(LWS, (LWS_SIZE,)),
        Dialect(KAI_BATCH, (KAI_MIN,)),
        Dialect(YUNIKORN, ()),
    )
}


def named(labels: Words, notes: Words) -> tuple[str, str] | None:
    """``(name, api)`` of a gang that others than we invented and that needs no object."""
    name = notes.get(KOORDINATOR_NAME) or labels.get(KOORDINATOR_LABEL)
    if name:
        return (name, KOORDINATOR)
    if notes.get(YUNIKORN_TASK):
        apps = [found.get(app) for app in YUNIKORN_APPS for found in (labels, notes)]
        return (next((app for app in apps if app), ""), YUNIKORN)
    return (labels[KUEUE_NAME], KUEUE) if labels.get(KUEUE_NAME) else None


def lws_group(labels: Words) -> str | None:
    """One replica of a LeaderWorkerSet, by the name that it gives to PodGroups of its own."""
    parts = [labels.get(LWS_NAME), labels.get(LWS_GROUP), labels.get(LWS_REVISION)]
    return "-".join(part for part in parts if part) if all(parts[:2]) else None


def of_pods(group: PodGroup, live: Sequence[Pod]) -> PodGroup:
    """What the pods of a gang say about it.

    Args:
        group: Its identity.
        live: Its pods, those that have not ended, or all where all have.
    """
    if group.api == YUNIKORN:
        return _of_tasks(group, live)
    marks = DIALECTS[group.api].minimum
    found = [agreed(live, mark) for mark in marks]
    said: Agreement = next((each for each in found if each[0] is not None), (None, None))
    text, conflict = said
    count = integer(text) if text else None
    if conflict is not None or count is None or count <= 0:
        problem = f"{marks[0]} of gang {group.namespace}/{group.name} is "
        problem += f'"{text}"' if text else "missing"
        problem += "; write a whole number from 1 on its pods"
        return replace(group, problem=conflict or problem)
    group = replace(group, min_count=count)
    return _of_koordinator(group, live) if group.api == KOORDINATOR else group


def _of_koordinator(group: PodGroup, members: Sequence[Pod]) -> PodGroup:
    """The gangs that it starts together with; a total below the minimum, or members that differ."""
    name = f"gang {group.namespace}/{group.name}"
    (total, conflict), (others, other_conflict) = (
        agreed(members, mark) for mark in (KOORDINATOR_TOTAL, KOORDINATOR_GROUPS)
    )
    if conflict or other_conflict:
        return replace(group, problem=conflict or other_conflict)
    if total is not None and (integer(total) or 0) < group.min_count:
        problem = f'{KOORDINATOR_TOTAL} of {name} is "{total}", less than its minimum of '
        return replace(group, problem=problem + str(group.min_count))
    return tied(group, others)


def tied(group: PodGroup, text: str | None) -> PodGroup:
    """A group that starts together with others: a JSON list of them, each ``namespace/name``."""
    if not text:
        return group
    found = _parsed(text)
    if isinstance(found, list) and all(isinstance(each, str) and each for each in found):
        return replace(group, ties=tuple(sorted(set(found))))
    problem = f"{KOORDINATOR_GROUPS} of gang {group.namespace}/{group.name} cannot be read; "
    return replace(group, problem=f'{problem}write a JSON list of "namespace/name"')


def _of_tasks(group: PodGroup, members: Sequence[Pod]) -> PodGroup:
    """An application of YuniKorn: the minimums of its task groups, each and together."""
    name = f"{group.namespace}/{group.name}"
    if not group.name:
        problem = f"its pods have {YUNIKORN_TASK} and no application; set the label applicationId"
        return replace(group, problem=problem)
    text, conflict = agreed(members, YUNIKORN_TASKS)
    tasks = _tasks(_parsed(text or ""))
    if conflict is not None or not tasks:
        said = f"{YUNIKORN_TASKS} of application {name} "
        said += "cannot be read" if text else "is missing"
        problem = f"{said}; write a list of objects with name and minMember on its pods"
        return replace(group, problem=conflict or problem)
    known = {task for task, _ in tasks}
    named = {value for pod in members for key, value in pod.annotations if key == YUNIKORN_TASK}
    strange = sorted(named - known - {""})
    if strange:
        problem = f'{YUNIKORN_TASKS} of application {name} has no task group "{strange[0]}"; add it'
        return replace(group, problem=problem)
    return with_parts(group, tasks)


def _parsed(text: str) -> Any:
    """JSON, or ``None`` where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _tasks(found: Any) -> tuple[tuple[str, int], ...]:
    """``(name, minimum)`` of each task group; none where they are malformed."""
    if not isinstance(found, list):
        return ()
    tasks = {}
    for each in found:
        name = each.get("name") if isinstance(each, dict) else None
        least = each.get("minMember") if isinstance(each, dict) else None
        if not isinstance(name, str) or type(least) is not int or least < 0 or name in tasks:
            return ()
        tasks[name] = least
    return tuple(sorted(tasks.items()))


def with_parts(group: PodGroup, parts: Sequence[tuple[str, int]]) -> PodGroup:
    """A group with minimums of its parts, which are a minimum of the whole together."""
    asked = tuple(sorted((name, least) for name, least in parts if least > 0))
    together = sum(least for _, least in asked)
    return replace(group, min_count=max(group.min_count, together), parts=asked)


def agreed(members: Sequence[Pod], mark: str) -> Agreement:
    """The one value of a label or annotation, and the problem if members give several."""
    found = sorted(
        (value, pod.key)
        for pod in members
        for key, value in (*pod.annotations, *pod.labels)
        if key == mark
    )
    if not found:
        return None, None
    (value, (namespace, name)), (other, (_, last)) = found[0], found[-1]
    if value == other:
        return value, None
    return value, (
        f'{mark} is "{value}" on pod {namespace}/{name} and "{other}" on '
        f"{namespace}/{last}; write the same on all pods of the gang"
    )
