"""DynamicResources: allocated claims are honoured, the others are out of reach."""

from batchsched.feasibility.compile import compile_problem
from batchsched.snapshot.pod import OwnerRef, Pod
from batchsched.snapshot.storage import ResourceClaim
from tests.builders import (
    ZONE,
    make_node,
    make_pod,
    make_snapshot,
    node_term,
    requirement,
    window_of,
)
from tests.feasibility.asking import fits, reasons

NODES = [make_node(f"n{zone}", labels={ZONE: zone}) for zone in "ab"]
IN_A = (node_term(requirement(ZONE, "In", "a")),)
POD = make_pod(resource_claims=(("gpu", "c", None),))


def made_from_a_template(**fields: object) -> Pod:
    """A pod whose claim was to be made from a template."""
    return make_pod(resource_claims=(("gpu", None, "t"),), pod=fields)


def test_an_allocated_claim_goes_where_its_devices_are() -> None:
    claims = [ResourceClaim("default", "c", allocated=True, node_selector=IN_A)]
    said = reasons(POD, NODES, resource_claims=claims)
    assert said == {"na": [], "nb": ["resourceclaim not available on the node"]}
    anywhere = [ResourceClaim("default", "c", allocated=True)]
    assert fits(POD, NODES, resource_claims=anywhere) == ["na", "nb"]


def test_a_claim_that_is_not_there_rules_out_every_node() -> None:
    assert reasons(POD, NODES)["na"] == ['could not find ResourceClaim "default/c"']
    dying = [ResourceClaim("default", "c", allocated=True, deleting=True)]
    said = reasons(POD, NODES, resource_claims=dying)
    assert said["na"] == ['resourceclaim "c" is being deleted']


def test_a_claim_made_from_a_template_is_named_in_the_status() -> None:
    assert reasons(made_from_a_template(), NODES)["na"] == [
        'pod "default/p1": ResourceClaim not created yet'
    ]
    mine = OwnerRef("v1", "Pod", "p1", "uid-default-p1")
    claim = ResourceClaim("default", "p1-gpu", allocated=True, node_selector=IN_A, owner=mine)
    pod = made_from_a_template(claim_names=(("gpu", "p1-gpu"),))
    assert fits(pod, NODES, resource_claims=[claim]) == ["na"]
    assert fits(made_from_a_template(claim_names=(("gpu", None),)), NODES) == ["na", "nb"]


def test_a_claim_made_from_a_template_must_be_the_pods_own() -> None:
    """A recreated pod of the same name finds its predecessor's claim, and must not use it."""
    theirs = OwnerRef("v1", "Pod", "p1", "uid-before")
    pod = made_from_a_template(claim_names=(("gpu", "p1-gpu"),))
    for owner in (theirs, None):
        claim = ResourceClaim("default", "p1-gpu", allocated=True, owner=owner)
        said = reasons(pod, NODES, resource_claims=[claim])["na"]
        assert said == [
            "ResourceClaim default/p1-gpu was not created for Pod default/p1 (Pod is not owner)"
        ]


def test_a_pod_that_needs_an_allocation_is_set_aside_with_the_reason() -> None:
    """34: devices are not allocated here."""
    snapshot = make_snapshot(NODES, [POD], resource_claims=[ResourceClaim("default", "c")])
    problem = compile_problem(snapshot, window_of(snapshot))
    assert not problem.classes
    (excluded,) = problem.excluded
    assert excluded.reason == "UnsupportedConstraint"
    assert excluded.message.startswith("UnsupportedConstraint: resourceClaims (c: ")
    assert reasons(POD, NODES, resource_claims=snapshot.resource_claims)["na"] == [excluded.message]
