"""Tests of a real API server have to wait for others; how long they waited proves nothing."""

import time
from collections.abc import Callable

from tests.controlplane.api import Api, Object, path_of

WAIT_S_MAX = 60
POLL_S = 0.02


def wait_for(what: Callable[[], bool], at_most_s: float = WAIT_S_MAX) -> None:
    """Wait until something is so; what never is, fails the test."""
    until = time.monotonic() + at_most_s
    while not what():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(POLL_S)


def wait_for_phase(api: Api, pod: Object, phase: str) -> Object:
    """Wait until a pod is in a phase, and return it."""
    found: list[Object] = []

    def is_there() -> bool:
        found[:] = [api.get(path_of(pod))]
        return bool(found[0]["status"].get("phase") == phase)

    wait_for(is_there)
    return found[0]
