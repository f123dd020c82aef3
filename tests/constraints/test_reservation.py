"""Reservation (§C15): who is placed does not stay in the way of those who have waited long."""

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from batchsched.constraints.capacity import Capacity
from batchsched.constraints.reservation import Reservation as Rule
from batchsched.profile import Profile
from batchsched.scheduler import Limits, schedule
from batchsched.snapshot.ends import EXPECTED_DURATION, STARTS_WITHIN_S
from batchsched.snapshot.pod import OwnerRef, Pod
from batchsched.snapshot.reservation import Reservation
from batchsched.snapshot.snapshot import Snapshot, pending
from batchsched.testing import verify_constraint, verify_constraints
from tests.builders import GIB, make_node, make_pod, make_snapshot
from tests.constraints.pairs import allows, violations

NOW_S, UNTIL_S = 1000.0, 1100.0
BIG = ("default", "big")
IN_TIME = f"{UNTIL_S - NOW_S - STARTS_WITHIN_S}s"


def kept(until_s: float | None = UNTIL_S, priority: int = 0, **nodes: int) -> Reservation:
    """Milli-cores of some nodes for the pod ``big``, with one pod each."""
    amounts = tuple((name, (("cpu", cpu), ("pods", 1))) for name, cpu in sorted(nodes.items()))
    return Reservation((BIG,), priority, NOW_S, until_s, amounts)


def lasting(name: str, duration: str | None = None, **fields: object) -> Pod:
    """A pod that says how long it runs, or does not."""
    notes = ((EXPECTED_DURATION, duration),) if duration is not None else ()
    return make_pod(name, **{"cpu": 1000, "pod": {"annotations": notes}, **fields})  # type: ignore[arg-type]  # by name


def reserved(made: Reservation, *pods: Pod, cpu: int = 4000, limit: int = 110) -> Snapshot:
    nodes = [make_node("n1", cpu=cpu, pods=limit), make_node("n2", cpu=cpu)]
    return replace(make_snapshot(nodes, pods), reservation=made)


def test_a_pod_that_may_still_be_there_goes_elsewhere() -> None:
    snapshot = reserved(kept(n1=4000), lasting("p"))
    assert not allows(Rule(), snapshot, p="n1")
    assert allows(Rule(), snapshot, p="n2")


def test_a_pod_that_is_gone_in_time_may_use_the_room() -> None:
    assert allows(Rule(), reserved(kept(n1=4000), lasting("p", IN_TIME)), p="n1")
    moment_s = UNTIL_S - NOW_S - STARTS_WITHIN_S + 0.001
    assert not allows(Rule(), reserved(kept(n1=4000), lasting("p", f"{moment_s}s")), p="n1")
    late = lasting("p", f"{UNTIL_S - NOW_S}s")
    assert not allows(Rule(), reserved(kept(n1=4000), late), p="n1"), "it starts later than now"


def test_a_deadline_counts_as_what_is_expected_does_and_the_earlier_of_both() -> None:
    for pod in (
        lasting("p", deadline_s=60),
        lasting("p", "1h", deadline_s=60),
        lasting("p", "60", deadline_s=3600),
    ):
        assert allows(Rule(), reserved(kept(n1=4000), pod), p="n1")


def test_what_is_no_duration_says_nothing() -> None:
    assert not allows(Rule(), reserved(kept(n1=4000), lasting("p", "soon")), p="n1")


def test_who_fits_beside_what_is_kept_may_stay_for_ever() -> None:
    snapshot = reserved(kept(n1=3000), lasting("p"), lasting("q"))
    assert allows(Rule(), snapshot, p="n1")
    assert not allows(Rule(), snapshot, p="n1", q="n1")


def test_places_for_pods_are_kept_too() -> None:
    snapshot = reserved(kept(n1=1000), lasting("p", cpu=0), lasting("q", cpu=0), limit=2)
    assert allows(Rule(), snapshot, p="n1")
    assert not allows(Rule(), snapshot, p="n1", q="n1")


def test_who_runs_and_is_gone_in_time_leaves_room_and_who_runs_on_does_not() -> None:
    for started, fits in (("1970-01-01T00:16:30Z", True), ("1970-01-01T00:16:50Z", False)):
        notes = ((EXPECTED_DURATION, "100s"),)
        pod = {"annotations": notes, "started": started}
        runs = make_pod("r", cpu=1000, node="n1", pod=pod)
        assert allows(Rule(), reserved(kept(n1=3000), runs, lasting("p")), p="n1") is fits


def test_a_pod_of_a_higher_priority_is_not_held_back() -> None:
    pods = (lasting("equal", priority=5), lasting("higher", priority=6))
    snapshot = reserved(kept(n1=4000, priority=5), *pods)
    assert not allows(Rule(), snapshot, equal="n1")
    assert allows(Rule(), snapshot, higher="n1")


def test_whom_the_room_is_kept_for_may_have_it() -> None:
    snapshot = reserved(kept(n1=4000), lasting("big", cpu=4000), lasting("p"))
    assert allows(Rule(), snapshot, big="n1")
    assert not allows(Rule(), snapshot, big="n2", p="n1"), "the nodes are kept, whatever is decided"


def test_where_nobody_knows_when_only_services_count_as_staying() -> None:
    def running(kind: str) -> Pod:
        owner = OwnerRef("v1", kind, "o", "u")
        return make_pod("r", cpu=1000, node="n1", pod={"owner": owner})

    for kind, fits in (("Job", True), ("ReplicaSet", False)):
        snapshot = reserved(kept(None, n1=3000), running(kind), lasting("p"))
        assert allows(Rule(), snapshot, p="n1") is fits
    assert not allows(Rule(), reserved(kept(None, n1=4000), lasting("p", "1s")), p="n1")


def test_a_reservation_of_a_node_that_is_gone_holds_nobody_back() -> None:
    assert allows(Rule(), reserved(kept(n9=4000), lasting("p")), p="n1")


def test_the_message_says_what_is_left() -> None:
    (found,) = violations(Rule(), reserved(kept(n1=3500), lasting("p")), {"p": "n1"})
    assert (found.rule, found.pod, found.node) == ("reservation", "default/p", "n1")
    assert found.message == "1000 of cpu requested, 500 are not kept for others"


def test_pods_of_one_spec_that_are_gone_in_time_or_not_are_told_apart() -> None:
    early, late = (lasting(name, duration) for name, duration in (("a", IN_TIME), ("b", "1h")))
    assert early.spec == late.spec
    snapshot = reserved(kept(n1=4000, n2=4000), early, late)
    limits = Limits(time_limit_s=5, workers=1, deterministic=True)
    plan = schedule(snapshot, pending(snapshot), Profile(), limits, lambda: 0.0)
    assert [binding.name for binding in plan.bindings] == ["a"]
    (left,) = plan.unplaced
    assert left.message == (
        "0/2 nodes are available: 2 node(s) kept their room for pods that have waited longer."
    )


def drawn(count: int, seed: int = 0) -> Iterator[Snapshot]:
    """Two nodes, who runs there, three pods, and some room that is kept for one of them or none."""
    draw = random.Random(seed)
    for _ in range(count):
        pods = [
            _drawn_pod(draw, name, node)
            for name, node in [("r1", "n1"), ("r2", "n2"), ("r3", "n1")][: draw.randint(0, 3)]
        ]
        pods += [_drawn_pod(draw, name, None) for name in ("big", "p", "q")]
        until_s = draw.choice([None, NOW_S, NOW_S + 60, UNTIL_S])
        cpu = {
            name: draw.choice([1000, 2000, 3000]) for name in ("n1", "n2") if draw.random() < 0.8
        }
        made = kept(until_s, draw.choice([0, 1]), **cpu)
        yield reserved(made, *pods, cpu=draw.choice([3000, 4000]), limit=draw.randint(2, 5))


def _drawn_pod(draw: random.Random, name: str, node: str | None) -> Pod:
    notes = draw.choice([(), ((EXPECTED_DURATION, draw.choice(["10s", "55s", "80s", "2h"])),)])
    owner = draw.choice([None, None, OwnerRef("apps/v1", "ReplicaSet", "o", "u")])
    started = draw.choice(["", "1970-01-01T00:16:00Z"]) if node else ""
    return make_pod(
        name,
        cpu=draw.choice([0, 1000, 2000]),
        memory=draw.choice([0, GIB]),
        priority=draw.choice([0, 1]),
        deadline_s=draw.choice([None, None, 30, 90]),
        node=node,
        pod={"annotations": notes, "owner": owner, "started": started},
    )


def test_rows_and_check_agree_on_every_placement_of_small_problems() -> None:
    assert verify_constraint(Rule(), drawn(300)) > 3000


@pytest.mark.slow
def test_with_capacity_rows_and_checks_agree_too() -> None:
    assert verify_constraints([Rule(), Capacity()], drawn(600, seed=1)) > 6000
