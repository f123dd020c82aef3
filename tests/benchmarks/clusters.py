"""Clusters for benchmarks, drawn from a seed: the sizes and mixes that the tables speak of."""

import numpy as np

from batchsched.snapshot.labels import IN, NodeSelectorTerm, Requirement
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod, PodSpec, Quantities
from batchsched.snapshot.snapshot import Snapshot

GIB = 2**30
SHAPES = (
    (("cpu", 32_000), ("memory", 128 * GIB), ("pods", 110)),
    (("cpu", 64_000), ("memory", 256 * GIB), ("pods", 110)),
    (("cpu", 96_000), ("memory", 512 * GIB), ("nvidia.com/gpu", 8), ("pods", 110)),
)
PRIORITIES = (0, 100, 200, 300)


def backlog(nodes: int, pods: int, classes: int, *, load: float = 0.7, seed: int = 1) -> Snapshot:
    """Pods of many shapes and four priorities that ask for more than what is free.

    Args:
        nodes: Of three shapes, each loaded at random.
        pods: Pending ones.
        classes: How many kinds of pods there are; half of them want one shape of node.
        load: The highest share of a node that running pods hold.
        seed: Of everything that is drawn.
    """
    random = np.random.default_rng(seed)
    shapes = random.integers(0, len(SHAPES), nodes)
    shares = random.random(nodes) * load
    made = tuple(_node(i, int(shape)) for i, shape in enumerate(shapes))
    running = tuple(
        _running(i, int(shape), float(share))
        for i, (shape, share) in enumerate(zip(shapes, shares, strict=True))
        if share > 0
    )
    specs = [_spec(random) for _ in range(classes)]
    kinds = random.integers(0, classes, pods)
    waiting = tuple(
        Pod("batch", f"pod-{i:06}", uid=f"p{i}", spec=specs[kind], created="2026-01-01T00:00:00Z")
        for i, kind in enumerate(kinds)
    )
    return Snapshot(nodes=made, pods=(*waiting, *running))


def _node(i: int, shape: int) -> Node:
    labels = (("kubernetes.io/hostname", f"node-{i:05}"), ("shape", str(shape)))
    return Node(f"node-{i:05}", uid=f"n{i}", labels=labels, allocatable=SHAPES[shape])


def _running(i: int, shape: int, share: float) -> Pod:
    """One pod that stands for all that runs on the node."""
    held = tuple((name, int(size * share)) for name, size in SHAPES[shape] if name != "pods")
    requests: Quantities = tuple((name, amount) for name, amount in held if amount)
    return Pod(
        "system",
        f"load-{i:05}",
        uid=f"r{i}",
        spec=PodSpec(requests=requests),
        node=f"node-{i:05}",
        phase="Running",
        requests=requests,
    )


def _spec(random: np.random.Generator) -> PodSpec:
    requests = {
        "cpu": int(random.integers(1, 17)) * 500,
        "memory": int(random.integers(1, 33)) * GIB,
    }
    if random.random() < 0.25:
        requests["nvidia.com/gpu"] = int(random.choice([1, 2, 4, 8]))
    wanted = None
    if random.random() < 0.5:
        value = str(random.integers(0, len(SHAPES)))
        wanted = (NodeSelectorTerm((Requirement("shape", IN, (value,)),)),)
    return PodSpec(
        requests=tuple(sorted(requests.items())),
        node_affinity=wanted,
        priority=int(random.choice(PRIORITIES)),
    )
