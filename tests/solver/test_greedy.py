"""The greedy obeys every rule that was posted, on clusters that use all of them together."""

import random

import pytest

from batchsched.constraints import default_constraints
from batchsched.feasibility.compile import compile_problem
from batchsched.objectives.placed import Placed
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.node import Node
from batchsched.snapshot.parts import VOLCANO_TASK
from batchsched.snapshot.snapshot import Snapshot, pending
from batchsched.solver.budget import Budget
from batchsched.solver.greedy import Greedy
from batchsched.solver.incumbent import Incumbent
from batchsched.solver.model import Model
from batchsched.solver.places import places_of
from batchsched.solver.solve import Solution
from tests.builders import (
    make_node,
    make_pod,
    make_replicas,
    make_snapshot,
    make_spec,
    pod_term,
)
from tests.strategies import random_cluster, snapshot_of

RACK = "topology.kubernetes.io/rack"


@pytest.mark.parametrize("seed", [*range(60), 1199, 1366])
def test_the_greedy_answer_satisfies_every_row(seed: int) -> None:
    """Seeds 1199 and 1366: a row shared by a class's columns that is not the row of its size."""
    snapshot = snapshot_of(random_cluster(random.Random(seed)))
    model = Model(compile_problem(snapshot, pending(snapshot)))
    for constraint in default_constraints():
        constraint.post(model)
    model.rank(Placed().tiers(model))
    program = model.freeze()
    assert program.accepts(program.lower)
    point = Greedy(model, Incumbent(program), Budget(10.0, None)).complete()
    assert program.accepts(point.x)


def _greedy(snapshot: Snapshot) -> dict[str, str]:
    """Where the greedy places the pods of a cluster, by name."""
    model = Model(compile_problem(snapshot, pending(snapshot)))
    for constraint in default_constraints():
        constraint.post(model)
    model.rank(Placed().tiers(model))
    point = Greedy(model, Incumbent(model.freeze()), Budget(10.0, None)).complete()
    return {
        key[1]: node for key, node in places_of(model, Solution(point.x, ())).placements.items()
    }


def _racks(*cpus: int) -> list[Node]:
    """Nodes of so many milli-cores, each in a rack of its own."""
    return [make_node(f"n{i}", cpu=cpu, labels={RACK: f"r{i}"}) for i, cpu in enumerate(cpus)]


def test_a_series_is_opened_where_there_is_room_for_all_of_it() -> None:
    """The tightest node has room for one only, the next for all three."""
    spec = make_spec(cpu=1000, affinity=(pod_term({"app": "a"}, RACK),))
    pods = [make_pod(f"p{i}", labels={"app": "a"}, spec=spec) for i in range(3)]
    placed = _greedy(make_snapshot(_racks(1000, 3000, 9000), pods))
    assert placed == {"p0": "n1", "p1": "n1", "p2": "n1"}


def test_what_one_domain_cannot_hold_of_a_series_goes_to_others() -> None:
    """A second domain is open to two together, not to one."""
    spec = make_spec(cpu=1000, affinity=(pod_term({"app": "a"}, RACK),))
    pods = [make_pod(f"p{i}", labels={"app": "a"}, spec=spec) for i in range(5)]
    assert len(_greedy(make_snapshot(_racks(3000, 2000, 1000), pods))) == 5


def test_a_follower_is_placed_though_whom_it_follows_is_placed_after_it() -> None:
    """Larger pods go first; this one finds its company the second time."""
    large = make_pod("large", cpu=2000, affinity=(pod_term({"app": "a"}, RACK),))
    small = make_pod("small", labels={"app": "a"}, cpu=1000)
    placed = _greedy(make_snapshot(_racks(4000, 4000), [large, small]))
    assert placed["large"] == placed["small"]


def test_a_gang_of_different_members_finds_the_rack_that_holds_them_all() -> None:
    """The rack that suits the largest member best has no room for the others."""
    group = PodGroup("scheduling.k8s.io", "default", "g", min_count=3, required_topology=RACK)
    large = make_pod("large", cpu=2000, pod_group="g")
    small = [make_pod(f"small-{i}", cpu=1000, pod_group="g") for i in range(2)]
    nodes = _racks(2000, 3000, 4000)
    placed = _greedy(make_snapshot(nodes, [large, *small], groups={group: [large, *small]}))
    assert placed == {"large": "n2", "small-0": "n2", "small-1": "n2"}


def test_a_gang_gets_the_minimum_of_each_part_before_more_of_the_largest() -> None:
    """The workers alone would fill the node, and be of no use without their server."""
    parts = (("ps", 1), ("worker", 1))
    group = PodGroup("scheduling.volcano.sh", "default", "g", min_count=2, parts=parts)
    of_part = {name: {"annotations": ((VOLCANO_TASK, name),)} for name, _ in parts}
    server = make_pod("ps", cpu=2000, pod=of_part["ps"])
    workers = [make_pod(f"w-{i}", cpu=3000, pod=of_part["worker"]) for i in range(4)]
    members = [server, *workers]
    placed = _greedy(make_snapshot(_racks(6000), members, groups={group: members}))
    assert sorted(placed) == ["ps", "w-0"]


def test_a_gang_in_slices_is_placed_in_whole_ones() -> None:
    """Four pods would fit into the first rack, but three are a slice."""
    group = PodGroup(
        "scheduling.k8s.io", "default", "g", min_count=6, slice_topology=RACK, slice_size=3
    )
    members = make_replicas(6, cpu=1000, pod_group="g")
    placed = _greedy(make_snapshot(_racks(4000, 5000), members, groups={group: members}))
    assert sorted(placed.values()) == ["n0"] * 3 + ["n1"] * 3


def test_who_is_favoured_goes_first() -> None:
    snapshot = make_snapshot(
        [make_node(cpu=1000)], [make_pod("a", cpu=1000), make_pod("b", cpu=900)]
    )
    model = Model(compile_problem(snapshot, pending(snapshot)))
    for constraint in default_constraints():
        constraint.post(model)
    favoured = model.problem.requests[:, 0] == 900
    point = Incumbent(model.freeze())
    Greedy(model, point, Budget(10.0, None), favoured=favoured).complete()
    placed = model.counts.classes[point.x[: len(model.counts)] > 0]
    assert favoured[placed].tolist() == [True]
