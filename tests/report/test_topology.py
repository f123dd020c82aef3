"""A node stands where its labels say, and gangs say which label matters."""

import pytest

from batchsched.report.topology import domain_key, places
from tests.builders import ZONE, make_node, make_snapshot

RACK = "topology.example.com/rack"


def test_pools_and_racks_are_read_from_labels() -> None:
    nodes = [
        make_node("a", labels={"pool": "gpu", RACK: "r1", ZONE: "z"}),
        make_node("b", labels={"karpenter.sh/nodepool": "spot", "pool": "other", RACK: "r2"}),
        make_node("c"),
    ]
    assert places(make_snapshot(nodes)) == [("gpu", "rack r1"), ("spot", "rack r2"), ("", "")]


@pytest.mark.parametrize(
    ("labels", "key"), [({ZONE: "z", RACK: "r"}, RACK), ({ZONE: "z"}, ZONE), ({}, None)]
)
def test_racks_go_before_zones(labels: dict[str, str], key: str | None) -> None:
    assert domain_key(make_snapshot([make_node("a", labels=labels)])) == key
