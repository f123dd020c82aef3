"""The embedded cluster answers as an API server does, and lives as a cluster does."""

from dataclasses import replace
from itertools import chain, repeat

import pytest

from batchsched.cycle import Binding
from batchsched.daemon.grouping import Grouping
from batchsched.daemon.ports import NodeChange, PodChange
from batchsched.sim.clock import VirtualClock
from batchsched.sim.cluster import GRACE_S, LOST_PODS_DELETED_AFTER_S, START_DELAY_S, SimCluster
from batchsched.snapshot.group import CompositePodGroup, PodGroup
from batchsched.snapshot.groups import KUBERNETES, Declared
from batchsched.snapshot.pod import Pod
from tests.builders import make_node, make_pod, make_snapshot


@pytest.fixture
def cluster() -> SimCluster:
    return SimCluster(make_snapshot([make_node("n1")]), Grouping(), VirtualClock())


def created(cluster: SimCluster, name: str = "p", duration_s: float | None = None) -> Pod:
    return cluster.create(replace(make_pod(name, cpu=1000), uid=""), duration_s)


def binding(pod: Pod, node: str = "n1") -> Binding:
    return Binding(pod.key, pod.uid, node)


def test_things_that_are_due_happen_in_their_order() -> None:
    clock, seen = VirtualClock(), list[str]()
    clock.at(2.0, lambda: seen.append("later"))
    clock.at(1.0, lambda: clock.at(1.0, lambda: seen.append("second")))
    clock.at(1.0, lambda: seen.append("first"))
    assert clock.next_s() == 1.0
    clock.advance(1.5)
    assert (seen, clock.now_s()) == (["first", "second"], 1.5)
    clock.advance(9.0)
    assert (seen, clock.now_s(), clock.next_s()) == (["first", "second", "later"], 9.0, None)


def test_a_pod_is_bound_runs_and_succeeds(cluster: SimCluster) -> None:
    pod = created(cluster, duration_s=10.0)
    assert cluster.bind(binding(pod)) is None
    cluster.clock.advance(START_DELAY_S)
    assert cluster.pods[pod.key].phase == "Running"
    cluster.clock.advance(START_DELAY_S + 10.0)
    assert pod.key not in cluster.pods
    pods = [c.new for c in cluster.changes() if isinstance(c, PodChange)]
    phases = [pod and (pod.node, pod.phase) for pod in pods]
    assert phases == [
        (None, "Pending"),
        ("n1", "Pending"),
        ("n1", "Running"),
        ("n1", "Succeeded"),
        None,
    ]


def test_a_conflict_is_refused_and_changes_nothing(cluster: SimCluster) -> None:
    pod = created(cluster)
    assert "UID" in (cluster.bind(replace(binding(pod), uid="old")) or "")
    assert "404" in (cluster.bind(Binding(("default", "nobody"), "", "n1")) or "")
    assert cluster.bind(binding(pod)) is None
    assert "already assigned" in (cluster.bind(binding(pod, "n2")) or "")
    other = created(cluster, "other")
    cluster.delete(other.key, other.uid, "test")
    assert "being deleted" in (cluster.bind(binding(other)) or "")
    gated = cluster.create(make_pod("gated", gated=True))
    assert "schedulingGates" in (cluster.bind(binding(gated)) or "")


def test_a_dry_run_binds_nothing(cluster: SimCluster) -> None:
    pod = created(cluster)
    assert cluster.bind(binding(pod), dry_run=True) is None
    assert cluster.pods[pod.key].node is None


def test_a_deletion_has_a_precondition_and_takes_its_time(cluster: SimCluster) -> None:
    pod = created(cluster)
    cluster.delete(pod.key, "old", "test")
    assert not cluster.pods[pod.key].deleting
    cluster.delete(pod.key, pod.uid, "test")
    assert cluster.pods[pod.key].deleting
    cluster.clock.advance(GRACE_S)
    assert not cluster.pods


def test_a_lost_node_takes_its_pods_along_a_little_later(cluster: SimCluster) -> None:
    pod = created(cluster)
    cluster.bind(binding(pod))
    cluster.lose_node("n1")
    assert pod.key in cluster.pods
    cluster.clock.advance(LOST_PODS_DELETED_AFTER_S)
    assert not cluster.pods
    assert [type(change) for change in cluster.changes()].count(NodeChange) == 1


def test_the_api_server_binds_to_a_node_that_is_no_more(cluster: SimCluster) -> None:
    pod = created(cluster)
    assert cluster.bind(binding(pod, "gone")) is None
    cluster.clock.advance(LOST_PODS_DELETED_AFTER_S)
    assert not cluster.pods


def test_a_late_watch_shows_the_truth_later_and_in_order() -> None:
    delays = chain([5.0], repeat(0.0))
    clock = VirtualClock()
    cluster = SimCluster(make_snapshot([make_node("n1")]), Grouping(), clock, lambda: next(delays))
    pod = created(cluster)
    cluster.bind(binding(pod))
    assert (cluster.snapshot().pods, cluster.changes()) == ((), [])
    assert cluster.next_watch_s() == 5.0
    clock.advance(5.0)
    assert [p.node for p in cluster.snapshot().pods] == ["n1"]
    pods = [c.new for c in cluster.changes() if isinstance(c, PodChange)]
    assert [pod and pod.node for pod in pods] == [None, "n1", "n1"]


def test_a_new_process_lists_everything_at_once() -> None:
    clock = VirtualClock()
    cluster = SimCluster(make_snapshot([make_node("n1")]), Grouping(), clock, lambda: 100.0)
    created(cluster)
    cluster.restart_watches()
    assert len(cluster.snapshot().pods) == 1
    assert cluster.changes() == []


def test_a_snapshot_is_the_same_object_until_something_changes(cluster: SimCluster) -> None:
    first = cluster.snapshot()
    assert cluster.snapshot() is first
    created(cluster)
    assert cluster.snapshot() is not first


def test_a_lost_member_is_replaced_though_others_have_succeeded(cluster: SimCluster) -> None:
    notes = (("batchsched.io/gang", "g"), ("batchsched.io/min-available", "3"))
    for name, duration_s in (("a", 1.0), ("b", 1.0), ("c", None)):
        pod = cluster.create(make_pod(name, pod={"annotations": notes}), duration_s)
        assert cluster.bind(binding(pod)) is None
    cluster.clock.advance(START_DELAY_S + 1.0)
    cluster.remove(("default", "c"))
    cluster.changes()
    cluster.create(make_pod("c-again", pod={"annotations": notes}), None)
    (change,) = cluster.changes()
    assert isinstance(change, PodChange)
    (group,) = cluster.snapshot().groups
    assert (change.group, group.min_count) == (group, 1)


def test_the_watches_show_gangs_in_their_unions(cluster: SimCluster) -> None:
    mark = "gang.scheduling.koordinator.sh"
    for name, other in (("a", "b"), ("b", "a")):
        named = {"groups": f'["{other}"]', "min-available": "1", "name": name}
        notes = tuple((f"{mark}/{key}", value) for key, value in named.items())
        cluster.create(make_pod(name, pod={"annotations": notes}), None)
    (first, second) = cluster.changes()
    assert isinstance(first, PodChange)
    assert isinstance(second, PodChange)
    assert first.group is not None
    assert first.group.problem is not None, "the other is not there yet"
    assert second.group == cluster.snapshot().groups[1]


def test_the_watches_show_gangs_in_their_composites() -> None:
    gangs = [PodGroup(KUBERNETES, "default", name, 1, parent="all") for name in ("a", "b")]
    composite = CompositePodGroup("default", "all", 2)
    declared = Declared(
        groups={each.key: each for each in gangs}, composites={composite.key: composite}
    )
    base = make_snapshot([make_node("n1")])
    cluster = SimCluster(base, Grouping(declared), VirtualClock())
    cluster.create(make_pod("p", pod_group="a"), None)
    (told,) = cluster.changes()
    assert isinstance(told, PodChange)
    assert told.group == cluster.snapshot().groups[0]
    assert told.group.union == (gangs[0].key, gangs[1].key)
