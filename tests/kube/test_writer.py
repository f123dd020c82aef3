"""Writes are answered once, tried again where that can help, and not sent without the lease."""

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from batchsched.cycle import Binding
from batchsched.daemon.ports import (
    Answer,
    BindWrite,
    DeleteWrite,
    EvictWrite,
    NominateWrite,
    Write,
)
from batchsched.kube.answers import (
    ASSIGNED,
    BUDGET,
    DELETING,
    FENCED,
    GATED,
    GONE,
    STOPPED,
    THROTTLED,
    UID,
    UNREACHABLE,
    kind_of,
)
from batchsched.kube.errors import UnauthorizedError
from batchsched.kube.writer import WriteLimits, Writer
from batchsched.sim.clock import VirtualClock
from tests.kube.fake_api import FakeApi, Fault, pod

FOREVER_S = float("inf")


class Bench:
    """A writer without threads, in virtual time."""

    def __init__(self, *names: str, allowance_s: float = FOREVER_S, in_flight: int = 16) -> None:
        self.api, self.clock = FakeApi(), VirtualClock()
        for name in names:
            self.api.add_pod(name)
        self.allowance_s, self.woken, self.withdrawn = allowance_s, 0, list[str]()
        self.writer = Writer(
            self.api,
            self.clock,
            allowance_s=lambda: self.allowance_s,
            wake=self.wake,
            before_bind=self.withdrawn.append,
            limits=WriteLimits(in_flight=in_flight),
        )

    def wake(self) -> None:
        self.woken += 1

    def run(self, *writes: Write) -> list[str | None]:
        for write in writes:
            self.writer.begin(write)
        while (due_s := self.writer.next_due_s()) is not None:
            self.clock.advance(max(due_s, self.clock.now_s()))
            self.writer.turn()
        return [answer.refusal for answer in self.writer.answers()]


def bind(name: str, node: str = "n1", **fields: Any) -> BindWrite:
    return BindWrite(Binding(("default", name), f"uid-{name}", node), **fields)


def test_a_binding_is_what_the_api_server_wants() -> None:
    bench = Bench("p")
    notes = (("batchsched.io/solve-id", "w1-abc"),)
    assert bench.run(bind("p", notes=notes)) == [None]
    (request,) = bench.api.requests
    assert (request.method, request.path) == ("POST", f"{pod('p')}/binding")
    assert request.body == {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {
            "namespace": "default",
            "name": "p",
            "uid": "uid-p",
            "annotations": {"batchsched.io/solve-id": "w1-abc"},
        },
        "target": {"apiVersion": "v1", "kind": "Node", "name": "n1"},
    }
    assert request.query == {"timeout": "5000ms"}
    assert bench.woken


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"spec": {"nodeName": "n2"}}, ASSIGNED),
        ({"spec": {"schedulingGates": [{"name": "wait"}]}}, GATED),
        ({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}, DELETING),
        ({"metadata": {"uid": "another"}}, UID),
    ],
)
def test_a_conflict_says_what_it_was(change: dict[str, Any], refusal: str) -> None:
    bench = Bench("p")
    for part, fields in change.items():
        bench.api.objects[pod("p")][part].update(fields)
    assert bench.run(bind("p")) == [refusal]
    assert len(bench.api.requests) == 1, "a conflict is an answer, and not tried again"


def test_a_pod_that_left_is_gone() -> None:
    assert Bench().run(bind("p"), NominateWrite(("default", "p"), "uid-p", None)) == [GONE, GONE]


@pytest.mark.parametrize("fault", [429, 500, 503, 504, "lost before", "lost after"])
def test_what_may_pass_is_tried_again(fault: Fault) -> None:
    bench = Bench("p")
    bench.api.faults.extend([fault] * 3)
    assert bench.run(bind("p")) == [None]
    assert bench.api.objects[pod("p")]["spec"]["nodeName"] == "n1"
    assert 0.3 < bench.clock.now_s() < 2


def test_a_lost_answer_of_a_binding_to_elsewhere_is_no_success() -> None:
    bench = Bench("p")
    bench.api.objects[pod("p")]["spec"]["nodeName"] = "n2"
    bench.api.faults.append("lost before")
    assert bench.run(bind("p")) == [ASSIGNED]


@pytest.mark.parametrize(
    ("fault", "refusal"),
    [(429, THROTTLED), ("lost before", UNREACHABLE), (503, f"{UNREACHABLE} (HTTP 503)")],
)
def test_trying_ends_at_the_deadline(fault: Fault, refusal: str) -> None:
    bench = Bench("p", "q")
    bench.api.faults.extend([fault] * 1000)
    writes = [NominateWrite(("default", name), f"uid-{name}", "n1") for name in "pq"]
    assert bench.run(*writes) == [refusal, refusal]
    assert bench.clock.now_s() <= bench.writer.limits.deadline_s


def test_a_binding_that_may_have_been_done_is_asked_for_until_that_is_known() -> None:
    """Who gave its room to another meanwhile would over-commit the node."""
    bench = Bench("p")
    bench.api.faults.extend(["lost after", *[503] * 20, 429])
    assert bench.run(bind("p")) == [None]
    assert bench.clock.now_s() > bench.writer.limits.deadline_s


def test_a_server_that_just_started_forbids_everything_and_is_not_believed_then() -> None:
    bench = Bench("p")
    bench.api.faults.extend(["lost after", 403, 403])
    assert bench.run(bind("p")) == [None]


def test_a_binding_that_was_never_sent_is_refused_at_the_deadline() -> None:
    bench = Bench("p")
    bench.api.faults.extend([429] * 1000)
    assert bench.run(bind("p")) == [THROTTLED]


def test_the_server_says_how_long_to_wait() -> None:
    bench = Bench("p")
    bench.api.faults.append(429)
    bench.api.headers = {"Retry-After": "7"}
    assert bench.run(bind("p")) == [None]
    assert 7 <= bench.clock.now_s() < 11


def test_nothing_is_sent_without_the_lease() -> None:
    bench = Bench("p", allowance_s=0.0)
    assert bench.run(bind("p")) == [FENCED]
    assert not bench.api.requests


def test_a_call_ends_before_another_may_lead() -> None:
    bench = Bench("p", allowance_s=1.5)
    bench.run(bind("p"))
    (request,) = bench.api.requests
    assert request.timeout_s == 1.4
    assert request.query["timeout"] == "1400ms"


def test_a_lease_that_is_lost_between_tries_ends_them() -> None:
    bench = Bench("p")
    bench.api.faults.append(503)
    bench.api.on_call = lambda _: setattr(bench, "allowance_s", 0.0)
    assert bench.run(bind("p")) == [FENCED]
    assert len(bench.api.requests) == 1


def test_a_process_that_stands_still_while_it_sends_sends_no_more_than_half() -> None:
    bench = Bench("p")
    bench.api.on_leaving = lambda _: setattr(bench, "allowance_s", 1.0)
    assert bench.run(bind("p")) == [FENCED]
    assert not bench.api.requests


def test_401_ends_the_process() -> None:
    bench = Bench("p")
    bench.api.faults.append(401)
    with pytest.raises(UnauthorizedError):
        bench.run(bind("p"))


def test_403_names_the_right_that_is_missing() -> None:
    bench = Bench("p")
    message = (
        'pods "p" is forbidden: User "u" cannot create resource "pods/binding" in API group ""'
    )
    bench.api.faults.append(403)
    bench.api.message = message
    assert bench.run(bind("p")) == ["forbidden: cannot create pods/binding"]


def test_refusals_are_counted_by_their_first_word() -> None:
    assert [kind_of(refusal) for refusal in (GONE, ASSIGNED, "invalid: x: y")] == [
        "gone",
        "assigned",
        "invalid",
    ]


def test_writes_leave_in_the_order_in_which_they_were_begun() -> None:
    names = [f"p{number}" for number in range(20)]
    bench = Bench(*names)
    bench.run(*(bind(name) for name in names))
    assert [request.path for request in bench.api.requests] == [f"{pod(n)}/binding" for n in names]


def test_a_dry_run_changes_nothing_and_tells_what_would_be() -> None:
    bench = Bench("p", "gated", "guarded")
    bench.api.objects[pod("gated")]["spec"]["schedulingGates"] = [{"name": "wait"}]
    bench.api.budgets.add("guarded")
    before = str(bench.api.objects)
    evictions = [
        EvictWrite(("default", name), f"uid-{name}", "", dry_run=True) for name in ("p", "guarded")
    ]
    binds = [bind(name, dry_run=True) for name in ("p", "gated")]
    assert bench.run(*binds, *evictions) == [None, GATED, None, BUDGET]
    assert str(bench.api.objects) == before
    assert not bench.withdrawn, "what is only tried takes nothing back"


def test_a_binding_takes_back_what_is_not_published_yet() -> None:
    bench = Bench("p")
    bench.run(bind("p"))
    assert bench.withdrawn == ["uid-p"]


def test_a_victim_is_evicted_and_told_why() -> None:
    bench = Bench("p")
    assert bench.run(EvictWrite(("default", "p"), "uid-p", "for default/q")) == [None]
    found = bench.api.objects[pod("p")]
    assert found["metadata"]["deletionTimestamp"]
    (condition,) = found["status"]["conditions"]
    assert condition == {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "PreemptionByScheduler",
        "message": "for default/q",
    }


def test_a_budget_is_an_answer_and_leaves_no_mark() -> None:
    bench = Bench("p")
    bench.api.budgets.add("p")
    assert bench.run(EvictWrite(("default", "p"), "uid-p", "")) == [BUDGET]
    assert bench.api.objects[pod("p")]["status"] == {}
    assert [request.method for request in bench.api.requests] == ["GET", "POST"]


@pytest.mark.parametrize("kind", [EvictWrite, DeleteWrite])
def test_who_is_gone_already_need_not_go(kind: type[EvictWrite | DeleteWrite]) -> None:
    bench = Bench("again")
    bench.api.objects[pod("again")]["metadata"]["uid"] = "another"
    writes = [kind(("default", name), f"uid-{name}", "") for name in ("gone", "again")]
    assert bench.run(*writes) == [None, None]
    assert "deletionTimestamp" not in bench.api.objects[pod("again")]["metadata"]


def test_a_nomination_is_written_cleared_and_taken_away_by_the_binding() -> None:
    bench = Bench("p")
    key, status = ("default", "p"), bench.api.objects[pod("p")]["status"]
    assert bench.run(NominateWrite(key, "uid-p", "n1")) == [None]
    assert bench.api.objects[pod("p")]["status"] == {"nominatedNodeName": "n1"}
    bench.run(NominateWrite(key, "uid-p", None))
    assert bench.api.objects[pod("p")]["status"] == status
    bench.run(NominateWrite(key, "uid-p", "n1"), bind("p"))
    assert bench.api.objects[pod("p")]["status"] == status


def test_only_so_many_writes_are_under_way() -> None:
    bench = Bench("p", in_flight=2)
    assert bench.writer.free() == 2
    bench.writer.begin(bind("p"))
    assert bench.writer.free() == 1
    bench.run()
    assert bench.writer.free() == 2


def test_who_stops_answers_all_and_sends_nothing() -> None:
    bench = Bench("p")
    bench.writer.begin(bind("p"))
    bench.writer.stop()
    bench.writer.begin(bind("p"))
    assert [answer.refusal for answer in bench.writer.answers()] == [STOPPED, STOPPED]
    assert not bench.api.requests
    assert bench.writer.free() == 0


def test_threads_answer_every_write_once() -> None:
    bench = Bench(*(f"p{number}" for number in range(300)))
    woken = threading.Event()
    bench.writer._wake = woken.set
    bench.writer.start()
    answers: list[Answer] = []
    writes = [bind(f"p{number}") for number in range(300)]
    for write in writes:
        while not bench.writer.free():
            woken.wait(10)
            woken.clear()
            answers.extend(bench.writer.answers())
        bench.writer.begin(write)
    while len(answers) < len(writes):
        woken.wait(10)
        woken.clear()
        answers.extend(bench.writer.answers())
    bench.writer.stop()
    assert sorted(pods_of(answers)) == sorted(pods_of([Answer(write) for write in writes]))
    assert {answer.refusal for answer in answers} == {None}


def pods_of(answers: Sequence[Answer]) -> list[str]:
    return [a.write.binding.pod[1] for a in answers if isinstance(a.write, BindWrite)]
