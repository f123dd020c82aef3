"""The scenario: what a simulation starts with, and what happens when.

Made by ``workload`` from Kubernetes objects, or by ``trace`` from a table.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from batchsched.cycle import Timing
from batchsched.sim.controllers import CronTemplate, JobTemplate
from batchsched.snapshot.groups import Declared
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class PodArrival:
    """A pod without a controller arrives; it succeeds so long after it started, None: never."""

    at_s: float
    pod: Pod
    duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class JobArrival:
    """A Job is created."""

    at_s: float
    job: JobTemplate


@dataclass(frozen=True, slots=True)
class NodeArrival:
    """A node joins, or changes; ``until_s`` is when it is lost."""

    at_s: float
    node: Node
    until_s: float | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """One simulation, all of it: the same scenario is the same run."""

    name: str
    base: Snapshot
    """The nodes that are there from the start, and what never changes (volumes, services...)."""
    duration_s: float
    start: datetime = datetime(2026, 1, 5, tzinfo=UTC)
    """The date and time at second 0."""
    declared: Declared = field(default_factory=Declared)
    pods: Sequence[PodArrival] = ()
    jobs: Sequence[JobArrival] = ()
    crons: Sequence[CronTemplate] = ()
    nodes: Sequence[NodeArrival] = ()
    timing: Timing = field(default_factory=Timing)
    policies: tuple[str, ...] = ()
    """Which to run where nobody says."""
    notes: tuple[str, ...] = ()
    """What was left out or drawn, for people to read."""
