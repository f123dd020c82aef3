"""Lists, typed lists, single objects and objects that forgot their kind: each is found, once."""

import json
from typing import Any

import pytest

from batchsched.snapshot.errors import InputError
from batchsched.snapshot.read import read
from batchsched.snapshot.snapshot import Snapshot, pending
from tests.snapshot.manifests import node, obj, pod, snapshot_of


def read_json(value: Any) -> Snapshot:
    return read([("test.json", json.dumps(value).encode())])


def without_kind(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in {"kind", "apiVersion"}}


def test_items_of_a_typed_list_take_its_kind() -> None:
    bare = {"metadata": {"name": "n1"}}
    found = read_json({"kind": "NodeList", "apiVersion": "v1", "items": [bare]})
    assert [entry.name for entry in found.nodes] == ["n1"]


def test_items_without_any_kind_are_told_by_their_shape() -> None:
    volume = obj("PersistentVolume", "v", spec={"persistentVolumeReclaimPolicy": "Delete"})
    found = read_json({"items": [without_kind(entry) for entry in (node(), pod(), volume)]})
    assert (len(found.nodes), len(found.pods), len(found.volumes)) == (1, 1, 1)


def test_an_object_whose_kind_cannot_be_told_is_refused() -> None:
    with pytest.raises(InputError, match="items\\[1\\]: the kind of this object cannot be told"):
        read_json({"items": [node(), {"metadata": {"name": "x"}}]})


def test_lists_may_hold_lists_and_nothing() -> None:
    inner = {"kind": "PodList", "apiVersion": "v1", "items": None}
    outer = {"kind": "List", "apiVersion": "v1", "items": [inner, {"kind": "List"}, node()]}
    assert len(read_json(outer).nodes) == 1
    assert len(read_json([node("a"), node("b")]).nodes) == 2


def test_lists_in_lists_have_an_end() -> None:
    value: dict[str, Any] = {"kind": "List", "items": []}
    for _ in range(20):
        value = {"kind": "List", "items": [value]}
    with pytest.raises(InputError, match="lists in lists"):
        read_json(value)


def test_other_kinds_are_counted_and_left_alone() -> None:
    found = snapshot_of(
        obj("ConfigMap", "a"),
        obj("ConfigMap", "b", data={"x": 1}),
        obj("Job", "j", api="batch.volcano.sh/v1alpha1", spec={"minAvailable": "nonsense"}),
        obj("PodGroup", "g", api="scheduling.example.com/v2alpha2", spec={"minMember": "nonsense"}),
        obj("Node", "n", api="metrics.example.com/v1"),
        node(),
    )
    assert found.others == (
        ("ConfigMap", 2),
        ("Job.batch.volcano.sh", 1),
        ("Node.metrics.example.com", 1),
        ("PodGroup.scheduling.example.com", 1),
    )


def test_a_pod_group_without_an_api_version_is_refused() -> None:
    group = {"kind": "PodGroup", "metadata": {"name": "g"}}
    with pytest.raises(InputError, match="six API groups"):
        snapshot_of(group)


def test_two_nodes_of_one_name_are_refused_and_both_files_named() -> None:
    documents = [(name, json.dumps(node()).encode()) for name in ("a.json", "b.json")]
    with pytest.raises(InputError, match=r"^b\.json: Node n1: is there twice.* in a\.json"):
        read(documents)


@pytest.mark.parametrize(
    "entry",
    [
        pod(),
        obj("PersistentVolumeClaim", "c", namespace="x"),
        obj("StorageClass", "s", api="storage.k8s.io/v1"),
        obj("Job", "j", api="batch/v1", namespace="x"),
        obj("Service", "s", namespace="x"),
        obj("Namespace", "x"),
    ],
)
def test_no_object_may_be_there_twice(entry: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="is there twice, the first time in the same file"):
        snapshot_of(entry, entry)


def test_one_name_in_two_namespaces_is_two_objects() -> None:
    first, second = (obj("PersistentVolumeClaim", "c", namespace=space) for space in "ab")
    assert [claim.key for claim in snapshot_of(second, first).claims] == [("a", "c"), ("b", "c")]


def test_an_object_without_a_namespace_is_in_default() -> None:
    entry = pod()
    del entry["metadata"]["namespace"]
    assert snapshot_of(entry).pods[0].key == ("default", "p")


def test_a_snapshot_without_nodes_is_refused_and_says_what_it_holds() -> None:
    with pytest.raises(InputError, match=r"has no Node \(1 ConfigMap, 2 Pod\)"):
        snapshot_of(pod("a"), pod("b"), obj("ConfigMap", "c"), nodes=False)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("text", r"items\[0\]: is not a Kubernetes object"),
        (None, r"items\[0\]: is not a Kubernetes object"),
        ({"kind": 5}, r"items\[0\]: kind: must be text"),
        ({"kind": "Pod", "apiVersion": ["v1"]}, r"items\[0\]: apiVersion: must be text"),
        ({"kind": "PodList", "items": {"a": 1}}, r"items\[0\]\.items: must be a list"),
        ({"kind": "Pod", "apiVersion": "v1"}, r"Pod at items\[0\]: metadata: is missing"),
        (obj("Pod", "p", metadata={"name": None}), "metadata.name: this is null, but text"),
        (obj("Pod", "p", metadata={"name": ""}), "metadata.name: is empty"),
        (obj("Node", "a b"), "metadata.name: .* cannot be a name"),
        (obj("Node", "node-{{.Index}}"), "looks like a template: render it first"),
        ({**pod(), "metadata": {"generateName": "x-"}}, "there is only generateName"),
        ({**pod(), "spec": None}, "Pod default/p: spec: this is null, but an object"),
        ({**pod(), "spec": {}}, r"spec\.containers: is missing"),
        (pod(metadata={"labels": {"a": 1}}), "metadata.labels.a: 1 is a number.* put it in quotes"),
        (
            pod(metadata={"labels": {"app.kubernetes.io/name": True}}),
            r'metadata\.labels\["app\.kubernetes\.io/name"\]: true is a boolean',
        ),
    ],
)
def test_what_is_malformed_is_refused_with_its_place(entry: Any, says: str) -> None:
    with pytest.raises(InputError, match=says) as refused:
        read_json({"kind": "List", "items": [entry]})
    assert str(refused.value).startswith("test.json: ")


def test_null_is_the_same_as_absent() -> None:
    entry = pod(nodeSelector=None, tolerations=None, affinity=None, volumes=None, priority=None)
    entry["metadata"] |= {"labels": None, "annotations": None, "ownerReferences": None}
    assert snapshot_of(entry) == snapshot_of(pod())


def test_objects_are_sorted_whatever_their_order() -> None:
    objects = [node("b"), node("a"), pod("z"), pod("y"), obj("ConfigMap", "c")]
    assert snapshot_of(*objects) == snapshot_of(*reversed(objects))


def test_pending_pods_are_those_that_wait_for_a_node() -> None:
    found = snapshot_of(
        pod("waits"),
        pod("bound", nodeName="n1"),
        pod("elsewhere", nodeName="not-in-the-snapshot"),
        pod("gated", schedulingGates=[{"name": "g"}]),
        pod("ended", status={"phase": "Failed"}),
        pod("leaving", metadata={"deletionTimestamp": "2025-01-01T00:00:00Z"}),
        pod("other", schedulerName="someone"),
    )
    assert [entry.name for entry in pending(found).pods] == ["other", "waits"]
    assert [entry.name for entry in pending(found, ("someone",)).pods] == ["other"]
    assert found.pods[1].node == "not-in-the-snapshot"
