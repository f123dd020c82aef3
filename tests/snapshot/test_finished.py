"""Members that succeeded: so many fewer others must start together."""

from typing import Any

import pytest

from batchsched.snapshot.encode_cluster import written
from batchsched.snapshot.read import read
from tests.snapshot.manifests import obj, pod, snapshot_of

LABEL = "scheduling.x-k8s.io/pod-group"


def member(name: str, phase: str = "Pending", owner: str | None = "run-1") -> dict[str, Any]:
    """A pod of the gang; of a controller of this uid, unless it is ``None``."""
    meta: dict[str, Any] = {"labels": {LABEL: "g"}}
    if owner is not None:
        kind = {"apiVersion": "kubeflow.org/v1", "kind": "MPIJob", "name": owner, "uid": owner}
        meta["ownerReferences"] = [{**kind, "controller": True}]
    return pod(name, metadata=meta, status={"phase": phase})


def least(*members: dict[str, Any]) -> int:
    """The minimum that is left of a minimum of four, and still is when it is read again."""
    spec = {"minMember": 4}
    group = obj("PodGroup", "g", api="scheduling.x-k8s.io/v1alpha1", namespace="default", spec=spec)
    snapshot = snapshot_of(*members, group)
    (found,) = snapshot.groups
    assert read([("written.json", written(snapshot))]).groups == (found,)
    return found.min_count


@pytest.mark.parametrize("owner", ["run-1", None])
def test_a_member_that_succeeded_is_one_that_need_not_start_any_more(owner: str | None) -> None:
    done = [member(name, "Succeeded", owner) for name in ("a", "b")]
    assert least(*done, member("c", owner=owner)) == 2


def test_a_member_that_failed_has_to_start_again() -> None:
    assert least(member("a", "Failed"), member("b")) == 4


def test_who_succeeded_in_an_earlier_run_of_the_same_name_counts_for_nothing() -> None:
    yesterday = [member(name, "Succeeded", "run-0") for name in "abcd"]
    assert least(*yesterday, member("e")) == 4


def test_a_whole_run_of_pods_without_a_controller_is_an_earlier_run() -> None:
    done = [member(name, "Succeeded", None) for name in "abcd"]
    assert least(*done, member("e", owner=None)) == 4
    assert least(*done[1:], member("e", owner=None)) == 1


def test_what_is_being_deleted_counts_for_nothing() -> None:
    leaving = member("a", "Succeeded")
    leaving["metadata"]["deletionTimestamp"] = "2026-11-24T00:00:00Z"
    assert least(leaving, member("b")) == 4


def test_no_minimum_falls_below_none() -> None:
    done = [member(name, "Succeeded") for name in "abcde"]
    assert least(*done, member("f")) == 0
