"""Draining: as many nodes as a brute force empties, by steps that are each valid."""

import itertools
import random
from typing import Any

import pytest

from batchsched.objectives.drained import Drained
from batchsched.plan.plan import PlanTier, tier
from batchsched.plan.state import FinalState
from batchsched.plan.verify import final_state
from batchsched.profile import default_profile
from batchsched.scheduler import Limits
from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.labels import LabelSelector, Requirement
from batchsched.snapshot.pod import OwnerRef, Pod, PodAffinityTerm
from batchsched.snapshot.snapshot import PodDisruptionBudget, Snapshot, pending
from batchsched.testing.builders import make_node, make_pod
from batchsched.testing.builders import snapshot_of as snapshot_of_nouns
from batchsched.whatif.draining import Drain, drain_nodes
from tests.crowds import crowded_cluster, roomy_cluster, scattered_cluster
from tests.oracles.draining import Drains
from tests.strategies import snapshot_of

LIMITS = Limits(time_limit_s=20, deterministic=True)
WAYS_MAX = 3_000
ALLOWED = (0, 1, None)
KINDS = (roomy_cluster, roomy_cluster, roomy_cluster, scattered_cluster, crowded_cluster)


def still() -> float:
    """A clock that nothing depends on."""
    return 0.0


def drained(snapshot: Snapshot, moves_max: int | None = 0) -> Drain:
    """What is found."""
    return drain_nodes(
        snapshot, pending(snapshot), default_profile(), LIMITS, still, moves_max=moves_max
    )


SELECT_A: dict[str, Any] = {"node_selector": (("topology.kubernetes.io/zone", "a"),)}
SELECT_B: dict[str, Any] = {"node_selector": (("topology.kubernetes.io/zone", "b"),)}


def drawn(seed: int) -> Snapshot:
    """A small cluster in which pods run."""
    rng = random.Random(seed)
    return snapshot_of(KINDS[seed % len(KINDS)](rng))


def compared(seed: int) -> tuple[Drain, int] | None:
    """What is found, and what a brute force finds; ``None`` where that would take too long."""
    snapshot, moves_max = drawn(seed), ALLOWED[seed % len(ALLOWED)]
    ways = Drains(snapshot, moves_max, frozenset()).scene.ways
    if ways > WAYS_MAX:
        return None
    drain = drained(snapshot, moves_max)
    bound = frozenset((each.namespace, each.name) for each in drain.plan.bindings)
    return drain, Drains(snapshot, moves_max, bound).most()


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_as_many_nodes_are_empty_as_a_brute_force_empties(block: int) -> None:
    for seed in range(block * 32, block * 32 + 32):
        found = compared(seed)
        if found is not None:
            drain, empty = found
            tier = tier_of(drain)
            assert (seed, tier.value, tier.status) == (seed, empty, "Optimal")


def tier_of(drain: Drain) -> PlanTier:
    """What is said of empty nodes."""
    return next(tier for tier in drain.tiers if tier.name == "drained")


def owned(name: str, node: str, *, kind: str = "ReplicaSet", **fields: Any) -> Pod:
    """A running pod of one core that a controller owns."""
    owner = OwnerRef("apps/v1", kind, "o", "u")
    requests = {"cpu": 1000, **fields.pop("more", {})}
    return make_pod(name, node=node, requests=requests, pod={"owner": owner}, **fields)


def budget(allowed: int, name: str = "b") -> PodDisruptionBudget:
    """A budget over all pods of the namespace."""
    return PodDisruptionBudget("default", name, LabelSelector(()), allowed)


def ways(drain: Drain) -> list[tuple[str | None, list[str]]]:
    """The steps: from where, and who."""
    return [(step.node, [name for (_, name), _ in step.to]) for step in drain.steps]


def test_a_budget_of_one_has_the_pods_of_a_node_leave_one_by_one() -> None:
    pods = [owned("a", "n1"), owned("b", "n1"), *(owned(f"c{i}", "n2") for i in range(2))]
    nodes = [make_node("n1"), make_node("n2", allocatable={"cpu": 4000})]
    found = drained(snapshot_of_nouns(*nodes, *pods, budgets=(budget(1),)))
    assert [sorted(who) for _, who in ways(found)] in ([["a"], ["b"]], [["c0"], ["c1"]])
    assert tier_of(found).status == "Optimal"


@pytest.mark.parametrize(
    ("budgets", "said"),
    [
        ((budget(0),), "allows no disruption"),
        ((budget(1, "b"), budget(1, "c")), "2 PodDisruptionBudgets"),
    ],
)
def test_a_budget_that_lets_nobody_go_pins(
    budgets: tuple[PodDisruptionBudget, ...], said: str
) -> None:
    nodes = [make_node("n1"), make_node("n2")]
    pods = [owned("a", "n1"), owned("b", "n2")]
    found = drained(snapshot_of_nouns(*nodes, *pods, budgets=budgets))
    assert (found.drained, tier_of(found).bound) == ((), 0)
    assert all(said in why for _, _, why in found.pinned)


def test_pods_of_daemon_sets_and_static_ones_go_with_their_node() -> None:
    pods = [owned("a", "n1"), owned("d", "n1", kind="DaemonSet"), owned("s", "n1", kind="Node")]
    found = drained(snapshot_of_nouns(make_node("n1"), make_node("n2"), *pods, owned("b", "n2")))
    assert ways(found) in ([("n1", ["a"])], [("n2", ["b"])])
    assert found.pinned == ()


def test_a_pod_of_no_controller_pins_its_node() -> None:
    nodes, alone = [make_node("n1"), make_node("n2")], make_pod("a", node="n1")
    found = drained(snapshot_of_nouns(*nodes, alone, owned("b", "n2")))
    assert found.drained == ("n2",)
    assert [(node, why) for node, _, why in found.pinned] == [("n1", "no controller owns it")]


def test_who_waits_is_placed_before_a_node_is_emptied() -> None:
    nodes = [make_node("n1"), make_node("n2")]
    waiting = make_pod("p", requests={"cpu": 3500})
    found = drained(snapshot_of_nouns(*nodes, waiting, owned("a", "n1")))
    assert ways(found) == [(None, ["p"])]
    assert tier_of(found).value == 0


def test_pods_of_nodes_that_stay_move_only_where_that_is_allowed() -> None:
    tight = snapshot_of_nouns(
        *(make_node(f"n{i}", allocatable={"cpu": 4000}) for i in (1, 2, 3)),
        owned("large", "n1", more={"cpu": 3000}),
        make_pod("pinned", node="n2", requests={"cpu": 3000}),
        make_pod("fixed", node="n3", requests={"cpu": 1000}),
        owned("small", "n3"),
    )
    assert (drained(tight).drained, tier_of(drained(tight)).status) == ((), "Optimal")
    assert ways(drained(tight, moves_max=1)) == [("n3", ["small"]), ("n1", ["large"])]


def test_pods_that_would_have_to_change_places_at_once_leave_a_gap() -> None:
    zone = "topology.kubernetes.io/zone"
    apart = PodAffinityTerm(zone, LabelSelector((Requirement("app", "In", ("x",)),)))
    nodes = [make_node(f"n{i}", labels={zone: z}) for i, z in enumerate("aabb")]
    first = owned("first", "n0", labels={"app": "x"}, anti_affinity=(apart,), **SELECT_B)
    second = owned("second", "n2", labels={"app": "x"}, anti_affinity=(apart,), **SELECT_A)
    others = [make_pod(f"o{i}", node=f"n{i}") for i in (1, 3)]
    found = drained(snapshot_of_nouns(*nodes, first, second, *others))
    assert found.drained == ()
    assert tier_of(found) == tier("drained", 0, 2)


def test_without_time_there_still_is_a_bound_and_everybody_has_a_place() -> None:
    nodes = [make_node(f"n{i}", allocatable={"cpu": 4000}) for i in range(6)]
    pods = [owned(f"p{i}", f"n{i % 6}", more={"cpu": 1500}) for i in range(12)]
    snapshot = snapshot_of_nouns(*nodes, *pods, make_pod("late", requests={"cpu": 1000}))
    ticks = itertools.count(0.0, 0.02)
    limits = Limits(time_limit_s=0.1)
    found = drain_nodes(snapshot, pending(snapshot), default_profile(), limits, lambda: next(ticks))
    assert tier_of(found).bound <= 1
    assert ways(found)[0] == (None, ["late"])


def test_room_that_is_kept_for_a_pod_of_another_scheduler_pins_its_node() -> None:
    other = make_pod("other", scheduler_name="theirs", pod={"nominated_node": "n1"})
    snapshot = snapshot_of_nouns(make_node("n1"), make_node("n2"), owned("a", "n1"), other)
    ours = pending(snapshot, ("ours",))
    found = drain_nodes(snapshot, ours, default_profile(), LIMITS, still)
    assert (found.drained, [key for _, key, _ in found.pinned]) == ((), [other.key])


def test_the_check_of_the_rule_says_what_its_rows_say() -> None:
    nodes = [make_node(f"n{i}") for i in (1, 2, 3)]
    pods = [owned("a", "n1"), owned("b", "n1"), owned("c", "n2")]
    snapshot, allowance = snapshot_of_nouns(*nodes, *pods), Allowance(moves_max=None, draining=True)

    def state(evictions: dict[tuple[str, str], str | None]) -> FinalState:
        return final_state(snapshot, pending(snapshot), {}, evictions, allowance)

    half, whole = {("default", "a"): "n2"}, {("default", "a"): "n2", ("default", "b"): "n2"}
    assert [each.pod for each in Drained(0).check(state({**half}))] == ["default/a"]
    assert not [*Drained(1).check(state({**half})), *Drained(0).check(state({**whole}))]
    assert Drained().score(state({**whole})) == {"drained": 2, "moves": 2}
