"""Disks (§C4): readers share, writers do not, EBS is never shared, rbd by monitors."""

import itertools

from batchsched.constraints.disks import Disks
from batchsched.snapshot.pod import Disk
from batchsched.snapshot.snapshot import Snapshot
from batchsched.testing import verify_constraint
from tests.builders import make_node, make_pod, make_replicas, make_snapshot
from tests.constraints.pairs import allows, drawn

READ, WRITE = Disk("gcePersistentDisk", ("d",), read_only=True), Disk("gcePersistentDisk", ("d",))
EBS = Disk("awsElasticBlockStore", ("v",), read_only=True)


def rbd(*monitors: str, read_only: bool = False) -> Disk:
    return Disk("rbd", ("pool", "image"), read_only, monitors)


def pair(one: Disk, other: Disk) -> Snapshot:
    pods = [make_pod("p1", disks=(one,)), make_pod("p2", disks=(other,))]
    return make_snapshot([make_node("n1")], pods)


def test_readers_share_a_disk_and_a_writer_shares_with_nobody() -> None:
    assert allows(Disks(), pair(READ, READ), p1="n1", p2="n1")
    assert not allows(Disks(), pair(READ, WRITE), p1="n1", p2="n1")
    assert not allows(Disks(), pair(WRITE, WRITE), p1="n1", p2="n1")


def test_ebs_is_never_shared() -> None:
    assert not allows(Disks(), pair(EBS, EBS), p1="n1", p2="n1")


def test_rbd_images_are_the_same_where_a_monitor_is() -> None:
    assert not allows(Disks(), pair(rbd("m1", "m2"), rbd("m2")), p1="n1", p2="n1")
    assert allows(Disks(), pair(rbd("m1"), rbd("m2")), p1="n1", p2="n1")


def test_a_disk_of_a_running_pod_is_taken() -> None:
    running = make_pod("r", disks=(READ,), node="n1")
    pods = [running, make_pod("p1", disks=(WRITE,)), make_pod("p2", disks=(READ,))]
    snapshot = make_snapshot([make_node("n1")], pods)
    assert not allows(Disks(), snapshot, p1="n1")
    assert allows(Disks(), snapshot, p2="n1")


def test_many_readers_or_one_writer() -> None:
    readers = make_replicas(3, "r", disks=(READ,))
    snapshot = make_snapshot([make_node("n1")], [*readers, make_pod("w", disks=(WRITE,))])
    everyone = dict.fromkeys(("r-0000", "r-0001", "r-0002"), "n1")
    assert allows(Disks(), snapshot, **everyone)
    assert allows(Disks(), snapshot, w="n1")
    assert not allows(Disks(), snapshot, w="n1", **{"r-0000": "n1"})


def test_rows_and_check_agree_on_every_triple_of_disks() -> None:
    disks = [READ, WRITE, EBS, rbd("m1"), rbd("m1", "m2", read_only=True), rbd("m2")]
    snapshots = []
    for chosen in itertools.combinations_with_replacement(disks, 3):
        pods = [make_pod(f"p{i}", disks=(disk,)) for i, disk in enumerate(chosen)]
        snapshots.append(make_snapshot([make_node("n1"), make_node("n2")], pods))
    assert verify_constraint(Disks(), snapshots) > 1000


def test_rows_and_check_agree_on_every_placement_of_small_problems() -> None:
    assert verify_constraint(Disks(), drawn(300, "disks")) > 2000
