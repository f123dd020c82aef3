"""The ports: what the loop asks of the world. Small, so that an adapter is small.

Cluster reality (a conflict, a pod that left) is a value here, never an exception. An adapter raises
only where it cannot go on: then the process ends and a new one reads the cluster. Nothing waits:
writes are begun, and answered later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from batchsched.cycle import Announce, Binding, PodKey
from batchsched.plan.plan import Plan
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.labels import Pairs
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot, Window


@dataclass(frozen=True, slots=True)
class PodChange:
    """A watch showed a pod: ``old`` None when it is new, ``new`` None when it is gone."""

    old: Pod | None
    new: Pod | None
    group: PodGroup | None = None
    """The group it belongs to now."""


@dataclass(frozen=True, slots=True)
class NodeChange:
    """A watch showed a node; as ``PodChange``."""

    old: Node | None
    new: Node | None


Change: TypeAlias = PodChange | NodeChange


@dataclass(frozen=True, slots=True)
class BindWrite:
    """Bind a pod, its uid as precondition; ``notes`` are annotations that the pod gets with it."""

    binding: Binding
    dry_run: bool = False
    notes: Pairs = ()
    volumes: Pairs = ()
    """Claim to volume, or to ``plan.claims.MADE``: what the plan relies on, if it is free still."""


@dataclass(frozen=True, slots=True)
class NominateWrite:
    """Say in the pod's status which node is kept for it; None: none any more."""

    pod: PodKey
    uid: str
    node: str | None


@dataclass(frozen=True, slots=True)
class EvictWrite:
    """Terminate a running pod for the sake of others, if its disruption budgets allow it."""

    pod: PodKey
    uid: str
    message: str
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class DeleteWrite:
    """Delete a member of a half-started gang, its uid as precondition."""

    pod: PodKey
    uid: str
    message: str


Write: TypeAlias = BindWrite | NominateWrite | EvictWrite | DeleteWrite


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a write: ``refusal`` says why it was not done, None that it was."""

    write: Write
    refusal: str | None = None


class Cluster(Protocol):
    """The cluster, as a scheduler sees it."""

    def snapshot(self) -> Snapshot:
        """Give the newest state that the watches have shown; the same object if nothing changed."""
        ...

    def changes(self) -> Sequence[Change]:
        """Give what the watches showed since the last call, in order; never waits."""
        ...

    def free(self) -> int:
        """How many writes may be begun now."""
        ...

    def begin(self, write: Write) -> None:
        """Begin a write; several are in flight, and they leave in this order."""
        ...

    def answers(self) -> Sequence[Answer]:
        """Give what was answered since the last call, each write once; never waits."""
        ...


class Clock(Protocol):
    """Time, in seconds that never go back."""

    def now_s(self) -> float:
        """Give the time."""
        ...


class DatedClock(Clock, Protocol):
    """A clock that also knows what others write on what they do."""

    def wall_s(self) -> float:
        """Give the time of day, in seconds since 1970, by which API objects are stamped."""
        ...


@dataclass(frozen=True, slots=True)
class Solved:
    """What became of a solve."""

    window: int
    plan: Plan | None
    failure: str = ""
    """Why there is no plan."""


class Planner(Protocol):
    """Solves windows, beside the loop: watches are read and leases renewed meanwhile."""

    def start(self, window: int, profile: str, snapshot: Snapshot, pods: Window) -> None:
        """Start to solve, by the profile of this scheduler name."""
        ...

    def finished(self) -> Sequence[Solved]:
        """Give what was finished since the last call; never waits."""
        ...


@dataclass(frozen=True, slots=True)
class WindowRecord:
    """One window, from closing to the last binding: what is printed, counted and kept."""

    window: int
    profile: str
    closed_by: str
    closed_s: float
    solved_s: float
    ended_s: float
    pods: int
    plan: Plan | None
    """None where the solve failed or its plan was not verified; ``failure`` says why."""
    failure: str
    solve_id: str
    """Names the plan in logs and annotations; empty where there is none."""
    bound: int
    refused: int
    waiting: int
    """Pods without a node when the window was over."""


class Recorder(Protocol):
    """Where people look: events, windows, dumps."""

    def announce(self, event: Announce) -> None:
        """Publish an event about a pod."""
        ...

    def record(self, window: WindowRecord, snapshot: Snapshot, pods: Window) -> None:
        """Take note of a window that is over, and of what was decided on."""
        ...

    def dump(self, window: int, snapshot: Snapshot, pods: Window, reason: str) -> None:
        """Keep the whole input of a window whose solve failed, ready to be replayed."""
        ...
