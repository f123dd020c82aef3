"""Spread (§C7): in a domain that receives an owner, max_skew more than in the emptiest at most."""

import itertools

from batchsched.constraints.spread import Spread
from batchsched.snapshot.node import Taint
from batchsched.snapshot.pod import Toleration
from batchsched.snapshot.snapshot import Snapshot
from batchsched.testing import verify_constraint
from tests.builders import (
    HOSTNAME,
    ZONE,
    make_node,
    make_pod,
    make_replicas,
    make_snapshot,
    selector,
    spread,
)
from tests.constraints.pairs import allows, drawn, posted, violations

X = {"app": "x"}
A1, A2 = make_node("a1", labels={ZONE: "a"}), make_node("a2", labels={ZONE: "a"})
B1, BARE = make_node("b1", labels={ZONE: "b"}), make_node("bare")
EVEN = (spread(X),)


def two(*nodes: object, **fields: object) -> Snapshot:
    """Two replicas that want to be spread, by zone unless said otherwise."""
    names = ("p1", "p2")
    pods = [make_pod(name, labels=X, **{"spread": EVEN, **fields}) for name in names]  # type: ignore[arg-type]
    return make_snapshot(nodes or (A1, A2, B1), pods)  # type: ignore[arg-type]


def test_a_domain_holds_max_skew_more_than_the_emptiest() -> None:
    assert allows(Spread(), two(), p1="a1")
    assert allows(Spread(), two(), p1="a1", p2="b1")
    assert not allows(Spread(), two(), p1="a1", p2="a2")
    assert allows(Spread(), two(spread=(spread(X, max_skew=2),)), p1="a1", p2="a2")


def test_the_final_state_counts_and_not_the_order() -> None:
    running = [make_pod("r", labels=X, node="a1")]
    pods = [make_pod(f"p{i}", labels=X, spread=EVEN) for i in range(3)]
    snapshot = make_snapshot([A1, A2, B1], [*pods, *running])
    assert not allows(Spread(), snapshot, p0="a2")
    assert allows(Spread(), snapshot, p0="a2", p1="b1")
    assert allows(Spread(), snapshot, p0="a2", p1="b1", p2="b1")


def test_a_domain_that_receives_no_owner_may_be_as_full_as_it_likes() -> None:
    others = [make_pod(f"x{i}", labels=X) for i in range(2)]
    snapshot = make_snapshot([A1, B1], [make_pod("p1", labels=X, spread=EVEN), *others])
    assert allows(Spread(), snapshot, p1="b1", x0="a1", x1="a1")
    assert not allows(Spread(), snapshot, p1="a1", x0="a1")


def test_an_owner_that_its_selector_does_not_match_counts_nobody_new() -> None:
    pods = [make_pod("p1", spread=EVEN), make_pod("x", labels=X, node="a1")]
    snapshot = make_snapshot([A1, B1], pods)
    assert allows(Spread(), snapshot, p1="a1")
    pods.append(make_pod("y", labels=X, node="a1"))
    assert not allows(Spread(), make_snapshot([A1, B1], pods), p1="a1")


def test_the_node_carries_the_key() -> None:
    assert not allows(Spread(), two(A1, BARE), p1="bare")


def test_too_few_domains_make_the_emptiest_one_empty() -> None:
    for min_domains, allowed in ((1, True), (2, True), (3, False)):
        want = (spread(X, min_domains=min_domains),)
        running = [make_pod("r1", labels=X, node="a1"), make_pod("r2", labels=X, node="b1")]
        pods = [make_pod("p1", labels=X, spread=want), *running]
        assert allows(Spread(), make_snapshot([A1, B1], pods), p1="a1") is allowed


def test_terminating_pods_and_other_namespaces_do_not_count() -> None:
    leaving = make_pod("r", labels=X, node="a1", pod={"deleting": True})
    away = make_pod("s", namespace="other", labels=X, node="a1")
    snapshot = make_snapshot([A1, B1], [make_pod("p1", labels=X, spread=EVEN), leaving, away])
    assert allows(Spread(), snapshot, p1="a1")


def test_an_empty_selector_counts_nobody_and_neither_does_an_absent_one() -> None:
    for chosen in (selector(), None):
        assert allows(Spread(), two(spread=(spread(chosen),)), p1="a1", p2="a2")


def test_nodes_outside_the_node_selector_do_not_count_unless_the_policy_ignores_it() -> None:
    here = ((ZONE, "a"),)
    ignoring = (spread(X, honor_node_affinity=False),)
    assert allows(Spread(), two(node_selector=here), p1="a1", p2="a2")
    assert not allows(Spread(), two(node_selector=here, spread=ignoring), p1="a1", p2="a2")


def test_tainted_nodes_count_unless_the_policy_honors_taints() -> None:
    tainted = make_node("t", labels={ZONE: "t"}, taints=[Taint("k", "", "NoSchedule")])
    honoring = (spread(X, honor_node_taints=True),)
    tolerant = (Toleration("k", "Exists"),)
    assert not allows(Spread(), two(A1, tainted), p1="a1", p2="a1")
    assert allows(Spread(), two(A1, tainted, spread=honoring), p1="a1", p2="a1")
    patient = two(A1, tainted, spread=honoring, tolerations=tolerant)
    assert not allows(Spread(), patient, p1="a1", p2="a1")


def test_nodes_without_one_of_the_keys_do_not_count_for_any_constraint() -> None:
    both = (spread(X, ZONE), spread(X, "rack"))
    racked = make_node("a1", labels={ZONE: "a", "rack": "1"})
    assert allows(Spread(), two(racked, B1, spread=both), p1="a1", p2="a1")


def test_soft_constraints_are_not_rules() -> None:
    assert allows(Spread(), two(spread=(spread(X, hard=False),)), p1="a1", p2="a2")


def test_the_message_says_how_far_apart() -> None:
    (found, _) = violations(Spread(), two(), {"p1": "a1", "p2": "a1"})
    emptiest = "0 in the emptiest domain: more than 1 apart"
    assert found.message == f"2 in {ZONE}=a, {emptiest}"


def test_replicas_alone_need_no_presence_columns() -> None:
    nodes = [make_node(f"n{i}") for i in range(5)]
    want = (spread(X, HOSTNAME),)
    model = posted(Spread(), make_snapshot(nodes, make_replicas(20, labels=X, spread=want)))
    assert model.columns == len(model.counts) + 1  # the least count
    assert model.rows == 10


def fillings() -> list[Snapshot]:
    """Owners and others over two zones of one or two nodes, with what runs there already."""
    found = []
    for owners, others, skew in itertools.product(range(1, 4), range(2), (1, 2)):
        for held in ((), ("a1",), ("a1", "a1"), ("a1", "b1"), ("a1", "a2", "a1")):
            for key in (ZONE, HOSTNAME):
                want = (spread(X, key, max_skew=skew),)
                pods = [
                    *make_replicas(owners, "o", labels=X, spread=want),
                    *make_replicas(others, "x", labels=X),
                    *(make_pod(f"r{i}", labels=X, node=at) for i, at in enumerate(held)),
                ]
                found.append(make_snapshot([A1, A2, B1], pods))
    return found


def test_rows_and_check_agree_on_every_filling() -> None:
    assert verify_constraint(Spread(), fillings()) > 6000


def test_rows_and_check_agree_on_every_placement_of_small_problems() -> None:
    assert verify_constraint(Spread(), drawn(300, "spread")) > 3000
