"""Gangs by domain: training jobs that each ask for one rack or one zone, on a cluster of many.

As in the issue: 64 racks in 8 zones, 200 gangs of 2 to 64 members. What runs already is uneven
from rack to rack, as it is where racks are given to teams; so who goes where matters.
"""

from typing import Any

import numpy as np

from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot
from tests.builders import GIB, ZONE, make_node, make_pod, make_snapshot, make_spec

RACK = "topology.kubernetes.io/rack"
RACKS_PER_ZONE = 8
CPU_MILLI, MEMORY = 64_000, 256 * GIB
MEMBERS = 2, 64
"""Sizes are spread evenly over their logarithm: most gangs are small, most pods in large ones."""
NAMESPACE = "train"


def gangs_by_domain(
    nodes: int, racks: int, gangs: int, *, running: float, asked: float, seed: int = 1
) -> Snapshot:
    """A cluster, and gangs that want racks or zones of it.

    Args:
        nodes: All alike.
        racks: Eight to a zone.
        gangs: Half of them ask for one rack, half for one zone.
        running: What share of the cluster is taken, 0.5 to 1.5 times as much rack by rack.
        asked: What share of it is taken if all gangs find a place.
        seed: Of all that is drawn.
    """
    random = np.random.default_rng(seed)
    rack_of = np.arange(nodes) * racks // nodes
    made = [
        make_node(
            f"node-{i:05}",
            cpu=CPU_MILLI,
            memory=MEMORY,
            labels={ZONE: f"zone-{rack // RACKS_PER_ZONE}", RACK: f"rack-{rack:03}"},
        )
        for i, rack in enumerate(rack_of.tolist())
    ]
    of_rack = running * random.uniform(0.5, 1.5, racks)
    shares = np.clip(of_rack[rack_of] * random.uniform(0.8, 1.2, nodes), 0.0, 1.0)
    loads = [_running(node.name, float(share)) for node, share in zip(made, shares, strict=True)]
    groups = _gangs(random, gangs, CPU_MILLI * (asked * nodes - float(shares.sum())))
    waiting = [pod for members in groups.values() for pod in members]
    return make_snapshot(made, [*waiting, *loads], groups=groups)


def _running(node: str, share: float) -> Pod:
    """One pod that stands for all that runs on a node."""
    amounts: dict[str, Any] = {"cpu": int(CPU_MILLI * share), "memory": int(MEMORY * share)}
    return make_pod(f"load-{node}", namespace="system", node=node, **amounts)


def _gangs(random: np.random.Generator, gangs: int, cpu_milli: float) -> dict[PodGroup, list[Pod]]:
    """Gangs that ask for so much together; a third of them have a leader of a quarter the size."""
    low, high = np.log(MEMBERS[0]), np.log(MEMBERS[1] + 1)
    sizes = np.exp(random.uniform(low, high, gangs)).astype(np.int64)
    weight = random.integers(2, 17, gangs)
    unit = cpu_milli / float(sizes @ weight)
    led, by_zone = random.random(gangs) < 1 / 3, random.random(gangs) < 1 / 2
    found = {}
    for g, size in enumerate(sizes.tolist()):
        name, cpu = f"gang-{g:04}", max(int(unit * weight[g] / 250), 1) * 250
        group = PodGroup(
            *("scheduling.k8s.io", NAMESPACE, name),
            min_count=size,
            required_topology=ZONE if by_zone[g] else RACK,
        )
        spec = make_spec(cpu=cpu, memory=cpu * GIB // 500, pod_group=name)
        lead = make_spec(cpu=max(cpu // 4, 250), memory=4 * GIB, pod_group=name)
        found[group] = [
            make_pod(f"{name}-{i:02}", namespace=NAMESPACE, spec=lead if led[g] and not i else spec)
            for i in range(size)
        ]
    return found
