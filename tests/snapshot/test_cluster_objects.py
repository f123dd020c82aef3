"""Nodes, volumes and their like, decoded."""

from typing import Any

import pytest

from batchsched.snapshot.errors import InputError
from batchsched.snapshot.labels import LabelSelector, NodeSelectorTerm, Requirement
from batchsched.snapshot.node import Taint
from batchsched.snapshot.pod import ClaimRef, Disk
from batchsched.snapshot.storage import CSIDriver, CSINode, VolumeAttachment
from tests.snapshot.manifests import node, obj, pod, read_node, read_pod, snapshot_of

STORAGE = "storage.k8s.io/v1"
ZONE = "topology.kubernetes.io/zone"


def test_a_node_offers_what_is_allocatable_and_not_its_capacity() -> None:
    raw = node(capacity={"cpu": "8", "memory": "64Gi"})
    assert dict(read_node(raw).allocatable) == {"cpu": 4000, "memory": 16 * 2**30, "pods": 110}


def test_a_node_without_allocatable_offers_nothing() -> None:
    assert read_node(obj("Node", "n", status={"capacity": {"cpu": "8"}})).allocatable == ()


def test_conditions_are_not_read_but_taints_are() -> None:
    raw = node(conditions=[{"type": "Ready", "status": "False"}])
    raw["spec"] = {
        "unschedulable": True,
        "taints": [
            {"key": "b", "effect": "NoExecute", "timeAdded": "2025-01-01T00:00:00Z"},
            {"key": "a", "value": "v", "effect": "NoSchedule"},
        ],
    }
    found = read_node(raw)
    assert found.unschedulable
    assert found.taints == (Taint("a", "v", "NoSchedule"), Taint("b", "", "NoExecute"))


def test_images_without_names_are_passed_over() -> None:
    images = [{"names": None, "sizeBytes": 5}, {"names": ["b", "a"], "sizeBytes": 7}]
    assert read_node(node(images=images)).images == (("a", 7), ("b", 7))


def test_declared_features_are_sorted() -> None:
    assert read_node(node(declaredFeatures=["B", "A"])).features == ("A", "B")


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (node(allocatable={"cpu": "-1"}), "status.allocatable.cpu"),
        (node(allocatable={"pods": "1500m"}), "status.allocatable"),
        (node(allocatable=[]), "status.allocatable"),
        ({**node(), "spec": {"taints": [{"key": "a"}]}}, "spec.taints[0].effect"),
        (
            {**node(), "spec": {"taints": [{"key": "a", "effect": "Never"}]}},
            "spec.taints[0].effect",
        ),
        ({**node(), "spec": {"taints": [{"effect": "NoSchedule"}]}}, "spec.taints[0].key"),
        ({**node(), "spec": {"unschedulable": "yes"}}, "spec.unschedulable"),
        (obj("Node", "n", metadata={"labels": {"a": 5}}), "metadata.labels.a"),
    ],
)
def test_a_bad_node_is_refused_with_its_field(raw: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as refused:
        read_node(raw)
    assert refused.value.field == field


def claim(**fields: Any) -> dict[str, Any]:
    return obj("PersistentVolumeClaim", "c", namespace="default", **fields)


def test_no_class_and_an_empty_class_differ() -> None:
    assert snapshot_of(claim(spec={})).claims[0].storage_class is None
    assert snapshot_of(claim(spec={"storageClassName": ""})).claims[0].storage_class == ""


def test_a_claim_says_what_it_wants_and_whether_it_is_bound() -> None:
    notes = {
        "pv.kubernetes.io/bind-completed": "yes",
        "volume.kubernetes.io/selected-node": "n1",
        "volume.beta.kubernetes.io/storage-class": "old",
    }
    spec = {
        "resources": {"requests": {"storage": "1.5Gi"}},
        "accessModes": ["ReadWriteOncePod"],
        "volumeName": "v",
    }
    found = snapshot_of(claim(spec=spec, metadata={"annotations": notes})).claims[0]
    assert found.bound
    assert (found.storage_class, found.selected_node, found.volume_name) == ("old", "n1", "v")
    assert (found.request_bytes, found.access_modes) == (3 * 2**29, ("ReadWriteOncePod",))


def test_a_claim_is_bound_when_its_binding_was_completed_and_not_by_its_phase() -> None:
    """kube-scheduler's isPVCFullyBound reads the annotation alone."""
    found = snapshot_of(claim(spec={"volumeName": "v"}, status={"phase": "Bound"})).claims[0]
    assert not found.bound


def test_claims_and_volumes_keep_their_attributes_class() -> None:
    found = snapshot_of(claim(spec={"volumeAttributesClassName": "fast"})).claims[0]
    assert found.attributes_class == "fast"
    assert volume(volumeAttributesClassName="slow").attributes_class == "slow"


def volume(labels: dict[str, str] | None = None, **spec: Any) -> Any:
    raw = obj("PersistentVolume", "v", spec=spec, metadata={"labels": labels or {}})
    return snapshot_of(raw).volumes[0]


@pytest.mark.parametrize(
    ("source", "labels", "translated"),
    [
        ({"csi": {"driver": "d", "volumeHandle": "h"}}, {}, (None, "d", "h")),
        (
            {"awsElasticBlockStore": {"volumeID": "aws://us-west-2c/vol-07"}},
            {},
            ("kubernetes.io/aws-ebs", "ebs.csi.aws.com", "vol-07"),
        ),
        (
            {"awsElasticBlockStore": {"volumeID": "vol-07"}},
            {},
            ("kubernetes.io/aws-ebs", "ebs.csi.aws.com", "vol-07"),
        ),
        (
            {"gcePersistentDisk": {"pdName": "d"}},
            {ZONE: "europe-west1-b"},
            (
                "kubernetes.io/gce-pd",
                "pd.csi.storage.gke.io",
                "projects/UNSPECIFIED/zones/europe-west1-b/disks/d",
            ),
        ),
        (
            {"gcePersistentDisk": {"pdName": "d"}},
            {ZONE: "europe-west1-b__europe-west1-c"},
            (
                "kubernetes.io/gce-pd",
                "pd.csi.storage.gke.io",
                "projects/UNSPECIFIED/regions/europe-west1/disks/d",
            ),
        ),
        (
            {"azureDisk": {"diskName": "n", "diskURI": "/subscriptions/x"}},
            {},
            ("kubernetes.io/azure-disk", "disk.csi.azure.com", "/subscriptions/x"),
        ),
        (
            {"cinder": {"volumeID": "id"}},
            {},
            ("kubernetes.io/cinder", "cinder.csi.openstack.org", "id"),
        ),
        (
            {"vsphereVolume": {"volumePath": "[ds] a.vmdk"}},
            {},
            ("kubernetes.io/vsphere-volume", "csi.vsphere.vmware.com", "[ds] a.vmdk"),
        ),
        ({"nfs": {"server": "s", "path": "/"}}, {}, (None, None, None)),
    ],
)
def test_volumes_are_known_by_driver_and_handle(
    source: dict[str, Any], labels: dict[str, str], translated: tuple[str | None, ...]
) -> None:
    found = volume(labels, **source)
    assert (found.in_tree, found.driver, found.handle) == translated


def test_a_volume_keeps_its_claim_and_its_nodes() -> None:
    terms = [{"matchExpressions": [{"key": ZONE, "operator": "In", "values": ["a"]}]}]
    found = volume(
        claimRef={"namespace": "x", "name": "c", "uid": "u"},
        capacity={"storage": "10G"},
        nodeAffinity={"required": {"nodeSelectorTerms": terms}},
    )
    assert found.claim == ("x", "c", "u")
    assert found.capacity_bytes == 10**10
    assert found.node_affinity == (NodeSelectorTerm((Requirement(ZONE, "In", ("a",)),)),)


def test_a_class_says_when_and_where_volumes_are_made() -> None:
    raw = obj(
        "StorageClass",
        "s",
        api=STORAGE,
        provisioner="p",
        volumeBindingMode="WaitForFirstConsumer",
        allowedTopologies=[{"matchLabelExpressions": [{"key": ZONE, "values": ["b", "a"]}]}],
        metadata={"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    )
    found = snapshot_of(raw).storage_classes[0]
    assert found.wait_for_first_consumer
    assert found.default
    assert found.allowed_topologies == (NodeSelectorTerm((Requirement(ZONE, "In", ("a", "b")),)),)
    plain = snapshot_of(obj("StorageClass", "s", api=STORAGE, provisioner="p")).storage_classes[0]
    assert plain.allowed_topologies is None


def test_attach_limits_are_per_driver() -> None:
    drivers = [{"name": "b", "allocatable": {"count": 25}}, {"name": "a"}]
    notes = {
        "storage.alpha.kubernetes.io/migrated-plugins": "kubernetes.io/gce-pd,kubernetes.io/aws-ebs"
    }
    raw = obj(
        "CSINode", "n1", api=STORAGE, spec={"drivers": drivers}, metadata={"annotations": notes}
    )
    assert snapshot_of(raw).csi_nodes == (
        CSINode("n1", (("a", None), ("b", 25)), ("kubernetes.io/aws-ebs", "kubernetes.io/gce-pd")),
    )


def test_drivers_and_attachments_are_read() -> None:
    driver = obj("CSIDriver", "d", api=STORAGE, spec={"storageCapacity": True})
    source = {"persistentVolumeName": "v"}
    attachment = {"attacher": "d", "nodeName": "n1", "source": source}
    found = snapshot_of(driver, obj("VolumeAttachment", "a", api=STORAGE, spec=attachment))
    assert found.csi_drivers == (CSIDriver("d", storage_capacity=True),)
    assert found.attachments == (VolumeAttachment("a", "n1", "d", "v"),)


def test_free_room_of_a_class_is_read() -> None:
    raw = obj(
        "CSIStorageCapacity", "s", api=STORAGE, namespace="x", storageClassName="c", capacity="1Gi"
    )
    found = snapshot_of(raw).csi_capacities[0]
    assert (found.storage_class, found.capacity_bytes) == ("c", 2**30)
    assert found.maximum_volume_bytes is None
    assert found.node_topology is None


def test_a_device_claim_is_honoured_once_it_is_allocated() -> None:
    terms = {
        "nodeSelectorTerms": [
            {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}
        ]
    }
    status = {"allocation": {"nodeSelector": terms}, "reservedFor": [{"name": "p", "uid": "u"}]}
    raw = obj("ResourceClaim", "c", api="resource.k8s.io/v1", namespace="x", status=status)
    found = snapshot_of(raw).resource_claims[0]
    assert found.allocated
    assert found.reserved_for == ("u",)
    assert found.node_selector == (
        NodeSelectorTerm(fields=(Requirement("metadata.name", "In", ("n1",)),)),
    )


def test_an_empty_budget_selector_meant_nothing_in_v1beta1() -> None:
    for version, selector in (("v1", LabelSelector()), ("v1beta1", None)):
        raw = obj(
            "PodDisruptionBudget",
            "b",
            api=f"policy/{version}",
            namespace="x",
            spec={"selector": {}},
            status={"disruptionsAllowed": 2},
        )
        found = snapshot_of(raw).budgets[0]
        assert (found.selector, found.disruptions_allowed) == (selector, 2)


def test_an_ephemeral_volume_is_a_claim_named_after_the_pod() -> None:
    volumes = [
        {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {}}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "shared"}},
        {"name": "token", "projected": {}},
    ]
    first, second = snapshot_of(*(pod(name, volumes=volumes) for name in ("a", "b"))).pods
    assert first.spec.claims == (ClaimRef("a-scratch", ephemeral=True), ClaimRef("shared"))
    assert second.spec.claims == (ClaimRef("b-scratch", ephemeral=True), ClaimRef("shared"))


def test_inline_disks_are_kept_for_conflicts_and_for_limits() -> None:
    volumes = [
        {"gcePersistentDisk": {"pdName": "d", "readOnly": True}},
        {"awsElasticBlockStore": {"volumeID": "vol-1"}},
        {"iscsi": {"iqn": "i", "targetPortal": "t", "lun": 0}},
        {"rbd": {"monitors": ["m2", "m1"], "image": "i"}},
        {"image": {"reference": "model"}},
    ]
    spec = read_pod(volumes=volumes).spec
    assert spec.disks == (
        Disk("awsElasticBlockStore", ("vol-1",)),
        Disk("gcePersistentDisk", ("d",), read_only=True),
        Disk("iscsi", ("i",)),
        Disk("rbd", ("rbd", "i"), monitors=("m1", "m2")),
    )
    assert [driver for _, driver, _ in spec.inline_volumes] == [
        "ebs.csi.aws.com",
        "pd.csi.storage.gke.io",
    ]
    assert spec.images == ("model:latest",)


def test_a_bad_volume_is_refused_at_its_own_place_in_the_list() -> None:
    volumes = [{"name": "token", "projected": {}}, {"name": "d", "persistentVolumeClaim": {}}]
    with pytest.raises(InputError) as refused:
        read_pod(volumes=volumes)
    assert refused.value.field == "spec.volumes[1].persistentVolumeClaim.claimName"
