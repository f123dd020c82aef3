"""Preferences that the node alone decides."""

from collections.abc import Callable

from batchsched.feasibility.columns import IntArray
from batchsched.feasibility.compile import compile_problem
from batchsched.feasibility.preferences import image_locality, intolerable_taints, preferred_nodes
from batchsched.feasibility.problem import Problem
from batchsched.feasibility.spreading import eligible_nodes
from batchsched.snapshot.node import Node, Taint
from batchsched.snapshot.pod import Pod, PodSpec, Toleration
from tests.builders import (
    ZONE,
    make_node,
    make_pod,
    make_snapshot,
    node_term,
    requirement,
    spread,
    window_of,
)

MIB = 1024 * 1024


def problem(nodes: list[Node], *pods: Pod) -> Problem:
    """A problem of some pods."""
    snapshot = make_snapshot(nodes, pods)
    return compile_problem(snapshot, window_of(snapshot))


def asked(
    question: Callable[[Problem, list[PodSpec]], IntArray], nodes: list[Node], pods: list[Pod]
) -> IntArray:
    """What is answered for the specs of some pods."""
    return question(problem(nodes, *pods), [pod.spec for pod in pods])


def test_weights_of_matching_terms_add_up() -> None:
    terms = (
        (10, node_term(requirement(ZONE, "In", "a"))),
        (5, node_term(requirement(ZONE))),
        (7, node_term()),
    )
    nodes = [
        make_node("n1", labels={ZONE: "a"}),
        make_node("n2", labels={ZONE: "b"}),
        make_node("n3"),
    ]
    pods = [make_pod("p1", preferred_nodes=terms), make_pod("p2")]
    assert asked(preferred_nodes, nodes, pods).tolist() == [[15, 5, 0], [0, 0, 0]]


def test_only_taints_that_would_rather_not_are_counted() -> None:
    """13."""
    taints = [Taint(key, "", "PreferNoSchedule") for key in "ab"]
    nodes = [make_node("n1", taints=[*taints, Taint("c", "", "NoSchedule")]), make_node("n2")]
    pods = [
        make_pod("p1"),
        make_pod("p2", tolerations=(Toleration("a", "Exists"),)),
        make_pod("p3", tolerations=(Toleration("a", "Exists", effect="NoSchedule"),)),
    ]
    assert asked(intolerable_taints, nodes, pods).tolist() == [[2, 0], [1, 0], [2, 0]]


def test_an_image_counts_by_its_size_and_by_how_far_it_has_spread() -> None:
    image = (("app:1", 546 * MIB),)
    nodes = [make_node("n1", images=image), make_node("n2", images=image), make_node("n3")]
    pods = [make_pod("p1", images=("app:1",)), make_pod("p2", images=("app:2",))]
    # 546 MiB on two of three nodes are 364; (364 - 23) / (1000 - 23) is 34.9 %.
    assert asked(image_locality, nodes, pods).tolist() == [[34, 34, 0], [0, 0, 0]]


def test_more_containers_need_more_on_the_node() -> None:
    nodes = [make_node("n1", images=(("app:1", 3000 * MIB),))]
    pods = [
        make_pod("p1", images=("app:1",), containers=1),
        make_pod("p2", images=("app:1",), containers=4),
    ]
    assert asked(image_locality, nodes, pods).tolist() == [[100], [74]]


def test_soft_spread_counts_nodes_with_the_keys_of_soft_constraints() -> None:
    soft, hard = spread({}, ZONE, hard=False), spread({}, "rack")
    nodes = [make_node("n1", labels={ZONE: "a"}), make_node("n2", labels={"rack": "r"})]
    both = problem(nodes, make_pod(spread=(soft, hard)))
    assert eligible_nodes(both, 0, soft).tolist() == [True, False]
    assert eligible_nodes(both, 0, hard).tolist() == [False, True]
