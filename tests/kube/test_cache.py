"""A cache of a server that misbehaves ends up with the truth, and is not ready before it is."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random

import pytest

from batchsched.kube.cache import Cache
from batchsched.kube.discovery import RESOURCES
from batchsched.kube.errors import UnauthorizedError
from batchsched.kube.reflector import Pace
from batchsched.snapshot.snapshot import Snapshot
from tests.kube.api_server import FakeApi, status
from tests.kube.manifests import (
    GROUPS,
    JOBS,
    NODES,
    PODS,
    SERVICES,
    Raw,
    gang,
    job,
    node,
    pod,
    service,
)
from tests.kube.served import connected
from tests.kube.test_store import Truth, read_anew

QUICK = Pace(backoff_s=0.001, backoff_max_s=0.01, watch_s=30, absent_s=0.01, short_s=0)
PATIENCE_S = 20.0
KIND_OF = {
    NODES: ("", "Node"),
    PODS: ("", "Pod"),
    SERVICES: ("", "Service"),
    JOBS: ("batch", "Job"),
    GROUPS: ("scheduling.k8s.io", "PodGroup"),
}


@contextmanager
def caching(api: FakeApi) -> Iterator[tuple[Cache, threading.Event]]:
    """A cache at work, and what it wakes."""
    woken = threading.Event()
    with connected(api.answer) as connection:
        cache = Cache(connection, Random(1), woken.set, pace=QUICK)
        cache.start()
        try:
            yield cache, woken
        finally:
            cache.stop()
            while cache.running():
                api.cut()
                time.sleep(0.01)


def until(condition: Callable[[], bool], woken: threading.Event) -> None:
    """Wait as the loop does: to be woken."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s
        woken.wait(0.01)
        woken.clear()


def truth(api: FakeApi) -> Snapshot:
    found: Truth = {}
    for path, kind in KIND_OF.items():
        for raw in api.objects(path):
            found[kind, (raw["metadata"].get("namespace", ""), raw["metadata"]["name"])] = raw
    return read_anew(found)


@pytest.fixture
def api() -> FakeApi:
    made = FakeApi()
    made.put(NODES, node("n1", zone="a"))
    made.put(NODES, node("n2", zone="b"))
    made.put(PODS, pod("a", node="n1", phase="Running"))
    made.put(PODS, pod("b"))
    return made


def test_a_cluster_is_read_whole_before_it_counts_as_read(api: FakeApi) -> None:
    held = [status(503, "not now")] * 5
    api.failures["/api/v1/persistentvolumes"] = held
    with caching(api) as (cache, woken):
        until(lambda: not held or cache.waiting() == ["persistentvolumes"], woken)
        until(cache.synced, woken)
        assert cache.waiting() == []
        assert cache.snapshot() == truth(api)
        assert cache.snapshot() is cache.snapshot()
        assert len(cache.changes()) == 4
        assert cache.changes() == []
        assert cache.sizes()["Pod"] == 2


def test_the_generation_of_a_pod_is_known_while_it_waits(api: FakeApi) -> None:
    with caching(api) as (cache, woken):
        key = ("default", "c")
        api.put(PODS, pod("c", meta={"generation": 1}))
        until(lambda: cache.generation(key) == 1, woken)
        api.put(PODS, pod("c", meta={"generation": 2}))
        until(lambda: cache.generation(key) == 2, woken)
        api.put(PODS, pod("c", meta={"generation": 3}, node="n1"))
        until(lambda: cache.generation(key) is None, woken)
        assert cache.generation(("default", "nobody")) is None


def test_a_cache_goes_with_the_cluster(api: FakeApi) -> None:
    with caching(api) as (cache, woken):
        until(cache.synced, woken)
        member = {"schedulingGroup": {"podGroupName": "g"}}
        api.put(PODS, pod("c", meta={"labels": {"app": "web"}}, spec=member))
        api.put(SERVICES, service("web", app="web"))
        api.put(GROUPS, gang("g", 2))
        api.put(JOBS, job("j", 3))
        api.put(NODES, node("n3"))
        api.delete(NODES, "", "n2")
        until(lambda: cache.snapshot() == truth(api), woken)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_the_server_does_the_cache_ends_up_with_the_truth(api: FakeApi, seed: int) -> None:
    random = Random(seed)
    with caching(api) as (cache, woken):
        for _ in range(60):
            path = random.choice([PODS, PODS, GROUPS, JOBS, SERVICES])
            if random.random() < 0.3:
                misbehave(api, path, random)
            elif random.random() < 0.3 and (known := api.objects(path)):
                meta = random.choice(known)["metadata"]
                api.delete(path, meta["namespace"], meta["name"])
            else:
                api.put(path, drawn(path, random))
                api.put(NODES, node(f"n{random.randrange(4)}", str(random.randrange(1, 9))))
        until(lambda: cache.synced() and cache.snapshot() == truth(api), woken)


def misbehave(api: FakeApi, path: str, random: Random) -> None:
    """End watches, and let something else go wrong with them."""
    match random.randrange(4):
        case 0:
            api.forget()
        case 1:
            api.garbage.append(b'{"type":"ADDED","obj\n')
        case 2:
            code = random.choice([404, 410, 429, 500, 503])
            api.failures.setdefault(path, []).append(status(code, "no"))
        case _:
            pass
    api.cut()


def drawn(path: str, random: Random) -> Raw:
    name, number = f"p{random.randrange(8)}", random.randrange(1, 5)
    if path == GROUPS:
        return gang(name, number)
    if path == JOBS:
        return job(name, number)
    if path == SERVICES:
        return service(name, app="web")
    return pod(
        name,
        node=random.choice([None, "n1", "n2"]),
        phase=random.choice(["Pending", "Running", "Succeeded"]),
        spec={"schedulingGroup": {"podGroupName": "p1"}},
    )


def test_credentials_that_are_not_accepted_end_the_loop_and_not_a_thread(api: FakeApi) -> None:
    api.failures[SERVICES] = [status(401, "Unauthorized")]
    with caching(api) as (cache, woken):
        until(lambda: cache._error is not None, woken)
        for ask in (cache.snapshot, cache.changes, cache.synced):
            with pytest.raises(UnauthorizedError):
                ask()


def test_what_is_not_up_to_date_says_why(api: FakeApi) -> None:
    api.failures["/api/v1/namespaces"] = [status(403, "namespaces is forbidden: no right")] * 9999
    with caching(api) as (cache, woken):
        until(lambda: len(cache.waiting()) == 1, woken)
        assert not cache.synced()
        until(lambda: "403 namespaces is forbidden" in str(cache.problems()), woken)


def test_lists_after_the_first_are_counted(api: FakeApi) -> None:
    with caching(api) as (cache, woken):
        until(cache.synced, woken)
        assert not any(cache.restarts().values()), "kinds that are not served are not listed"
        api.tell(PODS, "ERROR", {"kind": "Status", "code": 410})
        until(lambda: cache.restarts()["pods"] > 0, woken)


def test_what_cannot_be_read_can_be_asked_for(api: FakeApi) -> None:
    api.put(PODS, pod("bad", cpu="many"))
    with caching(api) as (cache, woken):
        until(cache.synced, woken)
        assert list(cache.unreadable()["pods"]) == [("default", "bad")]
        assert [p.name for p in cache.snapshot().pods] == ["a", "b"]


def test_every_kind_has_a_reflector() -> None:
    with connected(FakeApi().answer) as connection:
        assert len(Cache(connection, Random(1)).waiting()) == len(RESOURCES)
