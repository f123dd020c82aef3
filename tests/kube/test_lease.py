"""Never do two candidates write at once, whatever the network does."""

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from batchsched.cycle import LostLease, WonLease
from batchsched.kube.connection import Reply
from batchsched.kube.errors import RefusedError
from batchsched.kube.lease import Election, Elector, LeaseCall, LeaseSettings
from batchsched.sim.clock import VirtualClock
from tests.kube.fake_api import FakeApi

LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/batchsched"
CHANGES = 1000


def settings(identity: str) -> LeaseSettings:
    return LeaseSettings("kube-system", "batchsched", identity)


def elector(api: FakeApi, clock: VirtualClock, identity: str) -> Elector:
    wall = f"2026-01-01T00:00:00.{identity:0>6}Z"
    return Elector(api, settings(identity), clock, wall=lambda: wall, wake=lambda: None)


def spec(api: FakeApi) -> dict[str, Any]:
    found: dict[str, Any] = api.objects[LEASE]["spec"]
    return found


def test_the_first_to_come_leads() -> None:
    api, clock = FakeApi(), VirtualClock()
    one, two = elector(api, clock, "1"), elector(api, clock, "2")
    one.turn()
    two.turn()
    assert (one.events(), two.events()) == ([WonLease()], [])
    assert (one.held_until_s, one.allowance_s(), two.allowance_s()) == (10.0, 15.0, 0.0)
    assert spec(api) == {
        "holderIdentity": "1",
        "leaseDurationSeconds": 15,
        "acquireTime": "2026-01-01T00:00:00.000001Z",
        "renewTime": "2026-01-01T00:00:00.000001Z",
        "leaseTransitions": 0,
    }


def test_who_is_silent_loses_the_lease_before_another_has_it() -> None:
    api, clock = FakeApi(), VirtualClock()
    one, two = elector(api, clock, "1"), elector(api, clock, "2")
    one.turn()
    two.turn()
    clock.advance(10.0)
    two.turn()
    assert (one.allowance_s(), one.events(), two.allowance_s()) == (
        0.0,
        [WonLease(), LostLease()],
        0.0,
    )
    clock.advance(15.0)
    two.turn()
    assert two.events() == [WonLease()]
    assert (spec(api)["holderIdentity"], spec(api)["leaseTransitions"]) == ("2", 1)
    one.turn()
    assert one.events() == []
    assert spec(api)["holderIdentity"] == "2"


def test_who_renews_keeps_it() -> None:
    api, clock = FakeApi(), VirtualClock()
    one, two = elector(api, clock, "1"), elector(api, clock, "2")
    for _ in range(60):
        one.turn()
        two.turn()
        assert one.allowance_s() == 15.0
        clock.advance(clock.now_s() + 2.0)
    assert (one.events(), two.events()) == ([WonLease()], [])
    assert spec(api)["leaseTransitions"] == 0


def test_who_stops_releases_it_and_the_next_need_not_wait() -> None:
    api, clock = FakeApi(), VirtualClock()
    one, two = elector(api, clock, "1"), elector(api, clock, "2")
    one.turn()
    two.turn()
    one.stop()
    assert one.allowance_s() == 0.0
    assert spec(api)["holderIdentity"] == ""
    two.turn()
    assert two.events() == [WonLease()]


def test_a_renewal_whose_answer_was_lost_does_not_count_and_is_no_loss() -> None:
    api, clock = FakeApi(), VirtualClock()
    one = elector(api, clock, "1")
    one.turn()
    clock.advance(2.0)
    api.faults.append("lost after")
    one.turn()
    assert one.held_until_s == 10.0
    clock.advance(4.0)
    one.turn()
    assert one.held_until_s == 14.0
    assert one.events() == [WonLease()]


def test_who_may_not_write_the_lease_hears_of_it() -> None:
    api, clock = FakeApi(), VirtualClock()
    one = elector(api, clock, "1")
    api.faults.append(403)
    with pytest.raises(RefusedError):
        one.turn()


def test_times_without_a_safe_order_are_refused() -> None:
    with pytest.raises(ValueError, match="has to hold"):
        LeaseSettings("", "", "", lease_duration_s=10, renew_deadline_s=10.0)


class Candidate:
    """An election in a network of delays and losses, and a process that stalls."""

    def __init__(self, world: "World", identity: str) -> None:
        self.world, self.election = world, Election(settings(identity))
        self.stalled_until_s = 0.0
        self.life: Iterator[float] = self.live()

    def live(self) -> Iterator[float]:
        """What its thread does, giving how long each part takes."""
        clock, draw = self.world.clock, self.world.draw
        while True:
            self.election.look()
            for _ in range(4):
                call = self.election.request(clock.now_s(), "now")
                if call is None:
                    break
                lost = draw.random()
                yield self.world.delay_s()
                reply = self.send(call) if lost > 0.1 else None
                yield self.world.delay_s()
                reply = reply if lost > 0.2 else None
                self.note(self.election.told(call, reply, clock.now_s()))
                if reply is None or (call.takes and reply.status < 300):
                    break
            if draw.random() < 0.05:
                yield draw.uniform(5.0, 40.0)  # a stall: no renewal, no look
            yield 2.0

    def send(self, call: LeaseCall) -> Reply:
        path = LEASE.rpartition("/")[0] if call.method == "POST" else LEASE
        return self.world.api.call(call.method, path, body=call.body)

    def note(self, event: object) -> None:
        self.world.won += isinstance(event, WonLease)


class World:
    """Two candidates, one Lease, and writes that take as long as they are let."""

    def __init__(self, seed: int) -> None:
        self.clock, self.api, self.draw = VirtualClock(), FakeApi(), Random(seed)
        self.candidates = [Candidate(self, identity) for identity in ("one", "two")]
        self.won = self.writes = 0
        self.writing: dict[int, float] = {}

    def delay_s(self) -> float:
        return self.draw.choice([0.001, 0.01, 0.5, self.draw.uniform(0.0, 9.0)])

    def run(self) -> None:
        for number, candidate in enumerate(self.candidates):
            self.live(candidate)
            self.write(number)
        while self.transitions() < CHANGES:
            due_s = self.clock.next_s()
            assert due_s is not None
            self.clock.advance(due_s)

    def transitions(self) -> int:
        found: int = spec(self.api)["leaseTransitions"] if LEASE in self.api.objects else 0
        return found

    def live(self, candidate: Candidate) -> None:
        self.clock.after(next(candidate.life), lambda: self.live(candidate))

    def write(self, number: int) -> None:
        """Write for as long as is allowed, now and then; nobody else may be writing meanwhile."""
        now_s, candidate = self.clock.now_s(), self.candidates[number]
        allowance_s = candidate.election.allowance_s(now_s)
        if allowance_s > 0:
            others = [until_s for who, until_s in self.writing.items() if who != number]
            assert all(until_s <= now_s for until_s in others), f"two write at {now_s}"
            assert candidate.election.leads
            until_s = now_s + min(allowance_s, self.draw.uniform(0.0, 30.0))
            self.writing[number] = max(until_s, self.writing.get(number, 0.0))
            self.writes += 1
        self.clock.after(self.draw.uniform(0.05, 1.0), lambda: self.write(number))


@pytest.mark.parametrize("seed", range(2))
def test_in_a_thousand_changes_of_the_lease_never_two_write_at_once(seed: int) -> None:
    world = World(seed)
    world.run()
    assert world.won >= CHANGES
    assert world.writes > CHANGES
