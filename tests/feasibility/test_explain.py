"""Explanations: kube-scheduler's words, to the letter."""

from batchsched.feasibility.explain import explain, unschedulable_message
from batchsched.snapshot.node import Taint
from batchsched.snapshot.pod import ClaimRef
from tests.builders import make_node, make_pod, make_replicas, make_snapshot

TAINTED = [Taint("t", "", "NoSchedule")]


def test_reasons_are_counted_and_sorted_as_text() -> None:
    said = unschedulable_message(
        14, [(("Too many pods", "Insufficient cpu"), 2), (("Insufficient cpu",), 10), (("x",), 2)]
    )
    assert said == "0/14 nodes are available: 12 Insufficient cpu, 2 Too many pods, 2 x."


def test_a_pod_that_was_left_is_told_of_the_final_state() -> None:
    pods = make_replicas(3, cpu=3000)
    nodes = [make_node("n1"), make_node("n2"), make_node("n3", taints=TAINTED)]
    placements = {pods[0].key: "n1", pods[1].key: "n2"}
    said = explain(make_snapshot(nodes, pods), placements, pods[2:])
    assert said == {
        pods[2].key: "0/3 nodes are available: 1 node(s) had untolerated taint(s), "
        "2 Insufficient cpu."
    }


def test_what_rules_out_every_node_is_said_once() -> None:
    pod = make_pod(claims=(ClaimRef("c"),))
    said = explain(make_snapshot([make_node("n1"), make_node("n2")], [pod]), {}, [pod])
    assert said[pod.key] == '0/2 nodes are available: persistentvolumeclaim "c" not found.'


def test_nodes_that_would_take_the_pod_alone_are_counted() -> None:
    pod = make_pod(cpu=1000)
    nodes = [make_node("n1"), make_node("n2", cpu=1)]
    said = explain(make_snapshot(nodes, [pod]), {}, [pod])
    assert said[pod.key] == "1/2 nodes are available: 1 Insufficient cpu."


def test_a_cluster_without_nodes_has_none_available() -> None:
    pod = make_pod()
    assert explain(make_snapshot([], [pod]), {}, [pod])[pod.key] == "0/0 nodes are available."


def test_every_pod_of_a_class_is_told_the_same() -> None:
    pods = make_replicas(3, cpu=9000)
    said = explain(make_snapshot([make_node()], pods), {}, pods)
    assert said == {pod.key: "0/1 nodes are available: 1 Insufficient cpu." for pod in pods}
