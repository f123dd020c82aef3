"""Beside kube-scheduler, on the same nodes: each works on what the watches showed, so they collide.

Nobody can keep two schedulers from giving the same room away at the same moment; the kubelet finds
out. What must hold is that this passes: a node is over-committed for no longer than a window, and
the work of every pod that a kubelet refused is done in the end.
"""

import time
from collections import Counter
from pathlib import Path

import pytest

from tests.controlplane.account import scheduler_kubeconfig
from tests.controlplane.api import Api, collection
from tests.controlplane.jobs import Jobs
from tests.controlplane.kubelets import DURATION, Kubelets
from tests.controlplane.objects import create_nodes, make_node, make_pod
from tests.controlplane.plane import ControlPlane
from tests.controlplane.scheduling import OURS, scheduling
from tests.controlplane.waiting import wait_for

CORES, NODES, WORKS = 4, 4, 60
THEIRS = "default-scheduler"
WINDOW_S_MAX = 5.0


class Watched:
    """The nodes, looked at again and again: how long each was over-committed at a stretch."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._since_s: dict[str, float] = {}
        self.longest_s = 0.0

    def look(self) -> None:
        used: Counter[str] = Counter()
        for pod in self._api.get(collection("pods"))["items"]:
            if pod["status"].get("phase") not in {"Succeeded", "Failed"}:
                used[pod["spec"].get("nodeName", "")] += 1
        now_s = time.monotonic()
        over = {node for node, cores in used.items() if node and cores > CORES}
        self._since_s = {node: self._since_s.get(node, now_s) for node in sorted(over)}
        spells = [now_s - since_s for since_s in self._since_s.values()]
        self.longest_s = max([self.longest_s, *spells])


@pytest.mark.slow
def test_what_a_kubelet_refuses_beside_kube_scheduler_finds_a_place_later(
    clean_control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    plane, api = clean_control_plane, clean_control_plane.api()
    create_nodes(api, [make_node(f"n{i}", {"cpu": str(CORES)}) for i in range(NODES)])
    notes = {"annotations": {DURATION: "1s"}}
    works = [
        make_pod(f"work{i}", {"cpu": "1"}, notes, schedulerName=(OURS, THEIRS)[i % 2])
        for i in range(WORKS)
    ]
    jobs, watched = Jobs(api, namespace), Watched(api)
    plane.start_kube_scheduler()
    with (
        Kubelets(api, leases=False) as _,
        scheduling(scheduler_kubeconfig(plane), tmp_path) as scheduler,
    ):

        def is_done() -> bool:
            watched.look()
            jobs.turn()
            return not jobs.left()

        jobs.add(works)
        wait_for(is_done)
        assert scheduler.complaints() == []
    plane.stop_kube_scheduler()
    assert jobs.done == WORKS
    assert set(jobs.failed) <= {"OutOfcpu"}
    assert watched.longest_s < WINDOW_S_MAX
