"""Two replicas fight for the lease: whoever binds a pod holds it at that moment.

Each replica calls through a proxy of its own, which reads the Lease before it lets a binding pass,
and knows its replica by the names under which it has claimed the Lease. At random the leader is
stopped in its tracks until another leads, and goes on where it stood; is killed; or is asked to
end. Meanwhile pods come and go, so that there is something to bind all the time.

LEASES=1000 asks for so many changes of the leader. A change takes about two seconds, of which most
is waiting; PAIRS=4 has so many pairs fight side by side, each for a Lease of its own.
"""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from tests.controlplane.account import LEASE, scheduler_kubeconfig
from tests.controlplane.api import Api, ApiError, collection
from tests.controlplane.kubelets import DURATION, Kubelets
from tests.controlplane.objects import create_nodes, create_pods, make_node, make_pod
from tests.controlplane.plane import ControlPlane
from tests.controlplane.proxy import Call, Fate, Proxy
from tests.controlplane.scheduling import OURS, Scheduler, all_bound
from tests.controlplane.waiting import wait_for
from tests.deploy.audit import ACCOUNT, NAMESPACE

CHANGES, PAIRS = int(os.environ.get("LEASES", "6")), int(os.environ.get("PAIRS", "1"))
ELECTION = {
    "leaderElect": True,
    "leaseDuration": "1s",
    "renewDeadline": "700ms",
    "retryPeriod": "100ms",
    **LEASE,
}
LEASES = collection("leases", NAMESPACE, "coordination.k8s.io/v1")
BATCH, EVERY_S = 3, 0.25
NOT_FOUND = 404


class Replica:
    """A scheduler, the proxy before it, and what it did while others led."""

    def __init__(self, plane: ControlPlane, folder: Path, pair: int) -> None:
        folder.mkdir(parents=True)
        scheduler_kubeconfig(plane)
        self._api, self._lease = plane.api(), name_of(pair)
        self.names: set[str] = set()
        self.holders: dict[int, str] = {}
        """Who held the Lease when a binding came by, by the number of the call."""
        # The account may use one Lease, the first pair's.
        self.proxy = Proxy(plane.api() if pair else plane.api(ACCOUNT), self._judge)
        settings = {
            "leaderElection": {**ELECTION, "resourceName": self._lease},
            "profiles": [{"schedulerName": self._lease}],
        }
        self.scheduler = Scheduler(self.proxy.kubeconfig(folder), folder, settings)

    def _judge(self, call: Call) -> Fate:
        if call.writes and "/leases" in call.path:
            self.names |= {orjson.loads(call.body)["spec"]["holderIdentity"]} - {""}
        if call.binds:
            self.holders[call.number] = holder(self._api, self._lease)
        return Fate.PASS

    def leads(self) -> bool:
        assert self.scheduler.running, "it has ended by itself"
        return holder(self._api, self._lease) in self.names

    def usurped(self) -> list[str]:
        """The bindings that were written while another led."""
        done = [call for call in self.proxy.calls if self.proxy.answers.get(call.number) == 201]
        return [
            f"{call.path} while {self.holders[call.number]!r} led"
            for call in done
            if call.binds and self.holders[call.number] not in self.names
        ]


def name_of(pair: int) -> str:
    """The Lease of a pair, and the scheduler name of its pods."""
    return f"{OURS}-{pair}" if pair else OURS


def lease_of(api: Api, name: str) -> dict[str, Any]:
    """The spec of a Lease; empty where there is none."""
    try:
        spec: dict[str, Any] = api.get(f"{LEASES}/{name}")["spec"]
    except ApiError as error:
        if error.code != NOT_FOUND:
            raise
        return {}
    return spec


def holder(api: Api, name: str) -> str:
    found: str = lease_of(api, name).get("holderIdentity") or ""
    return found


@contextmanager
def arrivals(api: Api, namespace: str, pairs: int) -> Iterator[None]:
    """Pods come as long as this lasts, run for a second, and are taken away."""
    over = threading.Event()

    def arrive() -> None:
        number = 0
        while not over.wait(EVERY_S):
            notes = {"annotations": {DURATION: "1s"}}
            names = [f"p{number + i:06}" for i in range(BATCH)]
            number += BATCH
            pods = [
                make_pod(f"{name}-{pair}", {"cpu": "1"}, notes, schedulerName=name_of(pair))
                for name in names
                for pair in range(pairs)
            ]
            create_pods(api, namespace, pods)
            api.delete(collection("pods", namespace), fieldSelector="status.phase=Succeeded")

    thread = threading.Thread(target=arrive, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def depose(leader: Replica, others: Replica, random: Random) -> None:
    """Take the lead from a replica, in one of three ways, and wait until the other one has it."""
    how = random.choice((*["stop"] * 4, "kill", "end"))  # to start anew takes long
    if how == "stop":
        leader.scheduler.pause()
        wait_for(others.leads)
        leader.scheduler.resume()
        return
    if how == "kill":
        leader.scheduler.kill()
    else:
        assert leader.scheduler.stop() == 0
    wait_for(others.leads)
    leader.scheduler.start()


def fight(api: Api, pair: int, replicas: list[Replica], changes: int) -> None:
    """Let the lead of a pair change so often."""
    random = Random(f"leaders {pair}")
    while lease_of(api, name_of(pair)).get("leaseTransitions", 0) < changes:
        wait_for(lambda: any(replica.leads() for replica in replicas))
        first, second = sorted(replicas, key=lambda replica: not replica.leads())
        time.sleep(random.random())
        depose(first, second, random)


@pytest.mark.slow
@pytest.mark.timeout(10_000)
def test_only_who_holds_the_lease_binds(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    api = control_plane.api()
    create_nodes(api, [make_node(f"n{i}", {"cpu": "64"}) for i in range(3)])
    pairs = [
        [Replica(control_plane, tmp_path / str(pair) / name, pair) for name in "ab"]
        for pair in range(PAIRS)
    ]
    for pair in range(PAIRS):
        if lease_of(api, name_of(pair)):
            api.delete(f"{LEASES}/{name_of(pair)}")  # of a test before
    replicas = [replica for pair in pairs for replica in pair]
    with ExitStack() as ends, Kubelets(api, leases=False):
        for replica in replicas:
            ends.enter_context(replica.proxy)
            ends.callback(replica.scheduler.kill)
            replica.scheduler.start()
        with arrivals(api, namespace, PAIRS), ThreadPoolExecutor(PAIRS) as fights:
            under_way = [
                fights.submit(fight, api, pair, replicas, -(-CHANGES // PAIRS))
                for pair, replicas in enumerate(pairs)
            ]
            for each in under_way:
                each.result()
        wait_for(lambda: all_bound(api, namespace))
    assert [line for replica in replicas for line in replica.usurped()] == []
    assert [line for replica in replicas for line in replica.scheduler.complaints()] == []
    assert sum(len(replica.holders) for replica in replicas) > CHANGES
