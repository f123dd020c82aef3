"""The control plane of the tests is a real one: it refuses, forgets when told to, and schedules."""

import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.controlplane.api import ApiError, collection, path_of
from tests.controlplane.build import kubernetes_version
from tests.controlplane.cluster import Cluster, RunningCluster
from tests.controlplane.definitions import COSCHEDULING, KUBERNETES, VOLCANO, define_pod_groups
from tests.controlplane.fixtures import PROGRAMS, find_programs
from tests.controlplane.objects import create_nodes, create_pods, make_node, make_pod
from tests.controlplane.plane import ControlPlane, ControlPlaneError
from tests.controlplane.waiting import wait_for


def test_it_is_the_kubernetes_that_it_was_built_from(control_plane: ControlPlane) -> None:
    assert control_plane.api().get("/version")["gitVersion"] == kubernetes_version()


def test_a_user_without_rights_is_refused_by_name(cluster: Cluster, namespace: str) -> None:
    stranger = cluster.api("stranger", ("visitors",))
    with pytest.raises(ApiError, match='User "stranger" cannot list resource "pods"') as refused:
        stranger.get(collection("pods", namespace))
    assert (refused.value.code, refused.value.reason) == (403, "Forbidden")


def test_a_group_gives_its_members_rights(cluster: Cluster) -> None:
    operator = cluster.api("operator", ("system:masters",))
    assert operator.get(collection("nodes"))["kind"] == "NodeList"


def test_a_user_in_another_group_is_another(cluster: Cluster) -> None:
    assert cluster.api("jane", ("system:masters",)).get(collection("nodes"))
    with pytest.raises(ApiError, match="Forbidden"):
        cluster.api("jane", ("visitors",)).get(collection("nodes"))


def test_pod_groups_are_served_and_keep_their_topology(cluster: Cluster, namespace: str) -> None:
    spec = {
        "schedulingPolicy": {"gang": {"minCount": 2}},
        "schedulingConstraints": {"topology": [{"key": "rack"}]},
    }
    group = {"apiVersion": KUBERNETES, "kind": "PodGroup", "metadata": {"name": "g"}, "spec": spec}
    made = cluster.api().create(collection("podgroups", namespace, KUBERNETES), group)
    assert made["spec"]["schedulingPolicy"] == spec["schedulingPolicy"]
    assert made["spec"]["schedulingConstraints"] == spec["schedulingConstraints"]


@pytest.mark.parametrize("group", [COSCHEDULING, VOLCANO])
def test_pod_groups_of_other_schedulers_can_be_defined(
    cluster: Cluster, namespace: str, group: str
) -> None:
    api = cluster.api()
    define_pod_groups(api)
    body = {
        "apiVersion": group,
        "kind": "PodGroup",
        "metadata": {"name": "g"},
        "spec": {"minMember": 3},
    }
    made = api.create(collection("podgroups", namespace, group), body)
    assert made["spec"]["minMember"] == 3


def test_kube_scheduler_binds_a_pod_when_it_is_started(
    control_plane: ControlPlane, namespace: str
) -> None:
    api = control_plane.api()
    create_nodes(api, [make_node("n1")])
    [pod] = create_pods(api, namespace, [make_pod("p", {"cpu": "1"})])
    assert "nodeName" not in api.get(path_of(pod))["spec"]
    control_plane.start_kube_scheduler()
    try:
        wait_for(lambda: "nodeName" in api.get(path_of(pod))["spec"])
    finally:
        control_plane.stop_kube_scheduler()
    assert api.get(path_of(pod))["spec"]["nodeName"] == "n1"


def test_the_same_clients_go_on_after_a_restart(
    control_plane: ControlPlane, namespace: str
) -> None:
    api = control_plane.api()
    create_pods(api, namespace, [make_pod("p")])
    control_plane.restart_apiserver()
    [pod] = api.get(collection("pods", namespace))["items"]
    assert pod["metadata"]["name"] == "p"


def test_a_running_cluster_is_asked_in_the_name_of_a_user(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    running = RunningCluster(control_plane.admin, tmp_path)
    try:
        assert running.api().get(collection("nodes"))["kind"] == "NodeList"
        with pytest.raises(ApiError, match='User "stranger" cannot list resource "nodes"'):
            running.api("stranger").get(collection("nodes"))
        operator = running.api("operator", ("visitors", "system:masters"))
        assert operator.get(collection("nodes"))["kind"] == "NodeList"
    finally:
        running.close()


def test_servers_do_not_outlive_a_test_process_that_is_killed(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    start = (
        "import os, signal, sys; from pathlib import Path\n"
        "from tests.controlplane.plane import ControlPlane\n"
        "plane = ControlPlane(Path(sys.argv[1]), Path(sys.argv[2])); plane.start()\n"
        "print(plane.pid('etcd'), plane.pid('kube-apiserver'), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", start, control_plane.programs, tmp_path],
        check=False,
        capture_output=True,
        text=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    for pid in killed.stdout.split():
        wait_for(partial(has_ended, int(pid)))


def has_ended(pid: int) -> bool:
    """Whether a process is no more, or only waits for somebody to notice."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return True
    return status.rpartition(")")[2].split()[0] == "Z"


def test_a_server_that_does_not_start_shows_its_log(tmp_path: Path) -> None:
    broken = tmp_path / "programs"
    broken.mkdir()
    for name in ("etcd", "kube-apiserver"):
        (broken / name).write_text("#!/bin/sh\necho the disk of $0 is full >&2\n")
        (broken / name).chmod(0o755)
    with pytest.raises(ControlPlaneError, match=r"the disk of .*/kube-apiserver is full"):
        ControlPlane(broken, tmp_path / "data").start()


@pytest.mark.parametrize(("ci", "outcome"), [("true", "failed"), ("", "skipped")])
def test_without_a_control_plane_its_tests_are_skipped_but_fail_in_ci(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: str
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv(PROGRAMS, "/nowhere/controlplane")
    expected = {"failed": pytest.fail.Exception, "skipped": pytest.skip.Exception}[outcome]
    with pytest.raises(expected, match="run make controlplane"):
        find_programs()


def test_nothing_is_left_after_a_wipe(clean_control_plane: ControlPlane) -> None:
    api = clean_control_plane.api()
    create_pods(api, "default", [make_pod("p")])
    clean_control_plane.wipe()
    assert not api.get(collection("pods"))["items"]
