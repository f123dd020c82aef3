"""Thinning: nodes that no optimum needs are left out, and every tier keeps its optimum."""

import random
from collections.abc import Sequence

import numpy as np
import pytest

from batchsched import scheduler
from batchsched.feasibility.compile import compile_problem
from batchsched.feasibility.thinning import thinned
from batchsched.profile import constraints_of, default_profile, named_profiles, objectives_of
from batchsched.snapshot.snapshot import Snapshot, pending
from batchsched.solver.solve import Limits
from tests.builders import make_node, make_pod, make_replicas, make_snapshot, spread
from tests.strategies import ZONE, Size, random_cluster, snapshot_of

CLUSTERS = 120
WIDE = Size(nodes_max=12, pending_max=4, running_max=6)


def rules(profile: str = "default") -> Sequence[object]:
    chosen = named_profiles()[profile]
    return (*constraints_of(chosen), *objectives_of(chosen))


def left(snapshot: Snapshot, profile: str = "default") -> list[str]:
    """The nodes that have candidates, after thinning."""
    problem = thinned(compile_problem(snapshot, pending(snapshot)), rules(profile))
    return [problem.nodes[n].name for n in np.flatnonzero(problem.upper.any(axis=0))]


def test_a_pod_needs_one_of_equal_nodes() -> None:
    nodes = [make_node(f"n{i}", cpu=4) for i in range(8)]
    assert left(make_snapshot(nodes, make_replicas(2, cpu=1))) == ["n0", "n1"]


def test_the_node_with_more_room_is_kept() -> None:
    nodes = [make_node(f"n{i}", cpu=1 + i) for i in range(4)]
    assert left(make_snapshot(nodes, [make_pod("p", cpu=4)])) == ["n3"]


def test_nodes_that_no_other_outdoes_in_everything_are_kept() -> None:
    shapes = [(1, 4), (2, 3), (3, 2), (1, 1)]
    nodes = [make_node(f"n{i}", cpu=cpu, memory=memory) for i, (cpu, memory) in enumerate(shapes)]
    pods = [make_pod("p", cpu=1, memory=1), make_pod("q", cpu=4, memory=4)]
    assert left(make_snapshot(nodes, pods)) == ["n0", "n1", "n2"]
    assert left(make_snapshot(nodes, pods[:1])) == ["n0"]


def test_each_domain_that_spread_counts_keeps_nodes() -> None:
    nodes = [make_node(f"n{i}", labels={ZONE: "ab"[i % 2]}) for i in range(6)]
    pod = make_pod("p", labels={"app": "web"}, spread=(spread({"app": "web"}),))
    assert left(make_snapshot(nodes, [pod])) == ["n0", "n1"]


def test_nodes_in_use_and_idle_ones_are_told_apart() -> None:
    nodes = [make_node(f"n{i}", cpu=4) for i in range(4)]
    running = [make_pod("r", node="n2", cpu=1)]
    assert left(make_snapshot(nodes, [*running, make_pod("p", cpu=1)])) == ["n0", "n2"]


def test_a_rule_that_does_not_say_what_it_reads_keeps_every_node() -> None:
    nodes = [make_node(f"n{i}") for i in range(4)]
    snapshot = make_snapshot(nodes, [make_pod("p")])
    assert left(snapshot, "spread") == ["n0", "n1", "n2", "n3"]


def test_a_window_that_may_need_every_node_keeps_them() -> None:
    nodes = [make_node(f"n{i}") for i in range(4)]
    snapshot = make_snapshot(nodes, make_replicas(3))
    problem = compile_problem(snapshot, pending(snapshot))
    assert thinned(problem, rules()) is problem


@pytest.mark.parametrize("seed", range(CLUSTERS))
def test_every_tier_keeps_its_optimum(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = snapshot_of(random_cluster(random.Random(seed), WIDE))
    thin = _values(snapshot)
    monkeypatch.setattr(scheduler, "thinned", lambda problem, _: problem)
    assert thin == _values(snapshot)


def _values(snapshot: Snapshot) -> dict[str, tuple[int, int]]:
    limits = Limits(time_limit_s=10, deterministic=True)
    window = pending(snapshot)
    plan = scheduler.schedule(snapshot, window, default_profile(), limits, clock=lambda: 0.0)
    return {tier.name: (tier.value, tier.bound) for tier in plan.tiers}
