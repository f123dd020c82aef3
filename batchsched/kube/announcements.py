"""What is said to people and autoscalers: events, conditions of pods, status of pod groups. Pure.

Words and fields are kube-scheduler's, because others act on them: Cluster Autoscaler and Karpenter
add nodes for ``PodScheduled=False`` with reason ``Unschedulable``, and for nothing else.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from batchsched.cycle import Announce, PodKey
from batchsched.kube.steps import (
    MERGE_PATCH,
    STRATEGIC_PATCH,
    Call,
    clipped,
    object_path,
    pod_path,
)
from batchsched.plan.plan import Plan
from batchsched.snapshot.group import PodGroup

NOTE_BYTES_MAX = 1024
"""Of an event: what the API server takes."""
POD_NAME_CHARACTERS_MAX = 200
"""Of the name of an event, which has 253 at most."""
_KINDS = {
    "Scheduled": ("Normal", "Binding"),
    "FailedScheduling": ("Warning", "Scheduling"),
    "Preempted": ("Normal", "Preempting"),
    "GangWaiting": ("Normal", "Scheduling"),
    "GangReleased": ("Warning", "Releasing"),
}
"""Reason to type and action."""


@dataclass(frozen=True, slots=True)
class Reporter:
    """Who reports: the controller is the pod's scheduler name, the instance this process."""

    instance: str
    wall: Callable[[], str]
    """The time that people read, in microseconds, as Go writes it."""
    scheduler_of: Callable[[PodKey], str] = lambda _: "batchsched"
    generation_of: Callable[[PodKey], int | None] = lambda _: None
    """Which spec of a pod was decided on, as the API server counts them."""


@dataclass(frozen=True, slots=True)
class GroupState:
    """What is to be said of a pod group: whether at least its minimum has nodes, or why not."""

    group: PodGroup
    scheduled: bool
    message: str = ""


def event_name(pod: str, instance: str, number: int) -> str:
    """A name for an event that no other process gives."""
    return f"{pod[:POD_NAME_CHARACTERS_MAX]}.{instance[-12:]}.{number:x}"


def new_event(event: Announce, name: str, reporter: Reporter) -> Call:
    """An event about a pod."""
    kind, action = _KINDS.get(event.reason, ("Normal", "Scheduling"))
    namespace, pod = event.pod
    body = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"namespace": namespace, "name": name},
        "eventTime": reporter.wall(),
        "reportingController": reporter.scheduler_of(event.pod),
        "reportingInstance": reporter.instance,
        "type": kind,
        "action": action,
        "reason": event.reason,
        "note": clipped(event.message, NOTE_BYTES_MAX),
        "regarding": {
            "apiVersion": "v1",
            "kind": "Pod",
            "namespace": namespace,
            "name": pod,
            "uid": event.uid,
        },
    }
    return Call("POST", _events_path(namespace), body)


def repeated(pod: PodKey, name: str, count: int, wall: str) -> Call:
    """An event that came again: the series counts."""
    series = {"count": count, "lastObservedTime": wall}
    return Call("PATCH", _events_path(pod[0], name), {"series": series}, STRATEGIC_PATCH)


def unschedulable(event: Announce, since: str | None, generation: int | None) -> Call:
    """The condition of a pod that was not placed; ``since`` None: as long as it says already."""
    condition: dict[str, Any] = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": clipped(event.message),
    }
    if since is not None:
        condition["lastTransitionTime"] = _seconds(since)
    if generation is not None:
        condition["observedGeneration"] = generation
    body = {"metadata": {"uid": event.uid}, "status": {"conditions": [condition]}}
    return Call("PATCH", pod_path(event.pod, "status"), body, STRATEGIC_PATCH)


def group_states(
    plan: Plan, groups: Collection[PodGroup], scheduled: Collection[str]
) -> Iterator[GroupState]:
    """What became of the pod groups of a plan, once its bindings are written.

    Args:
        plan: The plan.
        groups: The groups that are known.
        scheduled: Uids of the pods that were bound.
    """
    planned = Counter((b.namespace, b.pod_group) for b in plan.bindings)
    bound = Counter((b.namespace, b.pod_group) for b in plan.bindings if b.uid in scheduled)
    decided = {(group.namespace, group.name): group for group in plan.pod_groups}
    for group in groups:
        key = (group.namespace, group.name)
        if key not in decided or group.min_count == 0:
            continue
        placed = decided[key].placed - planned[key] + bound[key]
        if placed >= group.min_count:
            yield GroupState(group, scheduled=True)
        elif decided[key].status == "Unplaced":
            yield GroupState(group, scheduled=False, message=decided[key].message)


def group_status(state: GroupState, version: str, wall: str) -> Call | None:
    """The status of a pod group: a condition, or a phase; None: its API has neither for us.

    Args:
        state: What is to be said.
        version: Of its API, as it is served.
        wall: The time that people read.
    """
    group, body = state.group, dict[str, Any]()
    if group.api == "scheduling.k8s.io":
        condition = {
            "type": "PodGroupInitiallyScheduled",
            "status": "True" if state.scheduled else "False",
            "reason": "Scheduled" if state.scheduled else "Unschedulable",
            "message": clipped(state.message),
            "lastTransitionTime": _seconds(wall),
        }
        body, content_type = {"status": {"conditions": [condition]}}, STRATEGIC_PATCH
    elif group.api == "scheduling.x-k8s.io":
        body = {"status": {"phase": "Scheduling" if state.scheduled else "Pending"}}
        content_type = MERGE_PATCH
    else:
        return None
    path = object_path(
        f"/apis/{group.api}/{version}",
        "podgroups",
        group.name,
        namespace=group.namespace,
        subresource="status",
    )
    return Call("PATCH", path, body, content_type)


def _events_path(namespace: str, name: str = "") -> str:
    path = object_path("/apis/events.k8s.io/v1", "events", name, namespace=namespace)
    return path.rstrip("/")


def _seconds(wall: str) -> str:
    """A time of microseconds, as conditions have it: of seconds."""
    return f"{wall.partition('.')[0].removesuffix('Z')}Z"
