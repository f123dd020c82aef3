"""Which static volumes may serve a claim that waits."""

from dataclasses import replace

from batchsched.plan.claims import static_volumes
from batchsched.plan.storage import Storage
from batchsched.snapshot.storage import PersistentVolume, PersistentVolumeClaim
from tests.builders import make_snapshot

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
