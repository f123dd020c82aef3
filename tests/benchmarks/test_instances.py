"""Instances are drawn from seeds alone, and are as their modules say they are."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from batchsched.feasibility.compile import compile_problem
from batchsched.snapshot.encode_cluster import written
from batchsched.snapshot.read import read
from batchsched.snapshot.snapshot import Snapshot, holding, pending
from tests.benchmarks.instances.backlog import GPU, PRIORITIES, backlog
from tests.benchmarks.instances.distinct import distinct
from tests.benchmarks.instances.gangs_by_domain import gangs_by_domain
from tests.benchmarks.instances.hidden_gangs import IMPOSSIBLE, hidden_gangs
from tests.benchmarks.instances.priority_matters import Cell, instances, started, workload
from tests.benchmarks.instances.random_mix import TIME_LIMIT_S, random_instance, time_limit_s
from tests.benchmarks.instances.rules_at_scale import NAMES, rule_at_scale
from tests.benchmarks.instances.small_windows import small_window

SMALL: dict[str, Callable[[int], Snapshot]] = {
    "backlog": lambda seed: backlog(30, 100, 12, seed=seed),
    "distinct": lambda seed: distinct(10, 40, seed=seed),
    "small window": lambda seed: small_window(20, 10, 0.5, seed=seed),
    "gangs by domain": lambda seed: gangs_by_domain(32, 16, 10, running=0.5, asked=0.9, seed=seed),
    "hidden gangs": lambda seed: hidden_gangs(20, seed=seed, planted=IMPOSSIBLE[0]),
    "priority matters": lambda seed: started(workload(Cell(4, 16, 0.95), seed)),
    **{
        rule: lambda seed, rule=rule: rule_at_scale(rule, 80, 60, seed=seed)  # type: ignore[misc]
        for rule in NAMES
    },
}

QUOTED = Cell(32, 128, 0.95), 484806185843093489
"""An instance of which some is published."""


@pytest.mark.parametrize("kind", SMALL)
def test_a_seed_gives_the_same_bytes(kind: str) -> None:
    assert written(SMALL[kind](7)) == written(SMALL[kind](7))
    assert written(SMALL[kind](7)) != written(SMALL[kind](8))


@pytest.mark.parametrize("kind", SMALL)
def test_an_export_is_read_back_as_it_was(kind: str) -> None:
    snapshot = SMALL[kind](7)
    assert read([("cluster.json", written(snapshot))]) == snapshot


def test_a_backlog_asks_for_more_gpus_than_are_free_in_the_first_tier_of_two() -> None:
    snapshot = backlog(300, 1_200, 60)
    asked, free = gpus_asked(snapshot), gpus_free(snapshot)
    first, second = PRIORITIES[:2]
    assert asked[first] > 0.7 * free
    assert asked[first] + asked[second] > 1.4 * free


def test_a_coarse_backlog_asks_for_more_cores_than_are_free() -> None:
    snapshot = backlog(300, 1_200, 60, coarse=3)
    asked = sum(dict(pod.spec.requests)["cpu"] for pod in pending(snapshot).pods)
    held = sum(dict(pod.requests).get("cpu", 0) for pod in holding(snapshot))
    there = sum(dict(node.allocatable)["cpu"] for node in snapshot.nodes)
    assert asked > 1.1 * (there - held)


def test_nearly_distinct_pods_are_as_many_classes() -> None:
    snapshot = distinct(10, 40)
    assert len(compile_problem(snapshot, pending(snapshot)).classes) == 40


def test_gangs_by_domain_ask_for_as_much_of_the_cluster_as_was_said() -> None:
    snapshot = gangs_by_domain(128, 16, 40, running=0.5, asked=0.9)
    held = sum(dict(pod.requests)["cpu"] for pod in holding(snapshot))
    asked = sum(dict(pod.spec.requests)["cpu"] for pod in pending(snapshot).pods)
    there = sum(dict(node.allocatable)["cpu"] for node in snapshot.nodes)
    assert (held + asked) / there == pytest.approx(0.9, abs=0.05)
    assert all(2 <= group.min_count <= 64 for group in snapshot.groups)


@pytest.mark.parametrize("load", [0.0, 0.5, 0.8])
def test_a_small_window_meets_a_cluster_as_loaded_as_was_asked_for(load: float) -> None:
    snapshot = small_window(200, 10, load)
    held = sum(dict(pod.requests)["cpu"] for pod in holding(snapshot))
    there = sum(dict(node.allocatable)["cpu"] for node in snapshot.nodes)
    assert held / there == pytest.approx(load, abs=0.05)
    assert len(pending(snapshot).pods) == 10


def test_large_gangs_are_three_and_small_ones_a_third_of_their_pods() -> None:
    assert len(rule_at_scale("3 large gangs", 80, 500).groups) == 3
    assert len(rule_at_scale("gangs of 3 by rack", 80, 500).groups) == 100


def test_replica_sets_of_priority_matters_are_as_many_as_published() -> None:
    cell, seed = QUOTED
    snapshot = workload(cell, seed)
    sets = Counter(pod.name.rsplit("-", 1)[0] for pod in snapshot.pods)
    assert len(sets) == 48
    assert set(sets.values()) == {1, 2, 3, 4}
    assert sum(sets.values()) == 128


def test_nodes_of_priority_matters_are_just_large_enough() -> None:
    cell, seed = QUOTED
    snapshot = workload(cell, seed)
    for resource in ("cpu", "memory"):
        asked = sum(dict(pod.spec.requests)[resource] for pod in snapshot.pods)
        sizes = {dict(node.allocatable)[resource] for node in snapshot.nodes}
        assert len(sizes) == 1
        assert asked / (32 * sizes.pop()) == pytest.approx(0.95, abs=1e-3)


def test_the_start_of_priority_matters_is_about_as_full_as_published() -> None:
    snapshot = started(workload(*QUOTED))
    used = {
        resource: sum(dict(pod.requests)[resource] for pod in holding(snapshot))
        / sum(dict(node.allocatable)[resource] for node in snapshot.nodes)
        for resource in ("cpu", "memory")
    }
    # Published are 0.839 and 0.896, of kube-scheduler itself; ours is an approximation of it.
    assert used["cpu"] == pytest.approx(0.839, abs=0.04)
    assert used["memory"] == pytest.approx(0.896, abs=0.04)


def test_instances_below_full_usage_leave_a_pod_pending_at_the_start() -> None:
    found = list(instances(Cell(8, 32, 0.95), 3))
    assert len({seed for seed, _ in found}) == 3
    assert all(pending(snapshot).pods for _, snapshot in found)


def test_time_limits_of_the_random_mix_keep_to_their_range() -> None:
    limits = np.array([time_limit_s(seed) for seed in range(500)])
    assert limits.min() >= TIME_LIMIT_S[0]
    assert limits.max() <= TIME_LIMIT_S[1]
    assert np.median(limits) < 1.0


@pytest.mark.parametrize("seed", range(8))
def test_the_random_mix_draws_the_same_instance_from_a_seed(seed: int) -> None:
    assert random_instance(seed) == random_instance(seed)


def gpus_asked(snapshot: Snapshot) -> Counter[int]:
    """GPUs that pending pods ask for, by priority."""
    asked: Counter[int] = Counter()
    for pod in pending(snapshot).pods:
        asked[pod.spec.priority] += dict(pod.spec.requests).get(GPU, 0)
    return asked


def gpus_free(snapshot: Snapshot) -> int:
    """GPUs that no running pod holds."""
    there = sum(dict(node.allocatable).get(GPU, 0) for node in snapshot.nodes)
    return there - sum(dict(pod.requests).get(GPU, 0) for pod in holding(snapshot))
