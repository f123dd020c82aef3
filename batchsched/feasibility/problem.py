"""The problem: snapshot and window compiled to classes, candidates and room. What gets solved.

Everything the model, the greedy and the objectives read is here as arrays over ``classes`` (C) and
``nodes`` (N). Order is data: nodes sorted by name, classes in the order of their first pod, so the
same snapshot is the same problem.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from batchsched.feasibility.crowd import Crowd
from batchsched.feasibility.selection import PodSelector, Selections
from batchsched.feasibility.topology import Domains, Topology
from batchsched.snapshot.allowance import NOTHING, Allowance
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod, PodSpec
from batchsched.snapshot.snapshot import Snapshot

BoolMatrix = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Seat:
    """How the pods of a class that runs may go."""

    preemptible: bool
    back: int | None
    """The class that they come back as where they move, ``None`` where they do not."""
    group: int | None
    """Index into ``Snapshot.groups``."""
    part: str | None = None
    """The part of the group."""


@dataclass(frozen=True, slots=True)
class PodClass:
    """Pods that the model cannot tell apart; ``pods`` is sorted by key and never empty.

    They wait to be placed; or they run and may go (``seat``), each with a spec of what then remains
    to others; or they are the pods that movable ones come back as (``returning``).
    """

    pods: tuple[Pod, ...]
    group: int | None = None
    """Index into ``Problem.gangs``; of pods that wait."""
    part: str | None = None
    """The part of the gang, if it has a minimum of its own."""
    seat: Seat | None = None
    returning: bool = False

    @property
    def waits(self) -> bool:
        """Whether the pods are pending ones."""
        return self.seat is None and not self.returning

    @property
    def spec(self) -> PodSpec:
        """The spec that stands for all of them."""
        return self.pods[0].spec

    @property
    def namespace(self) -> str:
        """The namespace that stands for all of them."""
        return self.pods[0].namespace

    @property
    def priority(self) -> int:
        """Their priority."""
        return self.pods[0].spec.priority

    @property
    def size(self) -> int:
        """How many they are."""
        return len(self.pods)


@dataclass(frozen=True, slots=True)
class Gang:
    """A pod group with members in the window; ``running`` of its members hold a place already."""

    group: PodGroup
    running: int = 0
    running_nodes: tuple[int, ...] = ()
    """Node indices of running members, sorted; they pin the topology domain."""
    running_of: tuple[int, ...] = ()
    """How many run of each part of the group, in their order."""


@dataclass(frozen=True, slots=True)
class Excluded:
    """A pending pod that no model can place now, whatever the room, and why."""

    pod: Pod
    reason: str
    message: str


@dataclass(frozen=True, eq=False)
class Problem:
    """What gets solved. Shapes: C classes, N nodes, R resources, F fixed pods.

    ``classes`` are those of pending pods first, then of pods that may come back, then of running
    pods that may go. ``fixed`` pods hold their place whatever is decided: all other running pods
    (terminating ones too) and pods outside the window that are nominated to a node. A fixed pod on
    a node that the snapshot does not hold has index -1 in ``fixed_node``.
    """

    snapshot: Snapshot
    nodes: tuple[Node, ...]
    classes: tuple[PodClass, ...]
    gangs: tuple[Gang, ...]
    fixed: Crowd
    fixed_node: IntArray
    resources: tuple[str, ...]
    """Resources that some class requests, sorted; ``pods`` is not among them."""
    requests: IntArray
    """[C, R] what one pod of the class asks for."""
    allocatable: IntArray
    """[N, R]"""
    free: IntArray
    """[N, R] allocatable less what fixed pods hold, at least 0."""
    slots: IntArray
    """[N] how many more pods the node may hold, at least 0."""
    passing: BoolMatrix
    """[C, N] whether nothing but the room keeps the class off the node for good."""
    candidates: BoolMatrix
    """[C, N] whether a pod of the class may be on the node in *some* final state: every rule that
    looks at the node and at fixed pods alone (affinity and spread only ask for the keys)."""
    upper: IntArray
    """[C, N] how many of the class the node could hold if nothing else came, else 0."""
    excluded: tuple[Excluded, ...]
    topology: Topology
    selections: Selections
    shortlist: BoolMatrix | None = None
    """[C, N] the pairs that get a column; ``None`` where all candidates do."""
    allowance: Allowance = NOTHING
    left_alone: tuple[Pod, ...] = ()
    """Running pods that might go, but have a part in a rule that is broken already; all fixed."""

    @cached_property
    def class_size(self) -> IntArray:
        """[C] pods of each class."""
        return np.array([c.size for c in self.classes], dtype=np.int64)

    @property
    def running(self) -> npt.NDArray[np.bool_]:
        """[C] the classes of pods that run."""
        return np.array([c.seat is not None for c in self.classes], dtype=np.bool_)

    @property
    def returning(self) -> npt.NDArray[np.bool_]:
        """[C] the classes that pods come back as."""
        return np.array([c.returning for c in self.classes], dtype=np.bool_)

    @property
    def waiting(self) -> npt.NDArray[np.bool_]:
        """[C] the classes of pending pods."""
        return np.array([c.waits for c in self.classes], dtype=np.bool_)

    @property
    def preemptible(self) -> npt.NDArray[np.bool_]:
        """[C] the running classes whose pods may be evicted for others."""
        return np.array([bool(c.seat and c.seat.preemptible) for c in self.classes], dtype=np.bool_)

    @cached_property
    def pool(self) -> IntArray:
        """[C] of each class the one that its pods come back as, or itself: they are the same pods.

        A class that runs is complete if all of its pods stay or come back.
        """
        back = (c.seat.back if c.seat is not None else None for c in self.classes)
        return np.array([c if b is None else b for c, b in enumerate(back)], dtype=np.int64)

    def with_back(self, running: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """[C] running classes, and what their pods come back as: who is of them is no victim."""
        mask = running.copy()
        for k in np.flatnonzero(running).tolist():
            seat = self.classes[k].seat
            if seat is not None and seat.back is not None:
                mask[seat.back] = True
        return mask

    @property
    def window_pods(self) -> list[Pod]:
        """The pods that were asked about, those set aside among them, by key."""
        waiting = [pod for c in self.classes if c.waits for pod in c.pods]
        return sorted([*waiting, *(e.pod for e in self.excluded)], key=lambda pod: pod.key)

    def domains(self, key: str) -> Domains:
        """The domains of one topology key."""
        return self.topology.domains(key)

    def selected(
        self, selector: PodSelector
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Which classes [C] and which fixed pods [F] a selector selects."""
        return self.selections.classes(selector), self.selections.fixed(selector)
