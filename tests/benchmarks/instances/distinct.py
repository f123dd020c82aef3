"""Nearly distinct pods: each asks for an amount of its own, so that each is a class of its own.

The worst that can happen to a model of classes: as many columns as the textbook's booleans.
"""

import numpy as np

from batchsched.snapshot.snapshot import Snapshot
from tests.benchmarks.instances.backlog import GPU, PRIORITIES, loaded_nodes
from tests.builders import make_pod, make_snapshot, make_spec

MIB = 2**20


def distinct(nodes: int, pods: int, *, load: float = 0.7, seed: int = 1) -> Snapshot:
    """Pods of four priorities and no two alike; two fifths of them want four or eight GPUs.

    Args:
        nodes: Of three shapes, each loaded at random.
        pods: Pending ones.
        load: The highest share of a node that running pods hold.
        seed: Of everything that is drawn.
    """
    random = np.random.default_rng(seed)
    made, running = loaded_nodes(random, nodes, load)
    cpus = random.choice(np.arange(500, 24_000), pods, replace=False).tolist()
    memories = random.integers(1024, 98 * 1024, pods).tolist()
    gpus = random.choice([0, 0, 0, 4, 8], pods).tolist()
    priorities = random.choice(PRIORITIES, pods).tolist()
    waiting = [
        make_pod(
            f"pod-{i:05}",
            namespace="batch",
            spec=make_spec(
                requests={"cpu": cpu, "memory": memory * MIB, GPU: gpu}, priority=priority
            ),
        )
        for i, (cpu, memory, gpu, priority) in enumerate(
            zip(cpus, memories, gpus, priorities, strict=True)
        )
    ]
    return make_snapshot(made, [*waiting, *running])
