"""Verify: a plan of ours passes; whatever is changed in it is found."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from batchsched.constraints import default_constraints
from batchsched.objectives.placed import Placed
from batchsched.plan.diff import Why, diff
from batchsched.plan.plan import Plan, PlanSolver, tier
from batchsched.plan.state import FinalState, Violation
from batchsched.plan.verify import Score, final_state, verify
from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.pod import OwnerRef
from batchsched.snapshot.snapshot import Snapshot, Window, pending
from tests.builders import make_node, make_pod, make_replicas, make_snapshot

GANG = make_replicas(2, "g", cpu=500)
SNAPSHOT = make_snapshot(
    [make_node("n1", cpu=1000), make_node("n2", cpu=1000)],
    [
        *GANG,
        make_pod("a", cpu=900),
        make_pod("b", cpu=900),
        make_pod("r", node="n2", cpu=50),
    ],
    groups={PodGroup("batchsched.io", "default", "gang", 2): GANG},
)
WINDOW = pending(SNAPSHOT)
PLACED = {("default", "g-0000"): "n1", ("default", "g-0001"): "n1", ("default", "a"): "n2"}


def plan_of(
    placements: Mapping[tuple[str, str], str], snapshot: Snapshot = SNAPSHOT, sha256: str = ""
) -> Plan:
    why = {("default", "b"): Why(message="0/2 nodes are available: 2 Insufficient cpu.")}
    decision = diff(
        final_state(snapshot, pending(snapshot), placements),
        pending(snapshot),
        why,
        sha256=sha256,
    )
    count = len(decision.bindings)
    tiers = [tier("placed/priority=0", count, count), tier("disruption", 0, 0)]
    return decision.plan(tiers, PlanSolver())


PLAN = plan_of(PLACED)


class Undisturbed:
    """Nothing is evicted here."""

    def score(self, state: FinalState) -> Mapping[str, int]:
        """Zero, as ever."""
        return {"disruption": len(state.evicted)}


SCORES: tuple[Score, ...] = (Placed(), Undisturbed())


def found(plan: Plan, snapshot: Snapshot = SNAPSHOT, window: Window = WINDOW) -> list[str]:
    violations = verify(plan, snapshot, window, default_constraints(), SCORES)
    return [f"{v.rule} {v.pod}: {v.message}" for v in violations]


def changed(change: Callable[[dict[str, Any]], None]) -> Plan:
    """The plan with something changed in its file."""
    content = PLAN.model_dump(by_alias=True)
    for name in ("tiers", "bindings", "evictions", "unplaced", "podGroups"):
        content[name] = list(content[name])
    change(content)
    return Plan.model_validate(content, strict=False)


def test_a_plan_of_ours_passes() -> None:
    assert found(PLAN) == []


def test_binding_against_a_rule_is_found() -> None:
    plan = plan_of({**PLACED, ("default", "b"): "n1"})
    assert found(plan) == ["capacity default/g-0001: 1900 of cpu requested, 1000 allocatable"]


def test_a_gang_in_part_is_found() -> None:
    plan = plan_of({("default", "g-0000"): "n1"})
    (message,) = found(plan)
    assert message == (
        "gang default/g-0000: pod group default/gang: 1 of the 2 members that it needs"
    )


def drop_binding(content: dict[str, Any]) -> None:
    content["bindings"].pop()


def bind_twice(content: dict[str, Any]) -> None:
    content["bindings"].append(content["bindings"][0])


def bind_elsewhere(content: dict[str, Any]) -> None:
    content["bindings"][0]["node"] = "n9"


def bind_a_stranger(content: dict[str, Any]) -> None:
    content["bindings"][0]["name"] = "stranger"


def bind_a_running_pod(content: dict[str, Any]) -> None:
    content["bindings"].append(
        {"namespace": "default", "name": "r", "uid": "uid-default-r", "node": "n1"}
    )


def bind_a_recreated_pod(content: dict[str, Any]) -> None:
    content["bindings"][0]["uid"] = "another"


def leave_and_bind(content: dict[str, Any]) -> None:
    content["unplaced"].append(
        {"namespace": "default", "name": "g-0000", "uid": "uid-default-g-0000"}
    )


def leave_twice(content: dict[str, Any]) -> None:
    content["unplaced"].append(content["unplaced"][0])


def leave_a_stranger(content: dict[str, Any]) -> None:
    content["unplaced"][0]["name"] = "stranger"


def forget_the_group(content: dict[str, Any]) -> None:
    content["bindings"][0]["podGroup"] = "another"


def count_the_group_wrong(content: dict[str, Any]) -> None:
    content["podGroups"][0]["placed"] = 1


def forget_all_groups(content: dict[str, Any]) -> None:
    content["podGroups"].clear()


def count_the_pods_wrong(content: dict[str, Any]) -> None:
    content["snapshot"]["pending"] = 7


def claim_more_value(content: dict[str, Any]) -> None:
    content["tiers"][0].update(value=4, bound=4)


def claim_less_bound(content: dict[str, Any]) -> None:
    content["tiers"][0].update(bound=2, gap=0.5, status="Feasible")


def claim_a_better_status(content: dict[str, Any]) -> None:
    content["tiers"][0].update(bound=4, gap=0.25)


def claim_a_smaller_gap(content: dict[str, Any]) -> None:
    content["tiers"][0].update(bound=4, gap=0.1, status="Feasible")
    content["status"] = "Feasible"


def drop_a_tier(content: dict[str, Any]) -> None:
    content["tiers"].pop()


def be_modest(content: dict[str, Any]) -> None:
    content["status"] = "Feasible"


def evict_a_stranger(content: dict[str, Any]) -> None:
    content["evictions"].append(
        {"namespace": "default", "name": "x", "uid": "", "from": "n1", "reason": "Preempted"}
    )


CHANGES = [
    (drop_binding, "pending, but neither bound nor unplaced"),
    (bind_twice, "the pod is bound twice"),
    (bind_elsewhere, "the snapshot holds no such node"),
    (bind_a_stranger, "the pod is not in the snapshot"),
    (bind_a_running_pod, "the pod is not pending"),
    (bind_a_recreated_pod, "the pod has uid"),
    (leave_and_bind, "both bound and unplaced"),
    (leave_twice, "listed as unplaced twice"),
    (leave_a_stranger, "listed as unplaced, but not pending"),
    (forget_the_group, "podGroup is 'another'"),
    (count_the_group_wrong, "podGroups says"),
    (forget_all_groups, "podGroups lacks"),
    (count_the_pods_wrong, "made from another snapshot: 7 pending"),
    (claim_more_value, "tier placed/priority=0 says 4, but is worth 3"),
    (claim_less_bound, "the bound 2 is below the value"),
    (claim_a_better_status, "do not fit value 3 and bound 4"),
    (claim_a_smaller_gap, "gap 0.1 and status Feasible do not fit"),
    (drop_a_tier, "there is no tier disruption"),
    (be_modest, "status is Feasible, but the tiers say Optimal"),
    (evict_a_stranger, "evicted, but does not run there"),
]


@pytest.mark.parametrize(
    ("change", "said"), CHANGES, ids=lambda each: getattr(each, "__name__", "")
)
def test_whatever_is_changed_is_found(change: Callable[[dict[str, Any]], None], said: str) -> None:
    assert any(said in message for message in found(changed(change)))


def test_lists_are_sorted() -> None:
    pods = [make_pod(name, cpu=9000) for name in ("a", "b")]
    snapshot = make_snapshot([make_node("n1")], pods)
    plan = plan_of({}, snapshot)
    turned = plan.model_copy(update={"unplaced": plan.unplaced[::-1]})
    assert found(plan, snapshot, pending(snapshot)) == []
    assert found(turned, snapshot, pending(snapshot)) == [
        "plan : unplaced are not sorted by namespace and name"
    ]


def test_a_plan_for_other_bytes_is_found_where_these_are_asked_for() -> None:
    plan = plan_of(PLACED, sha256="abc")
    assert verify(plan, SNAPSHOT, WINDOW, (), SCORES, sha256="abc") == ()
    (violation,) = verify(plan, SNAPSHOT, WINDOW, (), SCORES, sha256="def")
    assert violation.message.startswith("made from another snapshot")


def test_a_rule_of_ones_own_is_asked_too() -> None:
    class Never:
        """No pod may be anywhere."""

        name = "never"

        def check(self, state: FinalState) -> Iterator[Violation]:
            """Object to everyone."""
            for placed in state.placed:
                yield Violation(self.name, placed.pod.full_name, placed.node.name, "no")

    assert len(verify(PLAN, SNAPSHOT, WINDOW, [Never()], SCORES)) == 3


def test_an_evicted_pod_leaves_its_room_and_a_moved_one_takes_it_elsewhere() -> None:
    owner = OwnerRef("apps/v1", "ReplicaSet", "r", "r")
    running = make_pod("r", cpu=900, node="n1", pod={"owner": owner})
    pods = [running, make_pod("p", cpu=500, priority=1)]
    snapshot = make_snapshot([make_node("n1", cpu=1000), make_node("n2", cpu=1000)], pods)
    window, allowed = pending(snapshot), Allowance(preemption=True, moves_max=1)
    for to, kept in ((None, ["p"]), ("n2", ["p", "r"])):
        places = {("default", "p"): "n1"}
        state = final_state(snapshot, window, places, {("default", "r"): to}, allowed)
        assert [placed.pod.name for placed in state.pods] == kept
        assert all(not list(rule.check(state)) for rule in default_constraints())


def test_the_final_state_holds_who_stays_and_who_comes_sorted() -> None:
    nominated = make_pod("z", gated=True, pod={"nominated_node": "n1"})
    pods = [
        make_pod("r2", node="n1"),
        make_pod("r1", node="n2"),
        make_pod("lost", node="gone"),
        make_pod("done", node="n1", pod={"phase": "Succeeded"}),
        make_pod("p2"),
        make_pod("p1"),
        nominated,
    ]
    snapshot = make_snapshot([make_node("n1"), make_node("n2")], pods)
    places = {("default", "p2"): "n1", ("default", "p1"): "elsewhere"}
    state = final_state(snapshot, pending(snapshot), places)
    assert [(p.pod.name, p.node.name, p.new) for p in state.pods] == [
        ("r1", "n2", False),
        ("r2", "n1", False),
        ("z", "n1", False),
        ("p2", "n1", True),
    ]
    assert [pod.name for pod in state.unplaced] == ["p1"]
