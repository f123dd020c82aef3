"""A plan on a live cluster: what holds is bound, what does not is refused, a gang whole."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from batchsched.cli import main
from batchsched.kube.volumes import BIND_COMPLETED
from tests.controlplane.api import Api, Object, collection
from tests.controlplane.objects import create_nodes, create_pods, make_node, make_pod
from tests.controlplane.plane import ControlPlane

NODES = ("n1", "n2", "n3")
GANG = {"batchsched.io/gang": "g", "batchsched.io/min-available": "2"}


class Bench:
    """Three nodes of four cores, and the commands on them."""

    def __init__(self, plane: ControlPlane, namespace: str, folder: Path) -> None:
        self.api: Api = plane.api()
        self.namespace, self.folder = namespace, folder
        self.kubeconfig = str(plane.admin)
        create_nodes(self.api, [make_node(name) for name in NODES])

    def create(self, name: str, cpu: str, **fields: Any) -> Object:
        metadata = {"annotations": fields.pop("annotations", {})}
        pod = make_pod(name, {"cpu": cpu}, metadata, schedulerName="batchsched", **fields)
        (made,) = create_pods(self.api, self.namespace, [pod])
        return made

    def solve(self, *options: str) -> Path:
        paths = {
            "priorityclasses": "/apis/scheduling.k8s.io/v1/priorityclasses",
            "storageclasses": "/apis/storage.k8s.io/v1/storageclasses",
        }
        core = ("nodes", "pods", "namespaces", "persistentvolumes", "persistentvolumeclaims")
        kinds = (*core, *paths)
        for kind in kinds:
            found = self.api.get(paths.get(kind, collection(kind)))
            (self.folder / f"{kind}.json").write_bytes(orjson.dumps(found))
        plan, files = (
            self.folder / "plan.out",
            [str(self.folder / f"{kind}.json") for kind in kinds],
        )
        result = CliRunner().invoke(
            main, ["solve", *files, "-o", str(plan), "--scheduler-name", "batchsched", *options]
        )
        assert result.exit_code == 0, result.output
        return plan

    def apply(self, plan: Path, *options: str) -> Result:
        return CliRunner().invoke(
            main, ["apply", str(plan), "--kubeconfig", self.kubeconfig, *options]
        )

    def nodes(self) -> dict[str, str | None]:
        items = self.api.get(collection("pods", self.namespace))["items"]
        return {pod["metadata"]["name"]: pod["spec"].get("nodeName") for pod in items}


@pytest.fixture
def bench(
    clean_control_plane: ControlPlane, tmp_path: Path, request: pytest.FixtureRequest
) -> Bench:
    return Bench(clean_control_plane, request.getfixturevalue("namespace"), tmp_path)


def planned(plan: Path) -> dict[str, str]:
    return {b["name"]: b["node"] for b in orjson.loads(plan.read_bytes())["bindings"]}


def test_a_plan_is_carried_out_and_can_be_applied_again(bench: Bench) -> None:
    for number in range(5):
        bench.create(f"p{number}", "2")
    plan = bench.solve()
    result = bench.apply(plan, "--dry-run")
    assert result.exit_code == 0, result.output
    assert "5 would be bound" in result.output
    assert set(bench.nodes().values()) == {None}
    result = bench.apply(plan, "--fail-on-unplaced")
    assert result.exit_code == 0, result.output
    assert bench.nodes() == planned(plan)
    pod = bench.api.get(f"{collection('pods', bench.namespace)}/p0")
    assert pod["metadata"]["annotations"]["batchsched.io/solve-id"].startswith("w0-")
    again = bench.apply(plan)
    assert again.exit_code == 0
    assert "5 bound already" in again.output


def test_what_does_not_hold_any_more_is_refused_and_a_gang_whole(bench: Bench) -> None:
    for name in ("g1", "g2"):
        bench.create(name, "4", annotations=GANG)
    bench.create("alone", "4")
    plan = bench.solve()
    where = planned(plan)
    bench.api.bind(bench.create("theirs", "3"), where["g1"])
    result = bench.apply(plan, "--fail-on-unplaced")
    assert result.exit_code == 3, result.output
    assert bench.nodes() == {
        "g1": None,
        "g2": None,
        "alone": where["alone"],
        "theirs": where["g1"],
    }
    assert "its gang: capacity" in result.output


def test_victims_leave_before_those_they_leave_for_come(bench: Bench) -> None:
    body = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass"}
    for name, value in (("high", 1000), ("low", 0)):
        made = {**body, "metadata": {"name": name}, "value": value}
        bench.api.create("/apis/scheduling.k8s.io/v1/priorityclasses", made)
    for node in NODES:
        victim = bench.create(f"low-{node}", "3", priorityClassName="low")
        bench.api.bind(victim, node)
        path = f"{collection('pods', bench.namespace)}/low-{node}/status"
        bench.api.patch(path, {"status": {"phase": "Running"}})
    bench.create("high", "3", priorityClassName="high")
    plan = bench.solve("--preemption", "lower-priority")
    (victim,) = orjson.loads(plan.read_bytes())["evictions"]
    result = bench.apply(plan, "--dry-run")
    assert "would be evicted" in result.output, result.output
    late = bench.apply(plan, "--wait", "1")
    assert bench.nodes()["high"] is None, "no kubelet ended the victim"
    assert "Evicted" in late.output
    assert "Refused" in late.output
    path = f"{collection('pods', bench.namespace)}/{victim['name']}"
    bench.api.delete(path, {"gracePeriodSeconds": 0})
    result = bench.apply(plan)
    assert result.exit_code == 0, result.output
    assert bench.nodes()["high"] == victim["from"]
    events = bench.api.get(collection("events", bench.namespace, "events.k8s.io/v1"))["items"]
    (told,) = [event for event in events if event["reason"] == "Preempted"]
    assert told["regarding"]["name"] == victim["name"]
    assert re.fullmatch(r"Preempted by pod \S+ \(\S+/high\) on node \S+", told["note"])


def test_a_cluster_that_cannot_be_reached_is_exit_code_4(bench: Bench, tmp_path: Path) -> None:
    bench.create("p", "1")
    plan = bench.solve()
    content = Path(bench.kubeconfig).read_text(encoding="utf-8")
    nowhere = tmp_path / "nowhere"
    nowhere.write_text(re.sub(r"https://127.0.0.1:\d+", "https://127.0.0.1:1", content))
    result = CliRunner().invoke(main, ["apply", str(plan), "--kubeconfig", str(nowhere)])
    assert result.exit_code == 4, result.output


def test_a_claim_that_waits_gets_its_volume_before_the_pod_is_bound(bench: Bench) -> None:
    storage_class = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "local"},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }
    bench.api.create("/apis/storage.k8s.io/v1/storageclasses", storage_class)
    term = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["n2"]}
    storage = {"accessModes": ["ReadWriteOnce"], "storageClassName": "local"}
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "disk"},
        "spec": {
            **storage,
            "capacity": {"storage": "1Gi"},
            "local": {"path": "/nowhere"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [term]}]}},
        },
    }
    bench.api.create(collection("persistentvolumes"), volume)
    available = {"status": {"phase": "Available"}}
    bench.api.patch(f"{collection('persistentvolumes')}/disk/status", available)
    claims = collection("persistentvolumeclaims", bench.namespace)
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "c"},
        "spec": {**storage, "resources": {"requests": {"storage": "1Gi"}}},
    }
    bench.api.create(claims, claim)
    source = {"name": "data", "persistentVolumeClaim": {"claimName": "c"}}
    bench.create("p", "1", volumes=[source])
    plan = bench.solve()
    assert planned(plan) == {"p": "n2"}
    with ThreadPoolExecutor(1) as thread:
        applying = thread.submit(bench.apply, plan)
        while "claimRef" not in bench.api.get(f"{collection('persistentvolumes')}/disk")["spec"]:
            assert not applying.done()
        assert bench.nodes() == {"p": None}
        done = {
            "metadata": {"annotations": {BIND_COMPLETED: "yes"}},
            "spec": {"volumeName": "disk"},
        }
        bench.api.patch(f"{claims}/c", done)
        result = applying.result(30)
    assert result.exit_code == 0, result.output
    assert bench.nodes() == {"p": "n2"}
