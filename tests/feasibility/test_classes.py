"""Pod classes: who can be told apart, and who cannot."""

from typing import Any

from batchsched.feasibility.classes import pod_classes
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.pod import ClaimRef, OwnerRef, Pod
from batchsched.snapshot.snapshot import PodDisruptionBudget, Snapshot
from tests.builders import (
    make_pod,
    make_replicas,
    make_snapshot,
    pod_term,
    selector,
    spread,
    window_of,
)

WEB = {"app": "web"}


def names(snapshot: Snapshot) -> list[list[str]]:
    """The names of the pods of each class."""
    classes = pod_classes(snapshot, window_of(snapshot).pods, dict(snapshot.group_of))
    return [[pod.name for pod in each.pods] for each in classes]


def grouped(*pods: Pod, **objects: Any) -> list[list[str]]:
    """The classes of some pods."""
    return names(make_snapshot([], pods, **objects))


def test_replicas_are_one_class() -> None:
    assert [len(each) for each in grouped(*make_replicas(1000, cpu=100))] == [1000]


def test_equal_specs_are_one_class_whoever_holds_them() -> None:
    pods = [make_pod("a", cpu=100, scheduler_name="x"), make_pod("b", cpu=100, pod_group="g")]
    assert grouped(*pods) == [["a", "b"]]


def test_different_specs_are_different_classes_in_the_order_of_their_first_pods() -> None:
    pods = [make_pod("b", cpu=1), make_pod("a", cpu=2), make_pod("c", cpu=2)]
    assert grouped(*pods) == [["a", "c"], ["b"]]


def test_labels_that_nobody_looks_at_make_no_difference() -> None:
    pods = [make_pod(f"p{i}", labels={"index": str(i)}) for i in range(3)]
    assert grouped(*pods) == [["p0", "p1", "p2"]]


def test_labels_that_a_selector_names_make_one() -> None:
    pods = [make_pod(f"p{i}", labels={"index": str(i)}) for i in range(4)]
    for looking in (
        make_pod("x", cpu=1, anti_affinity=(pod_term({"index": "2"}),)),
        make_pod("x", cpu=1, preferred_affinity=((5, pod_term({"index": "2"})),)),
        make_pod("x", cpu=1, spread=(spread({"index": "2"}, hard=False),)),
        make_pod("x", cpu=1, node="n1", affinity=(pod_term({"index": "2"}),)),
    ):
        assert grouped(*pods, looking)[:2] == [["p0", "p1", "p3"], ["p2"]]


def test_budgets_look_at_labels_too() -> None:
    pods = [make_pod("p0", labels=WEB), make_pod("p1")]
    budget = PodDisruptionBudget("default", "b", selector(WEB))
    assert grouped(*pods, budgets=[budget]) == [["p0"], ["p1"]]


def test_pods_that_ended_look_at_nothing() -> None:
    gone = make_pod(
        "x", node="n1", anti_affinity=(pod_term({"i": "0"}),), pod={"phase": "Succeeded"}
    )
    pods = [make_pod(f"p{i}", labels={"i": str(i)}) for i in range(2)]
    assert grouped(*pods, gone) == [["p0", "p1"]]


def test_namespaces_that_nobody_can_tell_apart_are_one() -> None:
    pods = [make_pod("p", namespace=ns) for ns in ("blue", "green", "red")]
    assert len(grouped(*pods)) == 1
    named = make_pod("x", cpu=1, anti_affinity=(pod_term(WEB, namespaces=["red"]),))
    assert len(grouped(*pods, named)) == 3
    labelled = pod_term(WEB, namespace_selector=selector({"team": "x"}))
    by_label = make_pod("x", cpu=1, anti_affinity=(labelled,))
    assert len(grouped(*pods, by_label, namespaces=[("blue", (("team", "x"),))])) == 3


def test_a_spec_that_speaks_of_its_namespace_is_another_in_each() -> None:
    for fields in (
        {"claims": (ClaimRef("c"),)},
        {"anti_affinity": (pod_term(WEB),)},
        {"spread": (spread(WEB),)},
    ):
        pods = [make_pod("p", namespace=ns, **fields) for ns in ("blue", "red")]
        assert len(grouped(*pods)) == 2


def test_a_claim_of_its_own_makes_a_pod_a_class_of_its_own() -> None:
    own = [make_pod(f"p{i}", claims=(ClaimRef(f"p{i}-v", ephemeral=True),)) for i in range(2)]
    shared = [make_pod(f"q{i}", claims=(ClaimRef("c"),)) for i in range(2)]
    assert grouped(*own, *shared) == [["p0"], ["p1"], ["q0", "q1"]]
    devices = [make_pod(f"p{i}", resource_claims=(("gpu", None, "t"),)) for i in range(2)]
    assert grouped(*devices) == [["p0"], ["p1"]]


def test_members_of_different_gangs_are_different_classes() -> None:
    pods = make_replicas(4)
    groups = {
        PodGroup("batchsched.io", "default", "g"): pods[:2],
        PodGroup("batchsched.io", "default", "h"): pods[2:3],
    }
    assert grouped(*pods, groups=groups) == [["p-0000", "p-0001"], ["p-0002"], ["p-0003"]]


def test_daemon_pods_are_told_apart_because_packing_does_not_count_them() -> None:
    daemon = OwnerRef("apps/v1", "DaemonSet", "d", "u")
    jobs = [OwnerRef("batch/v1", "Job", name, name) for name in "ab"]
    owners = [daemon, *jobs, None]
    pods = [make_pod(f"p{i}", pod={"owner": owner}) for i, owner in enumerate(owners)]
    assert grouped(*pods) == [["p0"], ["p1", "p2", "p3"]]
