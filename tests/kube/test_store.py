"""The store says the same as reading the whole cluster anew, and tells of every change once."""

from collections.abc import Sequence
from typing import Any

import hypothesis.strategies as st
import orjson
import pytest
from hypothesis import given, settings

from batchsched.daemon.ports import Change, NodeChange, PodChange
from batchsched.kube.discovery import RESOURCES, Resource
from batchsched.kube.reading import Reader
from batchsched.kube.store import Store
from batchsched.profile import named_profiles
from batchsched.scheduler import Limits, schedule
from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.kinds import GroupKind, Key
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.read import read
from batchsched.snapshot.snapshot import Snapshot, pending
from tests.kube.drawn_objects import (
    COMPOSITE,
    DRAWN,
    GROUP,
    KAI_GROUP,
    NODE,
    OTHER_GROUP,
    POD,
    objects,
)
from tests.kube.manifests import gang, node, pod

Raw = dict[str, Any]
Truth = dict[tuple[GroupKind, Key], Raw]

RESOURCE_OF: dict[GroupKind, Resource] = {resource.kind: resource for resource in RESOURCES}
VERSION = {GROUP: "v1beta1", COMPOSITE: "v1alpha3", OTHER_GROUP: "v1alpha1", KAI_GROUP: "v2alpha2"}


class Watched:
    """A store, fed as reflectors feed it, beside the truth."""

    def __init__(self) -> None:
        self.store = Store()
        self.truth: Truth = {}
        self._readers = {kind: Reader(kind) for kind in RESOURCE_OF}

    def put(self, kind: GroupKind, raw: Raw) -> None:
        found = self._readers[kind].read(VERSION.get(kind, "v1"), raw)
        assert found is not None
        self.truth[kind, found[0]] = raw
        self.store.put(kind, *found)

    def gone(self, kind: GroupKind, name: str) -> None:
        key = ("" if kind == NODE else "default", name)
        if self.truth.pop((kind, key), None) is not None:
            self.store.put(kind, key, None)

    def relist(self, kind: GroupKind, wanted: Truth) -> None:
        """The watch was away: the truth is another, and a list shows it."""
        self.truth = {entry: raw for entry, raw in self.truth.items() if entry[0] != kind}
        nouns = {}
        for (of, _), raw in wanted.items():
            if of == kind:
                key, noun = self._readers[kind].read(VERSION.get(kind, "v1"), raw) or (("", ""), 0)
                nouns[key] = noun
                self.truth[kind, key] = raw
        self.store.listed(kind, nouns)


def read_anew(truth: Truth) -> Snapshot:
    """The truth as a file, without the ended pods of no gang, which hold nothing."""
    items = []
    for (kind, _), raw in truth.items():
        group, name = kind
        version = VERSION.get(kind, "v1")
        items.append({"apiVersion": f"{group}/{version}".lstrip("/"), "kind": name, **raw})
    snapshot = read([("truth", orjson.dumps({"kind": "List", "items": items}))])
    members = {key for key, _ in snapshot.group_of}
    ended = {pod.key for pod in snapshot.pods if pod.terminal and pod.key not in members}
    pods = tuple(pod for pod in snapshot.pods if pod.key not in ended)
    return Snapshot(
        **{
            **{field: getattr(snapshot, field) for field in Snapshot.__dataclass_fields__},
            "pods": pods,
            "others": (),
        }
    )


def told(changes: Sequence[Change]) -> list[str]:
    """Changes in a few words."""
    words = []
    for change in changes:
        some = change.new or change.old
        assert some is not None
        how = "new" if change.old is None else "gone" if change.new is None else "changed"
        words.append(f"{some.name} {how}")
    return words


STEPS = st.lists(
    st.one_of(
        objects().map(lambda found: ("put", *found)),
        objects().map(lambda found: ("gone", found[0], found[1]["metadata"]["name"])),
        st.tuples(
            st.just("relist"),
            st.sampled_from(DRAWN),
            st.lists(objects(), max_size=4),
        ),
        st.just(("look",)),
    ),
    max_size=25,
)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_whatever_lists_and_events_come_the_store_is_the_truth_read_anew(steps: Any) -> None:
    watched, mirror = Watched(), _Mirror()
    watched.put(NODE, node("always"))
    for step in steps:
        match step:
            case ("put", kind, raw):
                watched.put(kind, raw)
            case ("gone", kind, name):
                watched.gone(kind, name)
            case ("relist", kind, wanted):
                always = [(NODE, node("always"))]
                watched.relist(
                    kind,
                    {(k, (k[1], raw["metadata"]["name"])): raw for k, raw in [*wanted, *always]},
                )
            case _:
                mirror.follow(watched.store.changes())
                assert watched.store.snapshot() == read_anew(watched.truth)
    mirror.follow(watched.store.changes())
    snapshot = watched.store.snapshot()
    assert snapshot == read_anew(watched.truth)
    assert watched.store.snapshot() is snapshot
    assert mirror.pods == {p.key: p for p in snapshot.pods if not p.terminal}
    assert mirror.nodes == {n.name: n for n in snapshot.nodes}
    group_of = {key: snapshot.groups[at] for key, at in snapshot.group_of}
    for p in snapshot.pods:
        if p.node is None and not p.terminal:
            assert mirror.groups[p.key] == group_of.get(p.key), "who waits knows its group"


def _live(pod: Pod | None) -> Pod | None:
    return None if pod is None or pod.terminal else pod


class _Mirror:
    """What somebody knows who only listens to changes."""

    def __init__(self) -> None:
        self.pods: dict[Key, Any] = {}
        self.nodes: dict[str, Any] = {}
        self.groups: dict[Key, Any] = {}

    def follow(self, changes: Any) -> None:
        for change in changes:
            if isinstance(change, NodeChange):
                self._node(change)
            else:
                self._pod(change)

    def _node(self, change: NodeChange) -> None:
        some = change.new or change.old
        assert some is not None
        assert self.nodes.pop(some.name, None) == change.old
        if change.new is not None:
            self.nodes[some.name] = change.new

    def _pod(self, change: PodChange) -> None:
        some = change.new or change.old
        assert some is not None
        assert self.pods.pop(some.key, None) == _live(change.old)
        self.groups[some.key] = change.group
        if _live(change.new) is not None:
            self.pods[some.key] = change.new


def test_nothing_is_told_of_what_changed_nothing_that_matters() -> None:
    watched = Watched()
    watched.put(POD, pod("a"))
    watched.put(NODE, node("n"))
    watched.store.changes()
    before = watched.store.snapshot()
    watched.put(POD, {**pod("a"), "metadata": {**pod("a")["metadata"], "resourceVersion": "9"}})
    watched.put(NODE, {**node("n"), "status": {**node("n")["status"], "conditions": []}})
    assert watched.store.changes() == []
    assert watched.store.snapshot() is before


def test_the_end_of_a_pod_is_told_before_it_is_forgotten() -> None:
    watched = Watched()
    watched.put(POD, pod("a", node="n", phase="Running"))
    watched.put(POD, pod("a", node="n", phase="Succeeded"))
    watched.gone(POD, "a")
    _, ended = watched.store.changes()
    assert isinstance(ended, PodChange)
    assert ended.new is not None
    assert ended.new.phase == "Succeeded"
    assert watched.store.snapshot().pods == ()


def test_a_member_that_succeeded_is_kept_because_it_counts_for_its_gang() -> None:
    watched = Watched()
    group: Raw = {"spec": {"schedulingGroup": {"podGroupName": "g"}}}
    watched.put(GROUP, gang("g", 2))
    watched.put(POD, pod("a", node="n", phase="Succeeded", **group))
    watched.put(POD, pod("b", node="n", phase="Succeeded"))
    assert [p.name for p in watched.store.snapshot().pods] == ["a"]


def test_who_waits_and_one_of_those_on_nodes_are_told_of_again_when_their_group_comes() -> None:
    watched = Watched()
    group: Raw = {"spec": {"schedulingGroup": {"podGroupName": "g"}}}
    watched.put(POD, pod("waits", **group))
    for name in ("also", "runs"):
        watched.put(POD, pod(name, node="n", phase="Running", **group))
    first = [c.group for c in watched.store.changes() if isinstance(c, PodChange)]
    assert all(found is not None and found.problem for found in first)
    watched.put(GROUP, gang("g", 2))
    again = [each for each in watched.store.changes() if isinstance(each, PodChange)]
    assert [each.new.name for each in again if each.new] == ["also", "waits"]
    assert {each.group.min_count for each in again if each.group} == {2}
    assert not [each for each in again if each.group is None or each.group.problem]


##### What cannot be read


BROKEN: Raw = {"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "many"}}}]}}


def broken_pod(name: str, node_name: str | None) -> Raw:
    raw = pod(name, node=node_name, phase="Running", meta={"labels": {"app": "x"}})
    raw["spec"]["containers"] = BROKEN["spec"]["containers"]
    return raw


def test_a_pod_that_cannot_be_read_keeps_its_place_and_shuts_its_node() -> None:
    watched = Watched()
    watched.put(NODE, node("n", zone="z"))
    watched.put(POD, pod("other", node="n", phase="Running"))
    watched.store.changes()
    watched.put(POD, broken_pod("bad", "n"))
    assert told(watched.store.changes()) == ["n changed", "bad new"]
    snapshot = watched.store.snapshot()
    (shut,) = snapshot.nodes
    assert (shut.unschedulable, shut.allocatable, shut.labels) == (True, (), (("zone", "z"),))
    bad = snapshot.pods[0]
    assert (bad.name, bad.node, bad.labels) == ("bad", "n", (("app", "x"),))
    watched.put(NODE, node("n", "8", zone="z"))
    assert watched.store.snapshot().nodes[0].allocatable == (), "also when the node changes"
    watched.put(POD, pod("bad", node="n", phase="Running"))
    assert not watched.store.snapshot().nodes[0].unschedulable
    watched.put(POD, broken_pod("bad", "n"))
    watched.gone(POD, "bad")
    assert not watched.store.snapshot().nodes[0].unschedulable


@pytest.mark.parametrize("moves_max", [0, None])
def test_nothing_is_placed_beside_a_pod_that_cannot_be_read(moves_max: int | None) -> None:
    watched = Watched()
    tolerant: Raw = {"spec": {"tolerations": [{"operator": "Exists"}]}}
    watched.put(NODE, node("n", "9"))
    watched.put(NODE, node("other", "1"))
    watched.put(POD, broken_pod("bad", "n"))
    watched.put(POD, pod("runs", node="n", phase="Running"))
    urgent: Raw = {"spec": {**tolerant["spec"], "priority": 9}}
    watched.put(POD, pod("a", **urgent))
    watched.put(POD, pod("b", cpu="0", **tolerant))
    watched.put(POD, pod("c", **tolerant))
    snapshot = watched.store.snapshot()
    plan = schedule(
        snapshot,
        pending(snapshot),
        named_profiles()["default"],
        Limits(time_limit_s=10, workers=1, deterministic=True),
        lambda: 0.0,
        allowance=Allowance(preemption=True, moves_max=moves_max),
    )
    assert {binding.node for binding in plan.bindings} == {"other"}
    assert len(plan.unplaced) == 1
    assert not [evicted for evicted in plan.evictions if evicted.name == "bad"]
    assert not [evicted for evicted in plan.evictions if evicted.to == "n"]


def test_a_pod_that_waits_and_cannot_be_read_is_left_out() -> None:
    watched = Watched()
    watched.put(POD, pod("a"))
    watched.put(POD, broken_pod("a", None))
    assert told(watched.store.changes()) == ["a new", "a gone"]
    assert watched.store.snapshot().pods == ()


def test_a_node_that_cannot_be_read_keeps_its_labels_and_has_no_room() -> None:
    watched = Watched()
    raw = node("n", zone="z")
    raw["status"]["allocatable"]["cpu"] = "-1"
    watched.put(NODE, raw)
    (found,) = watched.store.snapshot().nodes
    assert (found.labels, found.allocatable, found.unschedulable) == ((("zone", "z"),), (), True)


def test_what_cannot_be_read_is_logged_once_and_counted(caplog: Any) -> None:
    reader = Reader(POD)
    for _ in range(3):
        assert reader.read("v1", broken_pod("bad", "n")) is not None
    assert [record.message for record in caplog.records] == [
        (
            "an object is left out, it cannot be read: the API server: Pod default/bad: "
            'spec.containers[0].resources.requests.cpu: "many" is not a quantity; '
            "write a number with one of n u m k M G T P E Ki Mi Gi Ti Pi Ei"
        )
    ]
    assert list(reader.unreadable) == [("default", "bad")]
    reader.read("v1", pod("bad"))
    assert not reader.unreadable
    reader.read("v1", broken_pod("bad", "n"))
    reader.gone(pod("bad"))
    assert not reader.unreadable


def test_what_is_no_object_at_all_is_left_out() -> None:
    for raw in ({}, {"metadata": None}, {"metadata": {"name": 5}}, {"metadata": {"name": ""}}):
        assert Reader(POD).read("v1", raw) is None
        assert Reader(NODE).read("v1", raw) is None
