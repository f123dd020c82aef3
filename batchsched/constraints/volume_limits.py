"""Volume limits: a node attaches no more volumes of a CSI driver than it can.

Source: FORMULATION §C11; kube-scheduler's NodeVolumeLimits. Counted are distinct volumes: those of
everyone on the node, and those that are attached to it anyway. A pod whose volumes are all there
already is not stopped.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from batchsched.feasibility.problem import Problem
from batchsched.feasibility.problem_scene import scene_of
from batchsched.feasibility.scene import Scene
from batchsched.feasibility.storage import Attachment
from batchsched.feasibility.volume_limits import Attached
from batchsched.plan.state import FinalState, Violation
from batchsched.plan.storage import Volume
from batchsched.solver.model import IntArray, Model
from batchsched.solver.sums import Entries, numbered, sums


@dataclass(frozen=True, slots=True)
class VolumeLimits:
    """Attach limits of CSI drivers."""

    name: str = "volume_limits"

    def post(self, model: Model) -> None:
        """Per driver and limited node: new volumes are no more than what is left to attach."""
        problem = model.problem
        if not any(driver for node in problem.snapshot.csi_nodes for driver in node.drivers):
            return
        scene = scene_of(problem)
        users = _users(scene)
        if not users:
            return
        attached = Attached(scene)
        held = _held(scene, attached)
        for driver in sorted({volume.driver for volume in users}):
            limit = attached.limits.get(driver)
            if limit is not None:
                left = np.maximum(limit - _count(scene, held, driver), 0)
                shared = _by_users({v: c for v, c in users.items() if v.driver == driver})
                self._post_driver(model, shared, held, left)

    def _post_driver(
        self,
        model: Model,
        shared: Mapping[tuple[int, ...], list[Attachment]],
        held: Mapping[Attachment, list[int]],
        left: IntArray,
    ) -> None:
        """``sum of weight * (users or "somebody uses it") <= left`` on each node.

        Volumes with the same users come together: their weight is how many of them are new there.
        """
        problem = model.problem
        nodes = np.arange(len(problem.nodes), dtype=np.int64)
        parts, most = [], np.zeros(len(nodes), dtype=np.int64)
        for classes in sorted(shared):
            weight = np.full(len(nodes), len(shared[classes]), dtype=np.int64)
            for volume in shared[classes]:
                weight[held.get(volume, [])] -= 1
            mask = np.zeros(len(problem.classes), dtype=np.bool_)
            mask[list(classes)] = True
            using = sums(model, mask, nodes, len(nodes))
            most += np.where(using.most > 0, weight, 0)
            parts.append((using, weight))
        count, row = numbered(most > left)
        if not count:
            return
        entries: list[Entries] = []
        for using, weight in parts:
            here = (row >= 0) & (weight > 0) & (using.most > 0)
            entries.append(using.entries(np.where(here & (using.most == 1), row, -1), weight))
            several, used_row = numbered(here & (using.most > 1))
            if several:
                at = np.flatnonzero(used_row >= 0)
                used = model.add_columns(self.name, 1, several)
                held_up: list[Entries] = [using.entries(used_row)]
                held_up.append((np.arange(several), used, -using.most[at]))
                model.add_rows(self.name, several, held_up, upper=0)
                entries.append((row[at], used, weight[at]))
        model.add_rows(self.name, count, entries, upper=left[row >= 0])

    def reads(self, problem: Problem) -> Iterable[IntArray]:
        """Every node by itself, where pods have volumes; else nothing."""
        concerned = any(c.spec.claims or c.spec.inline_volumes for c in problem.classes)
        return [np.arange(len(problem.nodes))] if concerned else []

    def check(self, state: FinalState) -> Iterator[Violation]:
        """On each node that receives pods, new volumes of a driver do not pass its limit."""
        attached = _attached_anyway(state)
        for name, placed in state.receiving.items():
            if not any(each.pod.spec.claims or each.pod.spec.inline_volumes for each in placed):
                continue
            known = state.storage.csi_nodes.get(name)
            limits = dict(known.drivers) if known is not None else {}
            before = set(attached.get(name, ()))
            for each in state.on_node[name]:
                if not each.new:
                    before |= state.storage.attaches(each.pod)
            new: dict[Volume, str] = {}
            for each in placed:
                for volume in sorted(state.storage.attaches(each.pod)):
                    if volume[0] not in limits and _forbids(state, volume[0]):
                        message = f"the CSI driver {volume[0]} is not on the node"
                        yield Violation(self.name, each.pod.full_name, name, message)
                    if volume not in before:
                        new[volume] = each.pod.full_name
            yield from self._too_many(name, before, new, limits)

    def _too_many(
        self,
        node: str,
        before: set[Volume],
        new: Mapping[Volume, str],
        limits: Mapping[str, int | None],
    ) -> Iterator[Violation]:
        for driver in sorted({volume[0] for volume in new}):
            limit = limits.get(driver)
            total = sum(volume[0] == driver for volume in (*before, *new))
            if limit is not None and total > limit:
                last = max(volume for volume in new if volume[0] == driver)
                message = f"{total} volumes of {driver}, the node attaches {limit}"
                yield Violation(self.name, new[last], node, message)


def _forbids(state: FinalState, driver: str) -> bool:
    """Whether a driver forbids nodes where it is missing."""
    known = state.storage.drivers.get(driver)
    return known is not None and known.prevent_scheduling_if_missing


def _attached_anyway(state: FinalState) -> dict[str, set[Volume]]:
    """What VolumeAttachments say, by node."""
    found: dict[str, set[Volume]] = {}
    for each in state.snapshot.attachments:
        volume = state.storage.volumes.get(each.volume_name) if each.volume_name else None
        if volume is not None and volume.in_tree is None and volume.handle and each.driver:
            found.setdefault(each.node, set()).add((each.driver, volume.handle))
    return found


def _users(scene: Scene) -> dict[Attachment, list[int]]:
    """The classes that use each volume."""
    users: dict[Attachment, list[int]] = {}
    for index, pods in enumerate(scene.classes):
        if pods.spec.claims or pods.spec.inline_volumes:
            for volume in sorted(scene.storage.attachments(pods.pods[0])):
                users.setdefault(volume, []).append(index)
    return users


def _by_users(users: Mapping[Attachment, list[int]]) -> dict[tuple[int, ...], list[Attachment]]:
    """Volumes that the same classes use."""
    found: dict[tuple[int, ...], list[Attachment]] = {}
    for volume in sorted(users):
        found.setdefault(tuple(users[volume]), []).append(volume)
    return found


def _held(scene: Scene, attached: Attached) -> dict[Attachment, list[int]]:
    """The nodes that have a volume already: for a fixed pod, or attached anyway."""
    held = {volume: set(nodes) for volume, nodes in attached.nodes_of.items()}
    index = {node.name: i for i, node in enumerate(scene.nodes)}
    for each in scene.snapshot.attachments:
        volume = scene.storage.volumes.get(each.volume_name or "")
        if volume is not None and volume.in_tree is None and volume.handle and each.driver:
            there = held.setdefault(Attachment(each.driver, volume.handle), set())
            there |= {index[each.node]} if each.node in index else set()
    return {volume: sorted(nodes) for volume, nodes in held.items()}


def _count(scene: Scene, held: Mapping[Attachment, list[int]], driver: str) -> IntArray:
    """[N] how many volumes of a driver each node has already."""
    count = np.zeros(len(scene.nodes), dtype=np.int64)
    for volume, nodes in held.items():
        if volume.driver == driver:
            count[nodes] += 1
    return count
