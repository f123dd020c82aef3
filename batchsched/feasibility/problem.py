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
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod, PodSpec
from batchsched.snapshot.snapshot import Snapshot

BoolMatrix = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PodClass:
    """Pods that the model cannot tell apart; ``pods`` is sorted by key and never empty."""

    pods: tuple[Pod, ...]
    group: int | None = None
    """Index into ``Problem.groups``."""

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


@dataclass(frozen=True, slots=True)
class Excluded:
    """A pending pod that no model can place now, whatever the room, and why."""

    pod: Pod
    reason: str
    message: str


@dataclass(frozen=True, eq=False)
class Problem:
    """What gets solved. Shapes: C classes, N nodes, R resources, F fixed pods.

    ``fixed`` pods hold their place whatever is decided: running pods (terminating ones too) and
    pods outside the window that are nominated to a node. A fixed pod on a node that the snapshot
    does not hold has index -1 in ``fixed_node``.
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

    @cached_property
    def class_size(self) -> IntArray:
        """[C] pods of each class."""
        return np.array([c.size for c in self.classes], dtype=np.int64)

    def domains(self, key: str) -> Domains:
        """The domains of one topology key."""
        return self.topology.domains(key)

    def selected(
        self, selector: PodSelector
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Which classes [C] and which fixed pods [F] a selector selects."""
        return self.selections.classes(selector), self.selections.fixed(selector)
