"""Health: what a kubelet and a Prometheus are told."""

import urllib.error
import urllib.request

import pytest

from batchsched.daemon.health import Health, HealthServer
from batchsched.daemon.metrics import CONTENT_TYPE
from batchsched.snapshot.errors import InputError


class Hand:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at_s = 100.0

    def now_s(self) -> float:
        return self.at_s


def asked(server: HealthServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}") as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_process_is_ready_when_its_caches_are_filled() -> None:
    health = Health(Hand().now_s)
    assert not health.live()
    assert health.ready() == "the caches are not filled yet"
    health.synced = True
    assert not health.ready()


def test_a_loop_that_does_not_turn_is_neither_alive_nor_ready() -> None:
    clock = Hand()
    health = Health(clock.now_s)
    health.synced = True
    clock.at_s += 61.0
    assert health.live() == health.ready() == "the loop has not turned for 61 s"
    health.turned()
    assert not health.live()


def test_it_is_served_where_it_is_asked_for() -> None:
    health = Health(Hand().now_s)
    server = HealthServer("127.0.0.1:0", health, lambda: b"up 1\n")
    try:
        assert asked(server, "/livez") == asked(server, "/healthz?verbose") == (200, "ok\n")
        assert asked(server, "/readyz") == (503, "the caches are not filled yet\n")
        assert asked(server, "/metrics") == (200, "up 1\n")
        assert asked(server, "/secrets")[0] == 404
        assert "version=" in CONTENT_TYPE
    finally:
        server.close()


def test_metrics_may_have_an_address_of_their_own() -> None:
    health = Health(Hand().now_s)
    server = HealthServer("127.0.0.1:0", health, lambda: b"", checks=False)
    try:
        assert [asked(server, path)[0] for path in ("/metrics", "/livez")] == [200, 404]
        with pytest.raises(InputError, match="cannot be listened on"):
            HealthServer(f"127.0.0.1:{server.port}", health, None)
    finally:
        server.close()
