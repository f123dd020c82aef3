"""The stand-in for kubelets: what becomes of a bound pod on a real API server."""

from collections.abc import Iterator

import pytest

from tests.controlplane.api import Api, ApiError, Object, collection, path_of
from tests.controlplane.cluster import Cluster
from tests.controlplane.kubelets import DURATION, LEASES, Kubelets
from tests.controlplane.objects import create_nodes, create_pods, make_node, make_pod
from tests.controlplane.plane import ControlPlane
from tests.controlplane.waiting import wait_for, wait_for_phase


@pytest.fixture
def api(cluster: Cluster, namespace: str) -> Api:  # noqa: ARG001 -- takes the node away again
    """Calls to a cluster with one node of four cores."""
    api = cluster.api()
    create_nodes(api, [make_node("n1")])
    return api


@pytest.fixture
def kubelets(api: Api) -> Iterator[Kubelets]:
    """Kubelets that end pods sixty times as fast as they say."""
    with Kubelets(api, pace=60) as running:
        yield running


def bound(api: Api, namespace: str, *pods: Object) -> list[Object]:
    """Create pods and bind them to the node, in order."""
    created = create_pods(api, namespace, pods)
    for pod in created:
        api.bind(pod, "n1")
    return created


def is_gone(api: Api, pod: Object) -> bool:
    """Whether a pod is no more."""
    try:
        api.get(path_of(pod))
    except ApiError as error:
        return error.code == 404
    return False


@pytest.mark.usefixtures("kubelets")
def test_a_bound_pod_runs_and_is_ready(api: Api, namespace: str) -> None:
    [pod] = bound(api, namespace, make_pod("p", {"cpu": "1"}))
    conditions = wait_for_phase(api, pod, "Running")["status"]["conditions"]
    assert {c["type"] for c in conditions if c["status"] == "True"} >= {"PodScheduled", "Ready"}


def test_a_pod_that_was_bound_before_runs_too(api: Api, namespace: str) -> None:
    [pod] = bound(api, namespace, make_pod("p"))
    with Kubelets(api):
        wait_for_phase(api, pod, "Running")


@pytest.mark.usefixtures("kubelets")
def test_a_pod_that_nobody_bound_stays_pending(api: Api, namespace: str) -> None:
    [waiting] = create_pods(api, namespace, [make_pod("waiting")])
    [pod] = bound(api, namespace, make_pod("p"))
    wait_for_phase(api, pod, "Running")
    assert api.get(path_of(waiting))["status"]["phase"] == "Pending"


@pytest.mark.usefixtures("kubelets")
def test_a_pod_ends_after_the_duration_that_it_was_given(api: Api, namespace: str) -> None:
    metadata = {"annotations": {DURATION: "6s"}}
    [short, service] = bound(api, namespace, make_pod("short", None, metadata), make_pod("service"))
    wait_for_phase(api, short, "Succeeded")
    wait_for_phase(api, service, "Running")


@pytest.mark.usefixtures("kubelets")
@pytest.mark.parametrize(
    ("requests", "reason"),
    [({"cpu": "3"}, "OutOfcpu"), ({"memory": "12Gi"}, "OutOfmemory")],
)
def test_the_second_of_two_that_do_not_fit_fails(
    api: Api, namespace: str, requests: dict[str, str], reason: str
) -> None:
    [first, second] = bound(api, namespace, make_pod("b", requests), make_pod("a", requests))
    assert wait_for_phase(api, second, "Failed")["status"]["reason"] == reason
    wait_for_phase(api, first, "Running")


@pytest.mark.usefixtures("kubelets")
def test_a_deleted_pod_leaves_and_makes_room(api: Api, namespace: str) -> None:
    [pod] = bound(api, namespace, make_pod("p", {"cpu": "3"}))
    wait_for_phase(api, pod, "Running")
    api.delete(path_of(pod))
    wait_for(lambda: is_gone(api, pod))
    [following] = bound(api, namespace, make_pod("p", {"cpu": "3"}))
    wait_for_phase(api, following, "Running")


def test_the_pods_of_a_lost_node_stay_as_they_are_until_it_is_found(
    api: Api, namespace: str, kubelets: Kubelets
) -> None:
    [pod] = bound(api, namespace, make_pod("p"))
    wait_for_phase(api, pod, "Running")
    kubelets.lose("n1")
    api.delete(path_of(pod))
    node = api.get(f"{collection('nodes')}/n1")
    assert {t["effect"] for t in node["spec"]["taints"]} == {"NoSchedule", "NoExecute"}
    assert not is_gone(api, pod)
    kubelets.find("n1")
    wait_for(lambda: is_gone(api, pod))
    assert "taints" not in api.get(f"{collection('nodes')}/n1")["spec"]


@pytest.mark.usefixtures("kubelets")
def test_a_node_has_a_lease(api: Api) -> None:
    wait_for(lambda: "n1" in {e["metadata"]["name"] for e in api.get(LEASES)["items"]})


def test_kubelets_go_on_when_the_api_server_was_away(
    control_plane: ControlPlane, api: Api, namespace: str, kubelets: Kubelets
) -> None:
    control_plane.restart_apiserver()
    [pod] = bound(api, namespace, make_pod("p"))
    wait_for_phase(api, pod, "Running")
    assert not kubelets.errors
