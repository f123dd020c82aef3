"""A cause is planted: it is what gets named, nothing else is, and every help that is told helps."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import pytest

from batchsched.explain.explaining import explain
from batchsched.explain.facts import facts_of
from batchsched.explain.minimal import Search
from batchsched.explain.question import Answer, Means
from batchsched.explain.remedies import Remedies
from batchsched.explain.subject import Subject, pod_of, question_about_group, question_about_pod
from batchsched.explain.words import Words
from batchsched.profile import default_profile
from batchsched.scheduler import Limits
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.node import Taint
from batchsched.snapshot.pod import HostPort, Pod
from batchsched.snapshot.snapshot import Snapshot
from tests.builders import (
    ZONE,
    make_node,
    make_pod,
    make_replicas,
    make_snapshot,
    node_term,
    pod_term,
    requirement,
    spread,
)

MEANS = Means(
    profile=default_profile(),
    limits=Limits(time_limit_s=5.0, workers=1, deterministic=True),
    clock=lambda: 0.0,
    end_s=60.0,
)
GPU, RACK = "nvidia.com/gpu", "rack"
GANG = PodGroup("batchsched.io", "default", "gang", min_count=4)
POD, GROUP = Subject("pod", "default", "x"), Subject("podgroup", "default", "gang")


@dataclass
class World:
    """A cluster of a few nodes in two zones and racks, some loaded; what is planted goes on top."""

    random: Random
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    pods: list[Pod] = field(default_factory=list)

    def __post_init__(self) -> None:
        for i in range(self.random.randint(3, 8)):
            labels = {ZONE: f"z{i % 2}", RACK: f"r{i % 3}", "disk": "ssd"}
            self.nodes[f"n{i}"] = {"labels": labels, "cpu": 8000, "resources": {GPU: 2}}
            if self.random.random() < 0.5:
                load = self.random.randint(1, 3) * 500
                self.pods.append(make_pod(f"load-{i}", node=f"n{i}", cpu=load))

    def asked(self, **fields: Any) -> Snapshot:
        """The cluster and the one pod to be placed."""
        return self.snapshot(make_pod("x", labels={"app": "x"}, **{"cpu": 1000, **fields}))

    def gang(self, group: PodGroup = GANG, **fields: Any) -> Snapshot:
        """The cluster and a gang of four."""
        pods = make_replicas(4, "g", **fields)
        return make_snapshot(self._nodes(), [*self.pods, *pods], groups={group: pods})

    def snapshot(self, *pods: Pod) -> Snapshot:
        """The cluster with these pods as well."""
        return make_snapshot(self._nodes(), [*self.pods, *pods])

    def _nodes(self) -> Iterator[Any]:
        return (make_node(name, **fields) for name, fields in self.nodes.items())


def no_room(world: World) -> Snapshot:
    return world.asked(cpu=world.random.randint(9, 20) * 1000)


def no_gpus_left(world: World) -> Snapshot:
    world.pods += [make_pod(f"user-{n}", node=n, requests={GPU: 2}) for n in world.nodes]
    return world.asked(requests={GPU: 1})


def no_such_label(world: World) -> Snapshot:
    return world.asked(node_selector={"disk": "tape"})


def no_such_affinity(world: World) -> Snapshot:
    return world.asked(node_affinity=(node_term(requirement("disk", "In", "tape")),))


def tainted(world: World) -> Snapshot:
    for fields in world.nodes.values():
        fields["taints"] = [Taint("team", "a", "NoSchedule")]
    return world.asked()


def cordoned(world: World) -> Snapshot:
    for fields in world.nodes.values():
        fields["unschedulable"] = True
    return world.asked()


def ports_in_use(world: World) -> Snapshot:
    port = HostPort(80)
    world.pods += [make_pod(f"web-{n}", node=n, host_ports=(port,)) for n in world.nodes]
    return world.asked(host_ports=(port,))


def enemies_everywhere(world: World) -> Snapshot:
    world.pods += [make_pod(f"e-{n}", node=n, labels={"app": "e"}) for n in world.nodes]
    return world.asked(anti_affinity=(pod_term({"app": "e"}),))


def held_off_everywhere(world: World) -> Snapshot:
    term = pod_term({"app": "x"})
    world.pods += [make_pod(f"e-{n}", node=n, anti_affinity=(term,)) for n in world.nodes]
    return world.asked()


def no_friends(world: World) -> Snapshot:
    return world.asked(affinity=(pod_term({"app": "friend"}),))


def full_of_pods(world: World) -> Snapshot:
    for fields in world.nodes.values():
        fields["pods"] = 1
    world.pods = [make_pod(f"o-{n}", node=n) for n in world.nodes]
    return world.asked()


def skewed_and_pinned(world: World) -> Snapshot:
    """Two rules that conflict only together: z0 is ahead already, and the pod must go there."""
    world.pods += [make_pod("s", node="n0", labels={"app": "x"})]
    rule = spread({"app": "x"}, honor_node_affinity=False)
    return world.asked(spread=(rule,), node_selector={ZONE: "z0"})


def label_and_taint(world: World) -> Snapshot:
    """Two facts that conflict only together: the only nodes with the label have a taint."""
    world.nodes["n0"]["labels"]["only"] = "here"
    world.nodes["n0"]["taints"] = [Taint("team", "a", "NoSchedule")]
    return world.asked(node_selector={"only": "here"})


def gang_too_large(world: World) -> Snapshot:
    names = list(world.nodes)[3:]
    for name in names:
        world.nodes[name]["resources"] = {}
    return world.gang(requests={GPU: 2})


def one_rack_short(world: World) -> Snapshot:
    for i in range(6):
        labels = {ZONE: f"z{i % 2}", RACK: f"r{i % 3}"}
        world.nodes[f"n{i}"] = {"labels": labels, "resources": {GPU: 2}}
    world.nodes = {name: world.nodes[name] for name in list(world.nodes)[:6]}
    world.pods = [pod for pod in world.pods if pod.node in world.nodes]
    return world.gang(replace(GANG, required_topology=RACK), requests={GPU: 2})


def gang_that_is_not_there(world: World) -> Snapshot:
    return world.gang(replace(GANG, min_count=5))


CASES: dict[Callable[[World], Snapshot], set[str]] = {
    no_room: {"capacity"},
    no_gpus_left: {"capacity"},
    no_such_label: {"node-selector"},
    no_such_affinity: {"node-affinity"},
    tainted: {"taint"},
    cordoned: {"cordon"},
    ports_in_use: {"host-port"},
    enemies_everywhere: {"anti-affinity"},
    held_off_everywhere: {"held-off"},
    no_friends: {"affinity"},
    full_of_pods: {"capacity"},
    skewed_and_pinned: {"topology-spread", "node-selector"},
    label_and_taint: {"node-selector", "taint"},
    gang_too_large: {"capacity", "gang-minimum"},
    one_rack_short: {"capacity", "gang-minimum", "gang-topology"},
    gang_that_is_not_there: {"gang-minimum"},
}


def search_of(snapshot: Snapshot, subject: Subject) -> Search:
    """The search for a core, on the pods that are asked about."""
    if subject.kind == "pod":
        question = question_about_pod(snapshot, pod_of(snapshot, subject), MEANS)
    else:
        found = question_about_group(snapshot, 0, MEANS)
        assert found is not None
        snapshot, question = found
    return Search(snapshot, question, facts_of(snapshot, question.unit, question.group))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("plant", CASES, ids=lambda plant: plant.__name__)
def test_the_planted_cause_is_named_and_nothing_else(
    plant: Callable[[World], Snapshot], seed: int
) -> None:
    snapshot = plant(World(Random(seed)))
    subject = GROUP if snapshot.groups else POD
    said = explain(snapshot, subject, MEANS)
    assert (said.status, said.proven) == ("Unplaced", True)
    assert {fact.kind for fact in said.facts} == CASES[plant]
    assert len(said.facts) == len(CASES[plant])


@pytest.mark.parametrize("plant", CASES, ids=lambda plant: plant.__name__)
def test_every_help_that_is_told_places_the_pods(plant: Callable[[World], Snapshot]) -> None:
    snapshot = plant(World(Random(7)))
    search = search_of(snapshot, GROUP if snapshot.groups else POD)
    core = search.core()
    kept = frozenset(search.facts.index(fact) for fact in core.facts)
    words = Words(search, kept, search.question.most(search.snapshot))
    remedies = list(Remedies(search.snapshot, search.question, core, words).found())
    assert remedies
    for remedy in remedies:
        changed = remedy.change(search.snapshot)
        assert search.question.ask(changed, seed=3) is Answer.YES, remedy.message
