"""The checker's reading of Kubernetes agrees with the filters' own, which was written apart."""

import itertools

from batchsched.feasibility.selection import NamespaceLabels, of_term, selects_pod
from batchsched.feasibility.taints import tolerates as filters_tolerate
from batchsched.feasibility.topology import Topology
from batchsched.plan.census import Census
from batchsched.plan.reading import company, meets_terms, tolerates, wanted_by
from batchsched.plan.verify import final_state
from batchsched.snapshot.labels import NodeSelectorTerm
from batchsched.snapshot.node import Taint
from batchsched.snapshot.pod import Toleration
from batchsched.snapshot.snapshot import pending
from tests.builders import (
    make_node,
    make_pod,
    make_snapshot,
    make_spec,
    node_term,
    pod_term,
    requirement,
    selector,
)

VALUES = ["", "1", "2", "01", "-1", "+1", "x", "9223372036854775808"]


def test_tolerations() -> None:
    for key, operator, value, effect in itertools.product(
        ("", "k"), ("", "Equal", "Exists", "Gt", "Lt"), VALUES, ("", "NoSchedule")
    ):
        toleration = Toleration(key, operator, value, effect)
        for taint_key, given, given_effect in itertools.product(
            ("k", "l"), VALUES, ("NoSchedule", "NoExecute")
        ):
            taint = Taint(taint_key, given, given_effect)
            assert tolerates(toleration, taint) == filters_tolerate(toleration, taint)


def node_terms() -> list[NodeSelectorTerm]:
    found = [node_term()]
    for operator, values in itertools.product(
        ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"), ((), ("1",), ("1", "x"), ("5",))
    ):
        found.append(node_term(requirement("size", operator, *values)))
        name = requirement("metadata.name", operator, *(f"n{v}" for v in values))
        if operator in ("In", "NotIn"):
            found.append(node_term(fields=[name]))
            found.append(node_term(requirement("size"), fields=[name]))
    return found


def test_node_terms() -> None:
    sizes: list[dict[str, str]] = [{}, {"size": "1"}, {"size": "3"}, {"size": "x"}]
    nodes = tuple(make_node(f"n{i}", labels=labels) for i, labels in enumerate(sizes))
    terms = Topology(nodes).terms
    for chosen in [None, (), *((term,) for term in node_terms())]:
        masked = terms.any_of(chosen).tolist()
        plain = [meets_terms(chosen, node.name, dict(node.labels)) for node in nodes]
        assert masked == plain, chosen
        spec = make_spec(node_affinity=chosen, node_selector={"size": "1"})
        both = terms.required(spec.node_selector, chosen).tolist()
        assert both == [wanted_by(spec, node.name, dict(node.labels)) for node in nodes]


def test_pod_terms_and_their_namespaces() -> None:
    spaces = (("b", (("team", "x"),)),)
    pods = [
        make_pod(f"{space}{i}", namespace=space, labels=labels, node="n1")
        for space in ("a", "b")
        for i, labels in enumerate(({}, {"app": "x"}, {"app": "y"}))
    ]
    snapshot = make_snapshot([make_node("n1")], pods, namespaces=spaces)
    census = Census(final_state(snapshot, pending(snapshot), {}))
    known = NamespaceLabels(spaces)
    by_name = selector({"kubernetes.io/metadata.name": "a"})
    for chosen, names, selected in itertools.product(
        (
            None,
            selector(),
            selector({"app": "x"}),
            selector(None, requirement("app", "NotIn", "x")),
        ),
        ((), ("a",), ("b",), ("a", "b")),
        (None, selector(), selector({"team": "x"}), by_name),
    ):
        term = pod_term(chosen, namespaces=names, namespace_selector=selected)
        kinds = census.selected(company(term, "a"))
        found = {(kind.namespace, tuple(sorted(kind.labels.items()))) for kind in kinds}
        filters = of_term(term, "a")
        expected = {(p.namespace, p.labels) for p in pods if selects_pod(filters, p, known)}
        assert found == expected, term
