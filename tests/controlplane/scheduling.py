"""A scheduler process of ours in tests: started, killed, started again; and the gangs it places."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from tests.controlplane.api import Api, Object, collection
from tests.controlplane.objects import create_nodes, create_pods, make_node, make_pod
from tests.controlplane.waiting import wait_for

OURS = "batchsched"
END_S_MAX = 60
GANGS, SIZE, SINGLES = 5, 3, 3


class Scheduler:
    """``batchsched run`` as a process.

    Args:
        kubeconfig: As whom, and through what.
        folder: For its configuration and its log.
        settings: More fields of its SchedulerConfiguration.
        arguments: More arguments.
    """

    def __init__(
        self,
        kubeconfig: Path,
        folder: Path,
        settings: dict[str, Any] | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        configuration = {
            "apiVersion": "batchsched.io/v1alpha1",
            "kind": "SchedulerConfiguration",
            "leaderElection": {"leaderElect": False},
            "healthzBindAddress": "127.0.0.1:0",
            "metricsBindAddress": "127.0.0.1:0",
            "window": {"idle": "100ms", "max": "1s"},
            "solve": {"timeLimit": "2s"},
            "podMaxBackoffSeconds": 4,
            **(settings or {}),
        }
        file = folder / "scheduler.json"
        file.write_bytes(orjson.dumps(configuration))
        self.log = folder / "scheduler.log"
        named = ["--config", str(file), "--kubeconfig", str(kubeconfig)]
        self._command = [sys.executable, "-m", "batchsched", "run", *named, *arguments]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it is ready some time after."""
        with self.log.open("ab") as log:
            # A group of its own: its solver is killed with it.
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self) -> None:
        """Kill it as the kernel does: it can do nothing about it."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def wait_until_it_has_read(self) -> None:
        """Wait until it knows the cluster: what comes now, it sees come."""
        wait_for(lambda: '"the cluster is read"' in self.log.read_text(encoding="utf-8"))

    def pause(self) -> None:
        """Stop it wherever it is; it notices nothing."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on, as if no time had passed."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGCONT)

    def stop(self) -> int:
        """Ask it to end, and give its exit code."""
        assert self._process is not None
        self._process.terminate()
        code = self._process.wait(END_S_MAX)
        self._process = None
        return code

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    def memory_mib(self) -> float:
        """What the process and its solver hold of memory."""
        assert self._process is not None
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        return sum(map(_memory_mib, [pid, *map(int, children)]))

    def complaints(self) -> list[str]:
        """What it logged as an error, and what is not JSON at all."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return [line for line in lines if not line.startswith("{") or '"level":"error"' in line]


@contextmanager
def scheduling(*arguments: Any, **options: Any) -> Iterator[Scheduler]:
    """A scheduler that runs, and is gone afterwards."""
    scheduler = Scheduler(*arguments, **options)
    scheduler.start()
    try:
        yield scheduler
    finally:
        scheduler.kill()


def make_gang(name: str, size: int, cpu: str, scheduler: str = OURS) -> list[Object]:
    """The pods of a gang that stands on annotations alone."""
    notes = {"batchsched.io/gang": name, "batchsched.io/min-available": str(size)}
    return [
        make_pod(f"{name}-{i}", {"cpu": cpu}, {"annotations": notes}, schedulerName=scheduler)
        for i in range(size)
    ]


def fill(api: Api, namespace: str) -> None:
    """Five gangs of three and a few single pods, and just the room that they need."""
    create_nodes(api, [make_node(f"n{i}", {"cpu": "6"}) for i in range(3)])
    gangs = [pod for i in range(GANGS) for pod in make_gang(f"gang{i}", SIZE, "1")]
    create_pods(api, namespace, gangs)
    singles = [make_pod(f"s{i}", {"cpu": "1"}, schedulerName=OURS) for i in range(SINGLES)]
    create_pods(api, namespace, singles)


def all_bound(api: Api, namespace: str) -> bool:
    """Whether every pod has a node."""
    return None not in nodes_of(api, namespace).values()


def nodes_of(api: Api, namespace: str) -> dict[str, str | None]:
    """Where the pods of a namespace are, by name."""
    pods = api.get(collection("pods", namespace))["items"]
    return {pod["metadata"]["name"]: pod["spec"].get("nodeName") for pod in pods}


def half_started(api: Api, namespace: str) -> list[str]:
    """Gangs of ``make_gang`` of which some pods have a node and others have none."""
    found: dict[str, set[bool]] = {}
    for name, node in nodes_of(api, namespace).items():
        gang, dash, _ = name.rpartition("-")
        if dash:
            found.setdefault(gang, set()).add(node is not None)
    return sorted(gang for gang, states in found.items() if len(states) > 1)


def _memory_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
