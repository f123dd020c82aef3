"""Evictions in a plan: sorted, with a reason and for whom; what is wrong with them is found."""

from collections.abc import Callable
from typing import Any

import pytest

from batchsched.constraints import default_constraints
from batchsched.objectives.disruption import Disruption
from batchsched.objectives.placed import Placed
from batchsched.plan.evictions import causes
from batchsched.plan.plan import Binding, Eviction, Plan, PlanAllowance
from batchsched.plan.verify import final_state, verify
from batchsched.profile import named_profiles
from batchsched.scheduler import Limits, schedule
from batchsched.snapshot.allowance import NOTHING, Allowance
from batchsched.snapshot.pod import OwnerRef, Pod
from batchsched.snapshot.snapshot import pending
from tests.builders import make_node, make_pod, make_snapshot

BOTH = Allowance(preemption=True, moves_max=1)


def runs(name: str, node: str, **spec: Any) -> Pod:
    owner = OwnerRef("apps/v1", "ReplicaSet", name, name)
    return make_pod(name, node=node, pod={"owner": owner}, **spec)


SNAPSHOT = make_snapshot(
    [make_node("n1"), make_node("n2"), make_node("n3")],
    [
        runs("victim", "n1", cpu=4000),
        runs("mover", "n2", cpu=1000, priority=50),
        runs("stays", "n3", cpu=1000, priority=50),
        make_pod("first", cpu=4000, priority=100),
        make_pod("second", cpu=4000, priority=50),
        make_pod("mild", cpu=4000, priority=1, preemption_never=True),
    ],
)
WINDOW = pending(SNAPSHOT)


def planned() -> Plan:
    profile, limits = named_profiles()["placed-only"], Limits(deterministic=True)
    return schedule(SNAPSHOT, WINDOW, profile, limits, lambda: 0.0, allowance=BOTH)


PLAN = planned()


def wrong(plan: Plan) -> list[str]:
    rules, scores = default_constraints(), (Placed(), Disruption())
    return [violation.message for violation in verify(plan, SNAPSHOT, WINDOW, rules, scores)]


def test_who_leaves_is_said_with_where_to_and_for_whom() -> None:
    found = [(e.name, e.from_, e.to, e.reason, e.for_) for e in PLAN.evictions]
    mover, victim = found
    assert victim == ("victim", "n1", None, "Preempted", victim[4])
    assert victim[4] in {"default/first", "default/second"}
    assert mover[0] in {"mover", "stays"}
    assert mover[2:4] == ("n3" if mover[1] == "n2" else "n2", "Moved")
    assert PLAN.status == "Optimal"
    assert wrong(PLAN) == []


def test_a_plan_says_what_it_was_allowed() -> None:
    assert PLAN.allowance == PlanAllowance(preemption="lower-priority", moves=1)
    for allowance in (NOTHING, BOTH, Allowance(moves_max=None)):
        assert PlanAllowance.of(allowance).meant() == allowance


def test_moved_pods_are_not_among_the_bindings() -> None:
    assert {binding.name for binding in PLAN.bindings} == {"first", "second"}


def with_victim(**fields: Any) -> Callable[[], Plan]:
    def changed() -> Plan:
        mover, victim = PLAN.evictions
        return PLAN.model_copy(update={"evictions": (mover, victim.model_copy(update=fields))})

    return changed


def without_allowance() -> Plan:
    return PLAN.model_copy(update={"allowance": PlanAllowance()})


def with_one_more() -> Plan:
    name = "stays" if PLAN.evictions[0].name == "mover" else "mover"
    node = "n3" if name == "stays" else "n2"
    more = Eviction(
        namespace="default",
        name=name,
        uid=f"uid-default-{name}",
        from_=node,
        reason="Preempted",
        for_="default/first",
    )
    evictions = sorted([*PLAN.evictions, more], key=lambda each: each.name)
    return PLAN.model_copy(update={"evictions": tuple(evictions)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_victim(for_=None), "preempted, and not said for whom"),
        (
            with_victim(for_="default/mild"),
            "default/mild, which the plan does not place",
        ),
        (with_victim(for_="default/nobody"), "which the plan does not place"),
        (with_victim(uid="other"), "evicted, but does not run there"),
        (without_allowance, "evicted, but may not be"),
        (without_allowance, "moved, but may not be"),
        (with_one_more, "tier disruption says 2, but is worth 3"),
    ],
)
def test_what_is_wrong_with_evictions_is_found(change: Callable[[], Plan], message: str) -> None:
    assert any(message in found for found in wrong(change()))


@pytest.mark.parametrize(
    ("cause", "allowed"),
    [
        ({"priority": 51}, True),
        ({"priority": 50}, False),
        ({"priority": 49}, False),
        ({"priority": 51, "preemption_never": True}, False),
    ],
)
def test_nobody_is_preempted_for_a_pod_that_may_not_do_that(
    cause: dict[str, Any], *, allowed: bool
) -> None:
    """Of its own priority or a lower one, or one whose policy is never to preempt."""
    victim, pod = runs("victim", "n1", priority=50), make_pod("cause", **cause)
    snapshot = make_snapshot([make_node("n1")], [victim, pod])
    state = final_state(snapshot, pending(snapshot), {pod.key: "n1"}, {victim.key: None})
    leaves = Eviction(
        namespace="default",
        name="victim",
        uid=victim.uid,
        from_="n1",
        reason="Preempted",
        for_="default/cause",
    )
    bound = Binding(namespace="default", name="cause", uid=pod.uid, node="n1")
    found = [violation.message for violation in causes([leaves], [bound], state)]
    assert found == ([] if allowed else ["preempted for default/cause, which may not do that"])
