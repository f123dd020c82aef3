"""The control plane of the tests is a real one: it refuses, forgets when told to, and schedules."""

import pytest

from tests.controlplane.api import ApiError, collection, path_of
from tests.controlplane.build import kubernetes_version
from tests.controlplane.cluster import Cluster
from tests.controlplane.definitions import COSCHEDULING, KUBERNETES, VOLCANO, define_pod_groups
from tests.controlplane.objects import create_nodes, create_pods, make_node, make_pod
from tests.controlplane.plane import ControlPlane
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


def test_nothing_is_left_after_a_wipe(clean_control_plane: ControlPlane) -> None:
    api = clean_control_plane.api()
    create_pods(api, "default", [make_pod("p")])
    clean_control_plane.wipe()
    assert not api.get(collection("pods"))["items"]
