"""Watches to events: what a change of an API object means to the cycle. Pure."""

from collections.abc import Iterator

from batchsched.cycle import (
    Binding,
    ClusterChanged,
    Event,
    Nominated,
    PodGone,
    PodHeld,
    PodPending,
    Victim,
)
from batchsched.daemon.ports import Change, NodeChange, PodChange
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot


def is_pending(pod: Pod, schedulers: tuple[str, ...]) -> bool:
    """Whether a pod is ours to place now; no scheduler named means everybody's pods are ours."""
    return (
        pod.node is None
        and pod.phase in {"Pending", ""}
        and not pod.spec.gated
        and not pod.deleting
        and (not schedulers or pod.spec.scheduler_name in schedulers)
    )


def listed(snapshot: Snapshot, schedulers: tuple[str, ...]) -> Iterator[Event]:
    """All that a new process has to be told: first who holds a place, then who waits for one."""
    group_of = {key: snapshot.groups[index] for key, index in snapshot.group_of}
    for pod in snapshot.pods:
        if pod.node is not None and not pod.terminal:
            yield PodHeld(pod.key, pod.uid, group_of.get(pod.key))
    for pod in snapshot.pods:
        if is_pending(pod, schedulers):
            yield PodPending(pod, group_of.get(pod.key))


def left_nominated(snapshot: Snapshot, schedulers: tuple[str, ...]) -> Iterator[Nominated]:
    """What a process before this one decided and could not bind yet, as its victims still leave."""
    group_of = {key: snapshot.groups[index] for key, index in snapshot.group_of}
    units: dict[object, list[Pod]] = {}
    for pod in snapshot.pods:
        if pod.nominated_node is not None and is_pending(pod, schedulers):
            group = group_of.get(pod.key)
            gang = group.unit if group is not None and group.unit_count > 0 else None
            units.setdefault(gang or pod.key, []).append(pod)
    leaving = [pod for pod in snapshot.pods if pod.deleting and pod.node and not pod.terminal]
    for unit in units.values() if leaving else ():
        nodes = {pod.nominated_node for pod in unit}
        strongest = max(pod.spec.priority for pod in unit)
        victims = tuple(
            Victim(pod.key, pod.uid)
            for pod in leaving
            if pod.node in nodes and pod.spec.priority < strongest
        )
        if victims:
            gang = group_of[unit[0].key].unit if len(unit) > 1 else None
            yield Nominated(
                tuple(Binding(p.key, p.uid, p.nominated_node or "", gang) for p in unit), victims
            )


def events_of(change: Change, schedulers: tuple[str, ...]) -> Iterator[Event]:
    """What a change means, in order."""
    if isinstance(change, NodeChange):
        yield from _of_node(change)
    elif change.new is None or change.new.terminal:
        yield from _of_end(change)
    else:
        yield from _of_pod(change, change.new, schedulers)


def _of_node(change: NodeChange) -> Iterator[Event]:
    """A node that came or changed could help; one that left could not."""
    if change.new is not None and change.new != change.old:
        how = "came" if change.old is None else "changed"
        yield ClusterChanged(f"node {change.new.name} {how}")


def _of_end(change: PodChange) -> Iterator[Event]:
    """A pod that left its node makes room; of one that ended before, its deletion is news alone."""
    pod = change.new or change.old
    if pod is None:
        return
    if change.old is not None and change.old.terminal:
        if change.new is None:
            yield PodGone(pod.key, pod.uid)
        return
    yield PodGone(pod.key, pod.uid, pod.phase == "Succeeded", change.group)
    if pod.node is not None:
        yield ClusterChanged(f"pod {pod.full_name} left node {pod.node}")


def _of_pod(change: PodChange, pod: Pod, schedulers: tuple[str, ...]) -> Iterator[Event]:
    old = change.old
    if old is not None and old.uid != pod.uid:
        yield from _of_end(PodChange(old, None))
        old = None
    if pod.node is not None:
        told_again = old == pod  # for its gang, of which something else changed
        if old is None or old.node is None or told_again:
            yield PodHeld(pod.key, pod.uid, change.group)
        elif old.labels != pod.labels or old.requests != pod.requests:
            yield ClusterChanged(f"pod {pod.full_name} changed")
    elif is_pending(pod, schedulers):
        yield PodPending(pod, change.group)
    elif old is not None and is_pending(old, schedulers):
        yield PodGone(pod.key, pod.uid)
