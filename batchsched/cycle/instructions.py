"""Instructions: what the shell is to do now. Imperatives, frozen, each performed at most once."""

from collections.abc import Iterable
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
    """Solve for these pods, sorted by key, by a profile (named for their scheduler).

    ``closed_by`` says why now: ``idle``, ``max``, ``pods``, or ``partial`` (a gang to be finished).
    ``overdue`` are gangs and single pods that were passed over too often, whoever's they are: first
    whom to keep room for.
    """

    window: int
    pods: tuple[PodKey, ...]
    closed_by: str
    profile: str = ""
    overdue: tuple[tuple[PodKey, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Victim:
    """A running pod that has to leave before some of the placed pods can be bound."""

    pod: PodKey
    uid: str
    waiting: tuple[PodKey, ...] = ()
    """The pods that need what it leaves."""


@dataclass(frozen=True, slots=True)
class Preempt:
    """Keep the nodes of a unit for it, and terminate its victims: all of them, or none."""

    bindings: tuple[Binding, ...]
    victims: tuple[Victim, ...]


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Keep nothing for these pods any more."""

    bindings: tuple[Binding, ...]


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


Instruction: TypeAlias = Solve | Preempt | Withdraw | Bind | Release | Requeue | Announce | Dump


def together(bindings: Iterable[Binding]) -> list[tuple[Binding, ...]]:
    """What is written together: the bindings of a gang, in the plan's order, or one pod's."""
    units: dict[object, list[Binding]] = {}
    for binding in bindings:
        units.setdefault(binding.group or binding.pod, []).append(binding)
    return [tuple(unit) for unit in units.values()]


def victims_by_pod(victims: Iterable[Victim]) -> dict[PodKey, list[Victim]]:
    """Whom each pod waits for."""
    found: dict[PodKey, list[Victim]] = {}
    for victim in victims:
        for pod in victim.waiting:
            found.setdefault(pod, []).append(victim)
    return found
