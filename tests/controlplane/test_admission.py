"""The last check of a pod, on its node: the arithmetic of requests and the order of arrival."""

import pytest

from tests.controlplane.admission import Admission, requested
from tests.controlplane.api import Object
from tests.controlplane.objects import make_node, make_pod

MILLI = 10**6


def container(cpu: str, **fields: str) -> Object:
    return {"name": "c", "resources": {"requests": {"cpu": cpu}}, **fields}


def on(node: str, uid: str, **requests: str) -> Object:
    return make_pod(uid, requests, {"uid": uid}, nodeName=node)


@pytest.fixture
def admission() -> Admission:
    """One node of four cores, three pods and two GPUs."""
    found = Admission()
    found.learn(make_node("n1", {"cpu": "4", "pods": "3", "nvidia.com/gpu": "2"}))
    return found


@pytest.mark.parametrize(
    ("spec", "cpu_milli"),
    [
        pytest.param({"containers": [container("1"), container("500m")]}, 1500, id="sum"),
        pytest.param(
            {"containers": [container("1")], "initContainers": [container("2"), container("3")]},
            3000,
            id="greatest of the init containers",
        ),
        pytest.param(
            {
                "containers": [container("1")],
                "initContainers": [container("1", restartPolicy="Always"), container("2")],
            },
            3000,
            id="an init container runs beside the sidecars before it",
        ),
        pytest.param(
            {
                "containers": [container("2")],
                "initContainers": [container("2"), container("1", restartPolicy="Always")],
            },
            3000,
            id="sidecars stay",
        ),
        pytest.param(
            {"containers": [container("1")], "overhead": {"cpu": "250m"}}, 1250, id="overhead"
        ),
        pytest.param(
            {"containers": [container("1")], "resources": {"requests": {"cpu": "2"}}},
            2000,
            id="of the whole pod",
        ),
    ],
)
def test_a_pod_asks_for(spec: Object, cpu_milli: int) -> None:
    assert requested(spec)["cpu"] == cpu_milli * MILLI


def test_who_comes_first_is_let_in(admission: Admission) -> None:
    assert admission.admit(on("n1", "a", cpu="3")) is None
    refusal = admission.admit(on("n1", "b", cpu="1500m"))
    assert refusal is not None
    assert refusal.reason == "OutOfcpu"
    assert refusal.message == (
        "Pod was rejected: Node didn't have enough resource: cpu,"
        " requested: 1500, used: 3000, capacity: 4000"
    )
    assert admission.admit(on("n1", "c", cpu="1")) is None


def test_room_comes_back_when_a_pod_leaves(admission: Admission) -> None:
    admission.admit(on("n1", "a", cpu="3"))
    admission.release("a")
    admission.release("a")
    assert admission.admit(on("n1", "b", cpu="4")) is None


def test_a_pod_itself_takes_room(admission: Admission) -> None:
    refusals = [admission.admit(on("n1", uid)) for uid in "abcd"]
    assert [refusal and refusal.reason for refusal in refusals] == [None, None, None, "OutOfpods"]


def test_a_device_is_counted_where_the_node_has_any(admission: Admission) -> None:
    gpus = admission.admit(on("n1", "a", **{"nvidia.com/gpu": "3"}))
    assert gpus is not None
    assert gpus.reason == "OutOfnvidia.com/gpu"
    assert admission.admit(on("n1", "b", **{"example.com/fpga": "1"})) is None


def test_who_runs_already_is_in(admission: Admission) -> None:
    assert admission.admit(on("n1", "a", cpu="9"), runs=True) is None
    assert admission.admit(on("n1", "b", cpu="1")) is not None
