"""Virtual time: a queue of what is due. An hour passes as fast as what happens in it."""

from collections.abc import Callable
from heapq import heappop, heappush


class VirtualClock:
    """Seconds from the start of a simulation.

    Args:
        start_s: What time of day that is, in seconds since 1970.
    """

    def __init__(self, start_s: float = 0.0) -> None:
        """Start at 0."""
        self._start_s = start_s
        self._now_s = 0.0
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._scheduled = 0

    def now_s(self) -> float:
        """Give the time."""
        return self._now_s

    def wall_s(self) -> float:
        """Give the time of day."""
        return self._start_s + self._now_s

    def at(self, time_s: float, action: Callable[[], object]) -> None:
        """Do something at a time, now if that is past; in the order asked for where times tie."""
        self._scheduled += 1
        heappush(self._due, (max(time_s, self._now_s), self._scheduled, action))

    def after(self, delay_s: float, action: Callable[[], object]) -> None:
        """Do something after a while."""
        self.at(self._now_s + delay_s, action)

    def next_s(self) -> float | None:
        """When something is due next."""
        return self._due[0][0] if self._due else None

    def advance(self, to_s: float) -> None:
        """Let time pass, doing all that is due until then and what that makes due."""
        while self._due and self._due[0][0] <= to_s:
            self._now_s, _, action = heappop(self._due)
            action()
        self._now_s = max(self._now_s, to_s)
