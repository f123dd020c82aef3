"""Two replicas fight for the lease: whoever binds a pod holds it at that moment.

Each replica calls through a proxy of its own, which reads the Lease before it lets a binding pass,
and knows its replica by the names under which it has claimed the Lease. At random the leader is
stopped in its tracks until another leads, and goes on where it stood; is killed; or is asked to
end. Meanwhile pods come and go, so that there is something to bind all the time.

LEASES=1000 asks for so many changes of the leader; a change takes about two seconds.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
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

CHANGES = int(os.environ.get("LEASES", "6"))
ELECTION = {
    "leaderElect": True,
    "leaseDuration": "1s",
    "renewDeadline": "700ms",
    "retryPeriod": "100ms",
    **LEASE,
}
THE_LEASE = f"{collection('leases', NAMESPACE, 'coordination.k8s.io/v1')}/batchsched"
BATCH, EVERY_S = 3, 0.25
NOT_FOUND = 404


class Replica:
    """A scheduler, the proxy before it, and what it did while others led."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        folder.mkdir()
        scheduler_kubeconfig(plane)
        self._api = plane.api()
        self.names: set[str] = set()
        self.holders: dict[int, str] = {}
        """Who held the Lease when a binding came by, by the number of the call."""
        self.proxy = Proxy(plane.api(ACCOUNT), self._judge)
        settings = {"leaderElection": ELECTION}
        self.scheduler = Scheduler(self.proxy.kubeconfig(folder), folder, settings)

    def _judge(self, call: Call) -> Fate:
        if call.writes and "/leases" in call.path:
            self.names |= {orjson.loads(call.body)["spec"]["holderIdentity"]} - {""}
        if call.binds:
            self.holders[call.number] = holder(self._api)
        return Fate.PASS

    def leads(self) -> bool:
        return holder(self._api) in self.names

    def usurped(self) -> list[str]:
        """The bindings that were written while another led."""
        done = [call for call in self.proxy.calls if self.proxy.answers.get(call.number) == 201]
        return [
            f"{call.path} while {self.holders[call.number]!r} led"
            for call in done
            if call.binds and self.holders[call.number] not in self.names
        ]


def lease_of(api: Api) -> dict[str, Any]:
    """The spec of the Lease; empty where there is none."""
    try:
        spec: dict[str, Any] = api.get(THE_LEASE)["spec"]
    except ApiError as error:
        if error.code != NOT_FOUND:
            raise
        return {}
    return spec


def holder(api: Api) -> str:
    found: str = lease_of(api).get("holderIdentity") or ""
    return found


@contextmanager
def arrivals(api: Api, namespace: str) -> Iterator[None]:
    """Pods come as long as this lasts, run for a second, and are taken away."""
    over = threading.Event()

    def arrive() -> None:
        number = 0
        while not over.wait(EVERY_S):
            notes = {"annotations": {DURATION: "1s"}}
            names = [f"p{number + i:06}" for i in range(BATCH)]
            number += BATCH
            pods = [make_pod(name, {"cpu": "1"}, notes, schedulerName=OURS) for name in names]
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
    how = random.choice(("stop", "stop", "kill", "end"))
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


@pytest.mark.slow
@pytest.mark.timeout(10_000)
def test_only_who_holds_the_lease_binds(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    api, random = control_plane.api(), Random("leaders")
    create_nodes(api, [make_node(f"n{i}", {"cpu": "64"}) for i in range(3)])
    replicas = [Replica(control_plane, tmp_path / name) for name in "ab"]
    if lease_of(api):
        api.delete(THE_LEASE)  # of a test before
    with replicas[0].proxy, replicas[1].proxy, Kubelets(api, leases=False):
        try:
            for replica in replicas:
                replica.scheduler.start()
            with arrivals(api, namespace):
                while lease_of(api).get("leaseTransitions", 0) < CHANGES:
                    wait_for(lambda: any(replica.leads() for replica in replicas))
                    first, second = sorted(replicas, key=lambda replica: not replica.leads())
                    time.sleep(random.random())
                    depose(first, second, random)
            wait_for(lambda: all_bound(api, namespace))
        finally:
            for replica in replicas:
                replica.scheduler.kill()
    assert [line for replica in replicas for line in replica.usurped()] == []
    assert [line for replica in replicas for line in replica.scheduler.complaints()] == []
    assert sum(len(replica.holders) for replica in replicas) > CHANGES
