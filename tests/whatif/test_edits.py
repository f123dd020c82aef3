"""Edits do what the cluster's own controllers would do, and refuse what cannot be meant."""

import pytest

from batchsched.snapshot.errors import InputError
from batchsched.snapshot.pod import OwnerRef
from batchsched.snapshot.snapshot import pending
from batchsched.testing.builders import make_node, make_pod, snapshot_of
from batchsched.whatif import edits
from batchsched.whatif.edits import HOSTNAME, Edited

JOB = OwnerRef("batch/v1", "Job", "report", "uid-report")
DAEMON = OwnerRef("apps/v1", "DaemonSet", "logs", "uid-logs")


def cluster() -> Edited:
    """Two nodes; on the first a pod of a Job, one of a DaemonSet and one of nobody."""
    running = [
        make_pod("owned", node="a", pod={"owner": JOB}),
        make_pod("daemon", node="a", pod={"owner": DAEMON}),
        make_pod("alone", node="a"),
    ]
    waiting = [
        make_pod(f"report-{i}", pod={"owner": JOB}, requests={"cpu": 1000}) for i in range(3)
    ]
    return Edited(snapshot_of(make_node("a"), make_node("b"), *running, *waiting))


def names(edited: Edited) -> list[str]:
    """Who waits."""
    return [pod.name for pod in pending(edited.snapshot).pods]


def test_copies_have_names_and_hostnames_of_their_own() -> None:
    found = edits.add_nodes(cluster(), make_node("a"), 2).snapshot.nodes
    assert [node.name for node in found] == ["a", "a-new-0001", "a-new-0002", "b"]
    assert [dict(node.labels)[HOSTNAME] for node in found[1:3]] == ["a-new-0001", "a-new-0002"]


def test_of_a_node_that_goes_controllers_make_their_pods_anew_and_the_others_are_lost() -> None:
    found = edits.remove_node(cluster(), "a")
    assert [pod.name for pod in found.returning] == ["owned"]
    assert [pod.name for pod in found.lost] == ["alone"]
    assert names(found) == ["owned", "report-0", "report-1", "report-2"]
    assert {pod.name for pod in found.snapshot.pods}.isdisjoint({"alone", "daemon"})


def test_a_cordoned_node_keeps_its_pods() -> None:
    found = edits.cordon(cluster(), "a").snapshot
    assert [node.unschedulable for node in found.nodes] == [True, False]
    assert len(found.pods) == 6


def test_requests_change_for_pending_pods_and_what_is_not_named_stays() -> None:
    found = edits.set_requests(cluster(), "report", edits.amounts("memory=1Gi"))
    asked = [dict(pod.spec.requests) for pod in pending(found.snapshot).pods]
    assert asked == [{"cpu": 1000, "memory": 2**30}] * 3


@pytest.mark.parametrize("count", [0, 1, 3, 5])
def test_a_scaled_workload_has_so_many_pending_pods(count: int) -> None:
    assert len(names(edits.scale(cluster(), "report", count))) == count


def test_priority_changes_for_pending_pods() -> None:
    found = edits.set_priority(cluster(), "default/report", 7)
    assert {pod.spec.priority for pod in pending(found.snapshot).pods} == {7}


@pytest.mark.parametrize("text", ["cpu", "cpu=", "=1", "cpu=x", "cpu=-1"])
def test_amounts_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        edits.amounts(text)


def test_what_is_not_there_cannot_be_changed() -> None:
    with pytest.raises(InputError, match="no node"):
        edits.remove_node(cluster(), "z")
    with pytest.raises(InputError, match="no pending pod"):
        edits.scale(cluster(), "other", 2)
