"""Gang topology (§C9): a group that asks for one domain is in one domain."""

import numpy as np

from batchsched.constraints.gang import Gang
from batchsched.constraints.gang_topology import GangTopology
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot
from batchsched.solver.model import Model
from batchsched.solver.relax import relax
from batchsched.testing import verify_constraint
from tests.builders import HOSTNAME, ZONE, make_node, make_pod, make_replicas, make_snapshot
from tests.constraints.pairs import allows, drawn, posted

NODES = [
    make_node("a1", labels={ZONE: "a"}),
    make_node("a2", labels={ZONE: "a"}),
    make_node("b1", labels={ZONE: "b"}),
    make_node("bare"),
]


def together(*members: Pod, key: str = ZONE, min_count: int = 0) -> Snapshot:
    group = PodGroup("batchsched.io", "default", "g", min_count, required_topology=key)
    return make_snapshot(NODES, members, groups={group: members})


def test_placed_members_are_in_one_domain() -> None:
    snapshot = together(*make_replicas(2))
    assert allows(GangTopology(), snapshot, **{"p-0000": "a1", "p-0001": "a2"})
    assert not allows(GangTopology(), snapshot, **{"p-0000": "a1", "p-0001": "b1"})


def test_members_of_different_kinds_are_in_one_domain_too() -> None:
    snapshot = together(make_pod("small", cpu=1), make_pod("large", cpu=2), key=HOSTNAME)
    assert allows(GangTopology(), snapshot, small="a1", large="a1")
    assert not allows(GangTopology(), snapshot, small="a1", large="a2")


def test_a_node_without_the_key_receives_no_member() -> None:
    assert not allows(GangTopology(), together(make_pod("p1")), p1="bare")


def test_running_members_pin_the_domain() -> None:
    snapshot = together(make_pod("r", node="b1"), make_pod("p1"))
    assert allows(GangTopology(), snapshot, p1="b1")
    assert not allows(GangTopology(), snapshot, p1="a1")


def test_running_members_in_two_domains_leave_no_place_for_more() -> None:
    snapshot = together(make_pod("r1", node="a1"), make_pod("r2", node="b1"), make_pod("p1"))
    assert not allows(GangTopology(), snapshot, p1="a1")


def test_members_in_no_domain_or_on_their_way_out_pin_nothing() -> None:
    leaving = make_pod("r1", node="b1", pod={"deleting": True})
    snapshot = together(leaving, make_pod("r2", node="bare"), make_pod("p1"))
    assert allows(GangTopology(), snapshot, p1="a1")


def test_a_pinned_group_needs_no_columns() -> None:
    assert posted(GangTopology(), together(make_pod("r", node="b1"), make_pod("p1"))).rows == 0


def test_a_gang_that_fits_into_no_domain_is_not_placed_in_fractions_either() -> None:
    members = make_replicas(3, cpu=3000)
    model = posted(Gang(), together(*members, min_count=3))
    assert fractions(model) == 3
    GangTopology().post(model)
    assert fractions(model) == 0


def fractions(model: Model) -> float:
    """What can be placed where every count is real."""
    program = model.freeze()
    objective = (np.arange(program.width) < program.counts).astype(np.int64)
    return relax(program, objective, 10.0, deterministic=True).optimum


def test_rows_and_check_agree_on_every_placement_of_small_problems() -> None:
    assert verify_constraint(GangTopology(), drawn(400, "gang")) > 2000
