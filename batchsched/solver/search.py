"""Search: from a feasible point to a better one, neighbourhood by neighbourhood.

Large-neighbourhood search over all tiers at once: each neighbourhood is solved for the tiers that
are open, the higher ones first, and what comes back is kept if it is better in the order of tiers
and every row holds. Each worker solves one neighbourhood at a time, on nodes that nobody else is
changing; with one worker the order of events is the same on every machine.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batchsched.solver.budget import Budget
from batchsched.solver.incumbent import Incumbent
from batchsched.solver.mip import Attempt, attempt
from batchsched.solver.neighbourhood import COLUMNS_MAX, Draw, Neighbourhood
from batchsched.solver.program import NO_LIMIT, Program, Rows
from batchsched.solver.workers import Future, ThreadPoolExecutor, done_of

IntArray = npt.NDArray[np.int64]

NODES_MIN, NODES_START = 4, 24
"""Nodes of a neighbourhood: at least, and at first."""
STEP_S_MAX = 1.0
"""What one neighbourhood may take."""
FAILURES_MAX = 60
"""Neighbourhoods in a row that bring nothing before the search says so."""
WEIGHT_MAX = 400
"""By how much more a pod of one tier weighs than one of the next, at most: larger ones are beyond
what a solver in floating point tells apart over four tiers. What comes back is compared exactly."""
GAIN_MAX = 60
"""Pods that a neighbourhood may gain for one tier without the next weighing too much."""
WORK_PER_COLUMN_S, WORK_PER_STEP_S = 5e-6, 1e-3
"""Deterministic seconds that a neighbourhood is counted for."""


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """A neighbourhood that is being solved: where its columns stood, and from which size."""

    where: Neighbourhood
    before: IntArray
    size: int
    part: tuple[Program, IntArray]
    """The program over the columns, and what it is to maximise."""


class Search:
    """One search over one program.

    Args:
        draw: Where neighbourhoods come from.
        point: The incumbent, which is changed in place.
        objectives: [width] each, highest tier first.
        workers: How many neighbourhoods at a time.
    """

    def __init__(
        self, draw: Draw, point: Incumbent, objectives: Sequence[IntArray], workers: int
    ) -> None:
        """Start from the incumbent as it is."""
        self._draw, self._point, self._objectives = draw, point, tuple(objectives)
        self._workers = workers
        self._size, self._failures, self._turn = NODES_START, 0, 0
        self.values = [int(objective @ point.x) for objective in self._objectives]

    def run(
        self,
        bounds: Sequence[int],
        budget: Budget,
        limit_s: float,
        news: Callable[[], bool] = lambda: False,
    ) -> None:
        """Search until the first open tier meets its bound, nothing more is found, or time is up.

        Args:
            bounds: On each tier, those above held at their values.
            budget: To be spent from.
            limit_s: How much of it.
            news: Asked now and then whether there is another reason to stop.
        """
        until_s = max(budget.remaining_s - limit_s, 0.0)
        first = self._open(bounds)[:1]
        self._failures = 0
        running: dict[Future[Attempt], _Step] = {}

        def goes_on() -> bool:
            tired = self._failures >= FAILURES_MAX or budget.remaining_s <= until_s
            return bool(first) and not tired and self._open(bounds)[:1] == first and not news()

        with ThreadPoolExecutor(self._workers) as pool:
            while goes_on() or running:
                if goes_on() and len(running) < self._workers:
                    step = self._step(bounds, [each.where for each in running.values()])
                    limit_s = min(STEP_S_MAX, budget.remaining_s - until_s)
                    future = pool.submit(attempt, *step.part, limit_s, counted=budget.deterministic)
                    budget.spend(len(step.before) * WORK_PER_COLUMN_S + WORK_PER_STEP_S)
                    running[future] = step
                    continue
                for future in done_of(running):
                    self._finish(running.pop(future), future.result())

    def _open(self, bounds: Sequence[int]) -> list[int]:
        """The tiers that are below their bounds."""
        pairs = zip(self.values, bounds, strict=True)
        return [i for i, (value, bound) in enumerate(pairs) if value < bound]

    def _step(self, bounds: Sequence[int], others: Sequence[Neighbourhood]) -> _Step:
        """The next neighbourhood: for the first open tier, and in turn for the others."""
        open_tiers = self._open(bounds)
        self._turn += 1
        at = open_tiers[0 if self._turn % 2 else (self._turn // 2) % len(open_tiers)]
        busy = [each.nodes for each in others]
        where = self._draw.draw(self._point, self._objectives[at], self._size, busy)
        columns = where.columns
        part, before = self._point.part(columns), self._point.x[columns].copy()
        objective = np.zeros(len(columns), dtype=np.int64)
        weight = 1
        for i in reversed(range(len(self._objectives))):
            own = self._objectives[i][columns]
            now = int(own @ before)
            if i < open_tiers[0]:
                used = np.flatnonzero(own)
                part = part.with_rows(Rows.one(used, own[used], now, NO_LIMIT))
            elif np.any(own):
                objective += weight * own
                weight *= min(abs(now) + GAIN_MAX, WEIGHT_MAX)
        return _Step(where, before, self._size, (part, objective))

    def _finish(self, step: _Step, answer: Attempt) -> None:
        """Take what a neighbourhood brought, if it is better or as good; adapt the size."""
        gained = self._take(step, answer.x) if answer.x is not None else False
        self._failures = 0 if gained else self._failures + 1
        if gained or step.size != self._size:
            return
        if not answer.finished:
            self._size = max(self._size // 2, NODES_MIN)
        elif len(step.before) < COLUMNS_MAX:
            self._size = self._size * 5 // 4 + 1

    def _take(self, step: _Step, x: IntArray) -> bool:
        """Move there if that is not worse, tier by tier; whether it is better.

        As good is good enough to move, so that the search does not stand still.
        """
        columns = step.where.columns
        if np.any(self._point.x[columns] != step.before):  # a shared column has moved
            return False
        moved = np.flatnonzero(x != step.before)
        change = x[moved] - step.before[moved]
        gains = [int(own[columns[moved]] @ change) for own in self._objectives]
        if gains < [0] * len(gains) or not self._point.put(columns[moved], x[moved]):
            return False
        self.values = [value + gain for value, gain in zip(self.values, gains, strict=True)]
        return any(gains)
