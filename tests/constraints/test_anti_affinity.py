"""Anti-affinity (§C5): pods that refuse each other are in different domains, whoever said so."""

import itertools
from typing import TYPE_CHECKING

from batchsched.constraints.anti_affinity import AntiAffinity
from batchsched.snapshot.snapshot import Snapshot
from batchsched.testing import verify_constraint
from tests.builders import (
    HOSTNAME,
    ZONE,
    make_node,
    make_pod,
    make_replicas,
    make_snapshot,
    pod_term,
    selector,
)
from tests.constraints.pairs import allows, drawn, posted, violations

if TYPE_CHECKING:
    from batchsched.snapshot.pod import PodAffinityTerm

X, Y = {"app": "x"}, {"app": "y"}
NODES = [
    make_node("n1", labels={ZONE: "a"}),
    make_node("n2", labels={ZONE: "a"}),
    make_node("n3", labels={ZONE: "b"}),
    make_node("n4"),
]


def test_replicas_that_refuse_each_other_are_on_different_nodes() -> None:
    pods = [make_pod(name, labels=X, anti_affinity=(pod_term(X),)) for name in ("p1", "p2")]
    snapshot = make_snapshot(NODES, pods)
    assert allows(AntiAffinity(), snapshot, p1="n1", p2="n2")
    assert not allows(AntiAffinity(), snapshot, p1="n1", p2="n1")


def test_the_term_of_either_pod_keeps_both_apart() -> None:
    pods = [make_pod("p1", labels=X, anti_affinity=(pod_term(Y, ZONE),)), make_pod("p2", labels=Y)]
    snapshot = make_snapshot(NODES, pods)
    assert not allows(AntiAffinity(), snapshot, p1="n1", p2="n2")
    assert allows(AntiAffinity(), snapshot, p1="n1", p2="n3")


def test_a_running_pod_refuses_company_and_is_refused() -> None:
    refusing = make_pod("r", labels=Y, anti_affinity=(pod_term(X, ZONE),), node="n1")
    snapshot = make_snapshot(NODES, [refusing, make_pod("p1", labels=X)])
    assert not allows(AntiAffinity(), snapshot, p1="n2")
    assert allows(AntiAffinity(), snapshot, p1="n3")
    refused = make_pod("r", labels=Y, node="n1")
    waiting = make_pod("p1", labels=X, anti_affinity=(pod_term(Y, ZONE),))
    snapshot = make_snapshot(NODES, [refused, waiting])
    assert not allows(AntiAffinity(), snapshot, p1="n2")


def test_terminating_pods_still_refuse() -> None:
    leaving = make_pod("r", anti_affinity=(pod_term(X, ZONE),), node="n1", pod={"deleting": True})
    assert not allows(
        AntiAffinity(), make_snapshot(NODES, [leaving, make_pod("p1", labels=X)]), p1="n2"
    )


def test_a_node_without_the_key_is_free() -> None:
    pods = [make_pod(name, labels=X, anti_affinity=(pod_term(X, ZONE),)) for name in ("p1", "p2")]
    assert allows(AntiAffinity(), make_snapshot(NODES, pods), p1="n4", p2="n4")


def test_a_pod_does_not_refuse_itself() -> None:
    pod = make_pod("p1", labels=X, anti_affinity=(pod_term(X),))
    assert allows(AntiAffinity(), make_snapshot(NODES, [pod]), p1="n1")


def test_what_running_pods_broke_among_themselves_is_not_our_violation() -> None:
    running = [
        make_pod(name, labels=X, anti_affinity=(pod_term(X),), node="n1") for name in ("r1", "r2")
    ]
    assert allows(AntiAffinity(), make_snapshot(NODES, [*running, make_pod("p1")]), p1="n1")


def test_namespaces_are_those_of_the_term() -> None:
    other = make_pod("r", namespace="other", labels=X, node="n1")
    terms: list[tuple[PodAffinityTerm, bool]] = [
        (pod_term(X), True),
        (pod_term(X, namespaces=("other",)), False),
        (pod_term(X, namespace_selector=selector()), False),
        (pod_term(X, namespace_selector=selector({"team": "b"})), False),
        (pod_term(X, namespace_selector=selector({"team": "c"})), True),
    ]
    for term, allowed in terms:
        pods = [other, make_pod("p1", anti_affinity=(term,))]
        spaces = (("other", (("team", "b"),)),)
        snapshot = make_snapshot(NODES, pods, namespaces=spaces)
        assert allows(AntiAffinity(), snapshot, p1="n1") is allowed


def test_an_absent_selector_refuses_nobody_and_an_empty_one_everybody() -> None:
    for chosen, allowed in ((None, True), (selector(), False)):
        pods = [make_pod("r", node="n1"), make_pod("p1", anti_affinity=(pod_term(chosen),))]
        assert allows(AntiAffinity(), make_snapshot(NODES, pods), p1="n1") is allowed


def test_the_message_names_the_pod_that_refuses() -> None:
    refusing = make_pod("r", anti_affinity=(pod_term(X),), node="n1")
    snapshot = make_snapshot(NODES, [refusing, make_pod("p1", labels=X)])
    (found,) = violations(AntiAffinity(), snapshot, {"p1": "n1"})
    assert found.message == f"default/r refuses it in its {HOSTNAME}"


def test_replicas_that_refuse_themselves_need_no_row_and_no_column() -> None:
    snapshot = make_snapshot(NODES, make_replicas(9, labels=X, anti_affinity=(pod_term(X),)))
    model = posted(AntiAffinity(), snapshot)
    assert (model.rows, model.columns) == (0, len(model.counts))
    assert (model.problem.upper == 1).all()


def sides() -> list[Snapshot]:
    """Owners, matched and both, up to two of each, in one zone of two nodes and beside it."""
    found = []
    nodes = [NODES[0], NODES[2]]
    term = pod_term(Y, ZONE)
    for owners, matched, both in itertools.product(range(3), range(3), range(2)):
        pods = [
            *make_replicas(owners, "o", labels=X, anti_affinity=(term,)),
            *make_replicas(matched, "m", labels=Y),
            *make_replicas(both, "b", labels=Y, anti_affinity=(term,)),
        ]
        found.append(make_snapshot(nodes, pods))
    return found


def test_rows_and_check_agree_on_all_sides_of_a_term() -> None:
    assert verify_constraint(AntiAffinity(), sides()) > 600


def test_rows_and_check_agree_on_every_placement_of_small_problems() -> None:
    assert verify_constraint(AntiAffinity(), drawn(300, "anti_affinity")) > 3000
