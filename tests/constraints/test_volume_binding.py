"""Volume binding (§C12): volumes reach the nodes of their pods, and unbound claims find volumes."""

import itertools
from dataclasses import replace

from batchsched.constraints.volume_binding import VolumeBinding
from batchsched.snapshot.labels import NodeSelectorTerm
from batchsched.snapshot.pod import ClaimRef, OwnerRef, Pod
from batchsched.snapshot.snapshot import Snapshot
from batchsched.snapshot.storage import (
    CSIDriver,
    CSIStorageCapacity,
    PersistentVolume,
    PersistentVolumeClaim,
    StorageClass,
)
from batchsched.testing import verify_constraint
from tests.builders import (
    HOSTNAME,
    ZONE,
    make_node,
    make_pod,
    make_snapshot,
    requirement,
    selector,
)
from tests.constraints.pairs import allows, drawn, posted

NODES = [make_node("n1", labels={ZONE: "a"}), make_node("n2", labels={ZONE: "b"})]
STATIC = StorageClass("s", "kubernetes.io/no-provisioner", wait_for_first_consumer=True)
MADE = StorageClass("s", "csi.example.com", wait_for_first_consumer=True)


def on(node: str) -> tuple[NodeSelectorTerm, ...]:
    return (NodeSelectorTerm((requirement(HOSTNAME, "In", node),)),)


def volume(name: str, node: str | None = None, **fields: object) -> PersistentVolume:
    made = PersistentVolume(
        name,
        storage_class="s",
        capacity_bytes=10,
        access_modes=("ReadWriteOnce",),
        node_affinity=on(node) if node else None,
        phase="Available",
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def claim(name: str, **fields: object) -> PersistentVolumeClaim:
    made = PersistentVolumeClaim(
        "default", name, storage_class="s", access_modes=("ReadWriteOnce",), request_bytes=5
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def user(name: str, *claims: str) -> Pod:
    return make_pod(name, claims=tuple(ClaimRef(each) for each in claims))


def cluster(*parts: object, made: StorageClass = STATIC, **fields: object) -> Snapshot:
    kinds = ((Pod, "pods"), (PersistentVolumeClaim, "claims"), (PersistentVolume, "volumes"))
    found: dict[str, tuple[object, ...]] = {
        name: tuple(part for part in parts if isinstance(part, kind)) for kind, name in kinds
    }
    pods = found.pop("pods")
    return make_snapshot(NODES, pods, storage_classes=(made,), **found, **fields)  # type: ignore[arg-type]


def test_a_bound_volume_reaches_the_node() -> None:
    bound = claim("c", volume_name="v", bound=True)
    snapshot = cluster(user("p1", "c"), bound, volume("v", "n1", phase="Bound"))
    assert allows(VolumeBinding(), snapshot, p1="n1")
    assert not allows(VolumeBinding(), snapshot, p1="n2")


def test_a_claim_has_to_be_there_and_alive() -> None:
    for wrong in (
        [],
        [claim("c", phase="Lost", volume_name="v", bound=True)],
        [claim("c", deleting=True)],
        [claim("c", volume_name="v", bound=True)],
        [claim("c", storage_class=None)],
    ):
        assert not allows(VolumeBinding(), cluster(user("p1", "c"), *wrong), p1="n1")


def test_a_claim_of_an_immediate_class_is_bound_already() -> None:
    at_once = replace(MADE, wait_for_first_consumer=False)
    assert not allows(VolumeBinding(), cluster(user("p1", "c"), claim("c"), made=at_once), p1="n1")


def test_a_claim_of_an_ephemeral_volume_is_the_pods_own() -> None:
    for uid, allowed in (("uid-default-p1", True), ("another", False)):
        own = claim("p1-c", owner=OwnerRef("v1", "Pod", "p1", uid))
        pod = make_pod("p1", claims=(ClaimRef("p1-c", ephemeral=True),))
        assert allows(VolumeBinding(), cluster(pod, own, made=MADE), p1="n1") is allowed


def test_a_static_volume_serves_one_claim() -> None:
    parts = [user("p1", "c1"), user("p2", "c2"), claim("c1"), claim("c2"), volume("v")]
    assert allows(VolumeBinding(), cluster(*parts), p1="n1")
    assert not allows(VolumeBinding(), cluster(*parts), p1="n1", p2="n2")
    assert allows(VolumeBinding(), cluster(*parts, volume("w")), p1="n1", p2="n2")


def test_volumes_are_matched_to_claims_jointly() -> None:
    parts = [user("p1", "c1"), user("p2", "c2"), claim("c1", request_bytes=9), claim("c2")]
    snapshot = cluster(*parts, volume("large"), volume("small", capacity_bytes=5))
    assert allows(VolumeBinding(), snapshot, p1="n1", p2="n1")


def test_a_volume_has_to_fit_the_claim() -> None:
    for wrong in (
        {"capacity_bytes": 4},
        {"access_modes": ("ReadOnlyMany",)},
        {"volume_mode": "Block"},
        {"phase": "Released"},
        {"deleting": True},
        {"claim": ("default", "other", "")},
        {"storage_class": "t"},
    ):
        snapshot = cluster(user("p1", "c"), claim("c"), volume("v", **wrong))
        assert not allows(VolumeBinding(), snapshot, p1="n1")
    picky = claim("c", selector=selector({"disk": "fast"}))
    for labels, allowed in (((), False), ((("disk", "fast"),), True)):
        snapshot = cluster(user("p1", "c"), picky, volume("v", labels=labels))
        assert allows(VolumeBinding(), snapshot, p1="n1") is allowed


def test_a_volume_that_is_reserved_for_the_claim_is_the_one() -> None:
    reserved = volume("v", "n1", claim=("default", "c", ""))
    snapshot = cluster(user("p1", "c"), claim("c"), reserved, volume("w", "n2"))
    assert allows(VolumeBinding(), snapshot, p1="n1")
    assert not allows(VolumeBinding(), snapshot, p1="n2")


def test_all_users_of_a_claim_reach_the_one_volume() -> None:
    parts = [user("p1", "c"), user("p2", "c"), claim("c"), volume("v", "n1"), volume("w", "n2")]
    assert allows(VolumeBinding(), cluster(*parts), p1="n1", p2="n1")
    assert not allows(VolumeBinding(), cluster(*parts), p1="n1", p2="n2")
    assert allows(VolumeBinding(), cluster(*parts, volume("x")), p1="n1", p2="n2")


def test_users_of_a_provisioned_claim_are_on_one_node() -> None:
    snapshot = cluster(user("p1", "c"), user("p2", "c"), claim("c"), made=MADE)
    assert allows(VolumeBinding(), snapshot, p1="n1", p2="n1")
    assert not allows(VolumeBinding(), snapshot, p1="n1", p2="n2")


def test_provisioning_keeps_to_topologies_and_to_the_selected_node() -> None:
    narrow = replace(MADE, allowed_topologies=on("n1"))
    snapshot = cluster(user("p1", "c"), claim("c"), made=narrow)
    assert allows(VolumeBinding(), snapshot, p1="n1")
    assert not allows(VolumeBinding(), snapshot, p1="n2")
    snapshot = cluster(user("p1", "c"), claim("c", selected_node="n2"), volume("v"), made=MADE)
    assert not allows(VolumeBinding(), snapshot, p1="n1")
    assert allows(VolumeBinding(), snapshot, p1="n2")


def test_provisioning_needs_space_where_the_driver_tracks_it() -> None:
    here = selector({ZONE: "a"})
    room = CSIStorageCapacity("kube-system", "x", "s", here, capacity_bytes=7)
    tracked = (CSIDriver("csi.example.com", storage_capacity=True),)
    for capacity, size, nodes in ((7, 5, ("n1",)), (4, 5, ()), (7, 0, ("n1", "n2"))):
        reports = (replace(room, capacity_bytes=capacity),)
        wanted = claim("c", request_bytes=size)
        snapshot = cluster(
            user("p1", "c"), wanted, made=MADE, csi_drivers=tracked, csi_capacities=reports
        )
        for node in ("n1", "n2"):
            assert allows(VolumeBinding(), snapshot, p1=node) is (node in nodes)


def test_local_volumes_are_counted_without_columns() -> None:
    parts: list[object] = [
        part for i in range(3) for part in (user(f"p{i}", f"c{i}"), claim(f"c{i}"))
    ]
    model = posted(VolumeBinding(), cluster(*parts, volume("v", "n1"), volume("w", "n2")))
    assert (model.rows, model.columns) == (2, len(model.counts))


def shares() -> list[Snapshot]:
    """Three pods that use one or two of three claims, with volumes here, there and everywhere."""
    used = [("c0",), ("c1",), ("c0", "c1"), ("c2",)]
    claims = [claim("c0"), claim("c1", request_bytes=9), claim("c2")]
    every = [volume("v", "n1"), volume("w", "n2", capacity_bytes=6), volume("x"), volume("y", "n1")]
    found = []
    for chosen in itertools.combinations_with_replacement(used, 3):
        pods = [user(f"p{i}", *names) for i, names in enumerate(chosen)]
        for count, made in itertools.product(range(5), (STATIC, MADE)):
            found.append(cluster(*pods, *claims, *every[:count], made=made))
    return found


def test_rows_and_check_agree_on_every_way_to_share() -> None:
    assert verify_constraint(VolumeBinding(), shares()) > 2000


def test_rows_and_check_agree_on_every_placement_of_small_problems() -> None:
    assert verify_constraint(VolumeBinding(), drawn(400, "claims")) > 1500
