"""Assignment (§C1): a pending pod has one place at most, and nobody else is placed."""

from dataclasses import replace

from batchsched.constraints.assignment import Assignment
from batchsched.plan.state import FinalState, Placed
from batchsched.plan.verify import final_state
from batchsched.snapshot.snapshot import pending
from batchsched.testing import verify_constraint
from tests.builders import make_node, make_pod, make_replicas, make_snapshot
from tests.constraints.pairs import allows, drawn, posted

SNAPSHOT = make_snapshot([make_node("n1"), make_node("n2")], [make_pod("p1"), make_pod("p2")])


def state(**placements: str) -> FinalState:
    keyed = {("default", name): node for name, node in placements.items()}
    return final_state(SNAPSHOT, pending(SNAPSHOT), keyed)


def messages(state: FinalState) -> list[str]:
    return [violation.message for violation in Assignment().check(state)]


def test_every_pod_may_have_a_place() -> None:
    assert allows(Assignment(), SNAPSHOT, p1="n1", p2="n1")


def test_a_class_is_not_placed_more_often_than_it_has_pods() -> None:
    snapshot = make_snapshot([make_node("n1"), make_node("n2")], make_replicas(3))
    program = posted(Assignment(), snapshot).freeze()
    assert program.row_upper.tolist() == [3]


def test_a_class_that_cannot_be_exceeded_needs_no_row() -> None:
    assert posted(Assignment(), make_snapshot([make_node()], make_replicas(3))).rows == 0


def test_a_pod_on_two_nodes_is_found() -> None:
    one = state(p1="n1")
    twice = (*one.placed, Placed(one.placed[0].pod, one.nodes["n2"], new=True))
    assert messages(replace(one, placed=twice)) == ["the pod has a place already"]


def test_a_pod_that_runs_is_not_placed_again() -> None:
    snapshot = make_snapshot([make_node("n1")], [make_pod("p1", node="n1")])
    node = snapshot.nodes[0]
    again = Placed(snapshot.pods[0], node, new=True)
    stays = FinalState(snapshot, {"n1": node}, snapshot.pods, (again,), ())
    assert messages(stays) == ["the pod has a place already"]
    assert messages(replace(stays, kept=())) == ["the pod is not pending"]


def test_a_pod_that_runs_may_be_placed_where_it_is_moved() -> None:
    snapshot = make_snapshot([make_node("n1"), make_node("n2")], [make_pod("p1", node="n1")])
    moved = final_state(snapshot, pending(snapshot), {}, {("default", "p1"): "n2"})
    assert [placed.node.name for placed in moved.placed] == ["n2"]
    assert messages(moved) == []


def test_a_pod_that_the_snapshot_does_not_hold_is_found() -> None:
    one = state(p1="n1")
    ghost = Placed(replace(one.pods[0].pod, uid="another"), one.nodes["n1"], new=True)
    assert messages(replace(one, placed=(ghost,))) == ["the snapshot holds no such pod"]


def test_a_pod_that_is_both_placed_and_left_is_found() -> None:
    one = state(p1="n1")
    both = replace(one, unplaced=(one.pods[0].pod,))
    assert messages(both) == ["the pod is both placed and left unplaced"]


def test_gated_and_leaving_pods_are_not_placed() -> None:
    gated = make_pod("p1", gated=True)
    leaving = make_pod("p2", pod={"deleting": True})
    snapshot = make_snapshot([make_node("n1")], [gated, leaving])
    node = snapshot.nodes[0]
    placed = tuple(Placed(pod, node, new=True) for pod in snapshot.pods)
    found = messages(FinalState(snapshot, {"n1": node}, (), placed, ()))
    assert found == ["the pod is not pending"] * 2


def test_rows_and_check_agree_on_every_placement_of_small_problems() -> None:
    assert verify_constraint(Assignment(), drawn(150, "capacity")) > 500
