"""Which static volumes may serve a claim that waits."""

from dataclasses import replace

from batchsched.plan.claims import MADE, static_volumes, volumes_of
from batchsched.plan.storage import Storage
from batchsched.plan.verify import final_state
from batchsched.snapshot.pod import ClaimRef
from batchsched.snapshot.snapshot import Window
from batchsched.snapshot.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from tests.builders import make_node, make_pod, make_snapshot

CLAIM = PersistentVolumeClaim("default", "c", uid="uid-c", storage_class="local", request_bytes=2)
VOLUME = PersistentVolume("v", storage_class="local", capacity_bytes=2, phase="Available")


def serve(claim: PersistentVolumeClaim, *volumes: PersistentVolume) -> list[str]:
    storage = Storage(replace(make_snapshot([]), volumes=volumes))
    return [volume.name for volume in static_volumes(storage, claim)]


def test_a_volume_of_another_attributes_class_serves_no_claim() -> None:
    gold = replace(VOLUME, attributes_class="gold")
    assert serve(CLAIM, VOLUME) == ["v"]
    assert serve(CLAIM, gold) == []
    assert serve(replace(CLAIM, attributes_class="gold"), gold) == ["v"]


def test_a_volume_that_is_reserved_for_the_claim_rules_out_the_others() -> None:
    reserved = replace(VOLUME, name="r", claim=("default", "c", "uid-c"))
    assert serve(CLAIM, VOLUME, reserved) == ["r"]
    assert serve(CLAIM, replace(VOLUME, claim=("default", "c", "another"))) == []


##### What the claims of placed pods get


def chosen(claims: list[PersistentVolumeClaim], *volumes: PersistentVolume) -> dict[str, str]:
    """Of a pod each, all on one node: claim to volume."""
    pods = [make_pod(f"p-{claim.name}", claims=(ClaimRef(claim.name),)) for claim in claims]
    classes = (StorageClass("fast", "csi.example.com", wait_for_first_consumer=True),)
    base = make_snapshot([make_node("n1")], pods)
    snapshot = replace(base, claims=tuple(claims), volumes=volumes, storage_classes=classes)
    state = final_state(snapshot, Window(tuple(pods)), {pod.key: "n1" for pod in pods})
    return {claim: volume for pairs in volumes_of(state).values() for claim, volume in pairs}


def test_a_small_claim_leaves_the_large_volume_to_the_large_one() -> None:
    large, small = replace(CLAIM, name="a", request_bytes=9), replace(CLAIM, name="b")
    volumes = replace(VOLUME, name="x", capacity_bytes=9), replace(VOLUME, name="y")
    assert chosen([large, small], *volumes) == {"a": "x", "b": "y"}


def test_claims_for_which_no_volume_is_there_get_none() -> None:
    assert chosen([CLAIM, replace(CLAIM, name="d")], VOLUME) == {"c": "v"}


def test_where_a_volume_can_be_made_one_that_is_there_is_taken_first() -> None:
    claims = [replace(CLAIM, name=name, storage_class="fast") for name in "ab"]
    spare = replace(VOLUME, storage_class="fast")
    assert chosen(claims, spare) == {"a": "v", "b": MADE}


def test_pods_without_unbound_claims_get_nothing() -> None:
    assert chosen([replace(CLAIM, volume_name="v", bound=True)], VOLUME) == {}
