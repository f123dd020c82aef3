"""Backlogs: many pods of some sixty shapes and four priorities, and too little room for each.

In every tier more is asked for than fits. All tiers want GPUs in ones, twos, fours and eights, and
nodes have them partly taken: the first tier runs out of whole nodes, the others of GPUs altogether,
and nodes that are nearly full have little room for the rest. Coarse pods are three times as large:
a node then holds one or two more, and no relaxation knows well how many that makes.
"""

from itertools import cycle

import numpy as np

from batchsched.snapshot.labels import IN, NodeSelectorTerm, Requirement
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod, PodSpec
from batchsched.snapshot.snapshot import Snapshot
from tests.builders import GIB, make_node, make_pod, make_snapshot, make_spec

GPU, SHAPE = "nvidia.com/gpu", "shape"
SHAPES = (
    {"cpu": 32_000, "memory": 128 * GIB},
    {"cpu": 64_000, "memory": 256 * GIB},
    {"cpu": 96_000, "memory": 512 * GIB, GPU: 8},
)
WITH_GPUS = 2
PRIORITIES = (300, 200, 100, 0)
CREATED = "2026-01-01T00:00:00Z"


def backlog(
    nodes: int, pods: int, classes: int, *, load: float = 0.9, coarse: int = 1, seed: int = 1
) -> Snapshot:
    """Pods that ask for more than what is free, in every tier.

    Args:
        nodes: Of three shapes, each loaded at random.
        pods: Pending ones.
        classes: How many kinds of pods there are, as many of each priority; a third of them wants
            GPUs, a third one shape of node.
        load: The highest share of a node that running pods hold.
        coarse: What cores and memory that pods ask for are multiplied by.
        seed: Of everything that is drawn.
    """
    random = np.random.default_rng(seed)
    made, running = loaded_nodes(random, nodes, load)
    specs = _specs(random, classes, coarse)
    kinds = random.integers(0, classes, pods).tolist()
    waiting = [
        make_pod(f"pod-{i:06}", namespace="batch", spec=specs[kind], pod={"created": CREATED})
        for i, kind in enumerate(kinds)
    ]
    return make_snapshot(made, [*waiting, *running])


def loaded_nodes(
    random: np.random.Generator, nodes: int, load: float
) -> tuple[list[Node], list[Pod]]:
    """Nodes of three shapes, and one pod on each that stands for all that runs there.

    Args:
        random: Draws shapes and loads.
        nodes: How many.
        load: The highest share of a node that its pod holds.
    """
    shapes = random.integers(0, len(SHAPES), nodes).tolist()
    shares = (random.random(nodes) * load).tolist()
    running = [_running(i, *at) for i, at in enumerate(zip(shapes, shares, strict=True))]
    return [_node(i, shape) for i, shape in enumerate(shapes)], running


def _node(i: int, shape: int) -> Node:
    size = dict(SHAPES[shape])
    cpu, memory = size.pop("cpu"), size.pop("memory")
    labels = {SHAPE: str(shape)}
    return make_node(f"node-{i:05}", cpu=cpu, memory=memory, labels=labels, resources=size)


def _running(i: int, shape: int, share: float) -> Pod:
    held = {name: int(size * share) for name, size in SHAPES[shape].items()}
    spec = make_spec(requests=held)
    return make_pod(f"load-{i:05}", namespace="system", spec=spec, node=f"node-{i:05}")


def _specs(random: np.random.Generator, classes: int, coarse: int) -> list[PodSpec]:
    """The kinds of pods: priorities in turn, and within each what they want in turn."""
    gpus = {priority: cycle((8, 4, 2, 1)) for priority in PRIORITIES}
    shapes = {priority: cycle(range(len(SHAPES))) for priority in PRIORITIES}
    specs = []
    for i in range(classes):
        priority, want = PRIORITIES[i % len(PRIORITIES)], i // len(PRIORITIES) % 3
        amounts = {
            "cpu": int(random.integers(1, 17)) * 500 * coarse,
            "memory": int(random.integers(1, 33)) * GIB * coarse,
        }
        shape = None
        if want == 0:
            amounts[GPU], shape = next(gpus[priority]), WITH_GPUS
        elif want == 1:
            shape = next(shapes[priority])
        specs.append(make_spec(requests=amounts, priority=priority, node_affinity=_on_shape(shape)))
    return specs


def _on_shape(shape: int | None) -> tuple[NodeSelectorTerm, ...] | None:
    """A required node affinity for a shape."""
    if shape is None:
        return None
    return (NodeSelectorTerm((Requirement(SHAPE, IN, (str(shape),)),)),)
