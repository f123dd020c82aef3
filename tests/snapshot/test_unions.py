"""Unions: gangs that start only together, as Koordinator's annotation names them."""

import json
from typing import Any

import pytest

from batchsched.snapshot.encode_cluster import written
from batchsched.snapshot.read import read
from batchsched.snapshot.snapshot import Snapshot
from tests.snapshot.manifests import obj, pod, snapshot_of

MARK = "gang.scheduling.koordinator.sh"
Raw = dict[str, Any]


def member(gang: str, *others: str, name: str = "") -> Raw:
    """A pod of a gang of one that names others."""
    notes = {f"{MARK}/name": gang, f"{MARK}/min-available": "1"}
    notes |= {f"{MARK}/groups": json.dumps(others)} if others else {}
    return pod(name or f"{gang}-0", metadata={"annotations": notes})


def unions(snapshot: Snapshot) -> dict[str, list[str]]:
    """The names of the groups in the union of each group; read again, they are the same."""
    assert read([("written.json", written(snapshot))]).groups == snapshot.groups
    return {group.name: [name for _, name, _ in group.union] for group in snapshot.groups}


def test_gangs_that_name_each_other_start_together() -> None:
    snapshot = snapshot_of(member("a", "default/a", "default/b"), member("b", "a", "b"))
    assert unions(snapshot) == {"a": ["a", "b"], "b": ["a", "b"]}
    first, second = snapshot.groups
    assert first.unit == second.unit == first.key
    assert first.unit_count == second.unit_count == 2


def test_a_ring_of_gangs_is_one_union() -> None:
    """Koordinator #872: a names b, b names c, c names a."""
    ring = snapshot_of(member("a", "default/b"), member("b", "default/c"), member("c", "default/a"))
    assert unions(ring) == {name: ["a", "b", "c"] for name in "abc"}


def test_who_is_named_is_of_the_union_though_it_names_nobody() -> None:
    chain = snapshot_of(member("a", "default/b"), member("b"), member("c"))
    assert unions(chain) == {"a": ["a", "b"], "b": ["a", "b"], "c": []}


def test_a_gang_that_names_itself_alone_is_alone() -> None:
    (found,) = snapshot_of(member("a", "default/a")).groups
    assert (found.union, found.unit, found.problem) == ((), found.key, None)


def test_a_union_waits_for_a_gang_that_does_not_exist() -> None:
    snapshot = snapshot_of(member("a", "default/b", "default/gone"), member("b"))
    why = "it starts only together with gang default/gone, which does not exist"
    assert [group.problem for group in snapshot.groups] == [why, why]


@pytest.mark.parametrize("text", ["[3]", "{", '"a"', '[""]'])
def test_what_cannot_be_read_is_a_problem(text: str) -> None:
    raw = member("a")
    raw["metadata"]["annotations"][f"{MARK}/groups"] = text
    assert "cannot be read" in str(snapshot_of(raw).groups[0].problem)


@pytest.mark.parametrize("api", ["scheduling.sigs.k8s.io", "scheduling.x-k8s.io"])
def test_pod_groups_of_coscheduling_name_others_by_the_same_annotation(api: str) -> None:
    objects = []
    for gang in ("a", "b"):
        labels = {"scheduling.x-k8s.io/pod-group": gang}
        objects.append(pod(f"{gang}-0", metadata={"labels": labels}))
        group = obj("PodGroup", gang, api=f"{api}/v1alpha1", namespace="default")
        group["metadata"]["annotations"] = {f"{MARK}/groups": '["default/a", "default/b"]'}
        objects.append({**group, "spec": {"minMember": 1}})
    assert unions(snapshot_of(*objects)) == {"a": ["a", "b"], "b": ["a", "b"]}
