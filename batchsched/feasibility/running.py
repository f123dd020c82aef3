"""Running pods that may go: who they are, and the classes that they form.

A pod that runs keeps what holds others off (room, ports, disks, volumes, labels, anti-affinity) and
asks for nothing any more: Kubernetes ignores node rules, affinity and spread during execution. So
it stands in the problem with a spec of only that, and no rule takes it for a pod to be placed. One
that may move is in the problem once more, whole, as the pod that its controller will make.

Source: FORMULATION §1 (who may go) and §C14.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from batchsched.feasibility.problem import PodClass, Seat
from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.parts import lack, part_of
from batchsched.snapshot.pod import Pod, PodSpec
from batchsched.snapshot.snapshot import Snapshot, Window, holding

PodKey = tuple[str, str]
Grouping = Callable[[Sequence[Pod], Mapping[PodKey, int]], tuple[PodClass, ...]]
"""Pods into classes: pods of different numbers are never of one class."""

STAYING_OWNERS = frozenset({"DaemonSet", "Node"})
"""Whose pods belong to their node: a DaemonSet's would come back to it, static ones never left."""


@dataclass(frozen=True, slots=True)
class Leaver:
    """A running pod that may go, and how."""

    pod: Pod
    preemptible: bool
    movable: bool
    group: int | None
    """Its pod group, as index into ``Snapshot.groups``."""
    part: str | None = None


def leavers(snapshot: Snapshot, window: Window, allowance: Allowance) -> tuple[Leaver, ...]:
    """The running pods that may go, in order; nobody has to where nothing is pending or drained."""
    if not allowance or not (window.pods or allowance.draining):
        return ()
    preempting = [p.spec.priority for p in window.pods if not p.spec.preemption_never]
    highest = max(preempting, default=None) if allowance.preemption else None
    nodes, group_of = {node.name for node in snapshot.nodes}, dict(snapshot.group_of)
    running = _running_members(snapshot, group_of)
    staying = frozenset(g for g, members in running.items() if _stays(snapshot.groups[g], members))
    found = []
    for pod in holding(snapshot):
        bound = pod.owner is not None and pod.owner.kind in STAYING_OWNERS
        if pod.deleting or bound or pod.node not in nodes:
            continue
        group = group_of.get(pod.key)
        preemptible = highest is not None and pod.spec.priority < highest and group not in staying
        movable = allowance.moves_max != 0 and group is None and _comes_back_alike(pod)
        if preemptible or movable:
            part = None if group is None else part_of(snapshot.groups[group], pod)
            found.append(Leaver(pod, preemptible, movable, group, part))
    going = Counter(each.group for each in found)
    whole = {g for g in running if snapshot.groups[g].goes_whole}
    stuck = {g for g in whole if len(running[g]) != going[g]}
    return tuple(each for each in found if each.group not in stuck)


def who_goes(
    may_go: Sequence[Leaver], staying: frozenset[PodKey], groups: Sequence[PodGroup]
) -> tuple[Leaver, ...]:
    """Who may go still where some stay: of a group that goes whole, all or nobody."""
    stuck = {
        each.group
        for each in may_go
        if each.pod.key in staying and each.group is not None and groups[each.group].goes_whole
    }
    return tuple(x for x in may_go if x.pod.key not in staying and x.group not in stuck)


def _running_members(snapshot: Snapshot, group_of: Mapping[PodKey, int]) -> dict[int, list[Pod]]:
    """Who runs of each group."""
    running: dict[int, list[Pod]] = {group: [] for group in group_of.values()}
    for pod in holding(snapshot) if group_of else ():
        if pod.key in group_of and not pod.deleting:
            running[group_of[pod.key]].append(pod)
    return running


def _stays(group: PodGroup, running: Sequence[Pod]) -> bool:
    """Whether nobody of a group may go: it is short already, tied to others, or not understood."""
    return bool(group.problem or group.union) or lack(group, running) is not None


def _comes_back_alike(pod: Pod) -> bool:
    """Whether a controller makes the pod anew, and the new one is known beforehand.

    Not so where it runs with other requests than its spec has, or with claims made for it alone.
    """
    spec = pod.spec
    own = bool(spec.resource_claims) or any(ref.ephemeral for ref in spec.claims)
    return pod.owner is not None and pod.requests == spec.requests and not own


def running_classes(
    going: Sequence[Leaver],
    returning: Sequence[PodClass],
    first: int,
    classes_of: Grouping,
    *,
    whole: bool,
) -> tuple[PodClass, ...]:
    """The classes of running pods that may go.

    Args:
        going: Who may go.
        returning: The classes that movable pods would come back as.
        first: The index that the first of those has in the problem.
        classes_of: How pods are grouped.
        whole: Whether rules may read more of a spec than ours do.
    """
    back = {pod.key: first + c for c, pods in enumerate(returning) for pod in pods.pods}
    seats: dict[Seat, int] = {}
    seat_of: dict[PodKey, int] = {}
    specs: dict[tuple[int, tuple[tuple[str, int], ...]], PodSpec] = {}
    seated = []
    for each in going:
        pod = each.pod
        seat = Seat(each.preemptible, back.get(pod.key), each.group, each.part)
        seat_of[pod.key] = seats.setdefault(seat, len(seats))
        spec = specs.get((id(pod.spec), pod.requests))
        if spec is None:
            spec = specs[id(pod.spec), pod.requests] = what_remains(pod, whole=whole)
        seated.append(replace(pod, spec=spec))
    order = list(seats)
    return tuple(
        PodClass(pods.pods, seat=order[seat_of[pods.pods[0].key]])
        for pods in classes_of(seated, seat_of)
    )


def what_remains(pod: Pod, *, whole: bool) -> PodSpec:
    """Of the spec of a running pod, what concerns others; or all but what asks for company."""
    spec = pod.spec
    if whole:
        silent = replace(spec, affinity=(), spread=(), preferred_affinity=(), preferred_nodes=())
        return replace(silent, requests=pod.requests)
    return PodSpec(
        requests=pod.requests,
        anti_affinity=spec.anti_affinity,
        host_ports=spec.host_ports,
        claims=spec.claims,
        disks=spec.disks,
        inline_volumes=spec.inline_volumes,
        priority=spec.priority,
    )
