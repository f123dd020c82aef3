"""What a plan says of pod groups: how many exist, how many have a place, and what that makes."""

import pytest

from batchsched.plan.groups import group_states
from batchsched.plan.plan import PlanPodGroup
from batchsched.plan.verify import final_state
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.snapshot import pending
from tests.builders import make_node, make_pod, make_replicas, make_snapshot


def state_of(
    min_count: int, placed: int, *, running: int = 0, problem: str | None = None
) -> PlanPodGroup:
    """A group with three pending members, some of them placed, and some running ones."""
    members = [*make_replicas(3), *make_replicas(running, "r", node="n1")]
    group = PodGroup("batchsched.io", "default", "g", min_count, problem=problem)
    snapshot = make_snapshot([make_node("n1")], members, groups={group: members})
    window = pending(snapshot)
    places = {pod.key: "n1" for pod in window.pods[:placed]}
    messages = {pod.key: f"why {pod.name}" for pod in window.pods[placed:]}
    (found,) = group_states(final_state(snapshot, window, places), window, messages)
    return found


@pytest.mark.parametrize(
    ("found", "members", "placed", "status", "message"),
    [
        (state_of(3, 3), 3, 3, "Placed", ""),
        (state_of(2, 2), 3, 2, "Placed", ""),
        (state_of(3, 0), 3, 0, "Unplaced", "why p-0000"),
        (state_of(4, 3, running=1), 4, 4, "Placed", ""),
        (state_of(4, 0, running=1), 4, 1, "Unplaced", "why p-0000"),
        (state_of(1, 0, running=1), 4, 1, "Placed", ""),
        (state_of(4, 0), 3, 0, "Waiting", "3 of 4 members exist"),
        (state_of(0, 0), 3, 0, "Unplaced", "why p-0000"),
        (state_of(0, 1), 3, 1, "Placed", ""),
        (state_of(3, 0, problem="it does not exist"), 3, 0, "Waiting", "it does not exist"),
    ],
)
def test_what_becomes_of_a_group(
    found: PlanPodGroup, members: int, placed: int, status: str, message: str
) -> None:
    assert (found.members, found.placed) == (members, placed)
    assert (found.status, found.message) == (status, message)


def test_groups_without_pending_members_are_left_out_and_the_rest_is_sorted() -> None:
    groups = {
        PodGroup("batchsched.io", "default", name, 1): [make_pod(f"p-{name}", node=node)]
        for name, node in (("b", None), ("a", None), ("runs", "n1"))
    }
    pods = [pod for members in groups.values() for pod in members]
    snapshot = make_snapshot([make_node("n1")], pods, groups=groups)
    window = pending(snapshot)
    assert [g.name for g in group_states(final_state(snapshot, window, {}), window)] == ["a", "b"]
