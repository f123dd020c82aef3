"""PodTopologySpread, hard constraints."""

from batchsched.snapshot.labels import LabelSelector
from batchsched.snapshot.node import Taint
from batchsched.snapshot.pod import Pod
from tests.builders import HOSTNAME, ZONE, make_node, make_pod, node_term, requirement, spread
from tests.feasibility.asking import fits, reasons

WEB = {"app": "web"}
SKEW = ["node(s) didn't match pod topology spread constraints"]
LABEL = ["node(s) didn't match pod topology spread constraints (missing required label)"]
A, B, C = (make_node(f"n{zone}", labels={ZONE: zone}) for zone in "abc")
BARE = make_node("bare")


def web(name: str, node: str | None, **fields: object) -> Pod:
    """A pod of the application that is spread."""
    return make_pod(name, labels=WEB, node=node, pod=fields)


def test_one_more_pod_must_not_make_the_skew_too_large() -> None:
    pod = make_pod(labels=WEB, spread=(spread(WEB),))
    running = [web("r1", "na"), web("r2", "nb")]
    assert reasons(pod, [A, B, C], running) == {"na": SKEW, "nb": SKEW, "nc": []}


def test_a_node_without_the_key_lacks_the_label() -> None:
    said = reasons(make_pod(labels=WEB, spread=(spread(WEB),)), [A, BARE])
    assert said == {"bare": LABEL, "na": []}


def test_counted_nodes_carry_the_keys_of_all_constraints() -> None:
    """19: a pod on a node without one of the keys counts for none of them."""
    both = (spread(WEB, ZONE), spread(WEB, "rack"))
    racked = [make_node(f"r{z}", labels={ZONE: z, "rack": z}) for z in "ab"]
    pod = make_pod(labels=WEB, spread=both)
    assert reasons(pod, [*racked, A], [web("r1", "na")]) == {"na": LABEL, "ra": [], "rb": []}


def test_empty_domains_are_the_minimum() -> None:
    pod = make_pod(labels=WEB, spread=(spread(WEB, max_skew=2),))
    running = [web("r1", "na"), web("r2", "na")]
    assert fits(pod, [A, B], running) == ["nb"]


def test_node_affinity_is_honoured_and_taints_are_ignored() -> None:
    """20: the defaults of nodeAffinityPolicy and nodeTaintsPolicy."""
    tainted = make_node("nb", labels={ZONE: "b"}, taints=[Taint("t", "", "NoSchedule")])
    pod = make_pod(labels=WEB, spread=(spread(WEB),))
    assert reasons(pod, [A, tainted], [web("r", "na")])["na"] == SKEW
    only_a = (node_term(requirement(ZONE, "In", "a")),)
    pod = make_pod(labels=WEB, spread=(spread(WEB),), node_affinity=only_a)
    assert fits(pod, [A, tainted], [web("r", "na")]) == ["na"]


def test_policies_can_be_turned_round() -> None:
    """20."""
    tainted = make_node("nb", labels={ZONE: "b"}, taints=[Taint("t", "", "NoSchedule")])
    honouring = spread(WEB, honor_node_taints=True)
    assert fits(make_pod(labels=WEB, spread=(honouring,)), [A, tainted], [web("r", "na")]) == ["na"]
    ignoring = spread(WEB, honor_node_affinity=False)
    pod = make_pod(labels=WEB, spread=(ignoring,), node_selector={ZONE: "a"})
    assert fits(pod, [A, B], [web("r", "na")]) == []


def test_too_few_domains_make_the_minimum_zero() -> None:
    """21: minDomains."""
    running = [web("r1", "na"), web("r2", "nb")]
    pod = make_pod(labels=WEB, spread=(spread(WEB, min_domains=3),))
    assert fits(pod, [A, B], running) == []
    assert fits(pod, [A, B, C], running) == ["nc"]
    pod = make_pod(labels=WEB, spread=(spread(WEB, min_domains=2),))
    assert fits(pod, [A, B], running) == ["na", "nb"]


def test_an_empty_selector_counts_nobody_and_yet_matches_the_pod() -> None:
    """22."""
    running = [web(f"r{i}", "na") for i in range(3)]
    assert fits(make_pod(spread=(spread(LabelSelector()),)), [A, B], running) == ["na", "nb"]


def test_an_absent_selector_counts_nobody() -> None:
    """22."""
    running = [web(f"r{i}", "na") for i in range(3)]
    assert fits(make_pod(spread=(spread(None),)), [A, B], running) == ["na", "nb"]


def test_a_pod_that_its_own_selector_misses_adds_nothing() -> None:
    """23."""
    running = [web("r1", "na")]
    assert fits(make_pod(spread=(spread(WEB),)), [A, B], running) == ["na", "nb"]
    assert fits(make_pod(spread=(spread(WEB),), labels=WEB), [A, B], running) == ["nb"]


def test_terminating_pods_and_other_namespaces_do_not_count() -> None:
    """27: unlike in pod affinity."""
    leaving = web("r1", "na", deleting=True)
    foreign = make_pod("r2", namespace="other", labels=WEB, node="na")
    pod = make_pod(labels=WEB, spread=(spread(WEB),))
    assert fits(pod, [A, B], [leaving, foreign]) == ["na", "nb"]


def test_the_first_constraint_that_fails_gives_the_reason() -> None:
    node = make_node("n1", labels={ZONE: "a"})
    crowded = [web("r", "n1")]
    pod = make_pod(labels=WEB, spread=(spread(WEB, HOSTNAME), spread(WEB, "rack")))
    other = make_node("n2", labels={"rack": "x"})
    rack = make_node("n3", labels={"rack": "x"})
    assert reasons(pod, [node, other, rack], crowded)["n1"] == LABEL
    soft = spread(WEB, hard=False, max_skew=1)
    assert fits(make_pod(labels=WEB, spread=(soft,)), [node, other], crowded) == ["n1", "n2"]
