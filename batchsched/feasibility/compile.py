"""Compile: from a snapshot and a window to the problem that gets solved.

Candidates are what remains when every rule has been asked that looks at the node and at fixed pods
alone. What depends on where other pending pods go is left to the model.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from batchsched.feasibility.classes import pod_classes
from batchsched.feasibility.devices import needs_allocation
from batchsched.feasibility.filters import LASTING, prefilter, verdicts
from batchsched.feasibility.gangs import Gangs, gangs_of, open_nodes
from batchsched.feasibility.most import most
from batchsched.feasibility.problem import Excluded, Gang, PodClass, Problem
from batchsched.feasibility.resources import how_many, measure
from batchsched.feasibility.running import Leaver, leavers, running_classes, who_goes
from batchsched.feasibility.scene import Scene, make_scene
from batchsched.snapshot.allowance import NOTHING, Allowance
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot, Window, holding

UNSUPPORTED_CONSTRAINT = "UnsupportedConstraint"

PodKey = tuple[str, str]


def compile_problem(
    snapshot: Snapshot,
    window: Window,
    allowance: Allowance = NOTHING,
    *,
    staying: frozenset[PodKey] = frozenset(),
    whole: bool = False,
) -> Problem:
    """Compile one window over one snapshot.

    Args:
        snapshot: The cluster.
        window: The pods to decide on, sorted by key.
        allowance: What may be done to running pods.
        staying: Running pods that stay whatever is allowed.
        whole: Whether classes keep namespace, labels and annotations whole, because rules may read
            them that no selector tells of.
    """
    may_go = leavers(snapshot, window, allowance)
    going = who_goes(may_go, staying, snapshot.groups)
    able = {each.pod.key for each in going}
    index = {node.name: i for i, node in enumerate(sorted(snapshot.nodes, key=lambda n: n.name))}
    gangs = gangs_of(snapshot, window, index)
    scene, excluded = _Compilation(snapshot, window, going, gangs, whole=whole).scene()
    room = measure(scene)
    upper = np.minimum(how_many(room, [c.size for c in scene.classes]), most(scene))
    passing = candidates(scene, gangs.gangs)
    upper[~passing] = 0
    for c, pods in enumerate(scene.classes):
        if pods.seat is not None:
            at = [index[pod.node] for pod in pods.pods if pod.node is not None]
            upper[c] = np.bincount(at, minlength=len(index))
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
        allowance=allowance,
        left_alone=tuple(each.pod for each in may_go if each.pod.key not in able),
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


def without(
    pods: Sequence[Pod], places: Sequence[str | None], leaving: Collection[PodKey]
) -> tuple[Sequence[Pod], list[str | None]]:
    """Pods and their places but for those that leave."""
    if not leaving:
        return pods, [*places]
    stay = [i for i, pod in enumerate(pods) if pod.key not in leaving]
    return [pods[i] for i in stay], [places[i] for i in stay]


@dataclass(frozen=True)
class _Compilation:
    """What goes into the scene."""

    snapshot: Snapshot
    window: Window
    going: tuple[Leaver, ...]
    gangs: Gangs
    whole: bool = field(kw_only=True)

    def scene(self) -> tuple[Scene, tuple[Excluded, ...]]:
        """The scene of the pods that can be tried, and those that cannot."""
        waiting = {each.pod.key for each in self.gangs.excluded}
        pods = self.window.pods
        if waiting:
            pods = tuple(pod for pod in pods if pod.key not in waiting)
        scene = self._scene_of(pods)
        unsupported: dict[PodKey, Excluded] = {}
        for pods_of in scene.classes:
            message = needs_allocation(scene, pods_of.pods[0]) if pods_of.waits else None
            if message is not None:
                unsupported.update(
                    {p.key: Excluded(p, UNSUPPORTED_CONSTRAINT, message) for p in pods_of.pods}
                )
        if unsupported:
            scene = self._scene_of(tuple(pod for pod in pods if pod.key not in unsupported))
        excluded = (*self.gangs.excluded, *unsupported.values())
        return scene, tuple(sorted(excluded, key=lambda each: each.pod.key))

    def _scene_of(self, pods: tuple[Pod, ...]) -> Scene:
        """Pending pods, those that may come back, and those that may go, before the fixed ones."""
        preemption = any(each.preemptible for each in self.going)
        waiting = pod_classes(
            self.snapshot,
            pods,
            self.gangs.gang_of,
            self.gangs.part_of,
            whole=self.whole,
            preemption=preemption,
        )
        going = {each.pod.key for each in self.going}
        fixed, places = without(*fixed_pods(self.snapshot, self.window), going)
        classes = (*waiting, *self._leaving(len(waiting)))
        return make_scene(self.snapshot, classes, fixed, places)

    def _leaving(self, first: int) -> tuple[PodClass, ...]:
        def classes_of(pods: Sequence[Pod], kin: Mapping[PodKey, int]) -> tuple[PodClass, ...]:
            return pod_classes(self.snapshot, pods, kin, whole=self.whole)

        moving = [each.pod for each in self.going if each.movable]
        back = tuple(PodClass(c.pods, returning=True) for c in classes_of(moving, {}))
        return (*back, *running_classes(self.going, back, first, classes_of, whole=self.whole))


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
        if group is not None and group.slice_topology is not None:
            mask[c] &= scene.topology.domains(group.slice_topology).has_key
    return mask
