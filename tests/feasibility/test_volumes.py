"""VolumeRestrictions, VolumeBinding and VolumeZone: claims and the volumes behind them."""

from typing import Any

import pytest

from batchsched.snapshot.labels import LabelSelector, NodeSelectorTerm
from batchsched.snapshot.pod import ClaimRef, Disk, OwnerRef, Pod
from batchsched.snapshot.storage import (
    CSIDriver,
    CSINode,
    CSIStorageCapacity,
    PersistentVolume,
    PersistentVolumeClaim,
    StorageClass,
)
from tests.builders import GIB, ZONE, make_node, make_pod, node_term, requirement, selector
from tests.feasibility.asking import fits, reasons

NODES = [make_node(f"n{zone}", labels={ZONE: zone}) for zone in "ab"]
IN_A = (node_term(requirement(ZONE, "In", "a")),)
WAITING = StorageClass("local", "kubernetes.io/no-provisioner", wait_for_first_consumer=True)
DYNAMIC = StorageClass("fast", "csi.example.com", wait_for_first_consumer=True)
CONFLICT = ["node(s) didn't match PersistentVolume's node affinity"]
NO_VOLUME = ["node(s) didn't find available persistent volumes to bind"]
NO_SPACE = ["node(s) did not have enough free storage"]
IMMEDIATE = ["pod has unbound immediate PersistentVolumeClaims"]


def using(*names: str, **fields: Any) -> Pod:
    """A pod that mounts claims."""
    return make_pod(fields.pop("name", "p1"), claims=tuple(ClaimRef(n) for n in names), **fields)


def claim(name: str = "c", **fields: Any) -> PersistentVolumeClaim:
    """A claim in the namespace of the pods; bound where it names its volume."""
    bound = "volume_name" in fields
    return PersistentVolumeClaim("default", name, f"uid-{name}", **{"bound": bound, **fields})


def volume(name: str = "v", **fields: Any) -> PersistentVolume:
    """A volume of 10 GiB that anybody may claim."""
    plain = {"storage_class": "local", "capacity_bytes": 10 * GIB, "phase": "Available"}
    return PersistentVolume(name, **{**plain, **fields})


def test_a_bound_claim_goes_where_its_volume_is() -> None:
    said = reasons(
        using("c"), NODES, claims=[claim(volume_name="v")], volumes=[volume(node_affinity=IN_A)]
    )
    assert said == {"na": [], "nb": CONFLICT}


def test_node_affinity_of_volumes_does_not_see_names() -> None:
    name = requirement("metadata.name", "In", "nowhere")
    only_fields, both = node_term(fields=[name]), node_term(*IN_A[0].expressions, fields=[name])
    for terms, nodes in [((only_fields,), ["na", "nb"]), ((both,), ["na"]), ((node_term(),), [])]:
        volumes = [volume(node_affinity=terms)]
        assert fits(using("c"), NODES, claims=[claim(volume_name="v")], volumes=volumes) == nodes


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ([], ['persistentvolumeclaim "c" not found']),
        (
            [claim(phase="Lost", volume_name="gone")],
            ['persistentvolumeclaim "c" bound to non-existent persistentvolume "gone"'],
        ),
        ([claim(deleting=True)], ['persistentvolumeclaim "c" is being deleted']),
        ([claim()], IMMEDIATE),
        ([claim(storage_class="unknown")], IMMEDIATE),
        ([claim(storage_class="local", volume_name="v", bound=False)], IMMEDIATE),
        ([claim(volume_name="gone")], ['persistentvolume "gone" not found']),
    ],
    ids=["missing", "lost", "deleting", "no class", "no such class", "half bound", "no volume"],
)
def test_a_claim_that_is_not_ready_rules_out_every_node(
    claims: list[PersistentVolumeClaim], said: list[str]
) -> None:
    assert reasons(using("c"), NODES, claims=claims, storage_classes=[WAITING]) == {
        "na": said,
        "nb": said,
    }


def test_an_ephemeral_volume_waits_for_its_claim_and_takes_no_other() -> None:
    """29."""
    pod = make_pod(claims=(ClaimRef("p1-v", ephemeral=True),))
    waiting = 'waiting for ephemeral volume controller to create the persistentvolumeclaim "p1-v"'
    assert reasons(pod, NODES)["na"] == [waiting]
    mine = claim("p1-v", storage_class="fast", owner=OwnerRef("v1", "Pod", "p1", pod.uid))
    assert fits(pod, NODES, claims=[mine], storage_classes=[DYNAMIC]) == ["na", "nb"]
    other = claim("p1-v", storage_class="fast", owner=OwnerRef("v1", "Pod", "p1", "another"))
    said = reasons(pod, NODES, claims=[other], storage_classes=[DYNAMIC])
    assert said["na"] == ["PVC default/p1-v was not created for pod default/p1 (pod is not owner)"]


def test_a_claim_of_one_pod_only_is_taken_everywhere() -> None:
    """28: ReadWriteOncePod."""
    alone = claim(volume_name="v", access_modes=("ReadWriteOncePod",))
    running = [using("c", name="r", node="na")]
    said = reasons(using("c"), NODES, running, claims=[alone], volumes=[volume()])
    taken = (
        "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode "
        "already in-use by another pod"
    )
    assert said == {"na": [taken], "nb": [taken]}
    assert fits(using("c"), NODES, claims=[alone], volumes=[volume()]) == ["na", "nb"]


def test_a_waiting_claim_needs_a_volume_where_nothing_provisions() -> None:
    """31: no-provisioner."""
    volumes = [volume(node_affinity=IN_A)]
    said = reasons(
        using("c"),
        NODES,
        claims=[claim(storage_class="local")],
        volumes=volumes,
        storage_classes=[WAITING],
    )
    assert said == {"na": [], "nb": NO_VOLUME}


@pytest.mark.parametrize(
    "fields",
    [
        {"storage_class": "other"},
        {"capacity_bytes": GIB - 1},
        {"volume_mode": "Block"},
        {"access_modes": ("ReadOnlyMany",)},
        {"labels": (("tier", "slow"),)},
        {"phase": "Released"},
        {"deleting": True},
        {"claim": ("default", "other", "")},
        {"claim": ("default", "c", "another")},
    ],
    ids=str,
)
def test_a_volume_has_to_match_in_every_way(fields: dict[str, Any]) -> None:
    wanted = claim(
        storage_class="local",
        request_bytes=GIB,
        access_modes=("ReadWriteOnce",),
        selector=selector({"tier": "fast"}),
    )
    good: dict[str, Any] = {"access_modes": ("ReadWriteOnce",), "labels": (("tier", "fast"),)}
    objects: dict[str, Any] = {"claims": [wanted], "storage_classes": [WAITING]}
    assert fits(using("c"), NODES, volumes=[volume(**good)], **objects) == ["na", "nb"]
    assert fits(using("c"), NODES, volumes=[volume(**{**good, **fields})], **objects) == []


def test_one_volume_serves_one_claim() -> None:
    claims = [claim(name, storage_class="local") for name in ("c", "d")]
    volumes = [volume("v", node_affinity=IN_A), volume("w")]
    objects: dict[str, Any] = {"claims": claims, "storage_classes": [WAITING]}
    assert fits(using("c", "d"), NODES, volumes=volumes, **objects) == ["na"]


def test_the_smaller_claim_takes_the_smaller_volume() -> None:
    claims = [
        claim("c", storage_class="local", request_bytes=5 * GIB),
        claim("d", storage_class="local", request_bytes=GIB),
    ]
    volumes = [volume("v", capacity_bytes=5 * GIB), volume("w", capacity_bytes=2 * GIB)]
    objects: dict[str, Any] = {"claims": claims, "volumes": volumes, "storage_classes": [WAITING]}
    assert fits(using("c", "d"), NODES, **objects) == ["na", "nb"]


def test_a_reserved_volume_is_the_only_one_for_its_claim() -> None:
    mine = volume(claim=("default", "c", ""), phase="Bound", node_affinity=IN_A)
    objects: dict[str, Any] = {
        "claims": [claim(storage_class="local")],
        "storage_classes": [WAITING],
    }
    assert fits(using("c"), NODES, volumes=[mine, volume("w")], **objects) == ["na"]


def test_a_class_provisions_where_its_topologies_allow() -> None:
    """30: the node decides where the volume is made."""
    zoned = StorageClass("fast", "csi.example.com", True, allowed_topologies=IN_A)
    said = reasons(using("c"), NODES, claims=[claim(storage_class="fast")], storage_classes=[zoned])
    assert said == {"na": [], "nb": NO_VOLUME}


def test_a_selected_node_is_final() -> None:
    chosen = claim(storage_class="fast", selected_node="nb")
    objects: dict[str, Any] = {"claims": [chosen], "storage_classes": [DYNAMIC]}
    assert reasons(using("c"), NODES, **objects) == {"na": NO_VOLUME, "nb": []}


@pytest.mark.parametrize(
    ("capacity", "nodes"),
    [
        ({"capacity_bytes": 2 * GIB}, ["na"]),
        ({"capacity_bytes": GIB}, []),
        ({"capacity_bytes": 9 * GIB, "maximum_volume_bytes": GIB}, []),
        ({"capacity_bytes": 9 * GIB, "node_topology": None}, []),
        ({"storage_class": "other", "capacity_bytes": 9 * GIB}, []),
        ({}, []),
    ],
    ids=str,
)
def test_a_driver_that_reports_its_room_needs_enough_of_it(
    capacity: dict[str, Any], nodes: list[str]
) -> None:
    fields = {"storage_class": "fast", "node_topology": selector({ZONE: "a"}), **capacity}
    objects: dict[str, Any] = {
        "claims": [claim(storage_class="fast", request_bytes=2 * GIB)],
        "storage_classes": [DYNAMIC],
        "csi_drivers": [CSIDriver("csi.example.com", storage_capacity=True)],
        "csi_capacities": [CSIStorageCapacity("default", "k", **fields)],
    }
    assert fits(using("c"), NODES, **objects) == nodes
    assert all(why in ([], NO_SPACE) for why in reasons(using("c"), NODES, **objects).values())


@pytest.mark.parametrize("modern", [True, False], ids=["new label", "old label"])
def test_zones_of_volumes_and_nodes_agree(*, modern: bool) -> None:
    label = ZONE if modern else "failure-domain.beta.kubernetes.io/zone"
    zoned = volume(labels=((label, "b__c"),))
    said = reasons(using("c"), NODES, claims=[claim(volume_name="v")], volumes=[zoned])
    assert said == {"na": ["node(s) had no available volume zone"], "nb": []}


def test_nodes_without_zones_take_volumes_of_any_zone() -> None:
    """32."""
    zoned = volume(labels=((ZONE, "b"),))
    bare = [make_node("n1"), make_node("n2", labels={"topology.kubernetes.io/region": "r"})]
    assert fits(using("c"), bare, claims=[claim(volume_name="v")], volumes=[zoned]) == ["n1"]


def test_a_migrated_volume_is_where_its_driver_says() -> None:
    plugin, key = "kubernetes.io/aws-ebs", "topology.ebs.csi.aws.com/zone"
    nodes = [make_node("n1", labels={ZONE: "a"}), make_node("n2", labels={ZONE: "a", key: "b"})]
    here = {"in_tree": plugin, "driver": "ebs.csi.aws.com", "handle": "vol-1"}
    migrated = [CSINode(name, (), (plugin,)) for name in ("n1", "n2")]
    zones: list[tuple[dict[str, Any], list[str]]] = [
        ({"node_affinity": IN_A}, []),
        ({"node_affinity": (node_term(requirement(ZONE, "In", "a", "b")),)}, ["n2"]),
        ({"labels": ((ZONE, "a__b"),)}, ["n2"]),
    ]
    for fields, expected in zones:
        objects: dict[str, Any] = {
            "claims": [claim(volume_name="v")],
            "volumes": [volume(**here, **fields)],
        }
        assert fits(using("c"), nodes, **objects) == ["n1", "n2"]
        assert fits(using("c"), nodes, csi_nodes=migrated, **objects) == expected


def test_a_regional_disk_whose_region_cannot_be_read_goes_nowhere() -> None:
    plugin = "kubernetes.io/gce-pd"
    disk = volume(in_tree=plugin, driver="pd", handle="h", labels=((ZONE, "a__b"),))
    objects: dict[str, Any] = {"claims": [claim(volume_name="v")], "volumes": [disk]}
    said = reasons(using("c"), NODES, csi_nodes=[CSINode("na", (), (plugin,))], **objects)
    assert said["na"][0].startswith("could not translate pv: failed to get region from zones")
    assert said["nb"] == []


EBS, PD = Disk("awsElasticBlockStore", ("x",)), Disk("gcePersistentDisk", ("x",))
RBD = Disk("rbd", ("pool", "image"), monitors=("m1", "m2"))


@pytest.mark.parametrize(
    ("held", "wanted", "free"),
    [
        (EBS, EBS, False),
        (Disk("awsElasticBlockStore", ("x",), read_only=True), EBS, False),
        (PD, Disk("gcePersistentDisk", ("x",), read_only=True), False),
        (*[Disk("gcePersistentDisk", ("x",), read_only=True)] * 2, True),
        (PD, Disk("gcePersistentDisk", ("y",)), True),
        (PD, EBS, True),
        (RBD, Disk("rbd", ("pool", "image"), monitors=("m2", "m3")), False),
        (RBD, Disk("rbd", ("pool", "image"), monitors=("m3",)), True),
    ],
)
def test_disks_that_cannot_be_shared_are_not(held: Disk, wanted: Disk, *, free: bool) -> None:
    running = [make_pod("r", node="na", disks=(held,))]
    said = reasons(make_pod(disks=(wanted,)), NODES, running)
    assert said == {"na": [] if free else ["node(s) had no available disk"], "nb": []}


def test_many_local_volumes_are_matched_as_one_question() -> None:
    """Each claim has its shape, each volume its node: what is equal is asked once."""
    nodes = [make_node(f"n{i:03}") for i in range(200)]
    volumes = [volume(n.name, node_affinity=_at(n.name)) for n in nodes[:100]]
    objects: dict[str, Any] = {
        "claims": [claim(storage_class="local")],
        "storage_classes": [WAITING],
    }
    assert fits(using("c"), nodes, volumes=volumes, **objects) == [v.name for v in volumes]


def _at(name: str) -> tuple[NodeSelectorTerm, ...]:
    return (node_term(requirement("kubernetes.io/hostname", "In", name)),)


def test_an_empty_selector_of_a_claim_matches_every_volume() -> None:
    """22."""
    wanted = claim(storage_class="local", selector=LabelSelector())
    objects: dict[str, Any] = {
        "claims": [wanted],
        "volumes": [volume()],
        "storage_classes": [WAITING],
    }
    assert fits(using("c"), NODES, **objects) == ["na", "nb"]
