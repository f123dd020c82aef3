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
from tests.controlplane.objects import make_pod

OURS = "batchsched"
END_S_MAX = 60


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
