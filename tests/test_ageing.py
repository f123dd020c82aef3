"""Ageing: where and when who has waited too long will have room, from the cluster and the time."""

import itertools
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest

from batchsched.ageing import decide, gone_by, with_reservation
from batchsched.constraints import default_constraints
from batchsched.plan.verify import verify
from batchsched.profile import Profile
from batchsched.scheduler import Limits
from batchsched.snapshot.ends import EXPECTED_DURATION
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.pod import OwnerRef, Pod
from batchsched.snapshot.reservation import Reservation
from batchsched.snapshot.snapshot import Snapshot, Window, pending
from tests.builders import ZONE, make_node, make_pod, make_snapshot

NOW_S = 1000.0
STARTED = "1970-01-01T00:16:40Z"
LIMITS = Limits(time_limit_s=5, workers=1, deterministic=True)
GANG = PodGroup("batchsched.io", "default", "gang", min_count=2)
SERVICE = OwnerRef("apps/v1", "ReplicaSet", "web", "u")


def running(
    name: str, node: str, duration: str | None = None, cpu: int = 4000, **pod: object
) -> Pod:
    notes = ((EXPECTED_DURATION, duration),) if duration is not None else ()
    fields = {"annotations": notes, "started": STARTED, **pod}
    return make_pod(name, cpu=cpu, node=node, pod=fields)


def members(count: int = 2, cpu: int = 4000) -> list[Pod]:
    return [make_pod(f"g{i}", cpu=cpu) for i in range(count)]


def waiting(snapshot: Snapshot, *units: Iterable[Pod]) -> Window:
    """A window in which these units are overdue."""
    keys = tuple(tuple(sorted(pod.key for pod in unit)) for unit in units)
    return Window(pending(snapshot).pods, keys, NOW_S)


def reserved(snapshot: Snapshot, *units: Iterable[Pod]) -> Reservation | None:
    window = waiting(snapshot, *units)
    return with_reservation(snapshot, window, Profile(), LIMITS, lambda: 0.0).reservation


def nodes_of(made: Reservation | None) -> list[str]:
    return [name for name, _ in made.nodes] if made is not None else []


def test_nothing_is_kept_where_nobody_is_overdue() -> None:
    snapshot = make_snapshot([make_node()], members())
    assert with_reservation(snapshot, Window(), Profile(), LIMITS, lambda: 0.0) is snapshot


def test_the_nodes_are_those_that_are_free_soonest() -> None:
    gang = members()
    there = [running(f"r{i}", f"n{i}", f"{60 * (4 - i)}s") for i in range(4)]
    nodes = [make_node(f"n{i}") for i in range(4)]
    made = reserved(make_snapshot(nodes, [*there, *gang], groups={GANG: gang}), gang)
    assert made == Reservation(
        pods=(("default", "g0"), ("default", "g1")),
        priority=0,
        at_s=NOW_S,
        until_s=NOW_S + 120,
        nodes=(("n2", (("cpu", 4000), ("pods", 1))), ("n3", (("cpu", 4000), ("pods", 1)))),
    )


def test_who_fits_now_has_the_room_now() -> None:
    gang = members()
    snapshot = make_snapshot([make_node("n1"), make_node("n2")], gang, groups={GANG: gang})
    made = reserved(snapshot, gang)
    assert made is not None
    assert made.until_s == NOW_S


def test_who_should_be_gone_and_is_not_is_waited_for() -> None:
    late = running("r", "n1", "1s", started="1970-01-01T00:00:00Z")
    made = reserved(make_snapshot([make_node("n1")], [late, *members(1)]), members(1))
    assert made is not None
    assert made.until_s == NOW_S
    assert nodes_of(made) == ["n1"]


def test_where_nobody_says_when_they_end_the_nodes_that_fewest_have_to_leave_are_kept() -> None:
    there = [running(f"a{i}", "n1", cpu=1000) for i in range(3)]
    there += [running(f"b{i}", "n2", cpu=2000) for i in range(2)]
    pod = members(1)
    made = reserved(make_snapshot([make_node("n1"), make_node("n2")], [*there, *pod]), pod)
    assert nodes_of(made) == ["n2"]
    assert made is not None
    assert made.until_s is None


def test_where_nobody_says_when_the_nodes_of_the_window_before_are_kept_on() -> None:
    there = [running("a", "n1"), running("b1", "n2", cpu=1000), running("b2", "n2", cpu=1000)]
    pod = members(1)
    snapshot = make_snapshot([make_node("n1"), make_node("n2")], [*there, *pod])
    earlier = Reservation((pod[0].key,), 0, 0.0, None, (("n2", (("cpu", 4000), ("pods", 1))),))
    window = waiting(snapshot, pod)
    for before, name in ((None, "n1"), (earlier, "n2"), (replace(earlier, pods=()), "n1")):
        kept = with_reservation(snapshot, window, Profile(), LIMITS, lambda: 0.0, before)
        assert nodes_of(kept.reservation) == [name]


def test_who_says_when_it_ends_comes_before_who_does_not() -> None:
    there = [running("a", "n1"), running("b", "n2", "24h")]
    pod = members(1)
    made = reserved(make_snapshot([make_node("n1"), make_node("n2")], [*there, *pod]), pod)
    assert nodes_of(made) == ["n2"]


def test_nobody_waits_for_the_end_of_a_service() -> None:
    pod = members(1)
    there = running("web", "n1", owner=SERVICE)
    assert reserved(make_snapshot([make_node("n1")], [there, *pod]), pod) is None


def test_who_will_never_fit_does_not_stand_in_the_way_of_the_next() -> None:
    huge, pod = make_pod("huge", cpu=9000), members(1)
    there = running("r", "n1", "60s")
    made = reserved(make_snapshot([make_node("n1")], [there, huge, *pod]), [huge], pod)
    assert made is not None
    assert made.pods == (("default", "g0"),)


def test_a_gang_waits_for_one_domain_where_it_has_to_be_in_one() -> None:
    gang = members()
    zones = {"n1": "a", "n2": "b", "n3": "a", "n4": "b"}
    ends = {"n1": "10s", "n2": "20s", "n3": "90s", "n4": "60s"}
    there = [running(f"r-{name}", name, end) for name, end in ends.items()]
    nodes = [make_node(name, labels={ZONE: zone}) for name, zone in zones.items()]
    group = replace(GANG, required_topology=ZONE)
    made = reserved(make_snapshot(nodes, [*there, *gang], groups={group: gang}), gang)
    assert nodes_of(made) == ["n2", "n4"]


def test_the_gang_is_placed_before_small_pods_that_would_be_more() -> None:
    gang, small = members(2), [make_pod(f"s{i}", cpu=1000) for i in range(8)]
    nodes = [make_node("n1"), make_node("n2")]
    snapshot = make_snapshot(nodes, [*gang, *small], groups={GANG: gang})
    for overdue, names in (((), {p.name for p in small}), ((gang,), {p.name for p in gang})):
        window = waiting(snapshot, *overdue)
        plan = decide(snapshot, window, Profile(), LIMITS, lambda: 0.0)
        assert {binding.name for binding in plan.bindings} == names


def test_a_plan_that_forgets_what_is_kept_is_refused() -> None:
    there, pod, small = running("r", "n1", "60s", cpu=1000), members(1), make_pod("s", cpu=1000)
    snapshot = make_snapshot([make_node("n1")], [there, *pod, small])
    window = waiting(snapshot, pod)
    plan = decide(snapshot, window, Profile(), LIMITS, lambda: 0.0)
    assert plan.reservation is not None
    kept = replace(snapshot, reservation=plan.reservation.meant())
    assert not verify(plan, kept, window, default_constraints())
    careless = decide(snapshot, replace(window, overdue=()), Profile(), LIMITS, lambda: 0.0)
    found = {
        each.rule: each.message for each in verify(careless, kept, window, default_constraints())
    }
    assert found["plan"] == "its reservation is not that of the snapshot"
    assert "reservation" in found


def drawn(seed: int) -> tuple[Snapshot, list[Pod]]:
    draw = random.Random(seed)
    nodes = [make_node(f"n{i}", cpu=draw.choice([2000, 4000])) for i in range(3)]
    there = []
    for node, number in itertools.product(nodes, range(2)):
        if draw.random() < 0.8:
            duration = draw.choice([None, "10s", "20s", "30s", "40s"])
            owner = draw.choice([None, None, SERVICE])
            name = f"r-{node.name}-{number}"
            cpu = draw.choice([500, 1000])
            there.append(running(name, node.name, duration, cpu=cpu, owner=owner))
    gang = members(draw.randint(1, 3), cpu=draw.choice([1000, 2000, 3000]))
    group = replace(GANG, min_count=len(gang))
    return make_snapshot(nodes, [*there, *gang], groups={group: gang}), gang


def fits(snapshot: Snapshot, gang: Sequence[Pod], staying: Iterable[Pod]) -> bool:
    """Whether the whole gang finds room, by trying every way."""
    free = {node.name: dict(node.allocatable)["cpu"] for node in snapshot.nodes}
    for pod in staying:
        free[pod.node or ""] -= dict(pod.requests)["cpu"]
    each = dict(gang[0].requests)["cpu"]
    ways = itertools.product(free, repeat=len(gang))
    return any(all(free[n] >= way.count(n) * each for n in way) for way in ways)


@pytest.mark.parametrize("seed", range(60))
def test_the_moment_is_the_earliest_by_trying_all(seed: int) -> None:
    snapshot, gang = drawn(seed)
    there = [pod for pod in snapshot.pods if pod.node is not None]
    gone = dict(gone_by(there, NOW_S))
    moments = [(0, NOW_S), *sorted(set(gone.values()))]
    found = None
    for at, moment in enumerate(moments):
        over = set(moments[1 : at + 1])
        if fits(snapshot, gang, (p for p in there if gone.get(p.key) not in over)):
            found = moment
            break
    made = reserved(snapshot, gang)
    if found is None:
        assert made is None
    else:
        assert made is not None
        assert made.until_s == (found[1] if found[0] == 0 else None)
