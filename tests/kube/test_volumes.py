"""Volumes before the bind: reserved or asked for, waited for without holding others up."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from batchsched.cycle import Binding
from batchsched.daemon.ports import BindWrite, Change
from batchsched.daemon.translation import volumes_by_pod
from batchsched.kube.cluster import KubeCluster
from batchsched.kube.volumes import (
    BIND_COMPLETED,
    BOUND_BY_CONTROLLER,
    BOUND_IN_S,
    ELSEWHERE,
    GIVEN_UP,
    LATE,
    NO_CLAIM,
    NO_VOLUME,
    SELECTED_NODE,
    TAKEN,
)
from batchsched.kube.writer import WriteLimits, Writer
from batchsched.plan.claims import MADE
from batchsched.sim.clock import VirtualClock
from batchsched.snapshot.labels import NodeSelectorTerm, Pairs, Requirement
from batchsched.snapshot.pod import ClaimRef
from batchsched.snapshot.snapshot import Snapshot
from batchsched.snapshot.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from tests.builders import HOSTNAME, make_node, make_pod, make_snapshot
from tests.kube.fake_api import FakeApi, merge, pod

LOCAL = StorageClass("local", "kubernetes.io/no-provisioner", wait_for_first_consumer=True)
FAST = StorageClass("fast", "csi.example.com", wait_for_first_consumer=True)


def claim_path(name: str) -> str:
    return f"/api/v1/namespaces/default/persistentvolumeclaims/{name}"


def volume_path(name: str) -> str:
    return f"/api/v1/persistentvolumes/{name}"


def claim(name: str, storage_class: str, **fields: Any) -> PersistentVolumeClaim:
    return PersistentVolumeClaim(
        "default", name, uid=f"uid-{name}", storage_class=storage_class, **fields
    )


def volume(name: str, size: int, node: str = "n1") -> PersistentVolume:
    at = NodeSelectorTerm((Requirement(HOSTNAME, "In", (node,)),))
    return PersistentVolume(
        name,
        storage_class="local",
        capacity_bytes=size,
        node_affinity=(at,),
        phase="Available",
    )


class Shown:
    """A cache that shows what it is given."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.newest = snapshot

    def snapshot(self) -> Snapshot:
        return self.newest

    def changes(self) -> Sequence[Change]:
        return ()


class Bench:
    """A cluster of two nodes, with claims, volumes and pods that use them."""

    def __init__(
        self,
        uses: dict[str, tuple[str, ...]],
        claims: Sequence[PersistentVolumeClaim],
        volumes: Sequence[PersistentVolume] = (),
    ) -> None:
        self.api, self.clock = FakeApi(), VirtualClock()
        pods = [
            replace(make_pod(name, claims=tuple(map(ClaimRef, names))), uid=f"uid-{name}")
            for name, names in uses.items()
        ]
        for each in pods:
            self.api.add_pod(each.name)
        for of_pod in claims:
            made = {"metadata": {"uid": of_pod.uid, "annotations": {}}, "spec": {}}
            self.api.add(claim_path(of_pod.name), made)
        for each_volume in volumes:
            self.api.add(volume_path(each_volume.name), {"spec": {}})
        base = make_snapshot([make_node("n1"), make_node("n2")], pods)
        self.cache = Shown(
            replace(
                base,
                claims=tuple(claims),
                volumes=tuple(volumes),
                storage_classes=(FAST, LOCAL),
            )
        )
        self.writer = Writer(
            self.api,
            self.clock,
            allowance_s=lambda: 60.0,
            wake=lambda: None,
            limits=WriteLimits(in_flight=2),
        )
        self.cluster = KubeCluster(self.cache, self.writer, self.clock)
        self.cluster.snapshot()

    def bind(self, name: str, node: str = "n1", volumes: Pairs = ()) -> None:
        binding = Binding(("default", name), f"uid-{name}", node)
        self.cluster.begin(BindWrite(binding, volumes=volumes))

    def owner_of(self, volume: str) -> str | None:
        ref: dict[str, str] = self.api.objects[volume_path(volume)]["spec"].get("claimRef", {})
        return ref.get("name")

    def run(self, until_s: float) -> list[str | None]:
        while (due_s := self.writer.next_due_s()) is not None and due_s <= until_s:
            self.clock.advance(max(due_s, self.clock.now_s()))
            self.writer.turn()
        self.clock.advance(until_s)
        return [answer.refusal for answer in self.cluster.answers()]

    def controller_binds(self, name: str, to: str, **fields: Any) -> None:
        made: dict[str, Any] = {
            "metadata": {"annotations": {BIND_COMPLETED: "yes"}},
            "spec": {"volumeName": to},
        }
        merge(self.api.objects[claim_path(name)], made)
        if volume_path(to) not in self.api.objects:
            self.api.add(volume_path(to), {"metadata": {"name": to}, "spec": fields})

    def node_of(self, name: str) -> str | None:
        found: str | None = self.api.objects[pod(name)]["spec"].get("nodeName")
        return found


def test_a_static_volume_is_reserved_and_the_pod_bound_when_the_claim_is() -> None:
    bench = Bench({"p": ("c",)}, [claim("c", "local")], [volume("small", 1), volume("big", 9)])
    bench.bind("p")
    assert bench.run(1.0) == []
    found = bench.api.objects[volume_path("small")]
    assert found["spec"]["claimRef"]["uid"] == "uid-c"
    assert found["metadata"]["annotations"] == {BOUND_BY_CONTROLLER: "yes"}
    assert bench.api.objects[volume_path("big")]["spec"] == {}
    assert bench.node_of("p") is None
    bench.controller_binds("c", "small")
    assert bench.run(10.0) == [None]
    assert bench.node_of("p") == "n1"


def test_a_provisioner_is_told_the_node() -> None:
    bench = Bench({"p": ("c",)}, [claim("c", "fast")])
    bench.bind("p", "n2")
    assert bench.run(1.0) == []
    notes = bench.api.objects[claim_path("c")]["metadata"]["annotations"]
    assert notes == {SELECTED_NODE: "n2"}
    bench.controller_binds("c", "made")
    assert bench.run(10.0) == [None]
    assert bench.node_of("p") == "n2"


def test_who_waits_for_a_volume_takes_nobody_s_place() -> None:
    waiting = [f"p{number}" for number in range(5)]
    bench = Bench(
        {**{name: (f"c-{name}",) for name in waiting}, "free": ()},
        [claim(f"c-{name}", "fast") for name in waiting],
    )
    for name in waiting:
        bench.bind(name)
        assert bench.run(bench.clock.now_s() + 0.01) == []
        assert bench.cluster.free() == 2
    bench.bind("free")
    assert bench.run(bench.clock.now_s() + 0.01) == [None]


def test_a_volume_is_not_given_twice_before_the_watch_shows_it() -> None:
    bench = Bench(
        {"p": ("c",), "q": ("d",), "r": ("e",)},
        [claim(name, "local") for name in "cde"],
        [volume("one", 1), volume("two", 1)],
    )
    for name in "pqr":
        bench.bind(name)
    assert bench.run(1.0) == [NO_VOLUME]
    owners = [bench.api.objects[volume_path(v)]["spec"]["claimRef"]["uid"] for v in ("one", "two")]
    assert sorted(owners) == ["uid-c", "uid-d"]


def test_volumes_are_chosen_for_all_pods_at_once() -> None:
    wide = replace(volume("a-wide", 1), node_affinity=None)
    bench = Bench(
        {"p": ("c",), "q": ("d",)},
        [claim("c", "local"), claim("d", "local")],
        [wide, volume("b-narrow", 1, "n1")],
    )
    nodes = {("default", "p"): "n1", ("default", "q"): "n2"}
    volumes = volumes_by_pod(nodes, bench.cache.newest)
    for (_, name), node in nodes.items():
        bench.bind(name, node, volumes[("default", name)])
    assert bench.run(1.0) == []
    assert {v: bench.owner_of(v) for v in ("a-wide", "b-narrow")} == {
        "a-wide": "d",
        "b-narrow": "c",
    }


def test_a_planned_volume_that_is_gone_is_replaced_by_another() -> None:
    bench = Bench({"p": ("c",)}, [claim("c", "local")], [volume("one", 1)])
    bench.bind("p", volumes=(("c", "was-there"),))
    assert bench.run(1.0) == []
    assert bench.owner_of("one") == "c"


def test_where_the_plan_has_a_volume_made_no_other_is_taken() -> None:
    spare = replace(volume("spare", 1), storage_class="fast")
    bench = Bench({"p": ("c",)}, [claim("c", "fast")], [spare])
    bench.bind("p", volumes=(("c", MADE),))
    assert bench.run(1.0) == []
    assert bench.owner_of("spare") is None
    assert bench.api.objects[claim_path("c")]["metadata"]["annotations"] == {SELECTED_NODE: "n1"}


def test_pods_that_share_a_claim_wait_for_one_volume() -> None:
    bench = Bench(
        {"p": ("c",), "q": ("c",)}, [claim("c", "local")], [volume("one", 1), volume("two", 1)]
    )
    bench.bind("p")
    bench.bind("q")
    bench.run(1.0)
    bench.controller_binds("c", "one")
    assert bench.run(10.0) == [None, None]
    assert bench.api.objects[volume_path("two")]["spec"] == {}


def test_a_volume_that_another_took_is_a_refusal() -> None:
    bench = Bench({"p": ("c",)}, [claim("c", "local")], [volume("one", 1)])
    bench.api.objects[volume_path("one")]["spec"]["claimRef"] = {"uid": "theirs"}
    bench.bind("p")
    assert bench.run(1.0) == [TAKEN]
    assert bench.node_of("p") is None


def test_a_volume_that_changed_meanwhile_is_looked_at_again() -> None:
    bench = Bench({"p": ("c",)}, [claim("c", "local")], [volume("one", 1)])
    touched: list[str] = []

    def touch(request: Any) -> None:
        if request.method == "PATCH" and not touched:
            touched.append(request.path)
            bench.api.add(volume_path("one"), bench.api.objects[volume_path("one")])

    bench.api.on_call = touch
    bench.bind("p")
    assert bench.run(1.0) == []
    assert bench.api.objects[volume_path("one")]["spec"]["claimRef"]["uid"] == "uid-c"


def test_what_was_taken_back_is_a_refusal() -> None:
    bench = Bench(
        {"p": ("c",), "q": ("d",)}, [claim("c", "local"), claim("d", "fast")], [volume("one", 1)]
    )
    bench.bind("p")
    bench.bind("q")
    assert bench.run(0.1) == []
    bench.api.objects[volume_path("one")]["spec"].clear()
    bench.api.objects[claim_path("d")]["metadata"]["annotations"].clear()
    assert bench.run(10.0) == [TAKEN, GIVEN_UP]
    assert (bench.node_of("p"), bench.node_of("q")) == (None, None)


def test_a_claim_that_goes_is_a_refusal() -> None:
    bench = Bench({"p": ("c",)}, [claim("c", "fast")])
    bench.bind("p")
    bench.run(0.1)
    del bench.api.objects[claim_path("c")]
    assert bench.run(10.0) == [NO_CLAIM]


def test_a_volume_out_of_reach_is_a_refusal() -> None:
    bench = Bench({"p": ("c",)}, [claim("c", "fast")])
    bench.bind("p")
    bench.run(0.1)
    term = {"matchExpressions": [{"key": HOSTNAME, "operator": "In", "values": ["n2"]}]}
    bench.controller_binds(
        "c",
        "made",
        capacity={"storage": "1Gi"},
        accessModes=["ReadWriteOnce"],
        nodeAffinity={"required": {"nodeSelectorTerms": [term]}},
    )
    assert bench.run(10.0) == [ELSEWHERE]
    assert bench.node_of("p") is None


def test_a_claim_that_is_told_already_is_only_waited_for() -> None:
    bench = Bench({"p": ("c",)}, [claim("c", "fast", selected_node="n1")])
    bench.api.objects[claim_path("c")]["metadata"]["annotations"][SELECTED_NODE] = "n1"
    bench.bind("p")
    bench.run(0.1)
    bench.controller_binds("c", "made")
    assert bench.run(10.0) == [None]
    assert {request.method for request in bench.api.requests} == {"GET", "POST"}


def test_waiting_ends() -> None:
    bench = Bench({"p": ("c",)}, [claim("c", "fast")])
    bench.bind("p")
    assert bench.run(BOUND_IN_S - 1) == []
    assert bench.run(BOUND_IN_S + 10) == [LATE]


@pytest.mark.parametrize("dry_run", [True, False])
def test_bound_claims_and_tries_need_nothing(dry_run: bool) -> None:  # noqa: FBT001 -- a case
    made = claim("c", "fast") if dry_run else claim("c", "fast", volume_name="v", bound=True)
    bench = Bench({"p": ("c",)}, [made])
    binding = Binding(("default", "p"), "uid-p", "n1")
    bench.cluster.begin(BindWrite(binding, dry_run=dry_run))
    assert bench.run(0.0) == [None]
    assert len(bench.api.requests) == 1
