"""kill -9 at every call of a window with five gangs: whoever comes after finishes what was begun.

A run without a fault counts the writes of the window. Then, for each of them (or of a sample: the
environment variable CRASHES=all asks for every one), the process is killed when that call arrives,
once before it takes effect and once after. A new process has to bring it to a good end.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.controlplane.account import scheduler_kubeconfig
from tests.controlplane.fixtures import own_namespace
from tests.controlplane.plane import ControlPlane
from tests.controlplane.proxy import Call, Fate, Proxy
from tests.controlplane.scheduling import (
    GANGS,
    SINGLES,
    SIZE,
    Scheduler,
    all_bound,
    fill,
    half_started,
    nodes_of,
)
from tests.controlplane.waiting import wait_for
from tests.deploy.audit import ACCOUNT

SAMPLE = 4
"""How many of the calls are tried by default: each takes seconds."""


class Scene:
    """The proxy before the scheduler, and what is seen through it."""

    def __init__(self, plane: ControlPlane, namespace: str, folder: Path) -> None:
        self.api, self.namespace = plane.api(), namespace
        scheduler_kubeconfig(plane)
        self.proxy = Proxy(plane.api(ACCOUNT))
        self.scheduler = Scheduler(self.proxy.kubeconfig(folder), folder)

    def writes(self) -> list[Call]:
        return [call for call in self.proxy.calls if call.writes]

    def run_to_the_end(self) -> None:
        """Let a process run until everything is bound."""
        self.scheduler.start()
        wait_for(lambda: all_bound(self.api, self.namespace))

    def killed_at(self, number: int, fate: Fate) -> None:
        """Run, and kill the process when its n-th write arrives."""
        reached = threading.Event()

        def judge(call: Call) -> Fate:
            if not call.writes or reached.is_set():
                return Fate.PASS if not reached.is_set() else Fate.DROP
            if len(self.writes()) < number:
                return Fate.PASS
            reached.set()
            return fate

        self.proxy.judge = judge
        self.scheduler.start()
        wait_for(lambda: reached.is_set() or all_bound(self.api, self.namespace))
        self.scheduler.kill()
        self.proxy.judge = lambda _: Fate.PASS


@contextmanager
def fresh(plane: ControlPlane, folder: Path, name: str) -> Iterator[Scene]:
    """A scene with everything in it, and no scheduler yet."""
    (folder / name).mkdir()
    with own_namespace(plane.api()) as namespace:
        fill(plane.api(), namespace)
        scene = Scene(plane, namespace, folder / name)
        with scene.proxy:
            yield scene
            scene.scheduler.kill()


def sample(count: int) -> list[int]:
    if os.environ.get("CRASHES") == "all":
        return list(range(1, count + 1))
    return sorted({round(1 + i * (count - 1) / (SAMPLE - 1)) for i in range(SAMPLE)})


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_process_that_is_killed_at_any_call_leaves_nothing_half_started(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    with fresh(control_plane, tmp_path, "first") as scene:
        scene.run_to_the_end()
        count = len(scene.writes())
    assert count >= (3 * GANGS * SIZE) + SINGLES, "tried, nominated and bound"
    for number in sample(count):
        for fate in (Fate.DROP, Fate.LOSE):
            with fresh(control_plane, tmp_path, f"{number}-{fate.name}".lower()) as scene:
                scene.killed_at(number, fate)
                before = nodes_of(scene.api, scene.namespace)
                scene.run_to_the_end()
                after = nodes_of(scene.api, scene.namespace)
                assert not half_started(scene.api, scene.namespace)
                kept = {name: node for name, node in before.items() if node is not None}
                assert kept.items() <= after.items(), "what was bound stays where it is"
