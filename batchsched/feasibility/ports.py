"""NodePorts: a host port is taken where somebody holds it, by protocol and colliding ip.

The wildcard ip collides with every ip; two others collide when they are equal.
"""

from batchsched.feasibility.scene import Scene, Verdict, refusal, stacked
from batchsched.snapshot.pod import HostPort

NO_FREE_PORTS = "node(s) didn't have free ports for the requested pod ports"
WILDCARD = HostPort(port=0).ip


def collide(one: HostPort, other: HostPort) -> bool:
    """Whether two ports cannot be held on one node at the same time."""
    same = (one.port, one.protocol) == (other.port, other.protocol)
    return same and (one.ip == other.ip or WILDCARD in {one.ip, other.ip})


def node_ports(scene: Scene) -> Verdict:
    """NodePorts: the pods' host ports against those that fixed pods hold."""
    holders: dict[tuple[int, str], dict[str, list[int]]] = {}
    for pod, node in scene.holding(lambda spec: spec.host_ports):
        for port in pod.spec.host_ports:
            ips = holders.setdefault((port.port, port.protocol), {})
            ips.setdefault(port.ip, []).append(node)
    kinds, kind = scene.kinds(c.spec.host_ports for c in scene.classes)
    masks = []
    for each in kinds:
        mask = scene.none()
        for port in each.spec.host_ports:
            for ip, nodes in holders.get((port.port, port.protocol), {}).items():
                if collide(port, HostPort(port.port, port.protocol, ip)):
                    mask[nodes] = True
        masks.append(mask)
    return refusal(stacked(masks, len(scene.nodes)), kind, NO_FREE_PORTS)
