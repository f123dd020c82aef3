"""InterPodAffinity: required terms, both ways."""

from batchsched.snapshot.labels import LabelSelector
from tests.builders import (
    HOSTNAME,
    ZONE,
    make_node,
    make_pod,
    pod_term,
    requirement,
    selector,
)
from tests.feasibility.asking import fits, reasons

WEB, DB = {"app": "web"}, {"app": "db"}
NEAR = ["node(s) didn't match pod affinity rules"]
APART = ["node(s) didn't match pod anti-affinity rules"]
SHUNNED = ["node(s) didn't satisfy existing pods anti-affinity rules"]
A1, A2, B1 = (make_node(name, labels={ZONE: name[0]}) for name in ("a1", "a2", "b1"))
BARE = make_node("bare")


def test_affinity_wants_company_in_the_domain() -> None:
    pod = make_pod(affinity=(pod_term(DB, ZONE),))
    said = reasons(pod, [A1, A2, B1, BARE], [make_pod("r", labels=DB, node="a1")])
    assert said == {"a1": [], "a2": [], "b1": NEAR, "bare": NEAR}


def test_company_matches_all_terms_at_once() -> None:
    """24: two pods that match one term each are no company."""
    both = (pod_term(WEB, ZONE), pod_term({"tier": "x"}, ZONE))
    running = [
        make_pod("r1", labels=WEB, node="a1"),
        make_pod("r2", labels={"tier": "x"}, node="a1"),
    ]
    assert fits(make_pod(affinity=both), [A1], running) == []
    running = [make_pod("r1", labels={**WEB, "tier": "x"}, node="a1")]
    assert fits(make_pod(affinity=both), [A1], running) == ["a1"]


def test_the_first_of_a_series_may_start_anywhere_with_the_key() -> None:
    """25."""
    pod = make_pod(labels=WEB, affinity=(pod_term(WEB, ZONE),))
    assert fits(pod, [A1, B1, BARE]) == ["a1", "b1"]
    assert fits(make_pod(affinity=(pod_term(WEB, ZONE),)), [A1, B1, BARE]) == []


def test_the_second_of_a_series_joins_the_first() -> None:
    """25."""
    pod = make_pod(labels=WEB, affinity=(pod_term(WEB, ZONE),))
    assert fits(pod, [A1, A2, B1], [make_pod("r", labels=WEB, node="a1")]) == ["a1", "a2"]


def test_company_on_nodes_without_any_of_the_keys_is_not_seen() -> None:
    """25: it neither satisfies nor ends the first pod's privilege."""
    pod = make_pod(labels=WEB, affinity=(pod_term(WEB, ZONE),))
    assert fits(pod, [A1, BARE], [make_pod("r", labels=WEB, node="bare")]) == ["a1"]
    assert fits(pod, [A1], [make_pod("r", labels=WEB, node="gone")]) == ["a1"]


def test_company_with_one_of_several_keys_ends_the_privilege() -> None:
    """25."""
    pod = make_pod(labels=WEB, affinity=(pod_term(WEB, ZONE), pod_term(WEB, HOSTNAME)))
    assert fits(pod, [A1, BARE], [make_pod("r", labels=WEB, node="bare")]) == []


def test_anti_affinity_keeps_the_domain_clear() -> None:
    pod = make_pod(anti_affinity=(pod_term(DB, ZONE),))
    said = reasons(pod, [A1, A2, B1, BARE], [make_pod("r", labels=DB, node="a1")])
    assert said == {"a1": APART, "a2": APART, "b1": [], "bare": []}


def test_anti_affinity_of_pods_that_are_there_holds_too() -> None:
    """26."""
    running = [make_pod("r", node="a1", anti_affinity=(pod_term(WEB, ZONE),))]
    said = reasons(make_pod(labels=WEB), [A1, A2, B1], running)
    assert said == {"a1": SHUNNED, "a2": SHUNNED, "b1": []}
    assert fits(make_pod(labels=DB), [A1], running) == ["a1"]


def test_anti_affinity_reaches_namespaces_by_their_labels() -> None:
    """26, 49."""
    term = pod_term(WEB, ZONE, namespace_selector=selector({"team": "x"}))
    running = [make_pod("r", node="a1", anti_affinity=(term,))]
    spaces = (("blue", (("team", "x"),)), ("red", ()))
    blue = make_pod(namespace="blue", labels=WEB)
    assert fits(blue, [A1], running, namespaces=spaces) == []
    red = make_pod(namespace="red", labels=WEB)
    assert fits(red, [A1], running, namespaces=spaces) == ["a1"]


def test_a_term_without_namespaces_looks_at_its_own() -> None:
    """22."""
    pod = make_pod(namespace="blue", anti_affinity=(pod_term(WEB),))
    running = [make_pod("r", namespace="red", labels=WEB, node="a1")]
    assert fits(pod, [A1], running) == ["a1"]
    everywhere = pod_term(WEB, namespace_selector=LabelSelector())
    assert fits(make_pod(namespace="blue", anti_affinity=(everywhere,)), [A1], running) == []
    named = pod_term(WEB, namespaces=["red"])
    assert fits(make_pod(namespace="blue", anti_affinity=(named,)), [A1], running) == []


def test_a_term_with_namespaces_leaves_out_its_own() -> None:
    pod = make_pod(namespace="blue", anti_affinity=(pod_term(WEB, namespaces=["red"]),))
    assert fits(pod, [A1], [make_pod("r", namespace="blue", labels=WEB, node="a1")]) == ["a1"]


def test_an_empty_selector_means_everybody_and_an_absent_one_nobody() -> None:
    """22."""
    running = [make_pod("r", node="a1")]
    everybody = make_pod(anti_affinity=(pod_term(LabelSelector()),))
    assert reasons(everybody, [A1], running) == {"a1": APART}
    assert fits(make_pod(anti_affinity=(pod_term(None),)), [A1], running) == ["a1"]


def test_terminating_pods_count() -> None:
    """27: unlike in topology spread."""
    leaving = make_pod("r", labels=DB, node="a1", pod={"deleting": True})
    assert fits(make_pod(anti_affinity=(pod_term(DB),)), [A1], [leaving]) == []
    assert fits(make_pod(affinity=(pod_term(DB),)), [A1], [leaving]) == ["a1"]


def test_an_incoming_term_asks_its_namespace_selector_of_no_labels() -> None:
    """As kube-scheduler 1.36 does: where those satisfy it, every namespace is in."""
    term = pod_term(WEB, namespace_selector=selector({}, requirement("team", "DoesNotExist")))
    spaces = (("blue", (("team", "x"),)), ("default", ()))
    there = [make_pod("r", namespace="blue", labels=WEB, node="a1")]
    assert fits(make_pod(anti_affinity=(term,)), [A1], there, namespaces=spaces) == []
    owner = [make_pod("r", node="a1", anti_affinity=(term,))]
    incoming = make_pod(namespace="blue", labels=WEB)
    assert fits(incoming, [A1], owner, namespaces=spaces) == ["a1"]
