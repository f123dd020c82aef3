"""NodePorts: who holds which port."""

import pytest

from batchsched.snapshot.pod import HostPort
from tests.builders import make_node, make_pod
from tests.feasibility.asking import fits, reasons


def test_a_port_that_is_held_is_not_free() -> None:
    running = [make_pod("r", node="n1", host_ports=(HostPort(80),))]
    said = reasons(
        make_pod(host_ports=(HostPort(80),)), [make_node("n1"), make_node("n2")], running
    )
    assert said == {
        "n1": ["node(s) didn't have free ports for the requested pod ports"],
        "n2": [],
    }


@pytest.mark.parametrize(
    ("held", "wanted", "free"),
    [
        (HostPort(80, "TCP", "10.0.0.1"), HostPort(80), False),
        (HostPort(80), HostPort(80, "TCP", "10.0.0.1"), False),
        (HostPort(80, "TCP", "10.0.0.1"), HostPort(80, "TCP", "10.0.0.2"), True),
        (HostPort(80, "UDP"), HostPort(80, "TCP"), True),
        (HostPort(81), HostPort(80), True),
    ],
)
def test_the_wildcard_collides_with_every_address(
    held: HostPort, wanted: HostPort, *, free: bool
) -> None:
    """10."""
    running = [make_pod("r", node="n1", host_ports=(held,))]
    assert bool(fits(make_pod(host_ports=(wanted,)), [make_node()], running)) == free
