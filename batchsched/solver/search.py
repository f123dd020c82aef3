"""Search: from a feasible point to a better one, neighbourhood by neighbourhood.

Large-neighbourhood search over all tiers at once: each neighbourhood is solved for the tiers that
are open, the higher ones first, or pods are exchanged in it; what comes back is kept if it is
better in the order of tiers and every row holds. Which of them finds more depends on the instance,
so time is shared in proportion to what each has found. Each worker has one neighbourhood at a time,
on nodes that nobody else is changing; with one worker the order of events is the same on every
machine.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from batchsched.solver.attempt import Attempt, Attempter, by_cpsat, by_scip
from batchsched.solver.budget import Budget
from batchsched.solver.exchange import exchange_of
from batchsched.solver.incumbent import Incumbent
from batchsched.solver.neighbourhood import COLUMNS_MAX, GRAINS, Draw, Neighbourhood
from batchsched.solver.program import NO_LIMIT, Program, Rows
from batchsched.solver.workers import Future, ThreadPoolExecutor, done_of

IntArray = npt.NDArray[np.int64]

NODES_MIN, NODES_START = 4, 12
"""Nodes of a neighbourhood: at least, and at first."""
STEP_S_MAX = 0.25
"""What one neighbourhood may take. Many small steps find more than few large ones: on a backlog of
large pods, 12 nodes at a time came to the bound in 6 s, 60 nodes at a time to half of the way."""
STEP_S_WANTED = 0.05
"""What one should take; it gets more nodes where it took less."""
FAILURES_MAX = 60
"""Neighbourhoods in a row that bring nothing before the search says so."""
WEIGHT_MAX = 400
"""By how much more a pod of the tier that is pushed weighs than one of those below it, at most:
more makes a part hard to solve. What comes back is compared exactly."""
GAIN_MAX = 60
"""Pods that a neighbourhood may gain for the tiers below without these weighing too much."""
WORK_PER_COLUMN_S, WORK_PER_STEP_S = 5e-6, 1e-3
"""Deterministic seconds that a neighbourhood is counted for."""
WORK_PER_EXCHANGES_S = 1e-2
"""And what they are for exchanges in one: 24 of 14 pods take 0.04 s."""
EXCHANGE_NODES = 16
"""Nodes among which pods are exchanged, two at a time, in one attempt."""


@dataclass(slots=True, eq=False)
class _Arm:
    """One of those who search, and the size of neighbourhood that suits it."""

    solver: Attempter | None
    """``None`` where it exchanges."""
    burdened: bool = False
    """Whether it makes room by and by, and not only places who fits at once."""
    size: int = NODES_START
    turns: int = 0
    taken_s: float = 0.0
    gains: int = 0

    @property
    def price_s(self) -> float:
        """What it takes to find something; as if it had found one thing more."""
        return self.taken_s / (1 + self.gains)

    def learn(self, *, finished: bool, gained: bool, took_s: float, full: bool) -> None:
        """Take fewer nodes where time was short, more where nothing came of few."""
        self.taken_s += took_s
        self.gains += gained
        if self.solver is None:
            return
        if not finished or took_s > STEP_S_MAX / 2:
            self.size = max(self.size * 3 // 4, NODES_MIN)
        elif not gained and not full and took_s < STEP_S_WANTED:
            self.size = self.size * 9 // 8 + 1


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """A neighbourhood that is being solved: by whom, where its columns stood, since when."""

    arm: _Arm
    where: Neighbourhood
    before: IntArray
    since_s: float
    """What was left of the budget when it began."""
    attempt: Callable[[float], Attempt]
    """What a worker is to do, told how many seconds it may take."""


class Search:
    """One search over one program; what it learns of sizes stays from run to run.

    Args:
        draw: Where neighbourhoods come from.
        objectives: [width] each, highest tier first.
        gained: Called when an incumbent has become better.
    """

    def __init__(
        self, draw: Draw, objectives: Sequence[IntArray], gained: Callable[[], None]
    ) -> None:
        """Nothing is learned yet."""
        self._draw, self._objectives, self._gained = draw, tuple(objectives), gained
        exchanging = _Arm(None, size=EXCHANGE_NODES)
        self._arms = (exchanging, _Arm(by_scip), _Arm(by_cpsat, burdened=True))
        self._failures = 0

    def run(
        self,
        point: Incumbent,
        bounds: Sequence[int],
        budget: Budget,
        limit_s: float,
        *,
        workers: int,
        news: Callable[[], bool] = lambda: False,
    ) -> None:
        """Search until the first open tier meets its bound, nothing more is found, or time is up.

        Args:
            point: The incumbent, which is changed in place.
            bounds: On each tier, those above held at their values.
            budget: To be spent from.
            limit_s: How much of it.
            workers: How many neighbourhoods at a time.
            news: Asked now and then whether there is another reason to stop.
        """
        until_s = max(budget.remaining_s - limit_s, 0.0)
        first = self._open(point, bounds)[:1]
        self._failures = 0
        running: dict[Future[Attempt], _Step] = {}

        def goes_on() -> bool:
            tired = self._failures >= FAILURES_MAX or budget.remaining_s <= until_s
            return bool(first) and not tired and self._open(point, bounds)[:1] == first

        with ThreadPoolExecutor(workers) as pool:
            while running or (goes_on() and not news()):
                if len(running) < workers and goes_on() and not news():
                    busy = [each.where.nodes for each in running.values()]
                    step = self._step(point, bounds, busy, budget)
                    left_s = min(STEP_S_MAX, budget.remaining_s - until_s)
                    running[pool.submit(step.attempt, left_s)] = step
                    continue
                for future in done_of(running):
                    if self._finish(point, running.pop(future), future.result(), budget):
                        self._gained()

    def _open(self, point: Incumbent, bounds: Sequence[int]) -> list[int]:
        """The tiers that are below their bounds."""
        values = (int(objective @ point.x) for objective in self._objectives)
        return [i for i, (v, bound) in enumerate(zip(values, bounds, strict=True)) if v < bound]

    def _step(
        self, point: Incumbent, bounds: Sequence[int], busy: Sequence[IntArray], budget: Budget
    ) -> _Step:
        """The next neighbourhood: for the first open tier, and in turn for the others."""
        arms = sorted(self._arms, key=lambda arm: arm.price_s)
        steps = (self._step_of(arm, point, bounds, busy, budget) for arm in arms)
        return next(step for step in steps if step is not None)

    def _step_of(
        self,
        arm: _Arm,
        point: Incumbent,
        bounds: Sequence[int],
        busy: Sequence[IntArray],
        budget: Budget,
    ) -> _Step | None:
        """The next neighbourhood of one arm, ``None`` where that has nothing to do there."""
        open_tiers, since_s = self._open(point, bounds), budget.remaining_s
        arm.turns += 1
        at = open_tiers[0 if arm.turns % 2 else (arm.turns // 2) % len(open_tiers)]
        where = self._draw.draw(point, self._objectives[at], arm.size, busy)
        before, part = point.x[where.columns].copy(), point.part(where.columns)
        attempt: Callable[[float], Attempt]
        if arm.solver is None:
            exchange = self._exchange(part, where, before)
            if exchange is None:
                return None
            attempt = exchange
            budget.spend(WORK_PER_EXCHANGES_S)
        else:
            program, worth = self._part(part, where, before, at)
            if arm.burdened:
                program, worth = _burdened(program, worth, where)
            attempt = partial(arm.solver, program, worth, counted=budget.deterministic)
        budget.spend(len(before) * WORK_PER_COLUMN_S + WORK_PER_STEP_S)
        return _Step(arm, where, before, since_s, attempt)

    def _exchange(
        self, part: Program, where: Neighbourhood, before: IntArray
    ) -> Callable[[float], Attempt] | None:
        """Exchanges within a neighbourhood, ``None`` where there is nothing to exchange for."""
        objectives = [own[where.columns] for own in self._objectives]
        exchange = exchange_of(self._draw.model, where, part, objectives, before)
        if exchange is None:
            return None
        random = self._draw.generator()
        return lambda _: Attempt(exchange.run(random), finished=True)

    def _part(
        self, part: Program, where: Neighbourhood, before: IntArray, at: int
    ) -> tuple[Program, IntArray]:
        """The part with the tiers above held, and what to maximise: the tier, then those below."""
        below = np.zeros(len(before), dtype=np.int64)
        for i, objective in enumerate(self._objectives):
            own = objective[where.columns]
            if i < at and np.any(own):
                used = np.flatnonzero(own)
                now = int(own @ before)
                part = part.with_rows(Rows.one(used, own[used], now, NO_LIMIT))
            elif i > at:
                below += own
        weight = min(abs(int(below @ before)) + GAIN_MAX, WEIGHT_MAX) if np.any(below) else 1
        return part, weight * self._objectives[at][where.columns] + below

    def _finish(self, point: Incumbent, step: _Step, answer: Attempt, budget: Budget) -> bool:
        """Take what a neighbourhood brought, if it is better or as good; whether it is better."""
        gained = self._take(point, step, answer.x) if answer.x is not None else False
        self._failures = 0 if gained else self._failures + 1
        step.arm.learn(
            finished=answer.finished,
            gained=gained,
            took_s=step.since_s - budget.remaining_s,
            full=len(step.before) >= COLUMNS_MAX,
        )
        return gained

    def _take(self, point: Incumbent, step: _Step, x: IntArray) -> bool:
        """Move there if that is not worse, tier by tier; whether it is better.

        As good is good enough to move, so that the search does not stand still.
        """
        columns = step.where.columns
        if np.any(point.x[columns] != step.before):  # a shared column has moved
            return False
        moved = np.flatnonzero(x != step.before)
        change = x[moved] - step.before[moved]
        gains = [int(own[columns[moved]] @ change) for own in self._objectives]
        if gains < [0] * len(gains) or not point.put(columns[moved], x[moved]):
            return False
        return any(gains)


def _burdened(program: Program, worth: IntArray, where: Neighbourhood) -> tuple[Program, IntArray]:
    """With the wish, last of all, that the burden be small: no change of it is worth a pod."""
    return program, GRAINS * (2 + len(where.nodes)) * worth - where.burden
