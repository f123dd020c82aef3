"""What is read from a real API server is what is there, through restarts, and as an export says."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import pytest
from click.testing import CliRunner

from batchsched.cli import main
from batchsched.cli.files import load
from batchsched.daemon.ports import PodChange
from batchsched.kube.cache import Cache
from batchsched.kube.connection import Connection
from batchsched.kube.reflector import Pace
from batchsched.snapshot.snapshot import Snapshot
from tests.controlplane.api import Api, Object, collection
from tests.controlplane.cluster import Cluster
from tests.controlplane.definitions import COSCHEDULING, define_pod_groups
from tests.controlplane.objects import create_nodes, create_pods, make_node, make_pod
from tests.controlplane.plane import ControlPlane

QUICK = Pace(backoff_s=0.05, backoff_max_s=0.5, absent_s=0.2, watch_s=2)
"""Watches of two seconds: their ends are met in a test."""
PATIENCE_S = 60.0
GROUPS, COMPOSITES = "scheduling.k8s.io/v1beta1", "scheduling.k8s.io/v1alpha3"


class Looking:
    """A cache, and the patience to wait until it shows something."""

    def __init__(self, cache: Cache, woken: threading.Event) -> None:
        self.cache, self._woken = cache, woken
        self.changes: list[Any] = []

    def until(self, condition: Callable[[Snapshot], bool]) -> Snapshot:
        end_s = monotonic() + PATIENCE_S
        while not (self.cache.synced() and condition(self.cache.snapshot())):
            assert monotonic() < end_s, (self.cache.waiting(), self.cache.problems())
            self._woken.wait(0.05)
            self._woken.clear()
            self.changes += self.cache.changes()
        self.changes += self.cache.changes()
        return self.cache.snapshot()


@contextmanager
def looking(kubeconfig: Path) -> Iterator[Looking]:
    woken = threading.Event()
    connection = Connection.open(kubeconfig=str(kubeconfig))
    cache = Cache(connection, Random(1), woken.set, pace=QUICK)
    cache.start()
    try:
        yield Looking(cache, woken)
    finally:
        cache.stop()
        connection.close()


def names(snapshot: Snapshot) -> list[str]:
    return [pod.name for pod in snapshot.pods]


def ended(api: Api, namespace: str, name: str, phase: str) -> None:
    """Do what a kubelet does when a pod has ended."""
    path = f"{collection('pods', namespace)}/{name}/status"
    api.patch(path, {"status": {"phase": phase}})


def pod_group(name: str, least: int) -> Object:
    return {
        "apiVersion": GROUPS,
        "kind": "PodGroup",
        "metadata": {"name": name},
        "spec": {"schedulingPolicy": {"gang": {"minCount": least}}},
    }


def exported(kubeconfig: Path, folder: Path, *options: str) -> Snapshot:
    """What the command writes, read."""
    file = str(folder / "cluster.json.gz")
    result = CliRunner().invoke(
        main, ["snapshot", "--kubeconfig", str(kubeconfig), "-o", file, *options]
    )
    assert (result.exit_code, result.output) == (0, "")
    return load([file])[0]


def test_what_happens_in_a_cluster_is_seen_and_is_what_an_export_says(
    clean_control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    cluster, api = clean_control_plane, clean_control_plane.api()
    create_nodes(api, [make_node("n1", labels={"zone": "a"}), make_node("n2")])
    create_pods(api, namespace, [make_pod(f"p{i}", {"cpu": "1"}) for i in range(3)])
    with looking(cluster.admin) as look:
        look.until(lambda seen: names(seen) == ["p0", "p1", "p2"])
        api.bind(api.get(f"{collection('pods', namespace)}/p0"), "n1")
        api.delete(f"{collection('pods', namespace)}/p1", {"gracePeriodSeconds": 0})
        member = {"schedulingGroup": {"podGroupName": "g"}}
        create_pods(api, namespace, [make_pod("member", **member)])
        api.create(collection("podgroups", namespace, GROUPS), pod_group("g", 2))
        api.delete(f"{collection('nodes')}/n2")

        def all_is_seen(seen: Snapshot) -> bool:
            return (
                names(seen) == ["member", "p0", "p2"]
                and seen.pods[1].node == "n1"
                and [node.name for node in seen.nodes] == ["n1"]
                and [group.min_count for group in seen.groups] == [2]
            )

        seen = look.until(all_is_seen)
        assert look.cache.snapshot() is seen
        assert exported(cluster.admin, tmp_path) == seen
        assert not look.cache.problems()


def test_the_end_of_a_pod_is_seen_as_what_it_was(cluster: Cluster, namespace: str) -> None:
    api = cluster.api()
    create_nodes(api, [make_node("n1")])
    create_pods(api, namespace, [make_pod("good", nodeName="n1"), make_pod("bad", nodeName="n1")])
    with looking(cluster.admin) as look:
        look.until(lambda seen: {"bad", "good"} <= set(names(seen)))
        ended(api, namespace, "good", "Succeeded")
        ended(api, namespace, "bad", "Failed")
        look.until(lambda seen: not {"bad", "good"} & set(names(seen)))
        shown = {
            change.new.name: change.new.phase
            for change in look.changes
            if isinstance(change, PodChange) and change.new is not None and change.new.terminal
        }
    assert shown == {"good": "Succeeded", "bad": "Failed"}


def test_with_a_field_selector_the_server_would_show_an_ended_pod_as_it_was_before(
    cluster: Cluster, namespace: str
) -> None:
    """Why no selector is used; if this fails, one can be."""
    api, path = cluster.api(), collection("pods", namespace)
    create_nodes(api, [make_node("n1")])
    create_pods(api, namespace, [make_pod("p", nodeName="n1")])
    version = api.get(path)["metadata"]["resourceVersion"]
    watch = api.watch(path, version, fieldSelector="status.phase!=Succeeded,status.phase!=Failed")
    ended(api, namespace, "p", "Succeeded")
    event, pod = next(iter(watch))
    watch.close()
    assert (event, pod["status"]["phase"]) == ("DELETED", "Pending")


def test_a_server_that_comes_back_is_gone_on_with(clean_control_plane: ControlPlane) -> None:
    plane = clean_control_plane
    api = plane.api()
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "here"}}
    api.create(collection("namespaces"), body)
    create_pods(api, "here", [make_pod("before")])
    with looking(plane.admin) as look:
        look.until(lambda seen: names(seen) == ["before"])
        plane.restart_apiserver()
        api = plane.api()
        create_pods(api, "here", [make_pod("after")])
        api.delete(f"{collection('pods', 'here')}/before", {"gracePeriodSeconds": 0})
        look.until(lambda seen: names(seen) == ["after"])


def test_who_has_no_right_is_told_which(cluster: Cluster) -> None:
    with looking(cluster.kubeconfig("nobody")) as look:
        end_s = monotonic() + PATIENCE_S
        while "pods" not in look.cache.problems():
            assert monotonic() < end_s
            look.cache.changes()
        assert not look.cache.synced()
        assert "list pods: 403" in look.cache.problems()["pods"]
        assert 'User "nobody" cannot list resource "pods"' in look.cache.problems()["pods"]


@pytest.mark.slow
def test_a_redacted_export_names_nobody_and_has_the_same_shape(
    clean_control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    cluster, api = clean_control_plane, clean_control_plane.api()
    create_nodes(api, [make_node("payroll-1", labels={"acme.com/team": "payroll"})])
    create_pods(api, namespace, [make_pod("salaries", nodeSelector={"acme.com/team": "payroll"})])
    whole = exported(cluster.admin, tmp_path)
    hidden = exported(cluster.admin, tmp_path, "--redact")
    assert "payroll" not in repr(hidden)
    assert "salaries" not in repr(hidden)
    assert [len(hidden.nodes), len(hidden.pods)] == [len(whole.nodes), len(whole.pods)]
    (pod,) = hidden.pods
    (node,) = hidden.nodes
    assert set(pod.spec.node_selector) <= set(node.labels)


def test_composites_are_seen_and_their_groups_wait_until_they_are_whole(
    clean_control_plane: ControlPlane, namespace: str
) -> None:
    api = clean_control_plane.api()
    made = {"workloadRef": {"workloadName": "w", "templateName": "t"}}
    composite = {
        "apiVersion": COMPOSITES,
        "kind": "CompositePodGroup",
        "metadata": {"name": "all"},
        "spec": {"schedulingPolicy": {"gang": {"minGroupCount": 2}}, **made},
    }
    create_pods(api, namespace, [make_pod("member", schedulingGroup={"podGroupName": "a"})])
    with looking(clean_control_plane.admin) as look:
        api.create(collection("compositepodgroups", namespace, COMPOSITES), composite)
        for name, problem in (("a", "waits for groups: 1 of 2 exist"), ("b", None)):
            group = pod_group(name, 1)
            group["spec"] |= {"parentCompositePodGroupName": "all", **made}
            api.create(collection("podgroups", namespace, GROUPS), group)
            look.until(partial(_waits_for, problem))
        assert [name for _, name, _ in look.cache.snapshot().groups[0].union] == ["a", "b"]
        told = [change.group for change in look.changes if isinstance(change, PodChange)]
    assert told[-1] is not None
    assert told[-1].problem is None, "who waits is told of again"


def _waits_for(problem: str | None, seen: Snapshot) -> bool:
    """Whether the first group waits for this, or for nothing."""
    found = seen.groups[0].problem if seen.groups else "its object is not seen yet"
    return found is None if problem is None else problem in (found or "")


def test_a_kind_that_is_defined_later_is_taken_up(
    clean_control_plane: ControlPlane, namespace: str
) -> None:
    api = clean_control_plane.api()
    label = {"labels": {"scheduling.x-k8s.io/pod-group": "g"}}
    create_pods(api, namespace, [make_pod("member", metadata=label)])
    with looking(clean_control_plane.admin) as look:
        seen = look.until(lambda seen: names(seen) == ["member"])
        assert "does not exist" in (seen.groups[0].problem or "")
        define_pod_groups(api)
        group = {"metadata": {"name": "g"}, "spec": {"minMember": 1}}
        kind = {"apiVersion": COSCHEDULING, "kind": "PodGroup"}
        api.create(collection("podgroups", namespace, COSCHEDULING), {**kind, **group})
        look.until(lambda seen: seen.groups[0].min_count == 1 and not seen.groups[0].problem)
        told = [change.group for change in look.changes if isinstance(change, PodChange)]
    assert told[-1] is not None
    assert told[-1].problem is None, "who waits for its group is told of again"
