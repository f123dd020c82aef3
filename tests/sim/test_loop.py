"""The loop verifies before it binds, re-checks, and gives no room away twice."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from batchsched.constraints import default_constraints
from batchsched.cycle import Binding, ClusterChanged, Cycle, Event, PodGone, PodHeld, PodPending
from batchsched.daemon.assumed import Assumed
from batchsched.daemon.grouping import Grouping
from batchsched.daemon.loop import Loop, Ports
from batchsched.daemon.ports import Change, NodeChange, PodChange, Solved
from batchsched.daemon.recheck import Room
from batchsched.daemon.watch import events_of, listed
from batchsched.plan.plan import Plan
from batchsched.plan.state import FinalState, Violation
from batchsched.sim.clock import VirtualClock
from batchsched.sim.cluster import SimCluster
from batchsched.sim.policies import greedy
from batchsched.sim.scenario import PodArrival, Scenario
from batchsched.sim.simulation import SimPlanner, SimRecorder, Simulation
from batchsched.snapshot.snapshot import Snapshot, Window
from tests.builders import HOSTNAME, make_node, make_pod, make_snapshot, pod_term

NODE = make_node("n1", cpu=2000)
POD = make_pod("p", cpu=1500, scheduler_name="ours")


class Refuse:
    """A rule that nothing fulfils."""

    name = "capacity"

    def check(self, state: FinalState) -> Iterator[Violation]:
        for placed in state.placed:
            yield Violation("capacity", placed.pod.full_name, placed.node.name, "too full")


def test_nothing_is_bound_that_was_not_verified() -> None:
    scenario = Scenario("test", make_snapshot([NODE]), 30.0, pods=[PodArrival(0.0, POD)])
    run = Simulation(scenario, greedy("best-fit"), rules=[Refuse()]).run()
    assert not run.cluster.bound
    assert run.recorder.dumps == len(run.recorder.windows) > 1
    assert {w.failure for w in run.recorder.windows} == {
        "not verified: capacity: default/p: too full"
    }


class Hasty(SimCluster):
    """A cluster in which somebody deletes what waits, just before a snapshot is taken."""

    deletes = False

    def snapshot(self) -> Snapshot:
        for pod in list(self.pods.values()) if self.deletes else ():
            self.delete(pod.key, pod.uid, "somebody does not want it")
        return super().snapshot()


def test_a_pod_that_is_deleted_before_the_snapshot_is_taken_is_not_decided_on() -> None:
    clock, decided = VirtualClock(), list[Window]()
    cluster = Hasty(make_snapshot([NODE]), Grouping(), clock)

    def policy(snapshot: Snapshot, window: Window, before: Plan | None = None) -> Plan:
        decided.append(window)
        return greedy("best-fit")(snapshot, window, before)

    rules = default_constraints()
    ports = Ports(cluster, clock, SimPlanner(policy, clock), SimRecorder(), lambda _: rules)
    loop = Loop(Cycle(), ports)
    loop.start()
    cluster.create(POD)
    loop.step()
    clock.advance(1.0)
    cluster.deletes = True
    loop.step()
    assert [window.pods for window in decided] == [()]


def test_a_unit_is_held_against_the_newest_state() -> None:
    there = make_pod("there", cpu=1000, node="n1")
    room = Room(make_snapshot([NODE, make_node("n2", cpu=2000)], [POD, there]))
    good = Binding(POD.key, POD.uid, "n2")
    assert room.refusal((good,)) is None
    for binding, why in [
        (replace(good, node="n1"), "not enough cpu"),
        (replace(good, node="n3"), "is gone"),
        (replace(good, uid="old"), "does not wait"),
    ]:
        refused = room.refusal((binding,))
        assert refused is not None
        assert why in refused[1]
    assert room.refusal((replace(good, node="n1"),), leaving=[there.key]) is None
    room.note(PodChange(there, None))
    assert room.refusal((replace(good, node="n1"),)) is None
    room.note(NodeChange(NODE, None))
    assert room.refusal((replace(good, node="n1"),)) is not None


@pytest.mark.parametrize(("held", "fits"), [(500, True), (501, False)])
def test_room_is_exact_to_the_milli_core(held: int, fits: bool) -> None:  # noqa: FBT001 -- a table
    room = Room(make_snapshot([NODE], [POD, make_pod("there", cpu=held, node="n1")]))
    assert (room.refusal((Binding(POD.key, POD.uid, "n1"),)) is None) == fits


def test_the_members_of_a_unit_share_the_room() -> None:
    other = make_pod("q", cpu=1500)
    room = Room(make_snapshot([NODE], [POD, other]))
    refused = room.refusal(tuple(Binding(pod.key, pod.uid, "n1") for pod in (POD, other)))
    assert refused is not None
    assert refused[0].pod == other.key


def test_room_that_was_taken_is_given_back() -> None:
    other = make_pod("q", cpu=1500)
    room = Room(make_snapshot([NODE], [POD, other]))
    room.take(Binding(POD.key, POD.uid, "n1"))
    assert room.refusal((Binding(other.key, other.uid, "n1"),)) is not None
    room.give_back(POD.key)
    assert room.refusal((Binding(other.key, other.uid, "n1"),)) is None


def test_a_node_that_is_kept_for_a_pod_is_free_for_that_pod_alone() -> None:
    other, kept = make_pod("q", cpu=1500), replace(POD, nominated_node="n1")
    room = Room(make_snapshot([NODE], [kept, other]))
    assert room.refusal((Binding(other.key, other.uid, "n1"),)) is not None
    assert room.refusal((Binding(POD.key, POD.uid, "n1"),)) is None


def test_what_is_kept_for_a_pod_is_not_what_others_still_hold() -> None:
    there, kept = make_pod("there", cpu=1000, node="n1"), replace(POD, nominated_node="n1")
    room = Room(make_snapshot([NODE], [kept, there]))
    assert room.refusal((Binding(POD.key, POD.uid, "n1"),)) is not None


def test_what_was_kept_for_pods_that_are_decided_anew_is_free() -> None:
    other, kept = make_pod("q", cpu=1500), replace(POD, nominated_node="n1")
    room = Room(make_snapshot([NODE], [kept, other]), deciding=[POD.key])
    assert room.refusal((Binding(other.key, other.uid, "n1"),)) is None


def test_what_was_bound_is_assumed_until_a_watch_shows_it() -> None:
    assumed, snapshot = Assumed(), make_snapshot([NODE], [POD])
    assumed.bind(Binding(POD.key, POD.uid, "n1"))
    over = assumed.over(snapshot)
    assert [pod.node for pod in over.pods] == ["n1"]
    assert assumed.over(snapshot) is over
    stale = PodChange(POD, replace(POD, labels=(("a", "b"),)))
    assert not assumed.shows(stale)
    known = assumed.known(stale)
    assert isinstance(known, PodChange)
    assert known.new is not None
    assert known.new.node == "n1"
    assert assumed.shows(PodChange(POD, replace(POD, node="n1")))
    assert assumed.over(snapshot) is snapshot


def test_a_nomination_is_assumed_until_it_is_withdrawn() -> None:
    assumed, snapshot = Assumed(), make_snapshot([NODE], [POD])
    assumed.nominate(Binding(POD.key, POD.uid, "n1"))
    assert [pod.nominated_node for pod in assumed.over(snapshot).pods] == ["n1"]
    assumed.forget(POD.key)
    assert assumed.over(snapshot) is snapshot


def test_a_new_process_is_told_of_everybody() -> None:
    held, ended = (make_pod(name, node="n1") for name in ("held", "ended"))
    ended = replace(ended, phase="Succeeded")
    theirs = make_pod("theirs", scheduler_name="others")
    snapshot = make_snapshot([NODE], [POD, held, ended, theirs])
    assert list(listed(snapshot, ("ours",))) == [
        PodHeld(held.key, held.uid),
        PodPending(POD),
    ]


def test_a_watch_is_told_in_the_words_of_the_cycle() -> None:
    bound, gated = replace(POD, node="n1"), replace(POD, spec=replace(POD.spec, gated=True))
    ended = replace(bound, phase="Failed")
    left = ClusterChanged("pod default/p left node n1")
    cases: list[tuple[Change, list[Event]]] = [
        (PodChange(None, POD), [PodPending(POD)]),
        (PodChange(POD, gated), [PodGone(POD.key, POD.uid)]),
        (PodChange(gated, POD), [PodPending(POD)]),
        (PodChange(POD, bound), [PodHeld(POD.key, POD.uid)]),
        (PodChange(POD, None), [PodGone(POD.key, POD.uid)]),
        (PodChange(bound, ended), [PodGone(POD.key, POD.uid), left]),
        (PodChange(bound, None), [PodGone(POD.key, POD.uid), left]),
        (PodChange(ended, None), [PodGone(POD.key, POD.uid)]),
        (NodeChange(None, NODE), [ClusterChanged("node n1 came")]),
        (NodeChange(NODE, replace(NODE, unschedulable=True)), [ClusterChanged("node n1 changed")]),
        (NodeChange(NODE, NODE), []),
        (NodeChange(NODE, None), []),
    ]
    for change, events in cases:
        assert list(events_of(change, ("ours",))) == events


class NoPlanner:
    """Solves nothing."""

    def start(self, window: int, profile: str, snapshot: Snapshot, pods: Window) -> None:
        pass

    def finished(self) -> list[Solved]:
        return []


def loop_on(cluster: SimCluster) -> Loop:
    ports = Ports(
        cluster, cluster.clock, NoPlanner(), SimRecorder(), lambda _: default_constraints()
    )
    return Loop(Cycle(), ports, ("ours",))


def test_how_a_unit_was_to_be_bound_is_forgotten_when_its_nodes_are_kept_no_more() -> None:
    """Or a pod of the same name would later get the annotations and volumes of that plan."""
    cluster = SimCluster(make_snapshot([NODE]), Grouping(), VirtualClock())
    waiting = make_pod("p", cpu=1500, priority=9, scheduler_name="ours")
    cluster.create(replace(waiting, nominated_node="n1"))
    cluster.create(make_pod("victim", cpu=1500, node="n1", pod={"deleting": True}))
    loop = loop_on(cluster)
    loop.start()
    assert loop._kept
    cluster.remove(waiting.key)
    loop.step()
    assert not loop._kept


@pytest.mark.parametrize(("label", "node"), [("elsewhere", "n1"), ("near", None)])
def test_who_was_nominated_by_a_process_before_us_is_held_against_all_rules(
    label: str, node: str | None
) -> None:
    """Its victim has left, so there is room; but beside some pods it must not be."""
    apart = (pod_term({"app": "near"}, HOSTNAME),)
    waiting = make_pod("p", cpu=1500, priority=9, anti_affinity=apart, scheduler_name="ours")
    cluster = SimCluster(make_snapshot([NODE]), Grouping(), VirtualClock())
    cluster.create(replace(waiting, nominated_node="n1"))
    victim = cluster.create(make_pod("victim", cpu=1500, node="n1", pod={"deleting": True}))
    loop = loop_on(cluster)
    loop.start()
    cluster.create(make_pod("beside", cpu=100, node="n1", labels={"app": label}))
    cluster.remove(victim.key)
    loop.step()
    assert cluster.pods[waiting.key].node == node
