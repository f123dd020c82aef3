"""Gang (§C8): the minimum of a group is placed, running members among it, or nobody."""

import itertools
from dataclasses import replace

from batchsched.constraints.gang import Gang
from batchsched.profile import default_profile
from batchsched.scheduler import schedule
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.parts import VOLCANO_TASK
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot, pending
from batchsched.snapshot.storage import ResourceClaim
from batchsched.solver.solve import Limits
from batchsched.testing import verify_constraint
from tests.builders import make_node, make_pod, make_replicas, make_snapshot
from tests.constraints.pairs import allows, drawn, posted, violations

NODES = [make_node("n1"), make_node("n2")]


def group(min_count: int, problem: str | None = None) -> PodGroup:
    return PodGroup("batchsched.io", "default", "g", min_count, problem=problem)


def gang(min_count: int, members: list[Pod], *others: Pod) -> Snapshot:
    return make_snapshot(NODES, [*members, *others], groups={group(min_count): members})


def test_a_gang_is_placed_whole_or_not_at_all() -> None:
    snapshot = gang(3, make_replicas(3))
    names = ["p-0000", "p-0001", "p-0002"]
    assert allows(Gang(), snapshot)
    assert allows(Gang(), snapshot, **dict.fromkeys(names, "n1"))
    assert not allows(Gang(), snapshot, **dict.fromkeys(names[:2], "n1"))


def test_more_than_the_minimum_may_come_and_need_not() -> None:
    snapshot = gang(2, make_replicas(3))
    for count, allowed in ((1, False), (2, True), (3, True)):
        names = [f"p-{i:04}" for i in range(count)]
        assert allows(Gang(), snapshot, **dict.fromkeys(names, "n1")) is allowed


def test_running_members_count() -> None:
    snapshot = gang(2, [make_pod("r", node="n1"), make_pod("p1")])
    assert allows(Gang(), snapshot, p1="n2")


def test_members_on_their_way_out_do_not_count() -> None:
    leaving = make_pod("r", node="n1", pod={"deleting": True})
    snapshot = gang(2, [leaving, *make_replicas(2)])
    assert not allows(Gang(), snapshot, **{"p-0000": "n1"})
    assert allows(Gang(), snapshot, **{"p-0000": "n1", "p-0001": "n1"})


def test_members_of_different_kinds_count_together() -> None:
    members = [make_pod("ps", cpu=100), *make_replicas(2, "w", cpu=1000)]
    snapshot = gang(3, members)
    whole = {"ps": "n1", "w-0000": "n1", "w-0001": "n2"}
    assert allows(Gang(), snapshot, **whole)
    for name in whole:
        assert not allows(Gang(), snapshot, **{k: v for k, v in whole.items() if k != name})


def test_a_gang_with_too_few_members_is_not_placed() -> None:
    assert not allows(Gang(), gang(3, make_replicas(2)), **{"p-0000": "n1", "p-0001": "n1"})


def test_a_gang_with_a_problem_is_not_placed() -> None:
    member = make_pod("p1")
    snapshot = make_snapshot(NODES, [member], groups={group(1, "it does not exist"): [member]})
    assert not allows(Gang(), snapshot, p1="n1")
    (found,) = violations(Gang(), snapshot, {"p1": "n1"})
    assert found.message == "pod group default/g: it does not exist"


def test_a_gang_that_the_nodes_cannot_hold_has_no_column() -> None:
    model = posted(Gang(), gang(3, make_replicas(3, cpu=4000)))
    assert (model.rows, model.columns) == (1, len(model.counts))
    assert not allows(Gang(), gang(3, make_replicas(3, cpu=4000)), **{"p-0000": "n1"})


def test_a_minimum_of_one_says_nothing() -> None:
    assert posted(Gang(), gang(1, make_replicas(3))).rows == 0
    assert posted(Gang(), gang(2, [make_pod("r", node="n1"), *make_replicas(2)])).rows == 0


def test_the_greedy_is_told_to_place_members_in_one_go() -> None:
    model = posted(Gang(), gang(3, make_replicas(3)))
    (bundle,) = model.bundles
    assert bundle.classes.tolist() == [0]
    assert not model.freeze().accepts(model.freeze().lower + 1)


def parted(least: int, parts: dict[str, int], **members: str | None) -> Snapshot:
    """A gang with minimums of parts; members by name, "ps0" of part ps, each with its node."""
    asked = PodGroup("scheduling.volcano.sh", "default", "g", least, parts=tuple(parts.items()))
    pods = [
        make_pod(name, node=node, pod={"annotations": ((VOLCANO_TASK, name[:-1]),)})
        for name, node in members.items()
    ]
    return make_snapshot(NODES, pods, groups={asked: pods})


def test_every_part_has_its_minimum_or_nobody_is_placed() -> None:
    snapshot = parted(2, {"ps": 1, "w": 1}, ps0=None, w0=None, w1=None)
    assert allows(Gang(), snapshot, ps0="n1", w0="n2")
    assert allows(Gang(), snapshot, ps0="n1", w0="n2", w1="n2")
    assert not allows(Gang(), snapshot, w0="n1", w1="n2")
    (found,) = violations(Gang(), snapshot, {"w0": "n1", "w1": "n1"})
    assert found.message == "pod group default/g: 0 of the 1 members of part ps that it needs"


def test_running_members_count_for_their_part() -> None:
    snapshot = parted(3, {"ps": 1, "w": 1}, ps0=None, w0="n1", w1="n1", w2="n1", w3=None)
    assert allows(Gang(), snapshot, ps0="n2")
    assert not allows(Gang(), snapshot, w3="n2")
    assert allows(Gang(), snapshot, ps0="n2", w3="n2")


def test_a_part_without_members_keeps_the_others_out() -> None:
    snapshot = parted(2, {"ps": 1}, w0=None, w1=None)
    assert not allows(Gang(), snapshot, w0="n1", w1="n1")


def test_a_whole_that_its_parts_imply_has_no_row_of_its_own() -> None:
    snapshot = parted(2, {"ps": 1, "w": 1}, ps0=None, w0=None, w1=None, w2=None)
    more = parted(3, {"ps": 1, "w": 1}, ps0=None, w0=None, w1=None, w2=None)
    assert posted(Gang(), snapshot).rows < posted(Gang(), more).rows


def tied(first: list[Pod], second: list[Pod], *least: int) -> Snapshot:
    """Two gangs that start together."""
    keys = (("default", "g", "batchsched.io"), ("default", "h", "batchsched.io"))
    both = [
        PodGroup("batchsched.io", "default", name, count, union=keys, union_count=sum(least))
        for name, count in zip("gh", least, strict=True)
    ]
    pods = [*first, *second]
    return make_snapshot(NODES, pods, groups=dict(zip(both, (first, second), strict=True)))


def test_gangs_of_a_union_start_all_or_none_of_them() -> None:
    snapshot = tied(make_replicas(2, "a"), make_replicas(2, "b"), 1, 1)
    assert allows(Gang(), snapshot, **{"a-0000": "n1", "b-0001": "n2"})
    assert not allows(Gang(), snapshot, **{"a-0000": "n1", "a-0001": "n1"})
    (found, *_) = violations(Gang(), snapshot, {"a-0000": "n1"})
    assert found.message == "pod group default/g: pod group default/h does not start with it"


def test_a_gang_that_runs_is_there_for_those_of_its_union() -> None:
    snapshot = tied(make_replicas(1, "a"), [make_pod("r", node="n1")], 1, 1)
    assert allows(Gang(), snapshot, **{"a-0000": "n1"})


def test_a_union_with_a_gang_that_nothing_can_place_is_not_placed() -> None:
    waits = make_pod("b", resource_claims=(("gpu", "gpu", None),))
    claims = (ResourceClaim("default", "gpu"),)
    snapshot = replace(tied([make_pod("a")], [waits], 1, 1), resource_claims=claims)
    limits = Limits(time_limit_s=5, workers=1, deterministic=True)
    plan = schedule(snapshot, pending(snapshot), default_profile(), limits, lambda: 0.0)
    assert [each.name for each in plan.unplaced] == ["a", "b"]


def mixes() -> list[Snapshot]:
    """One group of small and large members, some running, with every minimum."""
    found = []
    for small, large, running in itertools.product(range(3), range(3), range(2)):
        for least in range(small + large + running + 1):
            members = [
                *make_replicas(small, "s", cpu=100),
                *make_replicas(large, "l", cpu=3000),
                *make_replicas(running, "r", node="n1"),
            ]
            found.append(gang(least, members))
    return found


def mixes_of_parts() -> list[Snapshot]:
    """Servers and workers, pending and running, with every minimum of each."""
    found = []
    for waiting, working, runs in itertools.product(range(3), range(3), range(4)):
        members: dict[str, str | None] = {f"ps{i}": None for i in range(waiting)}
        members |= {f"w{i}": None for i in range(working)}
        members |= {"ps8": "n1"} if runs & 1 else {}
        members |= {"w8": "n1"} if runs & 2 else {}
        for servers, workers in itertools.product(range(3), range(3)):
            for least in {servers + workers, min(servers + workers + 1, len(members))}:
                parts = {"ps": servers, "w": workers}
                found.append(parted(least, {k: v for k, v in parts.items() if v}, **members))
    return found


def test_rows_and_check_agree_on_every_mix() -> None:
    assert verify_constraint(Gang(), mixes()) > 1000
    assert verify_constraint(Gang(), mixes_of_parts()) > 500


def test_rows_and_check_agree_on_every_placement_of_small_problems() -> None:
    assert verify_constraint(Gang(), drawn(150, "gang")) > 500
    assert verify_constraint(Gang(), drawn(150, "gang", "capacity")) > 500
