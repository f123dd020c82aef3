"""An hour of a cluster's life in half a minute: the scheduler keeps up, and does not grow.

Pods and gangs come and end, a CronJob brings a batch at a time, nodes are lost with what runs on
them and come back; everything is tried until it has succeeded. Then the queue is empty, no gang is
half-started, the log holds no error, and the memory of the process is what it was after warming up.

CHURN=180 lasts so many seconds.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.controlplane.account import scheduler_kubeconfig
from tests.controlplane.api import Api, Object, collection, path_of
from tests.controlplane.jobs import Jobs
from tests.controlplane.kubelets import DURATION, Kubelets
from tests.controlplane.objects import create_nodes, make_node, make_pod
from tests.controlplane.plane import ControlPlane
from tests.controlplane.scheduling import OURS, Scheduler, half_started, scheduling
from tests.controlplane.waiting import WAIT_S_MAX, wait_for

LASTS_S = float(os.environ.get("CHURN", "30"))
PACE = 3600 / LASTS_S
"""Seconds of the hour that pass in a second."""
TURN_S = 0.5
NODES, CORES = 4, 10
WAITING_MAX = 120
WARM, GROWTH_MIB_MAX, GROWTH_MAX = 0.4, 24, 1.1
"""After this share of the time the process is warm; then it may not grow by more than this."""


class Hour:
    """What happens, as a seed says; one turn of it at a time."""

    def __init__(self, api: Api, kubelets: Kubelets, jobs: Jobs) -> None:
        self._api, self._kubelets, self._jobs = api, kubelets, jobs
        self._random = Random("churn")
        self._lost: str | None = None
        self._turns = 0

    def turn(self) -> None:
        """Let something happen."""
        self._turns += 1
        self._jobs.turn()
        if self._jobs.left() < WAITING_MAX:
            self._jobs.add(self._arrivals())
        if self._turns % 10 == 5:
            self._lose()
        elif self._turns % 10 == 0:
            self.recover()

    def recover(self) -> None:
        """Bring the lost node back."""
        if self._lost is not None:
            self._kubelets.find(self._lost)
            self._lost = None

    def _arrivals(self) -> Iterator[Object]:
        """A few pods, now and then a gang, and every tenth turn what a CronJob brings."""
        for i in range(self._random.randint(2, 6)):
            yield self._pod(f"pod{self._turns}x{i}", self._random.choice((1, 2, 4)))
        if self._turns % 3 == 0:
            name = f"gang{self._turns}"
            gang = {"batchsched.io/gang": name, "batchsched.io/min-available": "4"}
            for i in range(4):
                yield self._pod(f"{name}x{i}", 4, gang)
        if self._turns % 10 == 0:
            for i in range(20):
                yield self._pod(f"cron{self._turns}x{i}", 1)

    def _pod(self, name: str, cores: int, notes: dict[str, str] | None = None) -> Object:
        duration = {DURATION: f"{self._random.randint(20, 200)}s"}
        metadata = {"annotations": {**duration, **(notes or {})}}
        return make_pod(name, {"cpu": str(cores)}, metadata, schedulerName=OURS)

    def _lose(self) -> None:
        """Cut a node off, and take its pods away as the node lifecycle controller does.

        Those that ended stay for those who made them: of a gang of annotations nothing else tells
        that they succeeded.
        """
        self._lost = f"n{self._random.randrange(NODES)}"
        self._kubelets.lose(self._lost)
        there = self._api.get(collection("pods"), fieldSelector=f"spec.nodeName={self._lost}")
        for pod in there["items"]:
            if pod["status"]["phase"] not in ("Succeeded", "Failed"):
                self._api.delete(path_of(pod), {"gracePeriodSeconds": 0})


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_an_hour_of_churn_leaves_no_queue_no_error_and_no_fat(
    clean_control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    api = clean_control_plane.api()
    create_nodes(api, [make_node(f"n{i}", {"cpu": str(CORES)}) for i in range(NODES)])
    jobs, memory = Jobs(api, namespace), list[float]()
    with (
        Kubelets(api, pace=PACE, leases=False) as kubelets,
        scheduling(scheduler_kubeconfig(clean_control_plane), tmp_path) as scheduler,
    ):
        hour = Hour(api, kubelets, jobs)
        until_s = time.monotonic() + LASTS_S
        while time.monotonic() < until_s:
            hour.turn()
            time.sleep(TURN_S)
            memory.append(scheduler.memory_mib())
        hour.recover()
        wait_for(lambda: is_done(jobs), WAIT_S_MAX + LASTS_S)  # pods run longer, too
        assert_well(scheduler, api, namespace, memory)
    print(f"{jobs.done} pods; {dict(jobs.failed)}; MiB: {memory}")  # noqa: T201 -- pytest -s shows it
    assert jobs.failed["Gone"], "nodes were lost with pods on them"
    assert jobs.done > LASTS_S


def is_done(jobs: Jobs) -> bool:
    jobs.turn()
    return not jobs.left()


def assert_well(scheduler: Scheduler, api: Api, namespace: str, memory: list[float]) -> None:
    assert scheduler.running
    assert not half_started(api, namespace)
    assert scheduler.complaints() == []
    warm = memory[int(WARM * len(memory))]
    assert scheduler.memory_mib() < max(warm + GROWTH_MIB_MAX, warm * GROWTH_MAX), memory
