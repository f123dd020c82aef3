"""Units are committed step by step: held against the room, tried, nominated, bound, taken back."""

from collections.abc import Sequence

import pytest

from batchsched.cycle import Announce, BindFailed, Binding, Bound, Event, Victim
from batchsched.daemon.assumed import Assumed
from batchsched.daemon.binder import Binder, deletions
from batchsched.daemon.ports import (
    Answer,
    BindWrite,
    Change,
    DeleteWrite,
    EvictWrite,
    NominateWrite,
    Write,
)
from batchsched.daemon.recheck import Room
from batchsched.snapshot.snapshot import Snapshot
from tests.builders import make_node, make_pod, make_snapshot

GANG = ("default", "gang", "batchsched.io")
VICTIM = make_pod("victim", cpu=2000, node="n1")
SNAPSHOT = make_snapshot(
    [make_node(name, cpu=2000) for name in ("n1", "n2", "n3")],
    [*(make_pod(name, cpu=1000) for name in "abcdef"), VICTIM],
)


class Api:
    """A cluster whose answers the test gives."""

    def __init__(self, in_flight: int) -> None:
        self.in_flight = in_flight
        self.open: list[Write] = []
        self.log: list[Write] = []
        self._answers: list[Answer] = []

    def snapshot(self) -> Snapshot:
        return SNAPSHOT

    def changes(self) -> Sequence[Change]:
        return ()

    def free(self) -> int:
        return self.in_flight - len(self.open)

    def begin(self, write: Write) -> None:
        self.open.append(write)
        self.log.append(write)

    def answers(self) -> Sequence[Answer]:
        answers, self._answers = self._answers, []
        return answers

    def answer(self, at: int = 0, refusal: str | None = None) -> None:
        self._answers.append(Answer(self.open.pop(at), refusal))


class Stage:
    """A binder, the cluster it writes to, and what it told."""

    def __init__(self, in_flight: int = 8) -> None:
        self.api, self.assumed, self.room = Api(in_flight), Assumed(), Room(SNAPSHOT)
        self.told: list[Announce] = []
        self.binder = Binder(self.api, self.assumed, lambda: self.room, self.told.append)
        self.events: list[Event] = []

    def step(self) -> None:
        self.events += self.binder.step()

    def answer_all(self) -> None:
        """Answer whatever is in flight well, until nothing is."""
        self.step()
        while self.api.open:
            self.api.answer()
            self.step()


def binding(name: str, node: str = "n2", *, gang: bool = False) -> Binding:
    pod = make_pod(name)
    return Binding(pod.key, pod.uid, node, GANG if gang else None)


A, B = binding("a"), binding("b")
G, H = binding("c", gang=True), binding("d", gang=True)


def test_single_pods_are_written_in_their_order_several_in_flight() -> None:
    stage = Stage(in_flight=2)
    for each in (A, binding("b", "n2"), binding("c", "n1")):
        stage.binder.bind((each,), (("k", "v"),))
    stage.step()
    assert stage.api.open == [BindWrite(A, notes=(("k", "v"),)), BindWrite(B, notes=(("k", "v"),))]
    stage.api.answer(1)
    stage.step()
    assert stage.events[0] == Bound(B.pod, B.uid, "n2")
    assert isinstance(stage.events[1], BindFailed), "n1 is full, which is seen before it is written"
    assert not stage.binder.idle()
    stage.api.answer()
    stage.step()
    assert stage.binder.idle()


def test_a_gang_is_tried_then_nominated_then_bound() -> None:
    stage = Stage()
    stage.binder.bind((G, H))
    stage.step()
    assert stage.api.open == [BindWrite(G, dry_run=True), BindWrite(H, dry_run=True)]
    stage.api.answer()
    stage.step()
    assert len(stage.api.log) == 2, "a step ends before the next begins"
    stage.api.answer()
    stage.step()
    assert stage.api.open == [NominateWrite(each.pod, each.uid, "n2") for each in (G, H)]
    stage.answer_all()
    assert stage.api.log[4:] == [BindWrite(G), BindWrite(H)]
    assert stage.events == [Bound(each.pod, each.uid, "n2") for each in (G, H)]
    assert stage.binder.idle()


def test_of_a_gang_that_is_refused_in_the_dry_run_nothing_is_written() -> None:
    stage = Stage()
    stage.binder.bind((G, H))
    stage.step()
    stage.api.answer(1, "409 Conflict")
    stage.api.answer()
    stage.step()
    assert stage.events == [BindFailed(H.pod, "409 Conflict")]
    assert all(isinstance(write, BindWrite) and write.dry_run for write in stage.api.log)
    assert stage.assumed.over(SNAPSHOT) is SNAPSHOT
    assert stage.room.refusal((A, B)) is None, "its room is free again"


def test_after_a_refusal_nothing_more_of_a_gang_is_bound_and_its_nominations_go() -> None:
    stage = Stage(in_flight=1)
    stage.binder.bind((G, H))
    for _ in range(4):
        stage.step()
        stage.api.answer()
    stage.step()
    assert stage.api.open == [BindWrite(G)]
    stage.api.answer(0, "404 Not Found")
    stage.step()
    assert BindWrite(H) not in stage.api.log
    assert stage.events == [BindFailed(G.pod, "404 Not Found")]
    stage.answer_all()
    assert stage.api.log[-2:] == [NominateWrite(each.pod, each.uid, None) for each in (G, H)]


def test_who_is_bound_keeps_its_room_when_its_gang_fails() -> None:
    stage = Stage(in_flight=2)
    stage.binder.bind((G, H))
    for _ in range(2):
        stage.step()
        stage.api.answer()
        stage.api.answer()
    stage.step()
    stage.api.answer(1, "500 Internal Server Error")
    stage.step()
    assert not stage.events, "the answer of the other member is waited for"
    stage.api.answer()
    stage.step()
    assert stage.events == [
        Bound(G.pod, G.uid, "n2"),
        BindFailed(H.pod, "500 Internal Server Error"),
    ]
    (known,) = (pod for pod in stage.assumed.over(SNAPSHOT).pods if pod.key == G.pod)
    assert known.node == "n2"


def test_victims_are_tried_before_any_of_them_leaves() -> None:
    stage = Stage()
    victim = Victim(VICTIM.key, VICTIM.uid, (A.pod,))
    unit = (binding("a", "n1"),)
    stage.binder.preempt(unit, (victim,))
    stage.answer_all()
    message = f"Preempted by pod {A.uid} (default/a) on node n1"
    assert stage.api.log == [
        EvictWrite(VICTIM.key, VICTIM.uid, message, dry_run=True),
        NominateWrite(A.pod, A.uid, "n1"),
        EvictWrite(VICTIM.key, VICTIM.uid, message),
    ]
    assert not stage.events
    assert stage.told == [Announce(VICTIM.key, VICTIM.uid, "Preempted", message)]
    (known,) = (pod for pod in stage.assumed.over(SNAPSHOT).pods if pod.key == A.pod)
    assert known.nominated_node == "n1"


def test_nobody_is_evicted_where_one_of_the_victims_may_not_go() -> None:
    stage = Stage()
    victims = tuple(Victim(VICTIM.key, uid, (A.pod,)) for uid in (VICTIM.uid, "other"))
    stage.binder.preempt((binding("a", "n1"),), victims)
    stage.step()
    stage.api.answer(1, "429 Cannot evict pod: disruption budget")
    stage.api.answer()
    stage.answer_all()
    (event,) = stage.events
    assert isinstance(event, BindFailed)
    assert event.pod == A.pod
    assert "disruption budget" in event.reason
    assert all(isinstance(write, EvictWrite) and write.dry_run for write in stage.api.log)


def test_nobody_is_evicted_for_a_unit_that_would_not_fit_then() -> None:
    stage = Stage()
    victim = Victim(VICTIM.key, VICTIM.uid, (A.pod,))
    stage.binder.preempt(tuple(binding(name, "n1", gang=True) for name in "abc"), (victim,))
    stage.step()
    assert isinstance(stage.events[0], BindFailed)
    assert not stage.api.log


def test_who_lost_the_lease_begins_nothing_more() -> None:
    stage = Stage(in_flight=1)
    stage.binder.bind((G, H))
    stage.binder.bind((binding("e", "n1"),))
    stage.step()
    stage.binder.drop()
    stage.api.answer()
    stage.step()
    assert stage.api.log == [BindWrite(G, dry_run=True)]
    assert stage.binder.idle()
    assert stage.assumed.over(SNAPSHOT) is SNAPSHOT, "nothing is assumed that was not written"


def test_a_gang_that_is_between_two_steps_when_the_lease_is_lost_is_forgotten_too() -> None:
    stage = Stage(in_flight=2)
    stage.binder.bind((G, H))
    stage.step()
    stage.binder.bind((binding("a", "n3"),))
    stage.api.answer()
    stage.step()  # the single pod takes the free place
    stage.api.in_flight = 1
    stage.api.answer(stage.api.open.index(BindWrite(H, dry_run=True)))
    stage.step()  # the gang has no call under way, and waits for a place
    stage.binder.drop()
    stage.api.answer()
    stage.step()
    assert stage.binder.idle()
    nodes = {pod.key: pod.node for pod in stage.assumed.over(SNAPSHOT).pods}
    assert nodes[G.pod] is None
    assert nodes[H.pod] is None
    assert nodes[A.pod] == "n3"


def test_nobody_is_evicted_for_a_unit_that_is_wanted_no_more() -> None:
    stage = Stage(in_flight=1)
    victim = Victim(VICTIM.key, VICTIM.uid, (G.pod,))
    unit = (binding("c", "n1", gang=True), binding("d", "n1", gang=True))
    stage.binder.preempt(unit, (victim,))
    stage.step()
    stage.binder.withdraw(unit[1:])
    stage.answer_all()
    evicted = [w for w in stage.api.log if isinstance(w, EvictWrite) and not w.dry_run]
    assert not evicted
    assert stage.binder.idle()
    assert stage.assumed.over(SNAPSHOT) is SNAPSHOT


def test_what_was_in_flight_when_the_lease_was_lost_is_assumed_if_it_was_done() -> None:
    stage = Stage(in_flight=2)
    stage.binder.bind((A,))
    stage.binder.bind((B,))
    stage.step()
    stage.binder.drop()
    stage.api.answer()
    stage.api.answer(0, "not leading")
    stage.step()
    assert stage.events[0] == Bound(A.pod, A.uid, "n2")
    assert {p.key: p.node for p in stage.assumed.over(SNAPSHOT).pods if p.key[1] in "ab"} == {
        A.pod: "n2",
        B.pod: None,
    }


def test_equal_writes_may_be_in_flight_at_once() -> None:
    stage = Stage()
    stage.binder.withdraw((G,))
    stage.binder.withdraw((G,))
    stage.answer_all()
    assert stage.api.log == [NominateWrite(G.pod, G.uid, None)] * 2
    assert stage.binder.idle()


@pytest.mark.parametrize("named", [G.pod, H.pod])
def test_a_unit_that_waits_can_be_taken_back_whole(named: tuple[str, str]) -> None:
    stage = Stage(in_flight=1)
    stage.binder.bind((A,))
    stage.binder.bind((G, H))
    stage.step()
    assert stage.binder.left() == [(G, H)]
    assert stage.binder.refuse({named: "a rule"}) == [BindFailed(named, "a rule")]
    stage.answer_all()
    assert stage.api.log == [BindWrite(A)]


def test_what_belongs_to_no_unit_is_written_first_and_only_once() -> None:
    stage = Stage(in_flight=1)
    stage.binder.bind((A,))
    stage.binder.write(deletions([(G.pod, G.uid)], "its gang"))
    stage.step()
    assert stage.api.open == [DeleteWrite(G.pod, G.uid, "its gang")]
    stage.api.answer(0, "404 Not Found")
    stage.answer_all()
    assert not stage.told, "it was not we who deleted it"
    assert stage.api.log[1:] == [BindWrite(A)]
