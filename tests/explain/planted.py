"""Clusters with a planted cause: why a pod or a gang cannot be placed there is known beforehand.

A plant changes a world until one thing is missing, and says which facts, all of them and no other,
an explanation has to name.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from batchsched.explain.subject import Subject
from batchsched.snapshot.node import Taint
from batchsched.snapshot.pod import ClaimRef, Disk, HostPort
from batchsched.snapshot.snapshot import Snapshot
from batchsched.snapshot.storage import READ_WRITE_ONCE_POD, CSINode
from tests.builders import (
    GIB,
    HOSTNAME,
    ZONE,
    make_pod,
    node_term,
    pod_term,
    requirement,
    spread,
)
from tests.explain.world import DRIVER, GPU, RACK, World, bound

POD, GROUP = Subject("pod", "default", "x"), Subject("podgroup", "default", "gang")
TEAM = Taint("team", "a", "NoSchedule")

Plant: TypeAlias = Callable[[World], Snapshot]


def no_room(world: World) -> Snapshot:
    """More of one resource than any node has."""
    if world.random.random() < 0.5:
        return world.asked(memory=world.random.randint(17, 40) * GIB)
    return world.asked(cpu=world.random.randint(9, 20) * 1000)


def no_gpus_left(world: World) -> Snapshot:
    """All GPUs are in use."""
    world.everywhere("user", requests={GPU: 2})
    return world.asked(requests={GPU: 1})


def free_gpus_but_not_together(world: World) -> Snapshot:
    """Each node has one free, and two are asked for."""
    world.everywhere("user", requests={GPU: 1})
    return world.asked(requests={GPU: 2})


def full_of_pods(world: World) -> Snapshot:
    """Each node has as many pods as it takes."""
    world.pods = []
    world.everywhere("only")
    for fields in world.nodes.values():
        fields["pods"] = 1
    return world.asked()


def no_such_label(world: World) -> Snapshot:
    """A node selector that no node has."""
    return world.asked(node_selector={"disk": "tape", ZONE: "z0"})


def no_such_affinity(world: World) -> Snapshot:
    """Required node affinity to what is not there."""
    return world.asked(node_affinity=(node_term(requirement("disk", "In", "tape")),))


def tainted(world: World) -> Snapshot:
    """A taint on all nodes."""
    for fields in world.nodes.values():
        fields["taints"] = [TEAM]
    return world.asked()


def cordoned(world: World) -> Snapshot:
    """All nodes are cordoned."""
    for fields in world.nodes.values():
        fields["unschedulable"] = True
    return world.asked()


def ports_in_use(world: World) -> Snapshot:
    """A host port that each node has in use."""
    port = HostPort(world.random.randint(80, 9000))
    world.everywhere("web", host_ports=(port,))
    return world.asked(host_ports=(port, HostPort(9999)))


def enemies_everywhere(world: World) -> Snapshot:
    """Anti-affinity against who is on each node, or in each zone."""
    key = world.random.choice([HOSTNAME, ZONE])
    where = world.names if key == HOSTNAME else world.names[:2]
    world.pods += [make_pod(f"e-{n}", node=n, labels={"app": "e"}) for n in where]
    return world.asked(anti_affinity=(pod_term({"app": "e"}, key),))


def held_off_everywhere(world: World) -> Snapshot:
    """Anti-affinity of who runs on each node."""
    world.everywhere("e", anti_affinity=(pod_term({"app": "x"}),))
    return world.asked()


def no_friends(world: World) -> Snapshot:
    """Affinity to nobody who is there."""
    return world.asked(affinity=(pod_term({"app": "friend"}, ZONE),))


def a_quota_is_reached(world: World) -> Snapshot:
    """One pod a host for the label, and each host has its one."""
    world.everywhere("x", labels={"app": "x"})
    return world.asked(anti_affinity=(pod_term({"app": "x"}),))


def quota_of_a_gang(world: World) -> Snapshot:
    """One pod a rack for the label, and one rack too few."""
    racks = len({fields["labels"][RACK] for fields in world.nodes.values()})
    return world.gang(racks + 1, cpu=100, anti_affinity=(pod_term({"app": "g"}, RACK),))


def skewed_and_pinned(world: World) -> Snapshot:
    """Two rules that conflict only together: z0 is ahead already, and the pod must go there."""
    world.pods += [make_pod("s", node=world.names[0], labels={"app": "x"})]
    rule = spread({"app": "x"}, honor_node_affinity=False)
    return world.asked(spread=(rule,), node_selector={ZONE: "z0"})


def too_few_domains(world: World) -> Snapshot:
    """Spread asks for more domains than there are, and each has its share."""
    skew = world.random.randint(1, 3)
    for i in range(skew):
        for n in world.names[:2]:
            world.pods.append(make_pod(f"s-{i}-{n}", node=n, labels={"app": "x"}))
    return world.asked(spread=(spread({"app": "x"}, max_skew=skew, min_domains=9),))


def label_and_taint(world: World) -> Snapshot:
    """Two facts that conflict only together: the only nodes with the label have a taint."""
    for name in world.some():
        world.nodes[name]["labels"]["only"] = "here"
        world.nodes[name]["taints"] = [TEAM]
    return world.asked(node_selector={"only": "here"})


def label_and_room(world: World) -> Snapshot:
    """Two facts that conflict only together: the only nodes with the label have no room."""
    for name in world.some():
        world.nodes[name]["labels"]["only"] = "here"
        world.pods.append(make_pod(f"full-{name}", node=name, requests={GPU: 2}))
    return world.asked(node_selector={"only": "here"}, requests={GPU: 1})


def friends_behind_a_cordon(world: World) -> Snapshot:
    """Two facts that conflict only together: whom the pod must be with is on cordoned nodes."""
    for name in world.some():
        world.nodes[name]["unschedulable"] = True
        world.pods.append(make_pod(f"f-{name}", node=name, labels={"app": "f"}))
    return world.asked(affinity=(pod_term({"app": "f"}),))


def room_and_other_room(world: World) -> Snapshot:
    """Two resources, each of which some nodes have; none has both."""
    half = set(world.some(1, world.size - 1))
    for name, fields in world.nodes.items():
        if name in half:
            fields["resources"] = {}
        else:
            fields["cpu"] = 2000
    world.pods = []
    return world.asked(cpu=4000, requests={GPU: 1})


def disk_in_use(world: World) -> Snapshot:
    """A disk that may be mounted once on a node, and is on each."""
    disk = Disk("gcePersistentDisk", ("d",))
    world.everywhere("d", disks=(disk,))
    return world.asked(disks=(disk,))


def claim_is_not_there(world: World) -> Snapshot:
    """A volume claim that nobody made."""
    return world.asked(claims=(ClaimRef("data"),))


def claim_is_anothers(world: World) -> Snapshot:
    """A claim for one pod, which has it."""
    world.storage = bound("data", modes=(READ_WRITE_ONCE_POD,))
    world.pods.append(make_pod("user", node=world.names[-1], claims=(ClaimRef("data"),)))
    return world.asked(claims=(ClaimRef("data"),))


def volume_is_elsewhere(world: World) -> Snapshot:
    """Two facts that conflict only together: the volume is in z0, and the pod must go to z1."""
    world.storage = bound("data", zone="z0")
    return world.asked(claims=(ClaimRef("data"),), node_selector={ZONE: "z1"})


def no_more_attachments(world: World) -> Snapshot:
    """Each node has attached as many volumes as it can."""
    world.storage = bound("data", *(f"c-{n}" for n in world.nodes))
    limits = ((DRIVER, 1),)
    world.storage["csi_nodes"] = tuple(CSINode(n, drivers=limits) for n in world.nodes)
    world.pods += [make_pod(f"u-{n}", node=n, claims=(ClaimRef(f"c-{n}"),)) for n in world.nodes]
    return world.asked(claims=(ClaimRef("data"),))


def one_claim_for_two(world: World) -> Snapshot:
    """A gang whose members mount a claim that one pod may have."""
    world.storage = bound("data", modes=(READ_WRITE_ONCE_POD,))
    return world.gang(2, cpu=100, claims=(ClaimRef("data"),))


def devices_are_not_allocated(world: World) -> Snapshot:
    """A claim for devices that nobody made."""
    return world.asked(resource_claims=(("gpu", "shared", None),))


def ports_of_a_gang(world: World) -> Snapshot:
    """Three facts: a port for each, on few nodes, of which there is one too few."""
    names = world.some(1, min(world.size - 1, 12))
    for name in names:
        world.nodes[name]["labels"]["only"] = "here"
    port = HostPort(443)
    return world.gang(len(names) + 1, host_ports=(port,), node_selector={"only": "here"})


def others_come_first(world: World) -> Snapshot:
    """The cluster has room, but pending pods of higher priority take all of it."""
    gpus = {GPU: 2}
    world.pods += [make_pod(f"first-{n}", priority=5, requests=gpus) for n in world.nodes]
    return world.asked(requests={GPU: 1})


def gang_too_large(world: World) -> Snapshot:
    """A whole node for each, and one node too few."""
    names = world.some(1, min(world.size - 1, 40))
    for name in set(world.names) - set(names):
        world.nodes[name]["resources"] = {}
    return world.gang(len(names) + 1, requests={GPU: 2})


def one_rack_short(world: World) -> Snapshot:
    """A gang that fits, but in no rack."""
    racks: dict[str, int] = {}
    for fields in world.nodes.values():
        rack = fields["labels"][RACK]
        racks[rack] = racks.get(rack, 0) + 1
    return world.gang(max(racks.values()) + 1, rack=True, requests={GPU: 2})


def gang_that_is_not_there(world: World) -> Snapshot:
    """Fewer members than the gang starts with."""
    snapshot = world.gang(world.random.randint(2, 8), cpu=100)
    (group,) = snapshot.groups
    return replace(snapshot, groups=(replace(group, min_count=group.min_count + 1),))


def gang_on_one_taint(world: World) -> Snapshot:
    """A gang whose only nodes have a taint."""
    names = world.some(4, max(world.size // 3, 4)) if world.size > 4 else world.names[:1]
    for name in names:
        world.nodes[name] |= {"taints": [TEAM]}
        world.nodes[name]["labels"]["only"] = "here"
    return world.gang(3, node_selector={"only": "here"}, cpu=100)


CAUSES: dict[Plant, tuple[str, ...]] = {
    no_room: ("capacity",),
    no_gpus_left: ("capacity",),
    free_gpus_but_not_together: ("capacity",),
    full_of_pods: ("capacity",),
    no_such_label: ("node-selector",),
    no_such_affinity: ("node-affinity",),
    tainted: ("taint",),
    cordoned: ("cordon",),
    ports_in_use: ("host-port",),
    enemies_everywhere: ("anti-affinity",),
    held_off_everywhere: ("held-off",),
    no_friends: ("affinity",),
    a_quota_is_reached: ("anti-affinity",),
    quota_of_a_gang: ("anti-affinity", "gang-minimum"),
    skewed_and_pinned: ("node-selector", "topology-spread"),
    too_few_domains: ("topology-spread",),
    label_and_taint: ("node-selector", "taint"),
    label_and_room: ("capacity", "node-selector"),
    friends_behind_a_cordon: ("affinity", "cordon"),
    room_and_other_room: ("capacity", "capacity"),
    disk_in_use: ("disk",),
    claim_is_not_there: ("volume-claim",),
    claim_is_anothers: ("volume-claim",),
    volume_is_elsewhere: ("node-selector", "volume-claim"),
    no_more_attachments: ("volume-claim",),
    one_claim_for_two: ("gang-minimum", "volume-claim"),
    devices_are_not_allocated: ("device-claim",),
    ports_of_a_gang: ("gang-minimum", "host-port", "node-selector"),
    others_come_first: ("capacity",),
    gang_too_large: ("capacity", "gang-minimum"),
    one_rack_short: ("capacity", "gang-minimum", "gang-topology"),
    gang_that_is_not_there: ("gang-minimum",),
    gang_on_one_taint: ("node-selector", "taint"),
}
"""Each plant, and the kinds of the facts that are its cause, sorted."""


def subject_of(snapshot: Snapshot) -> Subject:
    """Whom a planted snapshot is about."""
    return GROUP if snapshot.groups else POD
