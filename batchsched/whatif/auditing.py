"""Auditing: what a solve would gain over a cluster as it is, with the certificate.

First the pending pods, with the victims and moves that are allowed; then, with the moves that are
left and the same pods placed, the nodes that could be emptied (``draining``). Both halves are
verified, and have bounds: no plan that is allowed the same places more, and none with the same
evictions empties more.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from batchsched.plan.plan import Plan, PlanTier, Unplaced
from batchsched.profile import Profile
from batchsched.scheduler import Limits, schedule
from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.snapshot import Snapshot, Window, holding
from batchsched.whatif.answer import Answer, Part
from batchsched.whatif.draining import Drain, drain_after, empty_nodes
from batchsched.whatif.edits import settled
from batchsched.whatif.steps import without_places


class RunningPods(Part):
    """How many pods of a priority have a node, now and then."""

    priority: int
    now: int
    then: int


class Audit(Answer):
    """What is gained; counts of nodes in use leave out DaemonSets' pods and static ones."""

    kind: Literal["Audit"] = "Audit"
    nodes: int
    running: tuple[RunningPods, ...]
    pending: int
    placed: int
    pod_groups: int
    """With pending members."""
    pod_groups_placed: int
    evicted: int
    moved: int
    """To place pods, and to empty nodes."""
    in_use_now: int
    in_use_then: int
    emptied: tuple[str, ...]
    """Nodes in use now, or by pods that are placed, that moves empty; in order."""
    status: Literal["Optimal", "Feasible"]
    """Of the pods that are placed."""
    tiers: tuple[PlanTier, ...]
    """Of the plan; then ``drained`` and ``moves`` of what comes after it, if moves are left."""
    unplaced: tuple[Unplaced, ...]


def audit(
    snapshot: Snapshot,
    window: Window,
    profile: Profile,
    limits: Limits,
    clock: Callable[[], float],
    *,
    allowance: Allowance,
) -> Audit:
    """Solve a cluster as it is, and compare.

    Args:
        snapshot: The cluster.
        window: Its pending pods.
        profile: Rules and tiers.
        limits: Of the whole.
        clock: Monotonic seconds.
        allowance: What may be done to running pods.
    """
    half = replace(limits, time_limit_s=limits.time_limit_s / 2)
    plan = schedule(snapshot, window, profile, half, clock, allowance=allowance)
    bound = {(each.namespace, each.name): each.node for each in plan.bindings}
    evicted = without_victims(snapshot, plan)
    then, drain = settled(evicted, bound), None
    moved = sum(each.to is not None for each in plan.evictions)
    left = None if allowance.moves_max is None else allowance.moves_max - moved
    if left != 0:
        drain = drain_after(evicted, plan, profile, half, clock, moves_max=None, leaving_max=left)
    return _told(snapshot, then, plan, drain)


def without_victims(snapshot: Snapshot, plan: Plan) -> Snapshot:
    """The cluster when a plan's evictions are done: victims wait, moved pods run again."""
    moves = {(e.namespace, e.name): e.to for e in plan.evictions if e.to is not None}
    leaving = {(each.namespace, each.name) for each in plan.evictions}
    return settled(without_places(snapshot, leaving), moves)


def _told(snapshot: Snapshot, then: Snapshot, plan: Plan, drain: Drain | None) -> Audit:
    """Both halves in numbers."""
    tiers, moved = list(plan.tiers), sum(each.to is not None for each in plan.evictions)
    last = then if drain is None else drain.snapshot
    if drain is not None:
        tiers += drain.tiers
        moved += sum(len(step.to) for step in drain.steps if step.node is not None)
    sides = [Counter(pod.spec.priority for pod in holding(each)) for each in (snapshot, then)]
    return Audit(
        nodes=len(snapshot.nodes),
        running=tuple(
            RunningPods(priority=p, now=sides[0][p], then=sides[1][p])
            for p in sorted({*sides[0], *sides[1]}, reverse=True)
        ),
        pending=plan.snapshot.pending,
        placed=len(plan.bindings),
        pod_groups=len(plan.pod_groups),
        pod_groups_placed=sum(group.status == "Placed" for group in plan.pod_groups),
        evicted=sum(each.to is None for each in plan.evictions),
        moved=moved,
        in_use_now=len(snapshot.nodes) - len(empty_nodes(snapshot)),
        in_use_then=len(snapshot.nodes) - len(empty_nodes(last)),
        emptied=() if drain is None else drain.drained,
        status=plan.status,
        tiers=tuple(tiers),
        unplaced=tuple(plan.unplaced),
    )
