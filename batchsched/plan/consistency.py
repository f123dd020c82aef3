"""Consistency: what a plan's file says about itself, against the final state that it leads to.

Rules are not checked here: only that the plan is complete, sorted, and states true numbers.
"""

from collections.abc import Iterable, Iterator, Mapping

from batchsched.plan.evictions import causes
from batchsched.plan.groups import group_states
from batchsched.plan.plan import Binding, Plan, PlanTier, Unplaced, status_of, tier
from batchsched.plan.state import FinalState, Violation, among
from batchsched.snapshot.snapshot import Window

_GAP_TOLERANCE = 1e-6


def consistency(
    plan: Plan, state: FinalState, window: Window, values: Mapping[str, int] | None
) -> Iterator[Violation]:
    """Each statement of the plan that does not hold.

    Args:
        plan: The plan.
        state: The final state that its bindings and evictions lead to.
        window: The pending pods that the plan decides on.
        values: What the tiers are worth, recomputed; ``None`` leaves that out.
    """
    yield from _complete(plan, window)
    yield from _about(plan, state, window)
    yield from _evictions(plan, state)
    yield from causes(plan.evictions, plan.bindings, state)
    yield from _sorted(plan)
    yield from _groups(plan, state, window)
    yield from _tiers(plan.tiers, values)
    made = plan.reservation.meant() if plan.reservation is not None else None
    if made != state.snapshot.reservation:
        yield _violation("its reservation is not that of the snapshot")
    if plan.status != status_of(plan.tiers):
        yield _violation(f"status is {plan.status}, but the tiers say {status_of(plan.tiers)}")


def _violation(message: str, pod: str = "", node: str = "") -> Violation:
    return Violation("plan", pod, node, message)


def _complete(plan: Plan, window: Window) -> Iterator[Violation]:
    """Each pending pod is bound or unplaced, and nobody else is."""
    uids = {pod.key: pod.uid for pod in window.pods}
    bound = {(each.namespace, each.name) for each in plan.bindings}
    seen: set[tuple[str, str]] = set()
    for each in plan.unplaced:
        key, full_name = (each.namespace, each.name), f"{each.namespace}/{each.name}"
        if key not in uids:
            yield _violation("listed as unplaced, but not pending in the snapshot", full_name)
        elif each.uid != uids[key]:
            yield _violation(f"the pod has uid {uids[key]!r}, not {each.uid!r}", full_name)
        if key in seen:
            yield _violation("listed as unplaced twice", full_name)
        if key in bound:
            yield _violation("both bound and unplaced", full_name)
        seen.add(key)
    for pod in window.pods:
        if pod.key not in bound and pod.key not in seen:
            yield _violation("pending, but neither bound nor unplaced", pod.full_name)


def _about(plan: Plan, state: FinalState, window: Window) -> Iterator[Violation]:
    """The plan was made from a snapshot of this size."""
    sizes = (
        ("nodes", plan.snapshot.nodes, len(state.snapshot.nodes)),
        ("pods", plan.snapshot.pods, len(state.snapshot.pods)),
        ("pending", plan.snapshot.pending, len(window.pods)),
    )
    for what, stated, found in sizes:
        if stated != found:
            yield _violation(f"made from another snapshot: {stated} {what}, this one has {found}")


def _evictions(plan: Plan, state: FinalState) -> Iterator[Violation]:
    """Evicted pods run where the plan says, once, and go to a node that exists."""
    seen: set[tuple[str, str]] = set()
    evicted = {(each.namespace, each.name) for each in plan.evictions}
    pods = among(state.snapshot.pods, evicted) if evicted else {}
    for each in plan.evictions:
        key, full_name = (each.namespace, each.name), f"{each.namespace}/{each.name}"
        pod = pods.get(key)
        if pod is None or pod.uid != each.uid or pod.node != each.from_ or pod.terminal:
            yield _violation("evicted, but does not run there", full_name, each.from_)
        if key in seen:
            yield _violation("evicted twice", full_name, each.from_)
        if each.to is not None and each.to not in state.nodes:
            yield _violation("moved to a node that the snapshot does not hold", full_name, each.to)
        if (each.reason == "Moved") != (each.to is not None):
            yield _violation("a move has a node to go to, nothing else has", full_name, each.from_)
        seen.add(key)


def _sorted(plan: Plan) -> Iterator[Violation]:
    """Lists are in order; bindings are in binding order, which is not told from the file."""
    lists: tuple[tuple[str, Iterable[tuple[str, str]]], ...] = (
        ("evictions", ((each.namespace, each.name) for each in plan.evictions)),
        ("unplaced", ((each.namespace, each.name) for each in plan.unplaced)),
        ("podGroups", ((each.namespace, each.name) for each in plan.pod_groups)),
    )
    for name, keys in lists:
        given = list(keys)
        if given != sorted(given):
            yield _violation(f"{name} are not sorted by namespace and name")


def _groups(plan: Plan, state: FinalState, window: Window) -> Iterator[Violation]:
    """Counts and names of groups are what they are."""
    states = group_states(state, window)
    true = [(g.namespace, g.name, g.min_count, g.members, g.placed, g.status) for g in states]
    stated = [
        (g.namespace, g.name, g.min_count, g.members, g.placed, g.status) for g in plan.pod_groups
    ]
    known, listed = set(true), set(stated)
    for each in stated:
        if each not in known:
            yield _violation(f"podGroups says {each}", f"{each[0]}/{each[1]}")
    for each in true:
        if each not in listed:
            yield _violation(f"podGroups lacks {each}", f"{each[0]}/{each[1]}")
    names = _group_names(state)
    pods: list[Binding | Unplaced] = [*plan.bindings, *plan.unplaced]
    for pod in pods:
        expected = names.get((pod.namespace, pod.name))
        if pod.pod_group != expected:
            message = f"podGroup is {pod.pod_group!r}, not {expected!r}"
            yield _violation(message, f"{pod.namespace}/{pod.name}")


def _group_names(state: FinalState) -> dict[tuple[str, str], str]:
    groups = state.snapshot.groups
    return {key: groups[index].name for key, index in state.group_of.items()}


def _tiers(tiers: Iterable[PlanTier], values: Mapping[str, int] | None) -> Iterator[Violation]:
    """Values are what the objectives say, bounds are not passed, gap and status fit."""
    stated = {each.name for each in tiers}
    for name in sorted((values or {}).keys() - stated):
        yield _violation(f"there is no tier {name}")
    for each in tiers:
        if values is not None and each.name not in values:
            yield _violation(f"tier {each.name} is none of the profile's")
        elif values is not None and values[each.name] != each.value:
            yield _violation(
                f"tier {each.name} says {each.value}, but is worth {values[each.name]}"
            )
        if each.name.startswith("placed/") and each.bound < each.value:
            yield _violation(f"tier {each.name}: the bound {each.bound} is below the value")
        fitting = tier(each.name, each.value, each.bound)
        if abs(fitting.gap - each.gap) > _GAP_TOLERANCE or fitting.status != each.status:
            message = f"tier {each.name}: gap {each.gap} and status {each.status} do not fit"
            yield _violation(f"{message} value {each.value} and bound {each.bound}")
