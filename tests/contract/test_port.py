"""The port of a cluster: what a write does, what it is refused for, and what watches show."""

from dataclasses import replace
from itertools import pairwise

import pytest

from batchsched.cycle import Binding
from batchsched.daemon.ports import (
    BindWrite,
    Change,
    DeleteWrite,
    EvictWrite,
    NodeChange,
    NominateWrite,
    PodChange,
    Write,
)
from batchsched.snapshot.pod import Pod
from tests.contract.worlds import GATE, HOLD, World, answered, pod, refusals, seen

OTHER_UID = "8d8e6d2c-0000-4000-8000-000000000000"


def on(made: Binding, node: str) -> Binding:
    return replace(made, node=node)


def node_of(world: World, made: Binding) -> str | None:
    found = world.truth(made.pod)
    assert found is not None
    return found.node


def nominated(world: World, made: Binding) -> str | None:
    found = world.truth(made.pod)
    assert found is not None
    return found.nominated


def leaves(world: World, made: Binding) -> bool:
    found = world.truth(made.pod)
    return found is None or found.deleting


def running(world: World, name: str) -> Binding:
    """A pod that runs on n1."""
    made = world.add(pod(name))
    assert refusals(world, BindWrite(on(made, "n1"))) == [None]

    def runs() -> bool:
        pods = world.cluster.snapshot().pods
        return any(each.key == made.pod and each.phase == "Running" for each in pods)

    world.wait(runs)
    return made


def test_a_pod_is_bound_where_it_was_said(world: World) -> None:
    world.add_node("n1")
    made = world.add(pod("p"))
    (answer,) = answered(world, write := BindWrite(on(made, "n1"), notes=(("a/b", "c"),)))
    assert (answer.write, answer.refusal) == (write, None)
    assert node_of(world, made) == "n1"


def test_a_pod_that_is_bound_stays_where_it_is(world: World) -> None:
    made = world.add(pod("p"))
    assert refusals(world, BindWrite(on(made, "n1"))) == [None]
    (refusal,) = refusals(world, BindWrite(on(made, "n2")))
    assert "assigned" in (refusal or "")
    assert node_of(world, made) == "n1"


def test_a_binding_that_is_written_again_is_done_as_its_answer_may_have_been_lost(
    world: World,
) -> None:
    made = world.add(pod("p"))
    assert refusals(world, BindWrite(on(made, "n1"))) == [None]
    assert refusals(world, BindWrite(on(made, "n1"))) == [None]


def test_a_pod_of_the_same_name_is_another_pod(world: World) -> None:
    made = world.add(pod("p"))
    other = replace(made, uid=OTHER_UID)
    writes: list[Write] = [
        BindWrite(on(other, "n1")),
        BindWrite(on(other, "n1"), dry_run=True),
        NominateWrite(other.pod, other.uid, "n1"),
    ]
    for write in writes:
        assert refusals(world, write) != [None], write
    assert (node_of(world, made), nominated(world, made)) == (None, None)


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_pod_that_may_not_be_bound_is_refused_and_a_trial_says_so_before(
    world: World, *, dry_run: bool
) -> None:
    gated = world.add(pod("gated", schedulingGates=[GATE]))
    leaving = world.add(pod("leaving", metadata={"finalizers": [HOLD]}))
    world.delete(leaving)
    gone = Binding((world.namespace, "gone"), OTHER_UID, "")
    said = refusals(world, *(BindWrite(on(p, "n1"), dry_run) for p in (gated, leaving, gone)))
    assert None not in said
    assert [node_of(world, each) for each in (gated, leaving)] == [None, None]


def test_a_trial_changes_nothing(world: World) -> None:
    world.add_node("n1")
    made, there = world.add(pod("p")), running(world, "there")
    trials: list[Write] = [
        BindWrite(on(made, "n1"), dry_run=True),
        EvictWrite(there.pod, there.uid, "for p", dry_run=True),
    ]
    assert refusals(world, *trials) == [None, None]
    assert node_of(world, made) is None
    assert not leaves(world, there)


def test_a_node_is_nominated_and_no_longer_when_that_is_said_or_the_pod_is_bound(
    world: World,
) -> None:
    made = world.add(pod("p"))
    for node in ("n1", "n2", None, "n1"):
        assert refusals(world, NominateWrite(made.pod, made.uid, node)) == [None]
        assert nominated(world, made) == node
    assert refusals(world, BindWrite(on(made, "n1"))) == [None]
    assert nominated(world, made) is None


def test_a_pod_that_is_evicted_leaves_and_one_that_was_gone_has_left(world: World) -> None:
    world.add_node("n1")
    there = running(world, "there")
    assert refusals(world, EvictWrite(there.pod, OTHER_UID, "for p")) == [None]
    assert not leaves(world, there)
    assert refusals(world, EvictWrite(there.pod, there.uid, "for p")) == [None]
    assert leaves(world, there)
    world.wait(lambda: world.truth(there.pod) is None)
    assert refusals(world, EvictWrite(there.pod, there.uid, "for p")) == [None]


def test_a_pod_is_deleted_if_it_is_the_one_that_was_meant(world: World) -> None:
    made = world.add(pod("p"))
    assert refusals(world, DeleteWrite(made.pod, OTHER_UID, "released")) == [None]
    assert not leaves(world, made)
    assert refusals(world, DeleteWrite(made.pod, made.uid, "released")) == [None]
    world.wait(lambda: world.truth(made.pod) is None)
    assert refusals(world, DeleteWrite(made.pod, made.uid, "released")) == [None]


def test_every_write_is_answered_once_and_gives_its_place_back(world: World) -> None:
    places = world.cluster.free()
    assert places > 0
    made = [world.add(pod(f"p{i:02}")) for i in range(2 * places + 1)]
    writes = [BindWrite(on(each, "n1")) for each in made]
    answers = answered(world, *writes)
    assert {answer.write for answer in answers} == set(writes)
    assert len(answers) == len(writes)
    assert world.cluster.answers() == []
    assert world.cluster.free() == places


def test_watches_show_a_life_in_its_order(world: World) -> None:
    world.add_node("n1")
    shown: list[Change] = []

    def life() -> list[tuple[Pod | None, Pod | None]]:
        shown.extend(world.cluster.changes())
        return [(each.old, each.new) for each in shown if isinstance(each, PodChange)]

    made = running(world, "p")
    world.delete(made)
    world.wait(lambda: bool(found := life()) and found[-1][1] is None)
    found = life()
    assert found[0][0] is None
    assert all(before[1] == after[0] for before, after in pairwise(found))
    nodes = [new.node for _, new in found if new is not None]
    assert nodes == sorted(nodes, key=lambda node: node is not None)
    assert {each.new.name for each in shown if isinstance(each, NodeChange) and each.new} == {"n1"}


def test_a_snapshot_is_the_same_object_until_something_changes(world: World) -> None:
    world.add_node("n1")
    made = world.add(pod("p"))
    seen(world, [made])
    first = world.cluster.snapshot()
    world.cluster.changes()
    assert world.cluster.snapshot() is first
    assert refusals(world, BindWrite(on(made, "n1"), dry_run=True)) == [None]
    assert world.cluster.snapshot() is first
    assert refusals(world, BindWrite(on(made, "n1"))) == [None]
    world.wait(lambda: world.cluster.snapshot() is not first)
    (was,) = (p for p in first.pods if p.key == made.pod)
    assert was.node is None, "what was given out stays as it was"
