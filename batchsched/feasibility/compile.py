"""Compile: from a snapshot and a window to the problem that gets solved.

Candidates are what remains when every rule has been asked that looks at the node and at fixed pods
alone. What depends on where other pending pods go is left to the model.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from batchsched.feasibility.classes import pod_classes
from batchsched.feasibility.devices import needs_allocation
from batchsched.feasibility.filters import LASTING, prefilter, verdicts
from batchsched.feasibility.gangs import Gangs, gangs_of, open_nodes
from batchsched.feasibility.most import most
from batchsched.feasibility.problem import Excluded, Gang, Problem
from batchsched.feasibility.resources import how_many, measure
from batchsched.feasibility.scene import Scene, make_scene
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot, Window, holding

UNSUPPORTED_CONSTRAINT = "UnsupportedConstraint"


def compile_problem(snapshot: Snapshot, window: Window, *, whole: bool = False) -> Problem:
    """Compile one window over one snapshot.

    Args:
        snapshot: The cluster.
        window: The pods to decide on, sorted by key.
        whole: Whether classes keep namespace, labels and annotations whole, because rules may read
            them that no selector tells of.
    """
    fixed = fixed_pods(snapshot, window)
    index = {node.name: i for i, node in enumerate(sorted(snapshot.nodes, key=lambda n: n.name))}
    gangs = gangs_of(snapshot, window, index)
    scene, excluded = _scene(snapshot, window, fixed, gangs, whole=whole)
    room = measure(scene)
    upper = np.minimum(how_many(room, [c.size for c in scene.classes]), most(scene))
    passing = candidates(scene, gangs.gangs)
    upper[~passing] = 0
    return Problem(
        snapshot=snapshot,
        nodes=scene.nodes,
        classes=scene.classes,
        gangs=gangs.gangs,
        fixed=scene.fixed,
        fixed_node=scene.fixed_node,
        resources=room.resources,
        requests=room.requests,
        allocatable=room.allocatable,
        free=np.maximum(room.free, 0),
        slots=np.maximum(room.slots, 0),
        passing=passing,
        candidates=upper > 0,
        upper=upper,
        excluded=excluded,
        topology=scene.topology,
        selections=scene.selections,
    )


def fixed_pods(snapshot: Snapshot, window: Window) -> tuple[Sequence[Pod], list[str | None]]:
    """Who holds a place whatever is decided, sorted by key; and the node of each.

    Bound pods that have not ended, and pending pods outside the window with a nominated node.
    """
    pods: Sequence[Pod] = holding(snapshot)
    nominated = [
        pod for pod in snapshot.pods if pod.node is None and pod.nominated_node and not pod.terminal
    ]
    if nominated:
        inside = {pod.key for pod in window.pods}
        outside = [pod for pod in nominated if pod.key not in inside]
        pods = sorted([*pods, *outside], key=lambda pod: pod.key)
    return pods, [pod.nominated_node if pod.node is None else pod.node for pod in pods]


def _scene(
    snapshot: Snapshot,
    window: Window,
    fixed: tuple[Sequence[Pod], list[str | None]],
    gangs: Gangs,
    *,
    whole: bool,
) -> tuple[Scene, tuple[Excluded, ...]]:
    """The scene of the pods that can be tried, and those that cannot."""
    waiting = {each.pod.key for each in gangs.excluded}
    pods = tuple(pod for pod in window.pods if pod.key not in waiting) if waiting else window.pods
    scene = make_scene(snapshot, pod_classes(snapshot, pods, gangs.gang_of, whole=whole), *fixed)
    unsupported: dict[tuple[str, str], Excluded] = {}
    for pods_of in scene.classes:
        message = needs_allocation(scene, pods_of.pods[0])
        if message is not None:
            unsupported.update(
                {p.key: Excluded(p, UNSUPPORTED_CONSTRAINT, message) for p in pods_of.pods}
            )
    if unsupported:
        pods = tuple(pod for pod in pods if pod.key not in unsupported)
        classes = pod_classes(snapshot, pods, gangs.gang_of, whole=whole)
        scene = make_scene(snapshot, classes, *fixed)
    excluded = (*gangs.excluded, *unsupported.values())
    return scene, tuple(sorted(excluded, key=lambda each: each.pod.key))


def candidates(scene: Scene, gangs: tuple[Gang, ...]) -> npt.NDArray[np.bool_]:
    """[C, N] which nodes the lasting parts of the filters leave to each class, room aside."""
    mask = np.ones((len(scene.classes), len(scene.nodes)), dtype=np.bool_)
    for verdict in verdicts(scene, LASTING):
        passing = verdict.codes == 0
        rows = np.flatnonzero(~passing.all(axis=1)[verdict.kind])
        mask[rows] &= passing[verdict.kind[rows]]
    for c, pods in enumerate(scene.classes):
        if prefilter(scene, pods.pods[0]):
            mask[c] = False
        group = gangs[pods.group].group if pods.group is not None else None
        if group is not None and group.required_topology is not None and pods.group is not None:
            domains = scene.topology.domains(group.required_topology)
            mask[c] &= open_nodes(gangs[pods.group], domains)
    return mask
