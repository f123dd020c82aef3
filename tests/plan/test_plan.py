"""The plan's file: the keys of the contract in their order, the same bytes, and good errors."""

import pytest

from batchsched.plan.plan import (
    Binding,
    Eviction,
    Plan,
    PlanPodGroup,
    PlanTier,
    Unplaced,
    read_plan,
    status_of,
    tier,
)
from batchsched.snapshot.errors import InputError

PLAN = Plan(
    status="Feasible",
    tiers=(tier("placed/priority=0", 1, 2), tier("disruption", 0, 0)),
    bindings=(Binding(namespace="a", name="p", uid="1", node="n1", pod_group="g"),),
    evictions=(
        Eviction(namespace="a", name="q", uid="2", from_="n1", to="n2", reason="Moved", for_="a/p"),
    ),
    unplaced=(Unplaced(namespace="a", name="r", uid="3", message="0/1 nodes"),),
    pod_groups=(
        PlanPodGroup(namespace="a", name="g", min_count=1, members=1, placed=1, status="Placed"),
    ),
)


def keys(value: object) -> list[str]:
    assert isinstance(value, dict)
    return list(value)


def test_keys_are_those_of_the_contract_in_its_order() -> None:
    content = PLAN.model_dump(by_alias=True)
    assert " ".join(keys(content)) == (
        "apiVersion kind snapshot allowance reservation status tiers bindings evictions unplaced"
        " podGroups solver"
    )
    assert keys(content["snapshot"]) == ["sha256", "nodes", "pods", "pending"]
    assert keys(content["tiers"][0]) == ["name", "value", "bound", "gap", "status"]
    assert keys(content["bindings"][0]) == ["namespace", "name", "uid", "node", "podGroup"]
    assert " ".join(keys(content["evictions"][0])) == "namespace name uid from to reason for"
    assert " ".join(keys(content["unplaced"][0])) == "namespace name uid podGroup reason message"
    assert " ".join(keys(content["podGroups"][0])) == (
        "namespace name minCount members placed status message"
    )
    assert " ".join(keys(content["solver"])) == (
        "seconds classes columns rows workers seed timeLimitSeconds"
    )
    assert " ".join(keys(content["solver"]["seconds"])) == (
        "load compile greedy relax search verify total"
    )


def test_a_plan_that_is_written_is_read_back_and_written_the_same() -> None:
    content = PLAN.to_json()
    again = read_plan(content, "plan.json")
    assert again == PLAN
    assert again.to_json() == content
    assert content.endswith(b"}\n")


def test_fields_of_a_newer_version_are_left_alone() -> None:
    content = PLAN.to_json().replace(b'"uid": "1"', b'"uid": "1", "zone": "a"')
    assert read_plan(content, "plan.json") == PLAN


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (b"{", b"", "not valid JSON"),
        (b'"kind": "Plan"', b'"kind": "Pod"', "kind: not a plan, but 'Pod'"),
        (b'"kind": "Plan"', b'"sort": "Plan"', "kind: not a plan: it has no kind"),
        (b'"uid": "1",', b"", "bindings[0] (a/p).uid: Field required"),
        (b'"node": "n1"', b'"node": 5', "bindings[0] (a/p).node: Input should be a valid string"),
        (b'"bound": 2', b'"bound": "2"', "tiers[0].bound: Input should be a valid integer"),
        (b'"from": "n1"', b'"at": "n1"', "evictions[0] (a/q).from: Field required"),
        (b'"status": "Feasible"', b'"status": "Good"', "status: Input should be"),
        (b"v1alpha1", b"v9", "apiVersion: Input should be 'batchsched.io/v1alpha1'"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_one_line(
    before: bytes, after: bytes, said: str
) -> None:
    with pytest.raises(InputError) as error:
        read_plan(PLAN.to_json().replace(before, after, 1), "plan.json")
    assert str(error.value).startswith("plan.json: ")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"[]", b"3", b"null", b"\xff"])
def test_what_is_no_plan_is_bad_input(content: bytes) -> None:
    with pytest.raises(InputError):
        read_plan(content, "plan.json")


@pytest.mark.parametrize(
    ("value", "bound", "gap", "status"),
    [
        (12, 12, 0.0, "Optimal"),
        (9, 12, 0.25, "Feasible"),
        (0, 0, 0.0, "Optimal"),
        (0, 3, 1.0, "Feasible"),
        (5, 4, 0.2, "Feasible"),
        (-4, -2, 0.5, "Feasible"),
    ],
)
def test_the_gap_is_relative_to_the_larger_of_value_and_bound(
    value: int, bound: int, gap: float, status: str
) -> None:
    made = tier("t", value, bound)
    assert (made.gap, made.status) == (gap, status)


def test_a_plan_is_optimal_when_placing_and_disruption_are() -> None:
    def tiers(*values: tuple[str, int, int]) -> tuple[PlanTier, ...]:
        return tuple(tier(*each) for each in values)

    optimal, open_ = ("placed/priority=0", 1, 1), ("placed/priority=0", 1, 2)
    assert status_of(tiers(optimal, ("preferences", 1, 2))) == "Optimal"
    assert status_of(tiers(open_, ("preferences", 1, 1))) == "Feasible"
    assert status_of(tiers(optimal, ("disruption", 1, 0))) == "Feasible"
