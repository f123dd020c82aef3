"""Gangs of a window: which groups can be tried, which wait, and which nothing can schedule.

A group waits while fewer of its members exist (pending in the window, or running) than it needs;
so do all groups of its union.
Running members count towards the minimum and pin the domain of a required topology; those on their
way out do neither.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from batchsched.feasibility.problem import Excluded, Gang
from batchsched.feasibility.topology import Domains
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.parts import lack, part_of
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot, Window

WAITING = "Waiting"

PodKey = tuple[str, str]


@dataclass(frozen=True)
class Gangs:
    """The gangs to be tried, the gang of each of their pods, and the pods that cannot be tried."""

    gangs: tuple[Gang, ...]
    gang_of: Mapping[PodKey, int]
    excluded: tuple[Excluded, ...]
    part_of: Mapping[PodKey, str] = field(default_factory=dict)
    """The part of its gang that a pod is in, where that has a minimum."""


def gangs_of(snapshot: Snapshot, window: Window, index: Mapping[str, int]) -> Gangs:
    """Sort the window's groups.

    Args:
        snapshot: The cluster.
        window: The pods to decide on.
        index: Node names to node indices.
    """
    if not snapshot.group_of:
        return Gangs((), {}, ())
    group_of = dict(snapshot.group_of)
    members = _members([pod for pod in window.pods if pod.key in group_of], group_of)
    seated = [pod for pod in snapshot.pods if pod.key in group_of and _runs(pod)]
    running = _members(seated, group_of)
    gangs: list[Gang] = []
    gang_of: dict[PodKey, int] = {}
    excluded: list[Excluded] = []
    at = {group.key: g for g, group in enumerate(snapshot.groups)}
    for g in sorted(members):
        group, seats = snapshot.groups[g], running.get(g, [])
        union = [at[key] for key in group.union if key != group.key]
        problems = (
            obstacle(snapshot.groups[h], [*members.get(h, ()), *running.get(h, ())])
            for h in (g, *union)
        )
        problem = next((each for each in problems if each is not None), None)
        if problem is not None:
            excluded.extend(Excluded(pod, WAITING, problem) for pod in members[g])
            continue
        gang_of.update((pod.key, len(gangs)) for pod in members[g])
        on = sorted(index[pod.node] for pod in seats if pod.node is not None and pod.node in index)
        there = Counter(part_of(group, pod) for pod in seats) if group.parts else {}
        running_of = tuple(there.get(part, 0) for part, _ in group.parts)
        gangs.append(Gang(group, len(seats), tuple(on), running_of))
    parts = {
        pod.key: part
        for g, pods in members.items()
        for pod in (pods if snapshot.groups[g].parts else ())
        if (part := part_of(snapshot.groups[g], pod)) is not None
    }
    return Gangs(tuple(gangs), gang_of, tuple(excluded), parts)


def obstacle(group: PodGroup, existing: Sequence[Pod]) -> str | None:
    """Why a group with these existing members cannot be tried, or ``None`` where it can."""
    name = f"PodGroup {group.namespace}/{group.name}"
    if group.problem is not None:
        return group.problem if group.name in group.problem else f"{name}: {group.problem}"
    lacking = lack(group, existing)
    if lacking is None:
        return None
    there = f"{lacking.there} of {lacking.needed}{lacking.of_part}"
    return f"{name} waits for members: {there} exist"


def _members(pods: Sequence[Pod], group_of: Mapping[PodKey, int]) -> dict[int, list[Pod]]:
    found: dict[int, list[Pod]] = {}
    for pod in pods:
        found.setdefault(group_of[pod.key], []).append(pod)
    return found


def _runs(pod: Pod) -> bool:
    """Whether a pod is a running member: bound, not ended, not on its way out."""
    return pod.node is not None and not pod.terminal and not pod.deleting


def open_nodes(gang: Gang, domains: Domains) -> npt.NDArray[np.bool_]:
    """[N] what a required topology leaves: nodes with the key, or the domain that members run in.

    Running members that are in no domain pin nothing; in two domains, they leave no place for more.
    """
    pinned = {int(domains.of_node[n]) for n in gang.running_nodes} - {-1}
    if not pinned:
        return domains.has_key
    if len(pinned) > 1:
        return np.zeros(len(domains.of_node), dtype=np.bool_)
    return np.equal(domains.of_node, pinned.pop())
