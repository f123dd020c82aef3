"""Affinity (§C6): company in every domain that is asked for, by one pod that matches all terms."""

import itertools

from batchsched.constraints.affinity import Affinity
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
from tests.constraints.pairs import allows, drawn, posted

X, Y = {"app": "x"}, {"app": "y"}
NODES = [
    make_node("n1", labels={ZONE: "a"}),
    make_node("n2", labels={ZONE: "a"}),
    make_node("n3", labels={ZONE: "b"}),
    make_node("n4"),
]
TO_X = (pod_term(X, ZONE),)


def test_a_follower_goes_where_somebody_is_or_comes() -> None:
    pods = [make_pod("f", affinity=TO_X), make_pod("x", labels=X)]
    snapshot = make_snapshot(NODES, pods)
    assert allows(Affinity(), snapshot, f="n1", x="n2")
    assert not allows(Affinity(), snapshot, f="n1", x="n3")
    assert not allows(Affinity(), snapshot, f="n1")
    snapshot = make_snapshot(
        NODES, [make_pod("f", affinity=TO_X), make_pod("r", labels=X, node="n3")]
    )
    assert allows(Affinity(), snapshot, f="n3")
    assert not allows(Affinity(), snapshot, f="n1")


def test_the_first_of_a_series_needs_no_company_and_the_second_joins_it() -> None:
    pods = [make_pod(name, labels=X, affinity=TO_X) for name in ("p1", "p2")]
    snapshot = make_snapshot(NODES, pods)
    assert allows(Affinity(), snapshot, p1="n1")
    assert allows(Affinity(), snapshot, p1="n1", p2="n2")
    assert not allows(Affinity(), snapshot, p1="n1", p2="n3")


def test_nobody_is_first_where_there_is_one_already() -> None:
    pods = [make_pod("p1", labels=X, affinity=TO_X), make_pod("r", labels=X, node="n3")]
    assert not allows(Affinity(), make_snapshot(NODES, pods), p1="n1")


def test_a_pod_on_a_node_without_any_of_the_keys_is_not_counted() -> None:
    pods = [make_pod("p1", labels=X, affinity=TO_X), make_pod("r", labels=X, node="n4")]
    assert allows(Affinity(), make_snapshot(NODES, pods), p1="n1")


def test_the_node_carries_every_key() -> None:
    pod = make_pod("p1", labels=X, affinity=TO_X)
    assert not allows(Affinity(), make_snapshot(NODES, [pod]), p1="n4")


def test_two_pods_that_need_each_other_are_placed_together() -> None:
    to_y = (pod_term(Y, ZONE),)
    pods = [make_pod("p1", labels=X, affinity=to_y), make_pod("p2", labels=Y, affinity=TO_X)]
    snapshot = make_snapshot(NODES, pods)
    assert allows(Affinity(), snapshot, p1="n1", p2="n2")
    assert not allows(Affinity(), snapshot, p1="n1", p2="n3")
    assert not allows(Affinity(), snapshot, p1="n1")


def test_one_pod_has_to_match_all_terms() -> None:
    both = (pod_term(X, ZONE), pod_term(Y, ZONE))
    alone = [make_pod("r1", labels=X, node="n1"), make_pod("r2", labels=Y, node="n1")]
    snapshot = make_snapshot(NODES, [make_pod("p1", affinity=both), *alone])
    assert not allows(Affinity(), snapshot, p1="n1")


def test_each_key_needs_its_company() -> None:
    terms = (pod_term(X, ZONE), pod_term(X, HOSTNAME))
    pods = [make_pod("p1", affinity=terms), make_pod("r", labels=X, node="n1")]
    snapshot = make_snapshot(NODES, pods)
    assert allows(Affinity(), snapshot, p1="n1")
    assert not allows(Affinity(), snapshot, p1="n2")


def test_terminating_pods_are_company() -> None:
    leaving = make_pod("r", labels=X, node="n1", pod={"deleting": True})
    assert allows(
        Affinity(), make_snapshot(NODES, [make_pod("p1", affinity=TO_X), leaving]), p1="n2"
    )


def test_an_absent_selector_is_nobody() -> None:
    pods = [make_pod("p1", affinity=(pod_term(None, ZONE),)), make_pod("r", node="n1")]
    assert not allows(Affinity(), make_snapshot(NODES, pods), p1="n1")


def test_namespaces_are_those_of_the_term() -> None:
    away = make_pod("r", namespace="other", labels=X, node="n1")
    for term, allowed in (
        (pod_term(X, ZONE), False),
        (pod_term(X, ZONE, namespaces=("other",)), True),
        (pod_term(X, ZONE, namespace_selector=selector()), True),
    ):
        snapshot = make_snapshot(NODES, [make_pod("p1", affinity=(term,)), away])
        assert allows(Affinity(), snapshot, p1="n2") is allowed


def test_a_domain_with_company_needs_no_row() -> None:
    company = [make_pod(f"r{i}", labels=X, node=f"n{i}") for i in (1, 3)]
    snapshot = make_snapshot(NODES, [*make_replicas(3, affinity=TO_X), *company])
    assert posted(Affinity(), snapshot).rows == 0


def series() -> list[Snapshot]:
    """Leaders, followers and free pods of a series, by zone, by host or both."""
    found = []
    for leaders, followers, free in itertools.product(range(4), range(2), range(3)):
        for keys in ((ZONE,), (HOSTNAME,), (ZONE, HOSTNAME)):
            terms = tuple(pod_term(X, key) for key in keys)
            pods = [
                *make_replicas(leaders, "l", labels=X, affinity=terms),
                *make_replicas(followers, "f", labels=Y, affinity=terms),
                *make_replicas(free, "x", labels=X),
            ]
            if len(pods) <= 4:
                found.append(make_snapshot(NODES[:3], pods))
    return found


def test_rows_and_check_agree_on_every_series() -> None:
    assert verify_constraint(Affinity(), series()) > 4000


def test_rows_and_check_agree_on_every_placement_of_small_problems() -> None:
    assert verify_constraint(Affinity(), drawn(300, "affinity")) > 3000
