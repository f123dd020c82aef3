"""Preemption on a real API server: victims are told and leave, whoever they left for comes."""

from pathlib import Path

import pytest

from tests.controlplane.account import scheduler_kubeconfig
from tests.controlplane.api import Api, collection
from tests.controlplane.kubelets import Kubelets
from tests.controlplane.objects import create_nodes, create_pods, make_node, make_pod
from tests.controlplane.plane import ControlPlane
from tests.controlplane.scheduling import OURS, make_gang, nodes_of, scheduling
from tests.controlplane.waiting import wait_for
from tests.deploy.audit import ACCOUNT, give_rights

pytestmark = pytest.mark.slow
PREEMPTING = {"profiles": [{"schedulerName": OURS, "preemption": "LowerPriority"}]}


def priority_class(api: Api) -> None:
    body = {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": "high"},
        "value": 1000,
    }
    api.create("/apis/scheduling.k8s.io/v1/priorityclasses", body)


def budget(api: Api, namespace: str, allowed: int) -> None:
    """A budget for the pods labelled app=kept; its status is written, as no controller runs."""
    path = collection("poddisruptionbudgets", namespace, "policy/v1")
    made = api.create(
        path,
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "kept"},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "kept"}}},
        },
    )
    status = {
        "disruptionsAllowed": allowed,
        "currentHealthy": 4,
        "desiredHealthy": 4 - allowed,
        "expectedPods": 4,
        "observedGeneration": made["metadata"]["generation"],
    }
    api.patch(f"{path}/kept/status", {"status": status})


def test_a_gang_comes_when_its_victims_have_left_and_those_of_a_budget_stay(
    clean_control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    plane, api = clean_control_plane, clean_control_plane.api()
    account = scheduler_kubeconfig(plane)
    give_rights(api, "batchsched-preemption")
    assert account == plane.kubeconfig(ACCOUNT)
    priority_class(api)
    budget(api, namespace, allowed=0)
    create_nodes(api, [make_node(f"n{i}", {"cpu": "4"}) for i in range(3)])
    low = [
        make_pod(f"low-{i}", {"cpu": "1"}, {"labels": {"app": app}}, schedulerName=OURS)
        for i, app in enumerate(["kept"] * 4 + ["other"] * 8)
    ]
    with Kubelets(api, end_s=0.5, leases=False), scheduling(account, tmp_path, PREEMPTING):
        create_pods(api, namespace, low)
        wait_for(lambda: None not in nodes_of(api, namespace).values())
        gang = make_gang("strong", 2, "3")
        for pod in gang:
            pod["spec"]["priorityClassName"] = "high"
        create_pods(api, namespace, gang)
        wait_for(lambda: all(nodes_of(api, namespace)[f"strong-{i}"] for i in range(2)))
    left = nodes_of(api, namespace)
    gone = {f"low-{i}" for i in range(12)} - left.keys()
    assert not gone & {f"low-{i}" for i in range(4)}, "a budget keeps them"
    assert len(gone) == 6, "as few as make room for two pods of three cores"
    events = api.get(collection("events", namespace, "events.k8s.io/v1"))["items"]
    told = {e["regarding"]["name"] for e in events if e["reason"] == "Preempted"}
    assert told == gone
