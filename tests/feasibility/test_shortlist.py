"""Shortlists: which nodes a class gets where there are too many pairs, and what then is proven."""

import random

import numpy as np
import pytest

from batchsched.constraints import default_constraints
from batchsched.feasibility import shortlist
from batchsched.feasibility.compile import compile_problem
from batchsched.feasibility.shortlist import crowded, shortlisted
from batchsched.objectives.placed import Placed
from batchsched.profile import named_profiles
from batchsched.scheduler import Compiler, Limits, schedule
from batchsched.snapshot.allowance import NOTHING
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.node import Node
from batchsched.snapshot.snapshot import Snapshot, pending
from batchsched.solver.budget import Budget
from batchsched.solver.solve import solve
from tests.builders import ZONE, make_node, make_pod, make_replicas, make_snapshot, pod_term, spread
from tests.strategies import Size, random_cluster, snapshot_of

ZONES = "abcd"


@pytest.fixture(autouse=True)
def _few_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortlist, "CELLS_MAX", 3)
    monkeypatch.setattr(shortlist, "CELLS_WANTED", 0)
    monkeypatch.setattr(shortlist, "NODES_MIN", 2)


def nodes(count: int = 12) -> list[Node]:
    labels = [{ZONE: ZONES[i % len(ZONES)]} for i in range(count)]
    return [make_node(f"n{i:02}", labels=each, cpu=1000) for i, each in enumerate(labels)]


def listed(snapshot: Snapshot) -> list[list[str]]:
    """The nodes that each class has a column on."""
    problem = shortlisted(compile_problem(snapshot, pending(snapshot)))
    assert problem.shortlist is not None
    return [[problem.nodes[n].name for n in np.flatnonzero(row)] for row in problem.shortlist]


def test_a_problem_of_few_pairs_is_not_crowded() -> None:
    snapshot = make_snapshot(nodes(3), [make_pod("p", cpu=500)])
    assert not crowded(compile_problem(snapshot, pending(snapshot)))


def test_what_is_wanted_is_listed_with_others_about_it() -> None:
    snapshot = make_snapshot(nodes(), [make_pod("p", cpu=900), make_pod("q", cpu=901)])
    problem = compile_problem(snapshot, pending(snapshot))
    wanted = np.array([0, 1]), np.array([7, 3])
    found = shortlisted(problem, wanted).shortlist
    assert found is not None
    assert [np.flatnonzero(row).tolist() for row in found] == [[6, 7], [2, 3]]


def test_distinct_pods_get_different_nodes() -> None:
    first, second = listed(make_snapshot(nodes(), [make_pod("p", cpu=900), make_pod("q", cpu=901)]))
    assert len(first) == len(second) == 2
    assert first != second


def test_a_class_gets_room_for_all_its_pods_and_more() -> None:
    (found,) = listed(make_snapshot(nodes(), make_replicas(4, cpu=800)))
    assert len(found) == shortlist.ROOM_FACTOR * 4


def test_classes_of_one_gang_get_the_same_nodes_of_one_domain() -> None:
    pods = [make_pod("p", cpu=900), make_pod("q", cpu=901)]
    gang = PodGroup("batchsched.io", "default", "g", min_count=2, required_topology=ZONE)
    first, second = listed(make_snapshot(nodes(), pods, groups={gang: pods}))
    assert first == second
    assert len({int(name[1:]) % len(ZONES) for name in first}) == 1


def test_classes_that_want_each_others_company_get_the_same_nodes() -> None:
    leader = make_pod("p", labels={"app": "web"}, cpu=900)
    follower = make_pod("q", affinity=(pod_term({"app": "web"}),), cpu=100)
    first, second = listed(make_snapshot(nodes(), [make_pod("o", cpu=500), leader, follower]))[1:]
    assert first == second


def test_pods_to_be_spread_get_nodes_from_all_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortlist, "NODES_MIN", 4)
    pod = make_pod("p", labels={"app": "web"}, spread=(spread({"app": "web"}),))
    (found,) = listed(make_snapshot(nodes(), [pod]))
    assert (found[0], found[-1]) == ("n00", "n11")


@pytest.mark.parametrize("seed", range(60))
def test_a_plan_on_a_shortlist_claims_no_bound_that_it_has_not(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = snapshot_of(random_cluster(random.Random(seed), Size(8, 8, 6)))
    profile = ["default", "spread", "least-fragmentation"][seed % 3]
    short = _tiers(snapshot, profile)
    monkeypatch.setattr(shortlist, "CELLS_MAX", 10**6)
    for (name, value, bound), (_, best, _) in zip(short, _tiers(snapshot, profile), strict=True):
        sign = -1 if name == "disruption" or name.startswith("packing/") else 1
        least_fragmentation = name == "packing/least-fragmentation"
        assert (bound - best) * (1 if least_fragmentation else sign) >= 0
        if value != best:
            break  # what the tiers below are worth depends on this one


@pytest.mark.parametrize("seed", range(60))
def test_what_a_guide_starts_from_is_no_worse_than_the_greedy_alone(seed: int) -> None:
    """Without time for any search, also where rules forbid what the guide says."""
    snapshot = snapshot_of(random_cluster(random.Random(seed), Size(8, 8, 6)))
    constraints, objectives = default_constraints(), (Placed(),)
    window = pending(snapshot)
    compiler = Compiler(snapshot, window, NOTHING, constraints, objectives, whole=False)
    model = compiler.model(Budget(1.0, None))
    model.rank(objectives[0].tiers(model))
    if not model.stages:
        return
    values = []
    for guide in (model.guide, None):
        model.guide = guide
        solution = solve(model, Limits(0.0, deterministic=True), lambda: 0.0)
        values.append([result.value for result in solution.tiers])
    assert values[0] >= values[1]


def _tiers(snapshot: Snapshot, profile: str) -> list[tuple[str, int, int]]:
    limits, window = Limits(time_limit_s=10, deterministic=True), pending(snapshot)
    plan = schedule(snapshot, window, named_profiles()[profile], limits, clock=lambda: 0.0)
    return [(tier.name, tier.value, tier.bound) for tier in plan.tiers]
