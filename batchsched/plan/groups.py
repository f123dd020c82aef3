"""Pod groups in a final state: how many members exist, how many have a place, and what that makes.

Running members (bound, not ended, not on their way out) count among both.
"""

from collections.abc import Mapping, Sequence

from batchsched.plan.plan import GroupStatus, PlanPodGroup
from batchsched.plan.state import FinalState
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.parts import lack
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
    members = state.running_members
    running = {group: members.get(group, ()) for group in pending}
    placed = {group: [*running[group]] for group in pending}
    for each in state.placed:
        group = group_of.get(each.pod.key, -1)
        if group in placed:
            placed[group].append(each.pod)
    said = messages or {}
    return tuple(
        _state(
            state.snapshot.groups[group],
            [*running[group], *pending[group]],
            placed[group],
            next((said[pod.key] for pod in pending[group] if said.get(pod.key)), ""),
        )
        for group in sorted(pending, key=lambda group: state.snapshot.groups[group].key)
    )


def _state(
    group: PodGroup, members: Sequence[Pod], placed: Sequence[Pod], message: str
) -> PlanPodGroup:
    status: GroupStatus = "Unplaced"
    if group.problem is not None:
        status, message = "Waiting", group.problem
    elif placed and lack(group, placed) is None:
        status, message = "Placed", ""
    elif (lacking := lack(group, members)) is not None:
        status, message = (
            "Waiting",
            f"{lacking.there} of {lacking.needed} members{lacking.of_part} exist",
        )
    return PlanPodGroup(
        namespace=group.namespace,
        name=group.name,
        min_count=group.min_count,
        members=len(members),
        placed=len(placed),
        status=status,
        message=message,
    )
