"""Pod groups in a final state: how many members exist, how many have a place, and what that makes.

Running members (bound, not ended, not on their way out) count among both.
"""

from collections.abc import Mapping

from batchsched.plan.plan import GroupStatus, PlanPodGroup
from batchsched.plan.state import FinalState
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Window


def group_states(
    state: FinalState, window: Window, messages: Mapping[tuple[str, str], str] | None = None
) -> tuple[PlanPodGroup, ...]:
    """Each group with a member in the window, sorted.

    Args:
        state: The final state.
        window: The pending pods that were decided on.
        messages: Why a pod stays pending; an unplaced group says what its first member says.
    """
    group_of = state.group_of
    pending = dict[int, list[Pod]]()
    for pod in window.pods:
        if pod.key in group_of:
            pending.setdefault(group_of[pod.key], []).append(pod)
    placed = dict.fromkeys(pending, 0)
    members = state.running_members
    running = {group: len(members.get(group, ())) for group in pending}
    for each in state.placed:
        group = group_of.get(each.pod.key, -1)
        if group in placed:
            placed[group] += 1
    said = messages or {}
    return tuple(
        _state(
            state.snapshot.groups[group],
            running[group] + len(pending[group]),
            running[group] + placed[group],
            next((said[pod.key] for pod in pending[group] if said.get(pod.key)), ""),
        )
        for group in sorted(pending, key=lambda group: state.snapshot.groups[group].key)
    )


def _state(group: PodGroup, members: int, placed: int, message: str) -> PlanPodGroup:
    status: GroupStatus = "Unplaced"
    if group.problem is not None:
        status, message = "Waiting", group.problem
    elif placed >= max(1, group.min_count):
        status, message = "Placed", ""
    elif members < group.min_count:
        status, message = "Waiting", f"{members} of {group.min_count} members exist"
    return PlanPodGroup(
        namespace=group.namespace,
        name=group.name,
        min_count=group.min_count,
        members=members,
        placed=placed,
        status=status,
        message=message,
    )
