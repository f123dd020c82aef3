"""Disks: an inline disk is not mounted by two pods of one node, unless both only read it.

Source: FORMULATION §C4; kube-scheduler's VolumeRestrictions. EBS disks are never shared. RBD images
are the same when pool and image are and the monitors have one in common.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from batchsched.feasibility.problem import Problem
from batchsched.plan.state import FinalState, Placed, Violation
from batchsched.snapshot.pod import Disk, PodSpec
from batchsched.solver.model import IntArray, Model
from batchsched.solver.sums import BoolArray, numbered, sums

EBS, RBD = "awsElasticBlockStore", "rbd"

_Clique: TypeAlias = tuple[str, ...]
"""Kind, ids and, for rbd, a monitor: mounts that have one in common are of the same disk."""


@dataclass(frozen=True, slots=True)
class Disks:
    """One writer or many readers of a disk on a node."""

    name: str = "disks"

    def post(self, model: Model) -> None:
        """``U writers + readers <= U`` on each node, for each disk that pending pods mount.

        Disks that fixed pods mount are in the candidates.
        """
        nodes = np.arange(len(model.problem.nodes), dtype=np.int64)
        for writing, reading in _users(model.problem):
            writers = sums(model, writing, nodes, len(nodes))
            readers = sums(model, reading, nodes, len(nodes))
            most = np.maximum(readers.most, 1)
            clash = (writers.most > 1) | ((writers.most > 0) & (readers.most > 0))
            count, row = numbered(clash)
            if count:
                entries = [writers.entries(row, most), readers.entries(row)]
                model.add_rows(self.name, count, entries, upper=most[row >= 0])

    def reads(self, problem: Problem) -> Iterable[IntArray]:
        """Nothing: disks of fixed pods keep classes off for good."""
        del problem
        return ()

    def check(self, state: FinalState) -> Iterator[Violation]:
        """No placed pod mounts a disk that another pod of its node mounts."""
        for name, placed in state.receiving.items():
            if not any(each.pod.spec.disks for each in placed):
                continue
            mounted: dict[tuple[str, tuple[str, ...]], list[tuple[Disk, Placed]]] = {}
            for each in state.on_node[name]:
                for disk in each.pod.spec.disks:
                    mounted.setdefault((disk.kind, disk.ids), []).append((disk, each))
            for each in placed:
                for disk in each.pod.spec.disks:
                    others = mounted[(disk.kind, disk.ids)]
                    other = next((p for d, p in others if p is not each and _clash(d, disk)), None)
                    if other is not None:
                        message = (
                            f"{disk.kind} {'/'.join(disk.ids)} is also {other.pod.full_name}'s"
                        )
                        yield Violation(self.name, each.pod.full_name, name, message)


def _clash(one: Disk, other: Disk) -> bool:
    """Whether two mounts of what has the same kind and ids cannot be on one node."""
    if one.kind == EBS:
        return True
    if one.kind == RBD and not set(one.monitors).intersection(other.monitors):
        return False
    return not one.read_only or not other.read_only


def _users(problem: Problem) -> Iterator[tuple[BoolArray, BoolArray]]:
    """For each clique of mounts of which pairs clash: the classes [C] that write, and that read."""
    writing: dict[_Clique, set[int]] = {}
    reading: dict[_Clique, set[int]] = {}
    for index, pods in enumerate(problem.classes):
        for disk, clique in _cliques(pods.spec):
            shared = disk.read_only and disk.kind != EBS
            (reading if shared else writing).setdefault(clique, set()).add(index)
    for clique in sorted(writing):
        masks = np.zeros((2, len(problem.classes)), dtype=np.bool_)
        masks[0, sorted(writing[clique])] = True
        masks[1, sorted(reading.get(clique, set()) - writing[clique])] = True
        if problem.class_size[masks.any(axis=0)].sum() > 1:
            yield masks[0], masks[1]


def _cliques(spec: PodSpec) -> Iterator[tuple[Disk, _Clique]]:
    for disk in spec.disks:
        for monitor in disk.monitors if disk.kind == RBD else ("",):
            yield disk, (disk.kind, *disk.ids, monitor)
