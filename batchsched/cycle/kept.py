"""Kept nodes: the units that were decided, and wait for their victims to leave.

Terminating takes as long as a pod's grace period; other windows go on meanwhile. What follows from
a unit's end of waiting is the machine's business.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from batchsched.cycle.instructions import Binding, Victim
from batchsched.cycle.members import PodKey

Bindings = tuple[Binding, ...]


@dataclass(slots=True, eq=False)
class Unit:
    """The bindings, and the victims ``(pod, uid)`` that are not gone yet."""

    bindings: Bindings
    victims: set[tuple[PodKey, str]]
    until_s: float


class Kept:
    """Every nominated pod, with the unit that it is of."""

    def __init__(self) -> None:
        """Start with none."""
        self._units: dict[PodKey, Unit] = {}

    def __iter__(self) -> Iterator[PodKey]:
        """The nominated pods."""
        return iter(self._units)

    def keep(self, bindings: Bindings, victims: tuple[Victim, ...], until_s: float) -> None:
        """Let a unit wait."""
        unit = Unit(bindings, {(victim.pod, victim.uid) for victim in victims}, until_s)
        for binding in bindings:
            self._units[binding.pod] = unit

    def left(self, pod: PodKey, uid: str) -> None:
        """A pod left its node: perhaps somebody waited for that."""
        for unit in self._units.values():
            unit.victims.discard((pod, uid))

    def due(self) -> list[Bindings]:
        """Take the units whose victims are gone."""
        units = dict.fromkeys(unit for unit in self._units.values() if not unit.victims)
        return [self.take(unit.bindings[0].pod) for unit in units]

    def overdue(self, now_s: float) -> list[PodKey]:
        """Name a pod of each unit that waited too long."""
        late = dict.fromkeys(unit for unit in self._units.values() if now_s >= unit.until_s)
        return [unit.bindings[0].pod for unit in late]

    def next_s(self) -> float | None:
        """When the next unit will have waited too long."""
        return min((unit.until_s for unit in self._units.values()), default=None)

    def take(self, pod: PodKey) -> Bindings:
        """Take the unit of a pod out; nothing if its pod is in none."""
        unit = self._units.get(pod)
        for binding in unit.bindings if unit is not None else ():
            del self._units[binding.pod]
        return unit.bindings if unit is not None else ()
