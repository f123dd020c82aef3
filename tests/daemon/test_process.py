"""The process, on the embedded cluster in virtual time: how it begins, goes on, and ends."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from batchsched.constraints import default_constraints
from batchsched.cycle import Binding, Cycle, LostLease, Timing, WonLease
from batchsched.daemon.clock import SystemClock
from batchsched.daemon.counted import CountedCluster
from batchsched.daemon.grouping import Grouping
from batchsched.daemon.health import Health
from batchsched.daemon.loop import Loop, Ports
from batchsched.daemon.metrics import Metrics
from batchsched.daemon.ports import BindWrite, Write
from batchsched.daemon.process import Parts, Process
from batchsched.daemon.recording import LiveRecorder
from batchsched.daemon.wake import Wake
from batchsched.sim.clock import VirtualClock
from batchsched.sim.cluster import SimCluster
from batchsched.sim.policies import greedy
from batchsched.sim.simulation import SimPlanner
from batchsched.snapshot.pod import ClaimRef
from batchsched.snapshot.snapshot import Snapshot
from batchsched.snapshot.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from batchsched.testing.builders import make_node, make_pod

WAITS_MAX = 500


class VirtualWake(Wake):
    """Waiting is the passing of virtual time; a script says what happens meanwhile."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock
        self.waits = 0
        self.script: Callable[[int], None] = lambda _: None

    def wait(self, timeout_s: float) -> None:
        self.waits += 1
        assert self.waits < WAITS_MAX, "it never ends"
        self.script(self.waits)
        self._clock.advance(self._clock.now_s() + max(timeout_s, 0.001))


class Told:
    """An adapter, and an election, that say what they are told to."""

    def __init__(self) -> None:
        self.is_synced = True
        self.told: list[WonLease | LostLease] = []
        self.competes = False

    def start(self) -> None:
        assert self.is_synced
        self.competes = True

    def synced(self) -> bool:
        return self.is_synced

    def sizes(self) -> Mapping[str, int]:
        return {"nodes": 1}

    def watch_restarts(self) -> Mapping[str, int]:
        return {"pods": 2}

    def events(self) -> Sequence[WonLease | LostLease]:
        told, self.told = self.told, []
        return told


class Stage:
    """A process on a cluster of one node of four cores."""

    def __init__(self, *, once: bool = False, leads: bool = True, **timing: Any) -> None:
        self.clock = VirtualClock()
        self.cluster = SimCluster(Snapshot(nodes=(make_node("n1"),)), Grouping(), self.clock)
        self.wake, self.told, self.states = VirtualWake(self.clock), Told(), list[Any]()
        self.metrics, self.health = Metrics(process=False), Health(self.clock.now_s)
        self.recorder = LiveRecorder(self.metrics, SystemClock())
        planner = SimPlanner(greedy("best-fit"), self.clock)
        counted = CountedCluster(self.cluster, self.recorder.answered)
        ports = Ports(counted, self.clock, planner, self.recorder, lambda _: default_constraints())
        loop = Loop(Cycle(Timing(**timing), leading=leads), ports)
        election = None if leads else self.told
        parts = Parts(loop, self.told, self.clock, self.wake, self.metrics, self.health, election)
        self.process = Process(parts, once=once, on_state=self.states.append)

    def create(self, name: str, cores: int, **fields: Any) -> None:
        self.cluster.create(make_pod(name, requests={"cpu": 1000 * cores}, **fields))
        self.clock.advance(self.clock.now_s())

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)

    @property
    def placed(self) -> list[str]:
        return sorted(name for (_, name), pod in self.cluster.pods.items() if pod.node)


def test_nobody_competes_for_the_lead_who_has_not_read_the_cluster() -> None:
    stage = Stage(leads=False)
    stage.told.is_synced = False

    def meanwhile(waits: int) -> None:
        stage.told.is_synced = waits > 2
        if waits > 5:
            stage.process.stop()

    stage.wake.script = meanwhile
    stage.process.run()
    assert stage.told.competes


def test_once_places_what_fits_and_ends() -> None:
    stage = Stage(once=True)
    for name, cores in (("a", 3), ("b", 1), ("c", 8)):
        stage.create(name, cores)
    assert stage.process.run() == 1
    assert stage.placed == ["a", "b"]
    assert stage.value("batchsched_binds_total", result="bound") == 2


def test_once_ends_where_nobody_waits() -> None:
    assert Stage(once=True).process.run() == 0


def test_once_tries_those_that_are_left_again_after_others_were_bound() -> None:
    stage = Stage(once=True, window_pods_max=1)
    stage.create("a", 8)
    stage.create("b", 1)
    assert stage.process.run() == 1
    assert stage.placed == ["b"]
    tries = [window.plan.unplaced for window in stage.recorder.windows if window.plan]
    assert sum(any(pod.name == "a" for pod in left) for left in tries) == 2


def test_what_a_watch_shows_before_the_answer_comes_does_not_end_the_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage(once=True)
    stage.create("a", 1)
    answers = stage.cluster.answers
    monkeypatch.setattr(
        stage.cluster, "answers", lambda: answers() if stage.wake.waits >= 10 else []
    )
    assert stage.process.run() == 0
    assert [window.bound for window in stage.recorder.windows] == [1]


def test_a_binding_names_the_volumes_that_its_plan_relies_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage, begun = Stage(once=True), list[Write]()
    begin = stage.cluster.begin

    def noted(write: Write) -> None:
        begun.append(write)
        begin(write)

    monkeypatch.setattr(stage.cluster, "begin", noted)
    waits = StorageClass("local", "kubernetes.io/no-provisioner", wait_for_first_consumer=True)
    stage.cluster._base = replace(
        stage.cluster._base,
        storage_classes=(waits,),
        claims=(PersistentVolumeClaim("default", "c", storage_class="local"),),
        volumes=(PersistentVolume("v", storage_class="local", phase="Available"),),
    )
    stage.create("a", 1, claims=(ClaimRef("c"),))
    assert stage.process.run() == 0
    assert [w.volumes for w in begun if isinstance(w, BindWrite)] == [(("c", "v"),)]


def test_once_does_not_follow_pods_that_come_later() -> None:
    stage = Stage(once=True)
    stage.create("a", 1)
    stage.wake.script = lambda turn: stage.create(f"later-{turn}", 8)
    assert stage.process.run() == 0


def test_once_leaves_no_gang_half_started() -> None:
    notes = (("batchsched.io/gang", "g"), ("batchsched.io/min-available", "2"))
    stage = Stage(once=True, gang_complete_within_s=30.0)
    stage.create("g0", 3, pod={"annotations": notes})
    stage.create("g1", 3, pod={"annotations": notes})
    first = stage.cluster.pods["default", "g0"]
    assert stage.cluster.bind(Binding(first.key, first.uid, "n1")) is None  # and then we crashed
    assert stage.process.run() == 1
    assert stage.clock.now_s() >= 30.0, "it waits until the gang is finished or given up"


def test_it_waits_until_the_cluster_was_read_and_is_ready_then() -> None:
    stage = Stage(once=True)
    stage.told.is_synced = False
    seen: list[str] = []

    def script(turn: int) -> None:
        seen.append(stage.health.ready())
        stage.told.is_synced = turn == 3

    stage.wake.script = script
    stage.process.run()
    assert seen == ["the caches are not filled yet"] * 3
    assert not stage.health.ready()


def test_it_ends_when_told_to_before_the_cluster_was_read_too() -> None:
    stage = Stage()
    stage.told.is_synced = False
    stage.wake.script = lambda _: stage.process.stop()
    assert stage.process.run() == 0
    assert stage.wake.waits == 1


def test_a_standby_binds_nothing_and_is_ready() -> None:
    stage = Stage(leads=False)
    stage.create("a", 1)
    led: list[float | None] = []

    def script(turn: int) -> None:
        led.append(stage.value("batchsched_leader"))
        match turn:
            case 20:
                assert not stage.placed
                assert not stage.health.ready()
                stage.told.told.append(WonLease())
            case 40:
                assert stage.placed == ["a"]
                stage.told.told.append(LostLease())
                stage.create("b", 1)
            case 60:
                stage.process.stop()

    stage.wake.script = script
    assert stage.process.run() == 0
    assert stage.placed == ["a"]
    assert (led[5], led[35], led[58]) == (0, 1, 0)


def test_the_end_begins_nothing_and_waits_for_what_is_under_way() -> None:
    stage = Stage()
    stage.create("a", 1)
    stage.process.stop()
    assert stage.process.run() == 1
    assert not stage.placed
    assert stage.process._parts.loop.idle()


def test_who_asks_is_told_the_state_and_the_stories_of_who_waits() -> None:
    stage = Stage()
    stage.create("a", 8)

    def script(turn: int) -> None:
        if turn == 10:
            stage.process.tell_state()
        if turn == 20:
            stage.process.stop()

    stage.wake.script = script
    stage.process.run()
    (state,) = stage.states
    assert state["window"] > 1
    assert sum(state["queues"].values()) == 1
    assert state["cache"] == {"nodes": 1}
    (pod,) = state["waiting"]
    assert pod["pod"] == "default/a"
    assert any("in window 1" in line for line in pod["story"])
    assert stage.value("batchsched_watch_restarts_total", resource="pods") == 2


def test_what_ends_the_adapter_ends_the_process() -> None:
    stage = Stage()

    def synced() -> bool:
        raise ConnectionError("401")

    stage.told.synced = synced  # type: ignore[method-assign]
    with pytest.raises(ConnectionError):
        stage.process.run()
