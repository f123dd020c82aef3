"""NodeResourcesFit: what fits beside what is held."""

from tests.builders import GIB, make_node, make_pod
from tests.feasibility.asking import fits, reasons

GPU = "example.com/gpu"


def test_a_pod_fits_to_the_last_unit() -> None:
    running = [make_pod("r", cpu=3000, node="n1")]
    assert fits(make_pod(cpu=1000), [make_node(cpu=4000)], running) == ["n1"]
    assert reasons(make_pod(cpu=1001), [make_node(cpu=4000)], running) == {
        "n1": ["Insufficient cpu"]
    }


def test_all_that_is_short_is_named_in_order() -> None:
    node = make_node(cpu=1, memory=1, pods=0)
    pod = make_pod(cpu=2, memory=2, requests={GPU: 1, "ephemeral-storage": 1, "a.com/x": 1})
    assert reasons(pod, [node]) == {
        "n1": [
            "Too many pods",
            "Insufficient cpu",
            "Insufficient memory",
            "Insufficient ephemeral-storage",
            "Insufficient a.com/x",
            f"Insufficient {GPU}",
        ]
    }


def test_the_limit_of_pods_holds_for_pods_that_ask_for_nothing() -> None:
    """2."""
    running = [make_pod("r", node="n1")]
    assert reasons(make_pod(), [make_node(pods=1)], running) == {"n1": ["Too many pods"]}


def test_a_resource_that_is_not_asked_for_stops_nobody() -> None:
    running = [make_pod("r", cpu=9000, node="n1")]
    assert fits(make_pod(memory=GIB), [make_node(cpu=4000)], running) == ["n1"]


def test_a_pod_holds_what_its_resize_holds() -> None:
    """6: requests of a running pod are its own, not its spec's."""
    held = make_pod("r", cpu=100, node="n1", pod={"requests": (("cpu", 3500),)})
    assert fits(make_pod(cpu=1000), [make_node(cpu=4000)], [held]) == []


def test_pods_of_other_schedulers_hold_room() -> None:
    """7."""
    running = [make_pod("r", cpu=4000, node="n1", scheduler_name="other")]
    assert fits(make_pod(cpu=1), [make_node(cpu=4000)], running) == []


def test_terminating_pods_hold_room_until_they_are_gone() -> None:
    """8."""
    running = [make_pod("r", cpu=4000, node="n1", pod={"deleting": True})]
    assert fits(make_pod(cpu=1), [make_node(cpu=4000)], running) == []


def test_pods_that_ended_hold_nothing() -> None:
    """9."""
    ended = [
        make_pod(phase, cpu=4000, node="n1", pod={"phase": phase})
        for phase in ("Succeeded", "Failed")
    ]
    assert fits(make_pod(cpu=4000), [make_node(cpu=4000, pods=1)], ended) == ["n1"]


def test_many_resources_are_no_more_trouble_than_few() -> None:
    wanted = {f"example.com/r{i:03}": 1 for i in range(100)}
    said = reasons(make_pod(requests=wanted), [make_node(resources={"example.com/r007": 1})])
    assert len(said["n1"]) == 99
