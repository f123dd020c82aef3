"""Windows that follow each other: one starts from the plan of the other, and ends the same."""

import random
from dataclasses import replace

import pytest

from batchsched import scheduler
from batchsched.feasibility.compile import compile_problem
from batchsched.plan.plan import Plan
from batchsched.profile import constraints_of, default_profile
from batchsched.scheduler import Limits, schedule
from batchsched.snapshot.snapshot import Snapshot, Window, pending
from batchsched.solver.model import Model
from tests.builders import make_node, make_pod
from tests.strategies import random_cluster, snapshot_of

LIMITS = Limits(time_limit_s=10.0, workers=1, deterministic=True)
NO_TIME = replace(LIMITS, time_limit_s=0.0)


def planned(snapshot: Snapshot, limits: Limits = LIMITS, before: Plan | None = None) -> Plan:
    """The plan of all that is pending."""
    window = pending(snapshot)
    return schedule(snapshot, window, default_profile(), limits, lambda: 0.0, before=before)


def changed(snapshot: Snapshot, draw: random.Random) -> Snapshot:
    """The cluster a moment later: some pending pods and perhaps a node are gone."""
    pods = tuple(pod for pod in snapshot.pods if pod.node is not None or draw.random() < 0.8)
    gone = draw.choice([node.name for node in snapshot.nodes])
    nodes = tuple(node for node in snapshot.nodes if node.name != gone)
    if not nodes or any(pod.node == gone for pod in pods):
        nodes = snapshot.nodes
    of_group = tuple(each for each in snapshot.group_of if each[0] in {pod.key for pod in pods})
    return replace(snapshot, pods=pods, nodes=nodes, group_of=of_group)


@pytest.mark.parametrize("seed", range(40))
def test_warm_and_cold_windows_agree_in_every_tier_that_is_proven(seed: int) -> None:
    draw = random.Random(seed)
    first = snapshot_of(random_cluster(draw))
    then = changed(first, draw)
    cold, warm = planned(then), planned(then, before=planned(first))
    for a, b in zip(cold.tiers, warm.tiers, strict=True):
        if "Optimal" not in {a.status, b.status}:
            break
        assert (a.value, a.bound) == (b.value, b.bound)


@pytest.mark.parametrize("seed", range(40))
def test_a_warm_start_is_never_worse_than_the_greedy(seed: int) -> None:
    snapshot = snapshot_of(random_cluster(random.Random(seed)))
    cold, best = planned(snapshot, NO_TIME), planned(snapshot)
    warm = planned(snapshot, NO_TIME, before=best)
    worth = [[t.value if t.name[0:6] == "placed" else 0 for t in p.tiers] for p in (cold, warm)]
    assert worth[0] <= worth[1]


def blocked_by_greed() -> Snapshot:
    """Best fit leaves one of the pods out, large ones first or small ones; all of them fit."""
    cores = {"u": 2, "v": 4, "w": 6, "x": 5, "y": 5, "z": 2}
    return Snapshot(
        nodes=(make_node("a", cpu=12_000), make_node("b", cpu=12_000)),
        pods=tuple(make_pod(name, cpu=1_000 * size) for name, size in cores.items()),
    )


def test_what_an_earlier_plan_found_is_there_at_once() -> None:
    snapshot = blocked_by_greed()
    best = planned(snapshot)
    assert len(planned(snapshot, NO_TIME).bindings) < len(best.bindings) == 6
    assert planned(snapshot, NO_TIME, before=best).bindings == best.bindings


def test_a_plan_of_another_cluster_is_no_place_to_start_from() -> None:
    other = Snapshot(nodes=(make_node("far"),), pods=(make_pod("stranger"),))
    snapshot = blocked_by_greed()
    assert planned(snapshot, before=planned(other)) == planned(snapshot)


def test_targets_count_pods_that_are_still_pending_on_nodes_that_are_still_there() -> None:
    snapshot = blocked_by_greed()
    before = planned(snapshot)
    later = replace(snapshot, nodes=snapshot.nodes[1:], pods=snapshot.pods[1:])
    window: Window = pending(later)
    problem = compile_problem(later, window)
    model = Model(problem)
    for rule in constraints_of(default_profile()):
        rule.post(model)
    on_b = sum(b.node == "b" and b.name != "u" for b in before.bindings)
    assert scheduler.targets_of(model, before).sum() == on_b
