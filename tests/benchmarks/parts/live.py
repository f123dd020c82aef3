"""Live: a backlog on a real API server, from the start of a scheduler to its last pod bound.

The same pods on the same empty cluster, by kube-scheduler (client QPS 5,000) and by
`batchsched run`, in turn, on a control plane that starts anew each time. All share the cores of
this machine, API server and etcd included; so only the ratio of the two says something, and of
several pairs the median. A run whose pods are not all bound when its time is up says how many are.

And a cold start: how long a process takes on a cluster of running pods until it is ready.
"""

import http.client
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import orjson

from tests.benchmarks.parts import Options, Row
from tests.controlplane import build
from tests.controlplane.api import Api, Object, collection
from tests.controlplane.objects import create_nodes, create_pods, make_node, make_pod
from tests.controlplane.plane import ControlPlane

RUN_S_MAX = 300.0
POLL_S = 0.1
OURS, THEIRS = "batchsched", "default-scheduler"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
ZONE = "topology.kubernetes.io/zone"
ZONES = 3


@dataclass(frozen=True)
class Backlog:
    """What is there before a scheduler starts."""

    name: str
    nodes: int
    pods: int
    pairs: int
    """How often each scheduler has its turn."""
    spread: bool = False


BACKLOGS = (
    Backlog("mixed 2000 on 1000", 1000, 2000, 3),
    Backlog("mixed 10000 on 5000", 5000, 10_000, 3),
    Backlog("zone spread 10000 on 5000", 5000, 10_000, 3, spread=True),
)
FULL = Backlog("running", 5000, 10_000, 1)
"""What stands there when a process starts anew."""


@dataclass(frozen=True)
class Run:
    """One scheduler on one backlog: seconds from its start, of all and of processors; and MiB."""

    bound_s: float
    left: int
    scheduler_cpu_s: float
    apiserver_cpu_s: float
    memory_mib: float


def live(options: Options) -> Iterator[Row]:
    """Every backlog, kube-scheduler and us in turn."""
    for backlog in BACKLOGS:
        runs: dict[str, list[Run]] = {THEIRS: [], OURS: []}
        for _ in range(backlog.pairs):
            for who, several in runs.items():
                with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                    several.append(_measured(backlog, who, Path(folder)))
        yield from _rows(backlog, runs)
    yield _cold_start(options)


def _cold_start(options: Options) -> Row:
    """From the start of a process to ready, on a cluster where all pods have a node; all of it."""
    pods = _pods(FULL, OURS)
    for at, pod in enumerate(pods):
        pod["spec"]["nodeName"] = f"node-{at % FULL.nodes:05}"
    with (
        tempfile.TemporaryDirectory(dir=options.folder) as folder,
        ControlPlane(build.program(), Path(folder) / "plane") as plane,
    ):
        create_nodes(plane.api(), _nodes(FULL))
        create_pods(plane.api(), "default", pods)
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = f"127.0.0.1:{free.getsockname()[1]}"
        began_s, peak = time.monotonic(), 0.0
        with _batchsched(plane, Path(folder), address) as pids:
            while not _is_ready(address) and time.monotonic() - began_s < RUN_S_MAX:
                time.sleep(POLL_S)
                peak = max(peak, sum(_memory_mib(pid) for pid in pids()))
            ready_s = time.monotonic() - began_s
            peak = max(peak, sum(_memory_mib(pid) for pid in pids()))
            return Row(
                name=f"live cold start {FULL.pods} running",
                ready_s=round(ready_s, 1),
                scheduler_cpu_s=round(sum(_cpu_s(pid) for pid in pids()), 1),
                memory_mib=round(peak),
            )


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/readyz") as reply:
            return bool(reply.status == http.client.OK)
    except OSError:  # not there yet, or not ready
        return False


def _rows(backlog: Backlog, runs: dict[str, list[Run]]) -> Iterator[Row]:
    ratio = statistics.median(
        ours.bound_s / theirs.bound_s for ours, theirs in zip(runs[OURS], runs[THEIRS], strict=True)
    )
    for who, several in runs.items():
        row = Row(
            name=f"live {backlog.name}, {who}",
            bound_s=round(statistics.median(run.bound_s for run in several), 1),
            pods_per_s=round(backlog.pods / statistics.median(run.bound_s for run in several)),
            left=max(run.left for run in several),
            scheduler_cpu_s=round(statistics.median(run.scheduler_cpu_s for run in several), 1),
            apiserver_cpu_s=round(statistics.median(run.apiserver_cpu_s for run in several), 1),
            memory_mib=round(max(run.memory_mib for run in several)),
        )
        if who == OURS:
            row["ratio"] = round(ratio, 2)
        yield row


def _measured(backlog: Backlog, who: str, folder: Path) -> Run:
    """Fill a cluster, start one scheduler, and wait for the last pod."""
    with ControlPlane(build.program(), folder / "plane") as plane:
        api = plane.api()
        create_nodes(api, _nodes(backlog))
        create_pods(api, "default", _pods(backlog, who))
        start = _kube_scheduler if who == THEIRS else _batchsched
        before_s = _cpu_s(plane.pid("kube-apiserver"))
        began_s = time.monotonic()
        with start(plane, folder) as pids:
            peak = 0.0
            while _unbound(api) and time.monotonic() - began_s < RUN_S_MAX:
                time.sleep(POLL_S)
                peak = max(peak, sum(_memory_mib(pid) for pid in pids()))
            bound_s = time.monotonic() - began_s
            left = _unbound(api, backlog.pods)
            cpu_s = sum(_cpu_s(pid) for pid in pids())
        return Run(bound_s, left, cpu_s, _cpu_s(plane.pid("kube-apiserver")) - before_s, peak)


def _nodes(backlog: Backlog) -> list[Object]:
    return [
        make_node(
            f"node-{i:05}",
            {"cpu": "32", "memory": "256Gi", "pods": "110"},
            {ZONE: f"zone-{i % ZONES}"},
        )
        for i in range(backlog.nodes)
    ]


def _pods(backlog: Backlog, who: str) -> list[Object]:
    """Pods of mixed requests, so that no scheduler can decide for many of them at once."""
    random = Random(1)
    found = []
    for i in range(backlog.pods):
        requests = {
            "cpu": f"{random.choice((100, 250, 500, 1000, 2000, 4000))}m",
            "memory": f"{random.choice((128, 256, 512, 1024, 2048, 8192))}Mi",
        }
        labels = {"app": f"app-{i % 10}"}
        spread = {
            "maxSkew": 1,
            "topologyKey": ZONE,
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": labels},
        }
        rules = {"topologySpreadConstraints": [spread]} if backlog.spread else {}
        found.append(
            make_pod(f"pod-{i:05}", requests, {"labels": labels}, schedulerName=who, **rules)
        )
    return found


Pids = Callable[[], Sequence[int]]


@contextmanager
def _kube_scheduler(plane: ControlPlane, _: Path) -> Iterator[Pids]:
    plane.start_kube_scheduler()
    pid = plane.pid("kube-scheduler")
    yield lambda: [pid]
    plane.stop_kube_scheduler()


@contextmanager
def _batchsched(plane: ControlPlane, folder: Path, address: str = "127.0.0.1:0") -> Iterator[Pids]:
    """Start the scheduler with its defaults, but nobody to vote with, as kube-scheduler's here."""
    settings = {
        "apiVersion": "batchsched.io/v1alpha1",
        "kind": "SchedulerConfiguration",
        "leaderElection": {"leaderElect": False},
        "healthzBindAddress": address,
        "metricsBindAddress": "127.0.0.1:0",
    }
    file = folder / "scheduler.json"
    file.write_bytes(orjson.dumps(settings))
    command = [sys.executable, "-m", "batchsched", "run", "--config", str(file)]
    with (folder / "batchsched.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--kubeconfig", str(plane.admin)], stdout=log, stderr=log
        )
        try:
            yield lambda: [process.pid, *_children(process.pid)]
        finally:
            process.terminate()
            process.wait(60)


def _unbound(api: Api, limit: int = 1) -> int:
    """How many pods have no node, counted to a limit: one is little work for the API server."""
    query = {"fieldSelector": "spec.nodeName=", "limit": str(limit)}
    return len(api.get(collection("pods", "default"), **query)["items"])


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [int(child) for child in found]


def _cpu_s(pid: int) -> float:
    """Seconds of processor that a process has used, and its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / TICKS_PER_S


def _memory_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0
