"""NodeUnschedulable, NodeName, TaintToleration, NodeAffinity and NodeDeclaredFeatures.

Numbers in docstrings are those of the list of traps in kube-scheduler's semantics that this project
keeps.
"""

import pytest

from batchsched.snapshot.labels import NodeSelectorTerm, Requirement
from batchsched.snapshot.node import Taint
from batchsched.snapshot.pod import Toleration
from tests.builders import ZONE, make_node, make_pod, node_term, requirement
from tests.feasibility.asking import fits, reasons

GPU = Taint("gpu", "true", "NoSchedule")
AFFINITY = ["node(s) didn't match Pod's node affinity/selector"]


def test_a_cordoned_node_takes_nobody() -> None:
    assert reasons(make_pod(), [make_node(unschedulable=True)]) == {
        "n1": ["node(s) were unschedulable"]
    }


def test_a_cordoned_node_takes_who_tolerates_the_cordon() -> None:
    """14: DaemonSet pods carry this toleration."""
    key = "node.kubernetes.io/unschedulable"
    pod = make_pod(tolerations=(Toleration(key, "Exists", effect="NoSchedule"),))
    assert fits(pod, [make_node(unschedulable=True)]) == ["n1"]


def test_a_pod_that_names_its_node_goes_nowhere_else() -> None:
    said = reasons(make_pod(node_name="n2"), [make_node("n1"), make_node("n2")])
    assert said == {"n1": ["node(s) didn't match the requested node name"], "n2": []}


@pytest.mark.parametrize("effect", ["NoSchedule", "NoExecute"])
def test_taints_that_keep_out_keep_out(effect: str) -> None:
    """12: NoExecute filters too."""
    said = reasons(make_pod(), [make_node(taints=[Taint("a", "b", effect)])])
    assert said == {"n1": ["node(s) had untolerated taint(s)"]}


def test_a_taint_that_would_rather_not_keeps_nobody_out() -> None:
    """13: PreferNoSchedule is a preference."""
    assert fits(make_pod(), [make_node(taints=[Taint("a", "b", "PreferNoSchedule")])]) == ["n1"]


@pytest.mark.parametrize(
    "toleration",
    [
        Toleration("gpu", "Equal", "true", "NoSchedule"),
        Toleration("gpu", "", "true"),
        Toleration("gpu", "Exists"),
        Toleration("", "Exists"),
    ],
    ids=["equal", "empty operator", "key exists", "everything"],
)
def test_a_toleration_that_matches_lets_in(toleration: Toleration) -> None:
    assert fits(make_pod(tolerations=(toleration,)), [make_node(taints=[GPU])]) == ["n1"]


@pytest.mark.parametrize(
    "toleration",
    [
        Toleration("gpu", "Equal", "false"),
        Toleration("gpu", "Exists", effect="NoExecute"),
        Toleration("cpu", "Exists"),
    ],
    ids=["value", "effect", "key"],
)
def test_a_toleration_that_differs_does_not(toleration: Toleration) -> None:
    assert fits(make_pod(tolerations=(toleration,)), [make_node(taints=[GPU])]) == []


@pytest.mark.parametrize(
    ("operator", "limit", "value", "tolerated"),
    [
        ("Gt", "5", "6", True),
        ("Gt", "5", "5", False),
        ("Lt", "5", "-4", True),
        ("Lt", "5", "05", False),
        ("Gt", "+1", "6", False),
        ("Gt", "1", "six", False),
        ("Gt", "1", str(2**63), False),
    ],
)
def test_comparing_tolerations_take_plain_integers_only(
    operator: str, limit: str, value: str, *, tolerated: bool
) -> None:
    """18: no plus sign, no leading zeros, 64 bits."""
    pod = make_pod(tolerations=(Toleration("level", operator, limit),))
    node = make_node(taints=[Taint("level", value, "NoSchedule")])
    assert fits(pod, [node]) == (["n1"] if tolerated else [])


def test_every_taint_must_be_tolerated() -> None:
    node = make_node(taints=[GPU, Taint("team", "a", "NoSchedule")])
    assert fits(make_pod(tolerations=(Toleration("gpu", "Exists"),)), [node]) == []


def test_a_node_selector_asks_for_every_label() -> None:
    nodes = [make_node("n1", labels={"a": "1", "b": "1"}), make_node("n2", labels={"a": "1"})]
    said = reasons(make_pod(node_selector={"a": "1", "b": "1"}), nodes)
    assert said == {"n1": [], "n2": AFFINITY}


def test_terms_are_alternatives_and_what_stands_in_one_is_not() -> None:
    terms = (node_term(requirement("a"), requirement("b")), node_term(requirement("c")))
    nodes = [
        make_node("ab", labels={"a": "", "b": ""}),
        make_node("a", labels={"a": ""}),
        make_node("c", labels={"c": ""}),
    ]
    assert fits(make_pod(node_affinity=terms), nodes) == ["ab", "c"]


@pytest.mark.parametrize("terms", [(), (node_term(),)], ids=["no terms", "an empty term"])
def test_nothing_asked_matches_nothing(terms: tuple[NodeSelectorTerm, ...]) -> None:
    """15: an empty term matches no node; so does an empty list of terms."""
    assert reasons(make_pod(node_affinity=terms), [make_node()]) == {"n1": AFFINITY}


def test_an_empty_term_beside_another_changes_nothing() -> None:
    """15."""
    terms = (node_term(), node_term(requirement(ZONE, "In", "a")))
    nodes = [make_node("n1", labels={ZONE: "a"}), make_node("n2")]
    assert fits(make_pod(node_affinity=terms), nodes) == ["n1"]


def test_not_in_is_true_where_the_key_is_absent() -> None:
    """16."""
    terms = (node_term(requirement("a", "NotIn", "x")),)
    nodes = [make_node("n1"), make_node("n2", labels={"a": "x"}), make_node("n3", labels={"a": ""})]
    assert fits(make_pod(node_affinity=terms), nodes) == ["n1", "n3"]


def test_greater_and_less_compare_integers() -> None:
    """17: what is no integer matches neither."""
    terms = (node_term(requirement("size", "Gt", "5"), requirement("size", "Lt", "10")),)
    nodes = [make_node(f"n{v}", labels={"size": v}) for v in ("5", "6", "x", "10", "+7")]
    assert fits(make_pod(node_affinity=terms), [*nodes, make_node("n")]) == ["n+7", "n6"]


def test_a_requirement_that_cannot_be_read_spoils_its_own_term_only() -> None:
    """17."""
    terms = (node_term(requirement("size", "Gt", "big")), node_term(requirement("b")))
    assert fits(make_pod(node_affinity=terms), [make_node(labels={"b": "", "size": "9"})]) == ["n1"]


def test_a_field_names_the_node() -> None:
    name = Requirement("metadata.name", "NotIn", ("n1",))
    nodes = [make_node("n1"), make_node("n2")]
    assert fits(make_pod(node_affinity=(node_term(fields=[name]),)), nodes) == ["n2"]


def test_where_every_term_names_nodes_no_other_node_is_looked_at() -> None:
    name = Requirement("metadata.name", "In", ("n2",))
    nodes = [make_node("n1", unschedulable=True), make_node("n2", cpu=1)]
    said = reasons(make_pod(cpu=2, node_affinity=(node_term(fields=[name]),)), nodes)
    assert said == {
        "n1": ["node(s) didn't satisfy plugin(s) [NodeAffinity]"],
        "n2": ["Insufficient cpu"],
    }


def test_terms_that_name_two_nodes_at_once_contradict_themselves() -> None:
    names = [Requirement("metadata.name", "In", (name,)) for name in ("n1", "n2")]
    said = reasons(make_pod(node_affinity=(node_term(fields=names),)), [make_node("n1")])
    assert said == {"n1": ["pod affinity terms conflict"]}


def test_a_node_declares_every_feature_that_the_pod_needs() -> None:
    nodes = [make_node("n1", features=("A", "B")), make_node("n2", features=("B",))]
    said = reasons(make_pod(features=("A",)), nodes)
    assert said == {"n1": [], "n2": ["node(s) didn't match Pod's required features"]}


def test_the_first_plugin_gives_the_reason() -> None:
    node = make_node(unschedulable=True, taints=[GPU], cpu=1)
    assert reasons(make_pod(cpu=100), [node]) == {"n1": ["node(s) were unschedulable"]}
