"""Auditing: what is placed is what a solve places, and nodes are emptied with these pods placed."""

import pytest

from batchsched.profile import default_profile
from batchsched.scheduler import Limits
from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.pod import OwnerRef, Pod
from batchsched.snapshot.snapshot import Snapshot, pending
from batchsched.testing.builders import make_node, make_pod, snapshot_of
from batchsched.whatif.auditing import Audit, audit

LIMITS = Limits(time_limit_s=20, deterministic=True)


def audited(snapshot: Snapshot, allowance: Allowance) -> Audit:
    """What is found."""
    window = pending(snapshot)
    return audit(snapshot, window, default_profile(), LIMITS, lambda: 0.0, allowance=allowance)


def owned(name: str, node: str, cpu: int, priority: int = 0) -> Pod:
    """A running pod that a controller owns."""
    owner = OwnerRef("apps/v1", "ReplicaSet", "o", "u")
    requests = {"cpu": cpu}
    return make_pod(name, node=node, requests=requests, pod={"owner": owner}, priority=priority)


def two_half_full_nodes(*more: Pod) -> Snapshot:
    """Each of them has two cores left."""
    nodes = [make_node(f"n{i}", allocatable={"cpu": 4000}) for i in (1, 2)]
    return snapshot_of(*nodes, owned("a", "n1", 2000), owned("b", "n2", 2000), *more)


def test_no_node_is_emptied_that_pending_pods_need() -> None:
    waiting = make_pod("p", requests={"cpu": 1000})
    found = audited(two_half_full_nodes(waiting), Allowance(moves_max=None))
    assert (found.placed, found.emptied, found.in_use_then) == (1, (), 2)


def test_a_pod_that_waits_goes_where_it_leaves_a_node_empty() -> None:
    nodes = [make_node(f"n{i}", allocatable={"cpu": 4000}) for i in (1, 2, 3)]
    pods = [owned("a", "n1", 2000), owned("b", "n2", 1000), make_pod("p", requests={"cpu": 1000})]
    found = audited(snapshot_of(*nodes, *pods), Allowance(moves_max=1))
    assert (found.placed, found.moved, found.in_use_then) == (1, 1, 1)


@pytest.mark.parametrize(("moves", "emptied"), [(0, 0), (1, 1), (None, 1)])
def test_no_more_pods_move_than_may(moves: int | None, emptied: int) -> None:
    found = audited(two_half_full_nodes(), Allowance(moves_max=moves))
    assert (len(found.emptied), found.moved) == (emptied, emptied)


def test_moves_that_place_pods_are_not_left_to_empty_nodes() -> None:
    waiting = make_pod("p", requests={"cpu": 4000})
    found = audited(two_half_full_nodes(waiting), Allowance(moves_max=1))
    assert (found.placed, found.moved, found.emptied) == (1, 1, ())
    assert [(each.now, each.then) for each in found.running] == [(2, 3)]


def test_victims_are_counted_and_wait() -> None:
    waiting = make_pod("p", requests={"cpu": 3000}, priority=10)
    found = audited(two_half_full_nodes(waiting), Allowance(preemption=True))
    assert (found.placed, found.evicted, found.moved) == (1, 1, 0)
    assert [(each.priority, each.now, each.then) for each in found.running] == [
        (10, 0, 1),
        (0, 2, 1),
    ]
