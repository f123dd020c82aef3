"""The greedy policies score as kube-scheduler does, keep every filter, and admit gangs whole."""

import numpy as np
import pytest

from batchsched.constraints import default_constraints
from batchsched.plan.verify import verify
from batchsched.sim.policies import SCORES, best_fit, greedy, least_allocated, most_allocated
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.node import Taint
from batchsched.snapshot.snapshot import Snapshot, pending
from tests.builders import (
    HOSTNAME,
    ZONE,
    make_node,
    make_pod,
    make_replicas,
    make_snapshot,
    pod_term,
    spread,
)

ALL = sorted(SCORES)


def placed(policy: str, snapshot: Snapshot) -> dict[str, str]:
    """Who goes where; the plan is verified on the way."""
    window = pending(snapshot)
    plan = greedy(policy)(snapshot, window)
    assert not verify(plan, snapshot, window, default_constraints())
    return {binding.name: binding.node for binding in plan.bindings}


def test_the_scores_are_kube_schedulers() -> None:
    allocatable = np.array([[4000.0, 8000.0], [4000.0, 8000.0]])
    left = np.array([[3000.0, 6000.0], [1000.0, 4000.0]])
    requests = np.array([1000.0, 1000.0])
    assert most_allocated(left, allocatable, requests).tolist() == [25.0, 62.5]
    least = least_allocated(left, allocatable, requests)
    assert least.tolist() == [75.0 + 100.0, 37.5 + 87.5]
    assert best_fit(left, allocatable, requests).tolist() == [-1.5, -0.75]


@pytest.mark.parametrize(
    ("policy", "nodes"),
    [("least-allocated", {"n1", "n2"}), ("most-allocated", {"n1"}), ("best-fit", {"n1"})],
)
def test_the_policies_spread_or_pack(policy: str, nodes: set[str]) -> None:
    snapshot = make_snapshot([make_node("n1"), make_node("n2")], make_replicas(2, cpu=1000))
    assert set(placed(policy, snapshot).values()) == nodes


@pytest.mark.parametrize("policy", ALL)
def test_a_higher_priority_goes_first_and_then_the_older(policy: str) -> None:
    node = make_node("n1", cpu=1000)
    low = make_pod("a", cpu=1000, pod={"created": "2026-01-01T00:00:00Z"})
    high = make_pod("b", cpu=1000, priority=7, pod={"created": "2026-01-02T00:00:00Z"})
    assert set(placed(policy, make_snapshot([node], [low, high]))) == {"b"}
    young = make_pod("c", cpu=1000, pod={"created": "2026-01-02T00:00:00Z"})
    old = make_pod("d", cpu=1000, pod={"created": "2026-01-01T00:00:00Z"})
    assert set(placed(policy, make_snapshot([node], [young, old]))) == {"d"}


@pytest.mark.parametrize("policy", ALL)
def test_filters_hold_for_pods_of_the_same_window(policy: str) -> None:
    nodes = [make_node(f"n{i}", labels={ZONE: f"z{i % 2}"}) for i in range(4)]
    nodes.append(make_node("tainted", taints=[Taint("team", "x", "NoSchedule")]))
    apart = {"anti_affinity": (pod_term({"app": "apart"}, HOSTNAME),)}
    even = {"spread": (spread({"app": "even"}, ZONE),)}
    pods = [
        *make_replicas(5, "apart", labels={"app": "apart"}, cpu=100, **apart),
        *make_replicas(4, "even", labels={"app": "even"}, cpu=100, **even),
    ]
    found = placed(policy, make_snapshot(nodes, pods))
    assert len([name for name in found if name.startswith("apart")]) == 4
    assert len([name for name in found if name.startswith("even")]) == 4
    assert "tainted" not in found.values()


@pytest.mark.parametrize("policy", ALL)
def test_a_gang_is_placed_whole_or_not_at_all(policy: str) -> None:
    nodes = [make_node("n1", cpu=2000), make_node("n2", cpu=2000)]
    too_many, fitting = make_replicas(5, "a", cpu=1000), make_replicas(4, "b", cpu=1000)
    groups = {
        PodGroup("batchsched.io", "default", "a", min_count=5): too_many,
        PodGroup("batchsched.io", "default", "b", min_count=4): fitting,
    }
    found = placed(policy, make_snapshot(nodes, [*too_many, *fitting], groups=groups))
    assert sorted(found) == [pod.name for pod in fitting]


@pytest.mark.parametrize("policy", ALL)
def test_a_gang_stays_in_one_domain(policy: str) -> None:
    nodes = [make_node(f"n{i}", cpu=2000, labels={ZONE: f"z{i // 2}"}) for i in range(4)]
    pods = make_replicas(3, "a", cpu=1000)
    group = PodGroup("batchsched.io", "default", "a", min_count=3, required_topology=ZONE)
    found = placed(policy, make_snapshot(nodes, pods, groups={group: pods}))
    assert len(found) == 3
    assert len({int(node[1]) // 2 for node in found.values()}) == 1
