"""Everything between us and the API server goes wrong for a while; when it is over, all is well.

While pods wait, calls are refused, lost or dropped as a seed says, watches end in the middle of a
line, the API server dies. Then that stops, and the same process has to bring everything to a good
end: each pod that fits is bound, once, no gang is half-started, no node holds more than it has, and
the log holds no error. Clocks that jump are not tried: a child's clock cannot be bent from here,
and none but the monotonic one decides anything (see `kube/lease.py`).

CHAOS=20 tries so many seeds of the storm.
"""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.controlplane.account import scheduler_kubeconfig
from tests.controlplane.api import Api, collection
from tests.controlplane.objects import create_pods
from tests.controlplane.plane import ControlPlane
from tests.controlplane.proxy import Call, Fate, Judge, Proxy
from tests.controlplane.scheduling import (
    Scheduler,
    all_bound,
    fill,
    half_started,
    make_gang,
    scheduling,
)
from tests.controlplane.waiting import wait_for
from tests.deploy.audit import ACCOUNT

pytestmark = pytest.mark.slow
SEEDS = int(os.environ.get("CHAOS", "2"))
CORES = 6
REFUSALS = (409, 410, 429, 500, 503)
BREEZE, STORM, STORM_CALLS = 0.05, 0.3, 200
"""How many of the calls go wrong until the first write, then, and for how many calls."""


def cores_used(api: Api) -> Counter[str]:
    """How many cores the pods of each node have asked for."""
    used: Counter[str] = Counter()
    for pod in api.get(collection("pods"))["items"]:
        if node := pod["spec"].get("nodeName"):
            asked = pod["spec"]["containers"][0]["resources"]["requests"]["cpu"]
            used[node] += int(asked)
    return used


def all_is_well(api: Api, namespace: str, proxy: Proxy, scheduler: Scheduler) -> None:
    wait_for(lambda: all_bound(api, namespace))
    assert scheduler.running
    assert not half_started(api, namespace)
    assert max(cores_used(api).values()) <= CORES
    assert set(proxy.bound().values()) == {1}, "nothing is bound twice"
    assert scheduler.complaints() == []


def endure(
    plane: ControlPlane,
    namespace: str,
    folder: Path,
    judge: Judge,
    trouble: Callable[[Proxy], object] = lambda _: None,
) -> None:
    """Fill a cluster, schedule it under a judge, have trouble, and see that all is well."""
    api = plane.api()
    fill(api, namespace)
    scheduler_kubeconfig(plane)
    with (
        Proxy(plane.api(ACCOUNT), judge) as proxy,
        scheduling(proxy.kubeconfig(folder), folder) as scheduler,
    ):
        trouble(proxy)
        all_is_well(api, namespace, proxy, scheduler)


def binds(proxy: Proxy) -> int:
    return sum(call.binds for call in proxy.calls)


def test_the_api_server_dies_in_the_middle_of_a_window(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    def trouble(proxy: Proxy) -> None:
        wait_for(lambda: binds(proxy) > 2)
        control_plane.restart_apiserver()

    endure(control_plane, namespace, tmp_path, lambda _: Fate.PASS, trouble)


def test_all_watches_are_cut_again_and_again(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    api = control_plane.api()

    def trouble(proxy: Proxy) -> None:
        wait_for(lambda: binds(proxy) > 0)
        for number in range(5):
            proxy.cut_watches()
            # Those who wait for a place: the cut watch has to tell that they are gone.
            late = make_gang(f"late{number}", 2, "9")
            create_pods(api, namespace, late)
            for pod in late:
                api.delete(f"{collection('pods', namespace)}/{pod['metadata']['name']}")

    endure(control_plane, namespace, tmp_path, lambda _: Fate.PASS, trouble)


def test_answers_of_writes_are_lost(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    random = Random("lost")

    def judge(call: Call) -> Fate:
        return Fate.LOSE if call.writes and random.random() < 0.3 else Fate.PASS

    endure(control_plane, namespace, tmp_path, judge)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_calls_are_refused_lost_and_dropped_at_random(
    control_plane: ControlPlane, namespace: str, tmp_path: Path, seed: int
) -> None:
    random, began = Random(f"storm {seed}"), list[int]()

    def judge(call: Call) -> Fate | int:
        if call.writes and not began:
            began.append(call.number)
        over = bool(began) and call.number > began[0] + STORM_CALLS
        # The first call asks whether there is a cluster at all.
        if call.number == 1 or over or random.random() > (STORM if began else BREEZE):
            return Fate.PASS
        return random.choice((*REFUSALS, Fate.LOSE, Fate.DROP))

    def trouble(proxy: Proxy) -> None:
        wait_for(lambda: binds(proxy) > 0)
        proxy.cut_watches()

    endure(control_plane, namespace, tmp_path, judge, trouble)
