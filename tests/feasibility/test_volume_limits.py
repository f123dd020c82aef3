"""NodeVolumeLimits: what a node can attach."""

from typing import Any

from batchsched.snapshot.pod import ClaimRef, OwnerRef, Pod
from batchsched.snapshot.storage import (
    CSIDriver,
    CSINode,
    PersistentVolume,
    PersistentVolumeClaim,
    StorageClass,
    VolumeAttachment,
)
from tests.builders import make_node, make_pod
from tests.feasibility.asking import fits, reasons

DRIVER = "csi.example.com"
NODES = [make_node("n1"), make_node("n2")]
FULL = ["node(s) exceed max volume count"]
VOLUMES = [PersistentVolume(f"v{i}", driver=DRIVER, handle=f"h{i}") for i in range(4)]
CLAIMS = [
    PersistentVolumeClaim("default", f"c{i}", f"uid-c{i}", volume_name=f"v{i}", bound=True)
    for i in range(4)
]
OBJECTS: dict[str, Any] = {
    "claims": CLAIMS,
    "volumes": VOLUMES,
    "csi_nodes": [CSINode("n1", ((DRIVER, 2),)), CSINode("n2", ((DRIVER, None),))],
}


def using(name: str, *claims: str, node: str | None = None) -> Pod:
    """A pod that mounts claims."""
    return make_pod(name, claims=tuple(ClaimRef(c) for c in claims), node=node)


def test_a_node_attaches_no_more_than_it_can() -> None:
    said = reasons(using("p", "c0", "c1", "c2"), NODES, **OBJECTS)
    assert said == {"n1": FULL, "n2": []}
    assert fits(using("p", "c0", "c1"), NODES, **OBJECTS) == ["n1", "n2"]


def test_a_volume_that_is_there_counts_once() -> None:
    running = [using("r1", "c0", "c1", node="n1"), using("r2", "c0", node="n1")]
    assert fits(using("p", "c0", "c1"), NODES, running, **OBJECTS) == ["n1", "n2"]
    assert fits(using("p", "c2"), NODES, running, **OBJECTS) == ["n2"]


def test_attachments_that_no_pod_explains_count() -> None:
    """33."""
    attached = [VolumeAttachment(f"a{i}", "n1", DRIVER, f"v{i}") for i in (0, 1)]
    assert fits(using("p", "c2"), NODES, attachments=attached, **OBJECTS) == ["n2"]
    one = [using("r", "c0", node="n1")]
    assert fits(using("p", "c2"), NODES, one, attachments=attached[:1], **OBJECTS) == ["n1", "n2"]


def test_a_pod_without_volumes_is_stopped_by_no_limit() -> None:
    running = [using("r", "c0", "c1", "c2", node="n1")]
    assert fits(make_pod("p"), NODES, running, **OBJECTS) == ["n1", "n2"]


def test_an_unbound_claim_counts_for_its_provisioner() -> None:
    fast = StorageClass("fast", DRIVER, wait_for_first_consumer=True)
    claims = [*CLAIMS, PersistentVolumeClaim("default", "new", "u", storage_class="fast")]
    objects = {**OBJECTS, "claims": claims, "storage_classes": [fast]}
    running = [using("r", "c0", "c1", node="n1")]
    assert fits(using("p", "new"), NODES, running, **objects) == ["n2"]


def test_in_tree_disks_count_for_the_driver_that_serves_them() -> None:
    driver = "ebs.csi.aws.com"
    inline = (("kubernetes.io/aws-ebs", driver, "vol-1"),)
    nodes = [CSINode("n1", ((driver, 0),))]
    assert fits(make_pod(inline_volumes=inline), NODES, csi_nodes=nodes) == ["n2"]
    share = (("kubernetes.io/azure-file", "file.csi.azure.com", "s"),)
    full = [CSINode("n1", (("file.csi.azure.com", 0),))]
    assert fits(make_pod(inline_volumes=share), NODES, csi_nodes=full) == ["n1", "n2"]


def test_a_driver_may_forbid_nodes_where_it_is_missing() -> None:
    strict = [CSIDriver(DRIVER, prevent_scheduling_if_missing=True)]
    objects = {**OBJECTS, "csi_nodes": OBJECTS["csi_nodes"][:1]}
    said = reasons(using("p", "c0"), NODES, csi_drivers=strict, **objects)
    assert said == {"n1": [], "n2": [f"{DRIVER} CSI driver is not installed on the node"]}
    assert fits(using("p", "c0"), NODES, **objects) == ["n1", "n2"]


def test_a_node_with_a_strangers_ephemeral_claim_cannot_be_counted() -> None:
    owner = OwnerRef("v1", "Pod", "other", "other")
    claims = [*CLAIMS, PersistentVolumeClaim("default", "r-v", "u", owner=owner)]
    running = [make_pod("r", claims=(ClaimRef("r-v", ephemeral=True),), node="n1")]
    said = reasons(using("p", "c0"), NODES, running, **{**OBJECTS, "claims": claims})
    assert said["n1"] == ["PVC default/r-v was not created for pod default/r (pod is not owner)"]
    assert said["n2"] == []
