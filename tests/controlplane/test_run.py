"""`batchsched run` on a real API server: what it binds, what it tells, and how it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.controlplane.account import LEASE, scheduler_kubeconfig
from tests.controlplane.api import Api, collection
from tests.controlplane.definitions import (
    COSCHEDULING,
    KUBERNETES,
    POD_GROUPS,
    define_pod_groups,
)
from tests.controlplane.objects import create_nodes, create_pods, make_node, make_pod
from tests.controlplane.plane import ControlPlane

pytestmark = pytest.mark.slow
RUN = [sys.executable, "-m", "batchsched", "run"]
PATIENCE_S = 90.0
PIPE_BYTES_MAX = 1 << 16
GANG = {"batchsched.io/gang": "g", "batchsched.io/min-available": "2"}


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def configured(folder: Path, **fields: Any) -> Path:
    """A configuration file; nothing is listened on unless it says so."""
    head = {"apiVersion": "batchsched.io/v1alpha1", "kind": "SchedulerConfiguration"}
    quiet = {"healthzBindAddress": "", "metricsBindAddress": "", "logging": {"level": "debug"}}
    quiet |= {"leaderElection": LEASE}
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump({**head, **quiet, **fields}), encoding="utf-8")
    return file


def once(plane: ControlPlane, config: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [
        *RUN,
        "--once",
        "--config",
        str(config),
        "--kubeconfig",
        str(scheduler_kubeconfig(plane)),
        *more,
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A scheduler, for as long as the test needs it."""
    process = subprocess.Popen(
        [*RUN, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def pods_of(api: Api, namespace: str) -> dict[str, dict[str, Any]]:
    pods = api.get(collection("pods", namespace))["items"]
    return {pod["metadata"]["name"]: pod for pod in pods}


def nodes_of(api: Api, namespace: str) -> dict[str, str]:
    """Where the pods are that have a node."""
    found = pods_of(api, namespace)
    return {
        name: pod["spec"]["nodeName"] for name, pod in found.items() if "nodeName" in pod["spec"]
    }


def until_placed(api: Api, namespace: str, count: int) -> dict[str, str]:
    deadline_s = time.monotonic() + PATIENCE_S
    while len(placed := nodes_of(api, namespace)) < count:
        assert time.monotonic() < deadline_s, f"only {placed}"
        time.sleep(0.05)
    return placed


def lines_of(text: str) -> list[Mapping[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def ours(name: str, cores: str, **fields: Any) -> dict[str, Any]:
    return make_pod(name, {"cpu": cores}, schedulerName="batchsched", **fields)


def test_once_binds_what_fits_says_why_of_the_rest_and_records_it(
    clean_control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    api = clean_control_plane.api()
    create_nodes(api, [make_node("n1"), make_node("n2")])
    members = [ours(f"g{i}", "3", metadata={"annotations": GANG}) for i in range(2)]
    others = [make_pod("theirs", {"cpu": "1"}), ours("huge", "100"), ours("small", "1")]
    create_pods(api, namespace, [*members, *others])
    folder = tmp_path / "records"
    ended = once(
        clean_control_plane, configured(tmp_path), "--record", str(folder), "--fail-on-unplaced"
    )
    assert ended.returncode == 3, ended.stderr
    placed = nodes_of(api, namespace)
    assert placed.keys() == {"g0", "g1", "small"}
    assert placed["g0"] != placed["g1"]
    pods = pods_of(api, namespace)
    (solve,) = {pods[name]["metadata"]["annotations"]["batchsched.io/solve-id"] for name in placed}
    bound = [line for line in lines_of(ended.stderr) if line["msg"] == "bound"]
    assert {(line["pod"], line["solveID"]) for line in bound} == {
        (f"{namespace}/{name}", solve) for name in placed
    }
    (why,) = [c for c in pods["huge"]["status"]["conditions"] if c["type"] == "PodScheduled"]
    assert (why["status"], why["reason"]) == ("False", "Unschedulable")
    assert why["message"] == "0/2 nodes are available: 2 Insufficient cpu."
    assert why["observedGeneration"] == pods["huge"]["metadata"]["generation"]
    verify = ["verify", "plan.json", "snapshot.json.gz"]
    subprocess.run([*RUN[:-1], *verify], cwd=folder / solve, check=True, capture_output=True)


def test_pod_groups_are_told_what_became_of_them(
    clean_control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    api = clean_control_plane.api()
    define_pod_groups(api)
    create_nodes(api, [make_node("n1"), make_node("n2")])
    path = {group: collection("podgroups", namespace, group=group) for group in POD_GROUPS}
    specs = {
        KUBERNETES: {"schedulingPolicy": {"gang": {"minCount": 2}}},
        COSCHEDULING: {"minMember": 2},
    }
    for group, spec in specs.items():
        for size, cores in (("small", "1"), ("huge", "100")):
            name = f"{size}-{group.split('.')[1]}"
            head = {"apiVersion": group, "kind": "PodGroup", "metadata": {"name": name}}
            api.create(path[group], {**head, "spec": spec})
            belongs: dict[str, Any] = {"schedulingGroup": {"podGroupName": name}}
            if group == COSCHEDULING:
                belongs = {"metadata": {"labels": {"scheduling.x-k8s.io/pod-group": name}}}
            create_pods(api, namespace, [ours(f"{name}-{i}", cores, **belongs) for i in range(2)])
    ended = once(clean_control_plane, configured(tmp_path))
    assert ended.returncode == 0, ended.stderr

    def statuses(group: str) -> dict[str, Any]:
        found = api.get(path[group])["items"]
        return {item["metadata"]["name"]: item["status"] for item in found}

    told = {name: status["conditions"][0] for name, status in statuses(KUBERNETES).items()}
    assert {c["type"] for c in told.values()} == {"PodGroupInitiallyScheduled"}
    assert {name: c["status"] for name, c in told.items()} == {
        "small-k8s": "True",
        "huge-k8s": "False",
    }
    assert "Insufficient cpu" in told["huge-k8s"]["message"]
    phases = {name: status["phase"] for name, status in statuses(COSCHEDULING).items()}
    assert phases == {"small-x-k8s": "Scheduling", "huge-x-k8s": "Pending"}


def test_of_gangs_of_gangs_each_starts_whole(
    clean_control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    """A service of two replicas, each of two gangs; of the second one gang does not exist yet."""
    api = clean_control_plane.api()
    create_nodes(api, [make_node("n1", {"cpu": "6", "memory": "16Gi", "pods": "110"})])

    def create(kind: str, name: str, above: str | None, policy: dict[str, Any]) -> None:
        """A group in the tree, as controllers make it of a template."""
        group = KUBERNETES if kind == "PodGroup" else "scheduling.k8s.io/v1alpha3"
        spec = {
            "schedulingPolicy": policy,
            "workloadRef": {"workloadName": "w", "templateName": "t"},
            **({"parentCompositePodGroupName": above} if above else {}),
        }
        body = {"apiVersion": group, "kind": kind, "metadata": {"name": name}, "spec": spec}
        api.create(collection(f"{kind.lower()}s", namespace, group=group), body)

    create("CompositePodGroup", "serve", None, {"basic": {}})
    for over in ("replica-0", "replica-1"):
        create("CompositePodGroup", over, "serve", {"gang": {"minGroupCount": 2}})
    for replica, stage, cores in ((0, "prefill", "2"), (0, "decode", "2"), (1, "decode", "3")):
        name = f"{stage}-{replica}"
        create("PodGroup", name, f"replica-{replica}", {"gang": {"minCount": 1}})
        create_pods(api, namespace, [ours(name, cores, schedulingGroup={"podGroupName": name})])
    folder = tmp_path / "records"
    ended = once(clean_control_plane, configured(tmp_path), "--record", str(folder))
    assert ended.returncode == 0, ended.stderr
    assert nodes_of(api, namespace).keys() == {"prefill-0", "decode-0"}
    conditions = pods_of(api, namespace)["decode-1"]["status"]["conditions"]
    (why,) = [each["message"] for each in conditions if each["type"] == "PodScheduled"]
    assert why.endswith("replica-1 waits for groups: 1 of 2 exist")
    verify = ["verify", "plan.json", "snapshot.json.gz"]
    for record in folder.iterdir():
        subprocess.run([*RUN[:-1], *verify], cwd=record, check=True, capture_output=True)


def test_it_serves_is_asked_for_its_state_and_releases_the_lease_when_it_ends(
    clean_control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    api, address = clean_control_plane.api(), f"127.0.0.1:{free_port()}"
    create_nodes(api, [make_node("n1")])
    config = configured(tmp_path, healthzBindAddress=address, metricsBindAddress=address)
    account = scheduler_kubeconfig(clean_control_plane)
    arguments = ["--config", str(config), "--kubeconfig", str(account)]
    with running(*arguments) as process:
        create_pods(api, namespace, [ours("first", "1")])
        until_placed(api, namespace, 1)
        create_pods(api, namespace, [ours("second", "1")])
        until_placed(api, namespace, 2)
        with urllib.request.urlopen(f"http://{address}/readyz") as reply:
            assert reply.read() == b"ok\n"
        with urllib.request.urlopen(f"http://{address}/metrics") as reply:
            assert b'batchsched_binds_total{result="bound"} 2.0' in reply.read()
        process.send_signal(signal.SIGUSR1)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, told
    assert "state" in {line["msg"] for line in lines_of(told)}
    leases = "/apis/coordination.k8s.io/v1/namespaces/batchsched/leases"
    assert not api.get(f"{leases}/batchsched")["spec"]["holderIdentity"]


def test_two_replicas_bind_every_pod_once(
    clean_control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    api, lease = clean_control_plane.api(), {**LEASE, "leaseDuration": "3s", "renewDeadline": "2s"}
    create_nodes(api, [make_node("n1", {"cpu": "64"})])
    config = configured(tmp_path, leaderElection={**lease, "retryPeriod": "500ms"})
    account = scheduler_kubeconfig(clean_control_plane)
    arguments = ["--config", str(config), "--kubeconfig", str(account)]
    with running(*arguments) as first, running(*arguments) as second:
        create_pods(api, namespace, [ours(f"a{i}", "1") for i in range(10)])
        until_placed(api, namespace, 10)
        leader = first if is_leader(first) else second
        leader.kill()
        create_pods(api, namespace, [ours(f"b{i}", "1") for i in range(10)])
        assert len(until_placed(api, namespace, 20)) == 20


def is_leader(process: subprocess.Popen[str]) -> bool:
    """Whether this process bound the pods: it says so in its log."""
    assert process.stderr is not None
    os.set_blocking(process.stderr.fileno(), False)
    with suppress(BlockingIOError):  # one that never led has nothing to say
        return b'"msg":"bound"' in os.read(process.stderr.fileno(), PIPE_BYTES_MAX)
    return False


def test_a_shadow_writes_nothing_and_says_what_it_would_have_done(
    clean_control_plane: ControlPlane, namespace: str
) -> None:
    api = clean_control_plane.api()
    create_nodes(api, [make_node("n1")])
    create_pods(api, namespace, [make_pod("a", {"cpu": "1"}), make_pod("b", {"cpu": "9"})])
    account = str(scheduler_kubeconfig(clean_control_plane))
    command = [*RUN, "--dry-run", "--once", "--kubeconfig", account]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert not nodes_of(api, namespace)
    rows = {line.split("  ")[0]: line.split() for line in ended.stdout.splitlines()}
    assert rows["default-scheduler"][1:4] == ["0", "of", "2"]
    assert rows["with batchsched"][2:5] == ["1", "of", "2"]


def test_who_is_not_let_in_is_told_in_one_line(control_plane: ControlPlane, tmp_path: Path) -> None:
    nobody = control_plane.kubeconfig("nobody", ())
    config = str(configured(tmp_path))
    command = [*RUN, "--config", config, "--kubeconfig", str(nobody)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 4
    (line,) = ended.stderr.splitlines()
    assert "list nodes: 403" in line
    away = tmp_path / "away.yaml"
    text = control_plane.admin.read_text(encoding="utf-8")
    settings = yaml.safe_load(text)
    settings["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{free_port()}"
    away.write_text(yaml.safe_dump(settings), encoding="utf-8")
    command[-1] = str(away)
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 4
    assert len(ended.stderr.splitlines()) == 1
