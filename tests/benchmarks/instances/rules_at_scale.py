"""Rules at scale: one rule of kube-scheduler's own performance tests each, on 5,000 nodes.

Nodes stand in zones and racks and are loaded at random; every pod has room somewhere, so what is
measured is the rule.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod, PodSpec
from batchsched.snapshot.snapshot import Snapshot
from tests.builders import (
    GIB,
    HOSTNAME,
    ZONE,
    make_node,
    make_pod,
    make_snapshot,
    make_spec,
    pod_term,
    spread,
)

RACK = "topology.kubernetes.io/rack"
ZONES, NODES_PER_RACK = 5, 40
NODE_CPU_MILLI, NODE_MEMORY = 32_000, 128 * GIB
NAMESPACE = "batch"
Pods = list[Pod]


def rule_at_scale(rule: str, nodes: int, pods: int, *, seed: int = 1) -> Snapshot:
    """A cluster, and pods that all have one rule.

    Args:
        rule: One of ``RULES``.
        nodes: In five zones, forty to a rack.
        pods: Pending ones; gangs have three fifths of them.
        seed: Of the load, and of what pods ask for.
    """
    random = np.random.default_rng(seed)
    made = [_node(i) for i in range(nodes)]
    shares = random.random(nodes) * 0.7
    running = [_running(node, float(share)) for node, share in zip(made, shares, strict=True)]
    if rule in GANGS:
        groups = GANGS[rule](random, pods * 3 // 5)
        waiting = [pod for members in groups.values() for pod in members]
        return make_snapshot(made, [*waiting, *running], groups=groups)
    return make_snapshot(made, [*RULES[rule](random, pods), *running])


def affinity(random: np.random.Generator, pods: int) -> Pods:
    """Required pod affinity: applications of fifty, each in one rack."""
    return _apps(random, _even(pods, 50), lambda app: {"affinity": (pod_term(_of(app), RACK),)})


def apart_by_hostname(random: np.random.Generator, pods: int) -> Pods:
    """Required anti-affinity: one application on half of the nodes, others of a hundred."""
    sizes = [pods // 2, *_even(pods - pods // 2, 100)]
    return _apps(random, sizes, lambda app: {"anti_affinity": (pod_term(_of(app), HOSTNAME),)})


def apart_by_group(random: np.random.Generator, pods: int) -> Pods:
    """Anti-affinity between groups: applications of a hundred, two and two never in one rack."""
    return _apps(
        random, _even(pods, 100), lambda app: {"anti_affinity": (pod_term(_of(app ^ 1), RACK),)}
    )


def spread_out(random: np.random.Generator, pods: int) -> Pods:
    """Hard spread: applications of two hundred, even over zones and over nodes."""
    return _apps(
        random,
        _even(pods, 200),
        lambda app: {"spread": (spread(_of(app), ZONE), spread(_of(app), HOSTNAME))},
    )


def large_gangs(random: np.random.Generator, pods: int) -> dict[PodGroup, Pods]:
    """Three gangs that share what there is."""
    return _gangs(random, _even(pods, max(pods // 3, 1)), None)


def rack_gangs(random: np.random.Generator, pods: int) -> dict[PodGroup, Pods]:
    """Gangs of three, each in one rack."""
    return _gangs(random, _even(pods, 3), RACK)


GANGS: dict[str, Callable[[np.random.Generator, int], dict[PodGroup, Pods]]] = {
    "3 large gangs": large_gangs,
    "gangs of 3 by rack": rack_gangs,
}
RULES: dict[str, Callable[[np.random.Generator, int], Pods]] = {
    "pod affinity by rack": affinity,
    "anti-affinity by hostname": apart_by_hostname,
    "anti-affinity between groups": apart_by_group,
    "spread over zones and hosts": spread_out,
}
NAMES = (*RULES, *GANGS)


def _node(i: int) -> Node:
    rack = i // NODES_PER_RACK
    labels = {ZONE: f"zone-{rack % ZONES}", RACK: f"rack-{rack:03}"}
    return make_node(f"node-{i:05}", cpu=NODE_CPU_MILLI, memory=NODE_MEMORY, labels=labels)


def _running(node: Node, share: float) -> Pod:
    """One pod that stands for all that runs on the node."""
    cpu_milli, memory = int(NODE_CPU_MILLI * share), int(NODE_MEMORY * share)
    return make_pod(
        f"load-{node.name}", namespace="system", cpu=cpu_milli, memory=memory, node=node.name
    )


def _even(pods: int, each: int) -> list[int]:
    """Sizes of applications: so many each, the last with what is left."""
    return [min(each, pods - first) for first in range(0, pods, each)]


def _of(app: int) -> dict[str, str]:
    return {"app": f"app-{app:03}"}


def _apps(
    random: np.random.Generator, sizes: Sequence[int], rules: Callable[[int], dict[str, Any]]
) -> Pods:
    """Applications of these sizes, each of one spec."""
    pods = []
    for app, size in enumerate(sizes):
        spec = _spec(random, **rules(app))
        pods += [
            make_pod(f"app-{app:03}-{i:04}", namespace=NAMESPACE, labels=_of(app), spec=spec)
            for i in range(size)
        ]
    return pods


def _gangs(
    random: np.random.Generator, sizes: Sequence[int], topology: str | None
) -> dict[PodGroup, Pods]:
    """Gangs of these sizes, which need all of their members."""
    found = {}
    for number, size in enumerate(sizes):
        name = f"gang-{number:04}"
        group = PodGroup(
            "scheduling.k8s.io", NAMESPACE, name, min_count=size, required_topology=topology
        )
        spec = _spec(random, pod_group=name)
        found[group] = [
            make_pod(f"{name}-{i:04}", namespace=NAMESPACE, spec=spec) for i in range(size)
        ]
    return found


def _spec(random: np.random.Generator, **rules: Any) -> PodSpec:
    """One to four cores."""
    cpu_milli = int(random.integers(2, 9)) * 500
    return make_spec(cpu=cpu_milli, memory=cpu_milli * 2 * GIB // 1000, **rules)
