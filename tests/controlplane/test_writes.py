"""Writes on a real API server: what it refuses, and how we understand it.

The fake API server of ``tests/kube`` is held to what is seen here.
"""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from batchsched.cycle import Announce, Binding, WonLease
from batchsched.daemon.ports import BindWrite, DeleteWrite, EvictWrite, NominateWrite, Write
from batchsched.kube.announcements import GroupState, Reporter, group_status
from batchsched.kube.answers import ASSIGNED, BUDGET, DELETING, FENCED, GATED, GONE, UID
from batchsched.kube.connection import Connection
from batchsched.kube.lease import Elector, LeaseSettings
from batchsched.kube.publisher import Publisher
from batchsched.kube.steps import Steps
from batchsched.kube.volumes import (
    BIND_COMPLETED,
    BOUND_BY_CONTROLLER,
    SELECTED_NODE,
    Choice,
    before_bind,
)
from batchsched.kube.writer import Writer
from batchsched.snapshot.group import PodGroup
from tests.controlplane.api import Api, Object, collection
from tests.controlplane.cluster import Cluster
from tests.controlplane.objects import create_nodes, create_pods, make_node, make_pod

ANSWERED_S_MAX = 30.0
WALL = "2026-01-01T00:00:00.000000Z"


class Clock:
    """The real one: nothing here is asserted about it."""

    def now_s(self) -> float:
        return time.monotonic()


class Bench:
    """A writer with threads, and a namespace to write in."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.api: Api = cluster.api()
        self.namespace = namespace
        self.connection = Connection.open(kubeconfig=str(cluster.admin))
        self._woken = threading.Event()
        self.writer = Writer(
            self.connection, Clock(), allowance_s=lambda: 60.0, wake=self._woken.set
        )
        self.writer.start()

    def close(self) -> None:
        self.writer.stop()
        self.connection.close()

    def create(self, name: str, *, metadata: dict[str, Any] | None = None, **spec: Any) -> Object:
        (made,) = create_pods(
            self.api, self.namespace, [make_pod(name, {"cpu": "1"}, metadata or {}, **spec)]
        )
        return made

    def get(self, name: str, kind: str = "pods") -> Object:
        return self.api.get(f"{collection(kind, self.namespace)}/{name}")

    def run(self, write: Write, before: Steps | None = None) -> str | None:
        self.writer.begin(write, before)
        return self.answer()

    def answer(self) -> str | None:
        until = time.monotonic() + ANSWERED_S_MAX
        while time.monotonic() < until:
            if answers := self.writer.answers():
                return answers[0].refusal
            self._woken.wait(1.0)
            self._woken.clear()
        raise AssertionError("no answer")


@pytest.fixture
def bench(cluster: Cluster, namespace: str) -> Iterator[Bench]:
    made = Bench(cluster, namespace)
    create_nodes(made.api, [make_node("n1", labels={"topology.kubernetes.io/zone": "a"})])
    yield made
    made.close()


def bind(made: Object, node: str = "n1", **fields: Any) -> BindWrite:
    meta = made["metadata"]
    return BindWrite(Binding((meta["namespace"], meta["name"]), meta["uid"], node), **fields)


def test_a_binding_is_written_with_its_notes(bench: Bench) -> None:
    made = bench.create("p")
    assert bench.run(bind(made, notes=(("batchsched.io/solve-id", "w1-abc"),))) is None
    found = bench.get("p")
    assert found["spec"]["nodeName"] == "n1"
    assert found["metadata"]["annotations"]["batchsched.io/solve-id"] == "w1-abc"
    assert found["metadata"]["labels"]["topology.kubernetes.io/zone"] == "a"
    (condition,) = found["status"]["conditions"]
    assert (condition["type"], condition["status"]) == ("PodScheduled", "True")


def test_a_binding_whose_body_does_not_leave_is_not_written(bench: Bench) -> None:
    made, asked = bench.create("p"), list[float]()

    def allowance_s() -> float:
        asked.append(0.0)
        return 60.0 if len(asked) == 1 else 0.0

    writer = Writer(bench.connection, Clock(), allowance_s=allowance_s, wake=lambda: None)
    writer.begin(bind(made))
    assert writer.turn()
    assert [answer.refusal for answer in writer.answers()] == [FENCED]
    assert "nodeName" not in bench.get("p")["spec"]


def test_a_second_binding_is_done_where_the_pod_is_and_refused_elsewhere(bench: Bench) -> None:
    made = bench.create("p")
    assert bench.run(bind(made)) is None
    assert bench.run(bind(made)) is None
    assert bench.run(bind(made, "n2")) == ASSIGNED
    assert bench.run(bind(made, "n2", dry_run=True)) == ASSIGNED


def test_a_pod_of_the_same_name_is_another(bench: Bench) -> None:
    made = bench.create("p")
    made["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000"
    key = (bench.namespace, "p")
    assert bench.run(bind(made)) == UID
    assert bench.run(NominateWrite(key, made["metadata"]["uid"], "n1")) == UID
    assert bench.run(EvictWrite(key, made["metadata"]["uid"], "")) is None
    assert bench.run(DeleteWrite(key, made["metadata"]["uid"], "")) is None
    found = bench.get("p")
    assert "nodeName" not in found["spec"]
    assert "deletionTimestamp" not in found["metadata"]


def test_gated_deleted_and_gone_pods_are_refused(bench: Bench) -> None:
    gated = bench.create("gated", schedulingGates=[{"name": "example.com/wait"}])
    leaving = bench.create("leaving", metadata={"finalizers": ["example.com/stay"]})
    bench.api.delete(f"{collection('pods', bench.namespace)}/leaving")
    gone = {"metadata": {**gated["metadata"], "name": "gone"}}
    assert bench.run(bind(gated)) == GATED
    assert bench.run(bind(gated, dry_run=True)) == GATED
    assert bench.run(bind(leaving)) == DELETING
    assert bench.run(bind(gone)) == GONE
    bench.api.patch(
        f"{collection('pods', bench.namespace)}/leaving", {"metadata": {"finalizers": None}}
    )


def test_a_dry_run_binds_nothing(bench: Bench) -> None:
    made = bench.create("p")
    assert bench.run(bind(made, dry_run=True)) is None
    assert "nodeName" not in bench.get("p")["spec"]


def test_a_nomination_is_cleared_by_hand_and_by_the_binding(bench: Bench) -> None:
    made = bench.create("p")
    key, uid = (bench.namespace, "p"), made["metadata"]["uid"]
    assert bench.run(NominateWrite(key, uid, "n1")) is None
    assert bench.get("p")["status"]["nominatedNodeName"] == "n1"
    assert bench.run(NominateWrite(key, uid, None)) is None
    assert "nominatedNodeName" not in bench.get("p")["status"]
    assert bench.run(NominateWrite(key, uid, "n1")) is None
    assert bench.run(bind(made)) is None
    assert "nominatedNodeName" not in bench.get("p")["status"]


def running(bench: Bench, name: str) -> Object:
    """A pod that a disruption budget counts."""
    made = bench.create(name, metadata={"labels": {"app": "a"}}, terminationGracePeriodSeconds=60)
    assert bench.run(bind(made)) is None
    ready = [{"type": "Ready", "status": "True"}]
    path = f"{collection('pods', bench.namespace)}/{name}/status"
    bench.api.patch(path, {"status": {"phase": "Running", "conditions": ready}})
    return made


def test_a_victim_is_evicted_unless_its_budget_forbids_it(bench: Bench) -> None:
    made = running(bench, "victim")
    key, uid = (bench.namespace, "victim"), made["metadata"]["uid"]
    budgets = f"/apis/policy/v1/namespaces/{bench.namespace}/poddisruptionbudgets"
    spec = {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "a"}}}
    budget = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "b"}}
    bench.api.create(budgets, {**budget, "spec": spec})
    assert bench.run(EvictWrite(key, uid, "", dry_run=True)) == BUDGET
    assert bench.run(EvictWrite(key, uid, "")) == BUDGET
    found = bench.get("victim")
    assert "deletionTimestamp" not in found["metadata"]
    assert not [c for c in found["status"]["conditions"] if c["type"] == "DisruptionTarget"]
    bench.api.delete(f"{budgets}/b")
    assert bench.run(EvictWrite(key, uid, "", dry_run=True)) is None
    assert "deletionTimestamp" not in bench.get("victim")["metadata"]
    assert bench.run(EvictWrite(key, uid, "Preempted for x/y")) is None
    found = bench.get("victim")
    assert "deletionTimestamp" in found["metadata"]
    (target,) = [c for c in found["status"]["conditions"] if c["type"] == "DisruptionTarget"]
    assert (target["reason"], target["message"]) == ("PreemptionByScheduler", "Preempted for x/y")


def test_a_member_of_a_gang_is_deleted(bench: Bench) -> None:
    made = running(bench, "member")
    key = (bench.namespace, "member")
    assert bench.run(DeleteWrite(key, made["metadata"]["uid"], "")) is None
    assert "deletionTimestamp" in bench.get("member")["metadata"]
    assert bench.run(DeleteWrite((bench.namespace, "gone"), "uid", "")) is None


def claim(bench: Bench, name: str, storage_class: str) -> Object:
    body = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": storage_class,
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    return bench.api.create(collection("persistentvolumeclaims", bench.namespace), body)


def complete(bench: Bench, name: str, volume: str) -> None:
    """Do what the volume controller does when a claim has found its volume."""
    note = {"metadata": {"annotations": {BIND_COMPLETED: "yes"}}, "spec": {"volumeName": volume}}
    bench.api.patch(f"{collection('persistentvolumeclaims', bench.namespace)}/{name}", note)


def test_a_volume_is_reserved_and_a_node_selected_before_the_binding(bench: Bench) -> None:
    name = f"volume-{bench.namespace}"
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "1Gi"},
            "storageClassName": "local",
            "hostPath": {"path": "/nowhere"},
        },
    }
    bench.api.create(collection("persistentvolumes"), volume)
    claims = [claim(bench, "static", "local"), claim(bench, "made", "fast")]
    made = bench.create("p")
    chosen = [
        Choice(bench.namespace, each["metadata"]["name"], each["metadata"]["uid"], "n1", (), of)
        for each, of in zip(claims, (name, None), strict=True)
    ]
    bench.writer.begin(bind(made), before_bind(chosen, time.monotonic()))
    until = time.monotonic() + ANSWERED_S_MAX
    while "annotations" not in bench.get("made", "persistentvolumeclaims")["metadata"]:
        assert time.monotonic() < until
    notes = bench.get("made", "persistentvolumeclaims")["metadata"]["annotations"]
    assert notes[SELECTED_NODE] == "n1"
    reserved = bench.api.get(f"{collection('persistentvolumes')}/{name}")
    assert reserved["spec"]["claimRef"]["uid"] == claims[0]["metadata"]["uid"]
    assert reserved["metadata"]["annotations"][BOUND_BY_CONTROLLER] == "yes"
    assert not bench.writer.answers()
    complete(bench, "static", name)
    complete(bench, "made", name)
    assert bench.answer() is None
    assert bench.get("p")["spec"]["nodeName"] == "n1"
    bench.api.delete(f"{collection('persistentvolumes')}/{name}")


def test_a_lease_is_taken_renewed_and_released(bench: Bench) -> None:
    one, two = (
        Elector(
            bench.connection,
            LeaseSettings(bench.namespace, "batchsched", identity),
            Clock(),
            wall=lambda: WALL,
            wake=lambda: None,
        )
        for identity in ("one", "two")
    )
    one.turn()
    two.turn()
    one.turn()
    assert (one.events(), two.events()) == ([WonLease()], [])
    assert one.allowance_s() > 0
    one.stop()
    two.turn()
    assert two.events() == [WonLease()]
    path = f"/apis/coordination.k8s.io/v1/namespaces/{bench.namespace}/leases/batchsched"
    spec = bench.api.get(path)["spec"]
    assert (spec["holderIdentity"], spec["leaseTransitions"], spec["renewTime"]) == ("two", 1, WALL)


def test_an_event_and_a_condition_are_as_the_api_server_wants_them(bench: Bench) -> None:
    made = bench.create("p")
    dropped: list[tuple[str, str]] = []
    publisher = Publisher(
        bench.connection,
        Clock(),
        Reporter("batchsched-host-1", lambda: WALL),
        dropped=lambda kind, why: dropped.append((kind, why)),
    )
    key, uid = (bench.namespace, "p"), made["metadata"]["uid"]
    for message in ("no room", "no GPU", "no GPU"):
        publisher.announce(Announce(key, uid, "FailedScheduling", message))
        while publisher.turn():
            pass
    assert not dropped
    (condition,) = bench.get("p")["status"]["conditions"]
    assert (condition["reason"], condition["message"]) == ("Unschedulable", "no GPU")
    assert condition["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    path = f"/apis/events.k8s.io/v1/namespaces/{bench.namespace}/events"
    events = {event["note"]: event for event in bench.api.get(path)["items"]}
    assert events["no room"]["reportingController"] == "batchsched"
    assert events["no GPU"]["series"]["count"] == 2
    stale = Announce(key, "00000000-0000-0000-0000-000000000000", "FailedScheduling", "late")
    publisher.announce(stale)
    while publisher.turn():
        pass
    assert dropped == [("condition", "uid")]


def test_a_pod_group_is_told_what_became_of_it(bench: Bench) -> None:
    groups = f"/apis/scheduling.k8s.io/v1beta1/namespaces/{bench.namespace}/podgroups"
    body = {
        "apiVersion": "scheduling.k8s.io/v1beta1",
        "kind": "PodGroup",
        "metadata": {"name": "g"},
        "spec": {"schedulingPolicy": {"gang": {"minCount": 2}}},
    }
    bench.api.create(groups, body)
    group = PodGroup("scheduling.k8s.io", bench.namespace, "g", min_count=2)
    for state in (
        GroupState(group, scheduled=False, message="no room"),
        GroupState(group, scheduled=True),
    ):
        call = group_status(state, "v1beta1", WALL)
        assert call is not None
        reply = bench.connection.call(
            call.method, call.path, body=call.body, content_type=call.content_type
        )
        assert reply.status == 200, reply.reason
    (condition,) = bench.api.get(f"{groups}/g")["status"]["conditions"]
    assert (condition["type"], condition["status"]) == ("PodGroupInitiallyScheduled", "True")
