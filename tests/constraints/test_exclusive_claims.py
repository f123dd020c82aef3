"""Exclusive claims (§C10): a ReadWriteOncePod claim has one user in all the cluster."""

from typing import Any

from batchsched.constraints.exclusive_claims import ExclusiveClaims
from batchsched.snapshot.pod import ClaimRef
from batchsched.snapshot.storage import PersistentVolume, PersistentVolumeClaim
from batchsched.testing import verify_constraint
from tests.builders import make_node, make_pod, make_snapshot
from tests.constraints.pairs import allows, drawn

NODES = [make_node("n1"), make_node("n2")]
USING = (ClaimRef("c"),)


def storage(mode: str = "ReadWriteOncePod") -> dict[str, Any]:
    claim = PersistentVolumeClaim("default", "c", volume_name="v", bound=True, access_modes=(mode,))
    volume = PersistentVolume("v", claim=("default", "c", ""), phase="Bound")
    return {"claims": (claim,), "volumes": (volume,)}


def test_one_pod_alone_uses_the_claim() -> None:
    pods = [make_pod("p1", claims=USING), make_pod("p2", claims=USING)]
    snapshot = make_snapshot(NODES, pods, **storage())
    assert allows(ExclusiveClaims(), snapshot, p1="n1")
    assert not allows(ExclusiveClaims(), snapshot, p1="n1", p2="n2")


def test_other_claims_are_shared() -> None:
    pods = [make_pod("p1", claims=USING), make_pod("p2", claims=USING)]
    snapshot = make_snapshot(NODES, pods, **storage("ReadWriteOnce"))
    assert allows(ExclusiveClaims(), snapshot, p1="n1", p2="n2")


def test_a_running_user_keeps_the_claim_even_while_it_terminates() -> None:
    running = make_pod("r", claims=USING, node="n1", pod={"deleting": True})
    snapshot = make_snapshot(NODES, [running, make_pod("p1", claims=USING)], **storage())
    assert not allows(ExclusiveClaims(), snapshot, p1="n2")


def test_a_claim_of_the_same_name_in_another_namespace_is_another_claim() -> None:
    away = make_pod("r", namespace="other", claims=USING, node="n1")
    snapshot = make_snapshot(NODES, [away, make_pod("p1", claims=USING)], **storage())
    assert allows(ExclusiveClaims(), snapshot, p1="n2")


def test_rows_and_check_agree_on_every_placement_of_small_problems() -> None:
    assert verify_constraint(ExclusiveClaims(), drawn(400, "claims")) > 1500
