"""Volume limits (§C11): distinct volumes of a driver on a node are no more than it attaches."""

import itertools
from typing import Any

from batchsched.constraints.volume_limits import VolumeLimits
from batchsched.snapshot.pod import ClaimRef, Pod
from batchsched.snapshot.snapshot import Snapshot
from batchsched.snapshot.storage import (
    CSIDriver,
    CSINode,
    PersistentVolume,
    PersistentVolumeClaim,
    StorageClass,
    VolumeAttachment,
)
from batchsched.testing import verify_constraint
from tests.builders import make_node, make_pod, make_replicas, make_snapshot
from tests.constraints.pairs import allows, drawn, posted

DRIVER = "csi.example.com"


def user(name: str, *claims: str, **fields: object) -> Pod:
    return make_pod(name, claims=tuple(ClaimRef(c) for c in claims), **fields)  # type: ignore[arg-type]


def cluster(limit: int | None, *pods: Pod, **fields: object) -> Snapshot:
    """One node that attaches so many; claims c0 to c3 are bound, c4 and c5 wait."""
    bound = [
        PersistentVolumeClaim("default", f"c{i}", "", "s", f"v{i}", bound=True) for i in range(4)
    ]
    waiting = [PersistentVolumeClaim("default", f"c{i}", "", "s") for i in (4, 5)]
    volumes = [
        PersistentVolume(f"v{i}", storage_class="s", driver=DRIVER, handle=f"h{i}")
        for i in range(4)
    ]
    storage: dict[str, Any] = {
        "claims": (*bound, *waiting),
        "volumes": tuple(volumes),
        "storage_classes": (StorageClass("s", DRIVER, wait_for_first_consumer=True),),
        "csi_nodes": (CSINode("n1", ((DRIVER, limit),)),),
        **fields,
    }
    return make_snapshot([make_node("n1")], pods, **storage)


def test_distinct_volumes_count() -> None:
    snapshot = cluster(2, user("p1", "c0"), user("p2", "c1"), user("p3", "c2"))
    assert allows(VolumeLimits(), snapshot, p1="n1", p2="n1")
    assert not allows(VolumeLimits(), snapshot, p1="n1", p2="n1", p3="n1")


def test_a_shared_volume_counts_once() -> None:
    snapshot = cluster(1, user("p1", "c0"), user("p2", "c0"), user("p3", "c1"))
    assert allows(VolumeLimits(), snapshot, p1="n1", p2="n1")
    assert not allows(VolumeLimits(), snapshot, p1="n1", p3="n1")


def test_replicas_that_share_a_volume_count_once() -> None:
    snapshot = cluster(1, *make_replicas(3, claims=(ClaimRef("c0"),)), user("z", "c1"))
    names = ["p-0000", "p-0001", "p-0002"]
    assert allows(VolumeLimits(), snapshot, **dict.fromkeys(names, "n1"))
    assert not allows(VolumeLimits(), snapshot, z="n1", **dict.fromkeys(names, "n1"))


def test_an_unbound_claim_counts_for_the_driver_that_will_make_it() -> None:
    snapshot = cluster(1, user("p1", "c4"), user("p2", "c5"))
    assert allows(VolumeLimits(), snapshot, p1="n1")
    assert not allows(VolumeLimits(), snapshot, p1="n1", p2="n1")


def test_volumes_of_running_pods_count_and_may_be_used_again() -> None:
    snapshot = cluster(1, user("r", "c0", node="n1"), user("p1", "c0"), user("p2", "c1"))
    assert allows(VolumeLimits(), snapshot, p1="n1")
    assert not allows(VolumeLimits(), snapshot, p2="n1")


def test_attached_volumes_count() -> None:
    attached = (VolumeAttachment("a", "n1", DRIVER, "v3"),)
    snapshot = cluster(1, user("p1", "c0"), attachments=attached)
    assert not allows(VolumeLimits(), snapshot, p1="n1")


def test_no_count_is_no_limit() -> None:
    assert allows(VolumeLimits(), cluster(None, user("p1", "c0")), p1="n1")
    assert allows(VolumeLimits(), cluster(0, user("p1", "c0"), csi_nodes=()), p1="n1")


def test_a_driver_may_forbid_nodes_where_it_is_missing() -> None:
    for forbids in (True, False):
        driver = CSIDriver(DRIVER, prevent_scheduling_if_missing=forbids)
        snapshot = cluster(0, user("p1", "c0"), csi_nodes=(), csi_drivers=(driver,))
        assert allows(VolumeLimits(), snapshot, p1="n1") is not forbids


def test_a_volume_of_one_pod_needs_no_column() -> None:
    model = posted(VolumeLimits(), cluster(2, user("p1", "c0"), user("p2", "c1", "c2")))
    assert (model.rows, model.columns) == (1, len(model.counts))


def sharing() -> list[Snapshot]:
    """Three pods that use every pair of three claims, on nodes of every limit."""
    pairs = [("c0",), ("c1",), ("c0", "c1"), ("c0", "c2"), ("c4",), ("c4", "c0")]
    return [
        cluster(limit, *(user(f"p{i}", *claims) for i, claims in enumerate(chosen)))
        for chosen in itertools.combinations_with_replacement(pairs, 3)
        for limit in range(4)
    ]


def test_rows_and_check_agree_on_every_way_to_share() -> None:
    assert verify_constraint(VolumeLimits(), sharing()) > 1000


def test_rows_and_check_agree_on_every_placement_of_small_problems() -> None:
    assert verify_constraint(VolumeLimits(), drawn(400, "limits")) > 1500
