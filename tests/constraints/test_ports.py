"""Ports (§C3): one user of a host port, by protocol and address."""

import itertools

from batchsched.constraints.ports import Ports
from batchsched.snapshot.pod import HostPort
from batchsched.snapshot.snapshot import Snapshot
from batchsched.testing import verify_constraint
from tests.builders import make_node, make_pod, make_replicas, make_snapshot
from tests.constraints.pairs import allows, drawn, posted

WILD, A, B = HostPort(80), HostPort(80, ip="10.0.0.1"), HostPort(80, ip="10.0.0.2")


def pair(one: HostPort, other: HostPort) -> Snapshot:
    pods = [make_pod("p1", host_ports=(one,)), make_pod("p2", host_ports=(other,))]
    return make_snapshot([make_node("n1"), make_node("n2")], pods)


def test_equal_ports_do_not_share_a_node() -> None:
    assert not allows(Ports(), pair(WILD, WILD), p1="n1", p2="n1")
    assert allows(Ports(), pair(WILD, WILD), p1="n1", p2="n2")


def test_the_wildcard_collides_with_every_address_and_two_addresses_do_not() -> None:
    assert not allows(Ports(), pair(WILD, A), p1="n1", p2="n1")
    assert not allows(Ports(), pair(A, A), p1="n1", p2="n1")
    assert allows(Ports(), pair(A, B), p1="n1", p2="n1")


def test_protocols_are_apart() -> None:
    assert allows(Ports(), pair(WILD, HostPort(80, "UDP")), p1="n1", p2="n1")


def test_a_pod_does_not_collide_with_itself() -> None:
    pod = make_pod("p1", host_ports=(WILD, A))
    assert allows(Ports(), make_snapshot([make_node()], [pod]), p1="n1")


def test_running_pods_hold_their_ports() -> None:
    running = make_pod("r", host_ports=(A,), node="n1")
    waiting = make_pod("p1", host_ports=(WILD,))
    snapshot = make_snapshot([make_node("n1"), make_node("n2")], [running, waiting])
    assert not allows(Ports(), snapshot, p1="n1")
    assert allows(Ports(), snapshot, p1="n2")


def test_replicas_with_a_port_need_no_row_because_a_node_takes_one() -> None:
    snapshot = make_snapshot([make_node()], make_replicas(3, host_ports=(WILD,)))
    model = posted(Ports(), snapshot)
    assert model.problem.upper.tolist() == [[1]]
    assert model.rows == 0


def test_rows_and_check_agree_on_every_triple_of_ports() -> None:
    ports = [WILD, A, B, HostPort(80, "UDP"), HostPort(81)]
    snapshots = []
    for chosen in itertools.combinations_with_replacement(itertools.combinations(ports, 2), 3):
        pods = [make_pod(f"p{i}", host_ports=pair) for i, pair in enumerate(chosen)]
        snapshots.append(make_snapshot([make_node("n1"), make_node("n2")], pods))
    assert verify_constraint(Ports(), snapshots) > 2000


def test_rows_and_check_agree_on_every_placement_of_small_problems() -> None:
    assert verify_constraint(Ports(), drawn(300, "ports")) > 2000
