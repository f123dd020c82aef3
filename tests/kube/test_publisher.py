"""What people read is said once, in kube-scheduler's words, and counted if it is lost."""

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

import pytest

from batchsched.cycle import Announce
from batchsched.kube import publisher as publishing
from batchsched.kube.announcements import Reporter
from batchsched.kube.group_versions import GOOD_FOR_S, GroupVersions
from batchsched.kube.publisher import Publisher
from batchsched.plan.plan import Binding, Plan, PlanPodGroup
from batchsched.sim.clock import VirtualClock
from batchsched.snapshot.group import PodGroup
from tests.kube.fake_api import FakeApi, Request, pod

if TYPE_CHECKING:
    from batchsched.kube.connection import Connection

WALL = "2026-01-01T00:00:00.123456Z"
EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"


class Bench:
    """A publisher without threads, in virtual time."""

    def __init__(self, *names: str) -> None:
        self.api, self.clock = FakeApi(), VirtualClock()
        for name in names:
            self.api.add_pod(name)
        self.busy, self.leads = False, True
        self.generations: dict[tuple[str, str], int] = {}
        self.dropped: Counter[tuple[str, str]] = Counter()
        self.publisher = Publisher(
            self.api,
            self.clock,
            Reporter("batchsched-host-1", lambda: WALL, lambda _: "ours", self.generations.get),
            busy=lambda: self.busy,
            dropped=lambda kind, why: self.dropped.update([(kind, why)]),
            may_write=lambda: self.leads,
            version_of={"scheduling.k8s.io": "v1beta1", "scheduling.x-k8s.io": "v1alpha1"}.get,
        )

        # Who waits to try again lets time pass, and nothing else.
        def wait(seconds_s: float) -> None:
            self.clock.advance(self.clock.now_s() + seconds_s)

        self.publisher._wait = wait  # type: ignore[method-assign]

    def say(self, name: str, reason: str, message: str) -> None:
        self.publisher.announce(Announce(("default", name), f"uid-{name}", reason, message))

    def run(self) -> list[Request]:
        self.api.requests.clear()
        while self.publisher.turn():
            pass
        return list(self.api.requests)

    def condition(self, name: str) -> dict[str, Any]:
        (found,) = self.api.objects[pod(name)]["status"]["conditions"]
        made: dict[str, Any] = found
        return made


def test_a_pod_without_a_place_gets_the_condition_that_autoscalers_look_for() -> None:
    bench = Bench("p")
    bench.say("p", "FailedScheduling", "0/3 nodes are available: 3 Insufficient cpu.")
    condition, event = bench.run()
    assert bench.condition("p") == {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/3 nodes are available: 3 Insufficient cpu.",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    assert condition.body["metadata"] == {"uid": "uid-p"}
    assert event.path == EVENTS
    assert (event.body["type"], event.body["action"]) == ("Warning", "Scheduling")
    assert (event.body["reportingController"], event.body["eventTime"]) == ("ours", WALL)
    assert event.body["regarding"]["uid"] == "uid-p"


def test_a_condition_is_written_only_when_it_changed() -> None:
    bench = Bench("p")
    bench.say("p", "FailedScheduling", "no room")
    assert len(bench.run()) == 2
    bench.say("p", "FailedScheduling", "no room")
    (repeated,) = bench.run()
    assert repeated.body == {"series": {"count": 2, "lastObservedTime": WALL}}
    bench.say("p", "FailedScheduling", "no GPU")
    condition, _ = bench.run()
    assert "lastTransitionTime" not in condition.body["status"]["conditions"][0], "no new state"
    assert bench.condition("p")["message"] == "no GPU"


def test_a_condition_says_which_spec_it_is_about() -> None:
    bench = Bench("p")
    for generation in (1, 2):
        bench.generations["default", "p"] = generation
        bench.say("p", "FailedScheduling", "no room")
        bench.run()
        assert bench.condition("p")["observedGeneration"] == generation


def test_what_is_newer_replaces_what_was_not_sent() -> None:
    bench = Bench("p")
    bench.say("p", "FailedScheduling", "one")
    bench.say("p", "FailedScheduling", "two")
    assert [request.method for request in bench.run()] == ["PATCH", "POST", "POST"]
    assert bench.condition("p")["message"] == "two"


def test_a_note_is_cut_where_the_api_server_would_refuse_it() -> None:
    bench = Bench("p")
    bench.say("p", "Scheduled", "é" * 1000)
    (event,) = bench.run()
    assert len(event.body["note"].encode()) <= 1024
    assert event.body["note"].endswith("é...")


def test_bindings_go_first_but_not_for_ever() -> None:
    bench = Bench("p")
    bench.busy = True
    bench.say("p", "Scheduled", "to n1")
    assert not bench.run()
    bench.clock.advance(publishing.DEFER_S_MAX["event"] + 1)
    assert len(bench.run()) == 1


def test_a_condition_is_withdrawn_by_the_binding_of_its_pod() -> None:
    bench = Bench("p")
    bench.say("p", "FailedScheduling", "no room")
    bench.publisher.withdraw("uid-p")
    assert [request.path for request in bench.run()] == [EVENTS]


def test_a_binding_waits_for_a_condition_that_is_on_its_way() -> None:
    bench = Bench("p")
    bench.say("p", "FailedScheduling", "no room")
    sent, released, order = threading.Event(), threading.Event(), list[str]()

    def on_call(request: Request) -> None:
        if request.method == "PATCH":
            sent.set()
            assert released.wait(10)
            order.append("condition")

    bench.api.on_call = on_call
    publishing_thread = threading.Thread(target=bench.publisher.turn)
    publishing_thread.start()
    assert sent.wait(10)

    def bind() -> None:
        bench.publisher.withdraw("uid-p")
        order.append("binding")

    binding_thread = threading.Thread(target=bind)
    binding_thread.start()
    released.set()
    publishing_thread.join(10)
    binding_thread.join(10)
    assert order == ["condition", "binding"]


def test_what_may_pass_is_tried_again_and_then_counted() -> None:
    bench = Bench("p")
    bench.api.faults.extend([503, "lost after"])
    bench.say("p", "FailedScheduling", "no room")
    bench.run()
    assert bench.condition("p")["message"] == "no room"
    assert not bench.dropped
    bench.api.faults.extend([503] * 100)
    bench.say("p", "FailedScheduling", "no GPU")
    bench.run()
    assert bench.dropped == {("condition", "unreachable"): 1, ("event", "unreachable"): 1}
    bench.api.faults.clear()
    bench.say("p", "FailedScheduling", "no GPU")
    assert bench.run()[0].method == "PATCH", "what was dropped was not said"


def test_who_does_not_lead_says_nothing() -> None:
    bench = Bench("p")
    bench.leads = False
    bench.say("p", "FailedScheduling", "no room")
    assert not bench.run()
    assert bench.dropped == {("condition", "lease"): 1, ("event", "lease"): 1}


def test_a_full_queue_drops_the_oldest_event_and_counts_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publishing, "QUEUE_MAX", 3)
    bench = Bench("p", "q", "r")
    for name in "pqr":
        bench.say(name, "FailedScheduling", "no room")
    assert bench.dropped == {("event", "full"): 3}
    assert [request.method for request in bench.run()] == ["PATCH"] * 3


def test_what_is_left_at_the_end_is_counted() -> None:
    bench = Bench("p")
    bench.say("p", "FailedScheduling", "no room")
    bench.publisher.stop(0.0)
    bench.say("p", "Scheduled", "to n1")
    assert bench.dropped == {("condition", "stopped"): 1, ("event", "stopped"): 2}


def test_threads_publish_everything() -> None:
    bench = Bench(*(f"p{number}" for number in range(100)))
    bench.publisher.start()
    for number in range(100):
        bench.say(f"p{number}", "FailedScheduling", "no room")
    bench.publisher.stop(30.0)
    assert len(bench.api.requests) == 200
    assert not bench.dropped


def plan_of(status: str, placed: int, bound: int) -> Plan:
    return Plan.model_validate(
        {
            "status": "Optimal",
            "bindings": tuple(
                Binding(namespace="default", name=f"m{i}", uid=f"uid-m{i}", node="n", pod_group="g")
                for i in range(bound)
            ),
            "pod_groups": (
                PlanPodGroup.model_validate(
                    {
                        "namespace": "default",
                        "name": "g",
                        "min_count": 2,
                        "members": 2,
                        "placed": placed,
                        "status": status,
                        "message": "" if status == "Placed" else "no room",
                    }
                ),
            ),
        }
    )


@pytest.mark.parametrize(
    ("api", "bodies"),
    [
        (
            "scheduling.k8s.io",
            [("False", "Unschedulable", "no room"), ("True", "Scheduled", "")],
        ),
        ("scheduling.x-k8s.io", ["Pending", "Scheduling"]),
    ],
)
def test_a_group_is_told_when_it_has_no_room_and_when_it_is_bound(
    api: str, bodies: list[Any]
) -> None:
    bench = Bench("m0", "m1")
    group = PodGroup(api, "default", "g", min_count=2)
    version = {"scheduling.k8s.io": "v1beta1"}.get(api, "v1alpha1")
    path = f"/apis/{api}/{version}/namespaces/default/podgroups/g"
    bench.api.add(path, {"status": {}})
    said = []
    for plan, bound in [
        (plan_of("Unplaced", 0, 0), 0),
        (plan_of("Unplaced", 0, 0), 0),
        (plan_of("Placed", 2, 2), 1),
        (plan_of("Placed", 2, 2), 2),
    ]:
        for number in range(bound):
            bench.say(f"m{number}", "Scheduled", "to n")
        bench.publisher.groups(plan, [group])
        said += [r.body["status"] for r in bench.run() if r.path == f"{path}/status"]
    if api == "scheduling.k8s.io":
        conditions = [status["conditions"][0] for status in said]
        assert [(c["status"], c["reason"], c["message"]) for c in conditions] == bodies
    else:
        assert [status["phase"] for status in said] == bodies


def test_a_version_is_asked_for_again_when_it_may_have_changed() -> None:
    api, clock = FakeApi(), VirtualClock()
    versions = GroupVersions(cast("Connection", api), clock)
    assert versions("scheduling.x-k8s.io") is None
    api.objects["/apis/scheduling.x-k8s.io"] = {"versions": [{"version": "v1alpha1"}]}
    place = "/apis/scheduling.x-k8s.io/v1alpha1"
    api.objects[place] = {"resources": [{"name": "podgroups"}]}
    assert versions("scheduling.x-k8s.io") is None
    clock.advance(GOOD_FOR_S)
    assert versions("scheduling.x-k8s.io") == "v1alpha1"
    assert versions("batchsched.io") is None
