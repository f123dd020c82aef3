"""Node rules (§C13): the node alone says no; the model has no column for it, the check says why."""

from typing import Any

import pytest

from batchsched.constraints.capacity import Capacity
from batchsched.constraints.node_rules import NodeRules
from batchsched.snapshot.node import Node, Taint
from batchsched.snapshot.pod import ClaimRef, Pod, Toleration
from batchsched.snapshot.storage import PersistentVolume, PersistentVolumeClaim, ResourceClaim
from batchsched.testing import verify_constraint, verify_constraints
from tests.builders import (
    ZONE,
    make_node,
    make_pod,
    make_snapshot,
    node_term,
    requirement,
)
from tests.constraints.pairs import allows, drawn, posted

EVERYTHING = Toleration(operator="Exists")
OLD_ZONE = "failure-domain.beta.kubernetes.io/zone"


def fits(pod: Pod, node: Node, **fields: Any) -> bool:
    return allows(NodeRules(), make_snapshot([node], [pod], **fields), p1="n1")


def test_a_cordoned_node_takes_who_tolerates_the_cordon() -> None:
    cordoned = make_node(unschedulable=True)
    assert not fits(make_pod(), cordoned)
    assert fits(make_pod(tolerations=(EVERYTHING,)), cordoned)


def test_a_pod_that_names_a_node_goes_there() -> None:
    assert fits(make_pod(node_name="n1"), make_node())
    assert not fits(make_pod(node_name="n2"), make_node())


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        (Toleration("k", "Exists"), True),
        (Toleration("k", "Equal", "5"), True),
        (Toleration("k", "Equal", "6"), False),
        (Toleration("k", "Exists", effect="NoExecute"), False),
        (Toleration("k", "Gt", "4"), True),
        (Toleration("k", "Gt", "5"), False),
        (Toleration("k", "Lt", "6"), True),
        (Toleration("k", "Lt", "06"), False),
        (Toleration("other", "Exists"), False),
        (EVERYTHING, True),
    ],
)
def test_taints_that_keep_out_are_tolerated(toleration: Toleration, *, tolerated: bool) -> None:
    tainted = make_node(taints=[Taint("k", "5", "NoSchedule")])
    assert fits(make_pod(tolerations=(toleration,)), tainted) is tolerated


def test_no_execute_keeps_out_and_prefer_no_schedule_does_not() -> None:
    assert not fits(make_pod(), make_node(taints=[Taint("k", "", "NoExecute")]))
    assert fits(make_pod(), make_node(taints=[Taint("k", "", "PreferNoSchedule")]))


@pytest.mark.parametrize(
    ("terms", "matched"),
    [
        (None, True),
        ((), False),
        ((node_term(),), False),
        ((node_term(requirement(ZONE, "In", "a")),), True),
        ((node_term(requirement(ZONE, "In", "b")), node_term(requirement(ZONE))), True),
        ((node_term(requirement(ZONE, "NotIn", "a")),), False),
        ((node_term(requirement("absent", "NotIn", "a")),), True),
        ((node_term(requirement("size", "Gt", "4")),), True),
        ((node_term(requirement("size", "Gt", "5")),), False),
        ((node_term(requirement(ZONE, "Gt", "5")),), False),
        ((node_term(fields=[requirement("metadata.name", "In", "n1")]),), True),
        ((node_term(fields=[requirement("metadata.name", "NotIn", "n1")]),), False),
    ],
)
def test_node_affinity(terms: tuple[object, ...] | None, *, matched: bool) -> None:
    node = make_node(labels={ZONE: "a", "size": "5"})
    assert fits(make_pod(node_affinity=terms), node) is matched


def test_the_node_selector_and_the_affinity_both_hold() -> None:
    node = make_node(labels={ZONE: "a"})
    terms = (node_term(requirement(ZONE, "In", "a")),)
    assert fits(make_pod(node_selector={ZONE: "a"}, node_affinity=terms), node)
    assert not fits(make_pod(node_selector={"disk": "fast"}, node_affinity=terms), node)


@pytest.mark.parametrize(
    ("volume", "node", "reached"),
    [
        ({ZONE: "a"}, {ZONE: "a"}, True),
        ({ZONE: "a__b"}, {ZONE: "b"}, True),
        ({ZONE: "a"}, {ZONE: "b"}, False),
        ({ZONE: "a"}, {}, True),
        ({OLD_ZONE: "a"}, {ZONE: "a"}, True),
        ({OLD_ZONE: "a"}, {ZONE: "b"}, False),
        ({"topology.kubernetes.io/region": "r"}, {ZONE: "a"}, False),
    ],
)
def test_zones_of_bound_volumes(
    volume: dict[str, str], node: dict[str, str], *, reached: bool
) -> None:
    labels = tuple(sorted(volume.items()))
    claim = PersistentVolumeClaim("default", "c", volume_name="v", bound=True)
    made = PersistentVolume("v", labels=labels, phase="Bound")
    pod = make_pod(claims=(ClaimRef("c"),))
    found = fits(pod, make_node(labels=node), claims=(claim,), volumes=(made,))
    assert found is reached


def test_declared_features_suffice() -> None:
    assert fits(make_pod(features=("f",)), make_node(features=("e", "f")))
    assert not fits(make_pod(features=("f",)), make_node(features=("e",)))


@pytest.mark.parametrize(
    ("claim", "usable"),
    [
        ({"allocated": True}, True),
        ({"allocated": True, "node_selector": (node_term(requirement(ZONE)),)}, False),
        ({"allocated": False}, False),
        ({"allocated": True, "deleting": True}, False),
    ],
)
def test_allocated_devices_can_be_used(claim: dict[str, object], *, usable: bool) -> None:
    made = (ResourceClaim("default", "d", **claim),)  # type: ignore[arg-type]
    pod = make_pod(resource_claims=(("gpu", "d", None),))
    assert fits(pod, make_node(), resource_claims=made) is usable


def test_a_claim_from_a_template_has_to_be_made() -> None:
    wanted = (("gpu", None, "t"),)
    assert not fits(make_pod(resource_claims=wanted), make_node())
    none_needed = {"claim_names": (("gpu", None),)}
    assert fits(make_pod(resource_claims=wanted, pod=none_needed), make_node())


def test_nothing_is_posted() -> None:
    for snapshot in drawn(20, "node"):
        assert posted(NodeRules(), snapshot).blocks == []


def test_no_check_objects_where_there_is_a_candidate() -> None:
    assert verify_constraint(NodeRules(), drawn(300, "node")) > 1000


def test_a_check_objects_where_there_is_no_candidate() -> None:
    assert verify_constraints([Capacity(), NodeRules()], drawn(100, "node")) > 300
