"""Small windows on large clusters: a few pods, and very many that run already.

The axes are those of DCM's microbenchmarks: nodes, new pods, and how loaded the cluster is. Load is
what it is in real clusters, a dozen small pods to a node. Half of the new Deployments keep
their replicas on different nodes.
"""

import numpy as np

from batchsched.snapshot.pod import Pod, PodSpec
from batchsched.snapshot.snapshot import Snapshot
from tests.builders import GIB, make_node, make_pod, make_snapshot, make_spec, pod_term

NODE_CPU_MILLI, NODE_MEMORY = 32_000, 128 * GIB
REPLICAS = 5
KINDS = 200
"""Shapes of running pods."""


def small_window(nodes: int, pods: int, load: float, *, seed: int = 1) -> Snapshot:
    """A few Deployments on a cluster that is loaded evenly with small pods.

    Args:
        nodes: All alike, with 32 cores.
        pods: New ones, in Deployments of five.
        load: The share of each node's cores that running pods hold, in the mean.
        seed: Of everything that is drawn.
    """
    random = np.random.default_rng(seed)
    kinds = [_spec(random) for _ in range(KINDS)]
    running = [
        pod for i in range(nodes) for pod in _running(random, i, kinds, NODE_CPU_MILLI * load)
    ]
    fresh = [_replica(random, app) for app in range(-(-pods // REPLICAS))]
    waiting = [
        make_pod(f"new-{i:03}", namespace="apps", labels=_labels(app), spec=fresh[app])
        for i in range(pods)
        for app in [i // REPLICAS]
    ]
    made = [make_node(f"node-{i:05}", cpu=NODE_CPU_MILLI, memory=NODE_MEMORY) for i in range(nodes)]
    return make_snapshot(made, [*waiting, *running])


def _running(
    random: np.random.Generator, node: int, kinds: list[PodSpec], cpu_milli: float
) -> list[Pod]:
    """Pods of a node, until they hold what they should, give or take a tenth."""
    left, pods = cpu_milli * (0.9 + 0.2 * random.random()), []
    for number in range(110):
        spec = kinds[int(random.integers(0, len(kinds)))]
        left -= dict(spec.requests)["cpu"]
        if left < 0:
            break
        name = f"run-{node:05}-{number:03}"
        pods.append(make_pod(name, namespace="busy", spec=spec, node=f"node-{node:05}"))
    return pods


def _spec(random: np.random.Generator) -> PodSpec:
    """Half a core to four, and about four GiB to the core."""
    cpu_milli = int(random.integers(2, 17)) * 250
    return make_spec(cpu=cpu_milli, memory=cpu_milli * int(random.integers(2, 5)) * GIB // 1000)


def _replica(random: np.random.Generator, app: int) -> PodSpec:
    requests = dict(_spec(random).requests)
    apart = (pod_term(_labels(app)),) if app % 2 else ()
    return make_spec(requests=requests, anti_affinity=apart)


def _labels(app: int) -> dict[str, str]:
    return {"app": f"app-{app:02}"}
