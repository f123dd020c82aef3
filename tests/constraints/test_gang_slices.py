"""Gang slices (§C16): in each domain that gets members, they are a multiple of the size."""

from batchsched.constraints.gang_slices import GangSlices
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot
from batchsched.testing import verify_constraint
from tests.builders import ZONE, make_node, make_pod, make_replicas, make_snapshot
from tests.constraints.pairs import allows, drawn, posted

NODES = [
    make_node("a1", labels={ZONE: "a"}),
    make_node("a2", labels={ZONE: "a"}),
    make_node("b1", labels={ZONE: "b"}),
    make_node("bare"),
]


def sliced(*members: Pod, size: int = 2) -> Snapshot:
    group = PodGroup("batchsched.io", "default", "g", slice_topology=ZONE, slice_size=size)
    return make_snapshot(NODES, members, groups={group: members})


def test_members_of_a_slice_are_in_one_domain() -> None:
    snapshot = sliced(*make_replicas(2))
    assert allows(GangSlices(), snapshot, **{"p-0000": "a1", "p-0001": "a2"})
    assert not allows(GangSlices(), snapshot, **{"p-0000": "a1", "p-0001": "b1"})


def test_slices_may_be_in_different_domains() -> None:
    snapshot = sliced(*make_replicas(4))
    places = {"p-0000": "a1", "p-0001": "a2", "p-0002": "b1", "p-0003": "b1"}
    assert allows(GangSlices(), snapshot, **places)
    assert not allows(GangSlices(), snapshot, **(places | {"p-0003": "a1"}))


def test_members_of_different_kinds_are_counted_together() -> None:
    snapshot = sliced(make_pod("leader", cpu=1), make_pod("worker", cpu=2))
    assert allows(GangSlices(), snapshot, leader="a1", worker="a2")
    assert not allows(GangSlices(), snapshot, leader="a1")


def test_a_replacement_goes_where_its_slice_lacks_it() -> None:
    snapshot = sliced(make_pod("r", node="b1"), make_pod("p1"))
    assert allows(GangSlices(), snapshot, p1="b1")
    assert not allows(GangSlices(), snapshot, p1="a1")


def test_a_slice_that_is_short_keeps_nobody_from_other_domains() -> None:
    snapshot = sliced(make_pod("r", node="b1"), *make_replicas(2))
    assert allows(GangSlices(), snapshot, **{"p-0000": "a1", "p-0001": "a1"})


def test_a_node_without_the_key_receives_no_member() -> None:
    assert not allows(GangSlices(), sliced(make_pod("p1"), size=1), p1="bare")


def test_a_group_without_slices_needs_no_rows() -> None:
    group = PodGroup("batchsched.io", "default", "g")
    assert posted(GangSlices(), make_snapshot(NODES, groups={group: []})).rows == 0


def test_rows_and_check_agree_on_every_placement_of_small_problems() -> None:
    assert verify_constraint(GangSlices(), drawn(400, "gang")) > 2000
