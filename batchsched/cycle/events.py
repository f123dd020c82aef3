"""Events: what happened, in the words of the cycle. Nouns and past participles, frozen.

The shell makes them from watches, solves and writes; the cycle never sees an API object.
"""

from dataclasses import dataclass
from typing import TypeAlias

from batchsched.cycle.instructions import Binding, Victim
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.pod import Pod

PodKey: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class PodPending:
    """A pod waits for a node: it is new, it or its group changed, or we started and found it."""

    pod: Pod
    group: PodGroup | None = None


@dataclass(frozen=True, slots=True)
class PodHeld:
    """A pod has a node, whoever bound it."""

    pod: PodKey
    uid: str
    group: PodGroup | None = None


@dataclass(frozen=True, slots=True)
class PodGone:
    """A pod was deleted, ended, or waits no longer; ``group`` is its gang after that, if known."""

    pod: PodKey
    uid: str
    succeeded: bool = False
    group: PodGroup | None = None


@dataclass(frozen=True, slots=True)
class ClusterChanged:
    """Something that could help an unplaced pod: a node came, a pod left one, a label changed."""

    what: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed. Send one at ``Cycle.wakes_at_s``."""


@dataclass(frozen=True, slots=True)
class PlanReady:
    """A verified plan: bindings in binding order, who stays unplaced and why, and who must go."""

    window: int
    bindings: tuple[Binding, ...]
    unplaced: tuple[tuple[PodKey, str], ...] = ()
    victims: tuple[Victim, ...] = ()
    outdated: tuple[tuple[PodKey, str], ...] = ()
    """Pods whose place was lost while the solve ran, and how."""


@dataclass(frozen=True, slots=True)
class SolveFailed:
    """No plan, or one that did not pass verification."""

    window: int
    reason: str


@dataclass(frozen=True, slots=True)
class Bound:
    """A binding was written."""

    pod: PodKey
    uid: str
    node: str


@dataclass(frozen=True, slots=True)
class BindFailed:
    """A binding or an eviction was refused; of its unit, nothing is written after that."""

    pod: PodKey
    reason: str


@dataclass(frozen=True, slots=True)
class Nominated:
    """A process before this one keeps nodes for a unit, and its victims are leaving still."""

    bindings: tuple[Binding, ...]
    victims: tuple[Victim, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """Everybody was told of who was there when we started: nobody is being created just now."""


@dataclass(frozen=True, slots=True)
class LostLease:
    """Another process leads; nothing more may be bound."""


@dataclass(frozen=True, slots=True)
class WonLease:
    """We lead."""


Event: TypeAlias = (
    PodPending
    | PodHeld
    | PodGone
    | ClusterChanged
    | Tick
    | PlanReady
    | SolveFailed
    | Bound
    | BindFailed
    | Nominated
    | Listed
    | LostLease
    | WonLease
)
