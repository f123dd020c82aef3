"""The budget: how much time a solve may still take, by the wall or by counted work.

By the wall, ``clock`` is asked. In deterministic mode no clock is: what the solvers report as their
deterministic time is spent instead, so the same input stops at the same step on every machine.
"""

from collections.abc import Callable


class Budget:
    """Seconds left, of the wall or of deterministic work.

    Args:
        limit_s: The whole budget.
        clock: Monotonic seconds; ``None`` makes the budget deterministic.
    """

    def __init__(self, limit_s: float, clock: Callable[[], float] | None) -> None:
        """Start counting now."""
        self._clock = clock
        self._spent_s = 0.0
        self._limit_s = limit_s
        self._start_s = clock() if clock else 0.0

    @property
    def deterministic(self) -> bool:
        """Whether work is counted instead of time."""
        return self._clock is None

    @property
    def remaining_s(self) -> float:
        """Seconds left, never below zero."""
        used_s = self._spent_s if self._clock is None else self._clock() - self._start_s
        return max(0.0, self._limit_s - used_s)

    @property
    def expired(self) -> bool:
        """Whether nothing is left."""
        return self.remaining_s <= 0.0

    def spend(self, deterministic_s: float) -> None:
        """Account for work done; of no effect where a clock counts."""
        self._spent_s += deterministic_s
