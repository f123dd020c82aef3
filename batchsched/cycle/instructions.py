"""Instructions: what the shell is to do now. Imperatives, frozen, each performed at most once."""

from dataclasses import dataclass
from typing import TypeAlias

PodKey: TypeAlias = tuple[str, str]
GroupKey: TypeAlias = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Binding:
    """A decided pod; its uid is the precondition of the write, with its group it is written."""

    pod: PodKey
    uid: str
    node: str
    group: GroupKey | None = None


@dataclass(frozen=True, slots=True)
class Solve:
    """Solve for these pods, sorted by key.

    ``closed_by`` says why now: ``idle``, ``max``, ``pods``, or ``partial`` (a gang to be finished).
    """

    window: int
    pods: tuple[PodKey, ...]
    closed_by: str


@dataclass(frozen=True, slots=True)
class Evict:
    """Terminate a running pod, for the sake of the plan."""

    pod: PodKey
    uid: str
    reason: str


@dataclass(frozen=True, slots=True)
class Bind:
    """Re-check them all, write one after the other, stop at the first refusal: a gang, or a pod."""

    bindings: tuple[Binding, ...]


@dataclass(frozen=True, slots=True)
class Release:
    """Delete those of these bound members that do not run: their gang could not be completed."""

    group: GroupKey
    pods: tuple[tuple[PodKey, str], ...]
    """``(pod, uid)``"""


@dataclass(frozen=True, slots=True)
class Requeue:
    """For the records: the pod is back in the queue (which is the cycle's own), and rests."""

    pod: PodKey
    not_before_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class Announce:
    """Tell people; ``reason`` is one of Kubernetes' event reasons (Scheduled, FailedScheduling)."""

    pod: PodKey
    uid: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Dump:
    """Write the whole input of a window to a file, ready to be a test: its solve failed."""

    window: int
    reason: str


Instruction: TypeAlias = Solve | Evict | Bind | Release | Requeue | Announce | Dump
