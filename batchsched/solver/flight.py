"""A flight: consecutive tiers over the same columns and rows, optimised together.

Relaxed tier by tier, then rounded, then searched neighbourhood by neighbourhood, the tiers all at
once; where the search comes to a stop, cuts and CP-SAT show what is left to find. So the tiers
below have a point near their bounds from the start, and not only the time that those above leave.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt

from batchsched.solver import cpsat, shards
from batchsched.solver.budget import Budget
from batchsched.solver.greedy import Greedy
from batchsched.solver.guide import Guide
from batchsched.solver.homeward import homeward
from batchsched.solver.incumbent import Incumbent
from batchsched.solver.ladder import Ladder, PricedBound
from batchsched.solver.model import Model, Tier
from batchsched.solver.neighbourhood import Draw
from batchsched.solver.patterns import Patterns
from batchsched.solver.program import Program
from batchsched.solver.regional import in_regions
from batchsched.solver.regions import Regions
from batchsched.solver.relax import quick_bound
from batchsched.solver.search import Search
from batchsched.solver.workers import Future, ThreadPoolExecutor

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

TINY = 300
"""Columns up to which CP-SAT closes a program before a relaxation would have helped it."""
COLUMNS_MAX = 12_000
"""Columns up to which CP-SAT is asked for the whole; such it closes in seconds, if at all."""
ROUNDING = 1e-6
"""What a count may be short of an integer and still be taken for it: GLOP's tolerance."""
ROUNDS_MAX = 6
"""Rounds of cuts for one tier in one climb; most of what they give comes in the first three."""
CLIMB_SHARE, CLIMB_SHARE_BESIDE = 0.5, 0.9
"""Of the time that is left, the most that one climb of the ladder may take: alone, and beside the
search."""

PATTERNS_GAP, PATTERNS_SHARE, PATTERNS_MAX = 0.1, 0.6, 2
"""How far from its bound the first open tier has to be, as a share of it, for patterns to be tried
before it is relaxed over pods; of the time that is left, the most that they may take at once; and
how often they may."""

REGIONS_SHARE = 0.1
"""Of the time that is left, the most that domains without their nodes may take."""

SHARDS_SHARE = 0.6
"""Of the time that is left, the most that the relaxations of shards may take."""


@dataclass(frozen=True, slots=True)
class Work:
    """With what a flight is solved: workers and seed, the budget, and where time is noted."""

    workers: int
    seed: int
    budget: Budget
    clock: Callable[[], float]
    took: Callable[[str, float], None]
    """Called with (phase, what the clock said when it began)."""
    tell: Callable[[str, int, int], None] | None = None
    """Called with (tier, value, bound) when either of the first open tier has improved."""

    def search(self, limit_s: float) -> cpsat.Search:
        """How CP-SAT is to search for so long."""
        return cpsat.Search(limit_s, self.budget.deterministic, self.workers, self.seed)


@dataclass(frozen=True, eq=False)
class _Told:
    """What a relaxation came to: whether it is news, and [counts] where pods should go."""

    news: bool
    targets: IntArray | None


class Flight:
    """Some tiers over one program.

    Args:
        model: Whose columns.
        program: What every tier has to satisfy, the tiers above this flight held.
        tiers: Highest first.
        x: [width] a point that the program accepts.
        work: The means.
        base: For rounding: makes the start over the constraints alone, in a flight that places.
    """

    def __init__(
        self,
        model: Model,
        program: Program,
        tiers: Sequence[Tier],
        x: IntArray,
        work: Work,
        base: Callable[[], Incumbent] | None = None,
    ) -> None:
        """Nothing is relaxed or searched yet."""
        self._model, self._program, self._work, self._base = model, program, work, base
        self._tiers = tuple(tiers)
        self._objectives = [tier.objective(program.width) for tier in tiers]
        self._ladder = Ladder(program, self._objectives, [tier.highest for tier in tiers])
        self.point = Incumbent(program, x)
        self._approached = False
        self._relaxed = self._patterned = 0
        self._told_last: tuple[int, int, int] | None = None
        if model.guide is not None:
            for i in range(len(tiers)):
                self._ladder.price(i, _priced(model.guide, tiers[: i + 1]))

    @property
    def values(self) -> list[int]:
        """What the incumbent is worth, tier by tier."""
        return [int(objective @ self.point.x) for objective in self._objectives]

    @property
    def bounds(self) -> list[int]:
        """What is proven about each tier, those above it held at their values."""
        return self._ladder.bounds(self.values)

    def run(self, limit_s: float, alternative: Callable[[], IntArray] | None = None) -> None:
        """Improve the incumbent and prove bounds, until they meet or the time is up.

        May be called again, to go on where it ended.

        Args:
            limit_s: How much of the budget this flight may take.
            alternative: Makes another point to start from, if the first is not good enough.
        """
        until_s = max(self._work.budget.remaining_s - limit_s, 0.0)
        if self._first_open() is None or self._left(until_s) <= 0:
            return
        if self._program.width <= TINY:
            self._close(until_s)
            return
        if not self._approached:
            self._approached = True
            self._approach(until_s, alternative)
        self._alternate(until_s)

    @property
    def _is_guided(self) -> bool:
        """Whether bounds and a start are there: a shortlist's relaxation would tell neither."""
        return self._base is not None and self._model.guide is not None

    def _left(self, until_s: float) -> float:
        return self._work.budget.remaining_s - until_s

    def _first_open(self) -> int | None:
        """The first tier below its bound."""
        pairs = zip(self.values, self.bounds, strict=True)
        return next((i for i, (value, bound) in enumerate(pairs) if value < bound), None)

    def _tell(self) -> None:
        """Say how the first open tier stands, if somebody wants to know and it is news."""
        if self._work.tell is None or (i := self._first_open()) is None:
            return
        told = (i, self.values[i], self.bounds[i])
        if told != self._told_last:
            self._told_last = told
            self._work.tell(self._tiers[i].name, *told[1:])

    def _approach(self, until_s: float, alternative: Callable[[], IntArray] | None) -> None:
        """Bounds and a good point, before anything is searched."""
        if alternative is not None:
            self.start_from(alternative())
        if self._first_open() is None:
            return
        if self._base is None:
            self._ask_the_quotient(until_s)
        elif not self._is_guided:
            self._ask_the_regions(self._base, until_s)
            self._tell()
            self._sketch(self._base)
            self._tell()
            self._deal(self._base, until_s)
        self._tell()
        if self._base is None and self._first_open() is not None:
            self.start_from(homeward(self._model, self.point))

    def _ask_the_regions(self, base: Callable[[], Incumbent], until_s: float) -> None:
        """Bounds, and a point in which each gang is in the domain that is best for all."""
        work, start_s, limit_s = self._work, self._work.clock(), self._left(until_s) * REGIONS_SHARE
        regions = Regions.of(self._model)
        ladder = None if regions is None else regions.ladder(self._objectives, work.budget, limit_s)
        if regions is None or ladder is None or ladder.point is None:
            return
        for i in range(len(self._tiers)):
            self._ladder.price(i, ladder.bound_of(i))
        work.took("relax", start_s)
        if self._first_open() is None:
            return
        start_s = work.clock()
        x = regions.rounded(ladder.point, self._objectives, work.budget, work.search(limit_s))
        self.start_from(in_regions(self._model, base(), regions, x, work.budget))
        work.took("search", start_s)

    def _sketch(self, base: Callable[[], Incumbent]) -> None:
        """Bounds and a point from a relaxation that merges what is nearly alike."""
        start_s = self._work.clock()
        sketch = self._ladder.sketch(self.values, self._work.budget)
        self._work.took("relax", start_s)
        if sketch is None or self._first_open() is None:
            return
        start_s = self._work.clock()
        nothing = np.zeros(len(self._model.counts), dtype=np.int64)
        for targets in (nothing, *self._with_met_tiers(nothing)):
            greedy = Greedy(self._model, base(), self._work.budget)
            self.start_from(greedy.complete(targets, sketch).x)
        self._work.took("search", start_s)

    def _with_met_tiers(self, targets: IntArray) -> list[IntArray]:
        """The targets with the tiers that are at their bounds left as they are, if any are."""
        counts, first = len(targets), self._first_open()
        met = np.zeros(counts, dtype=np.bool_)
        for objective in self._objectives[:first]:
            met |= objective[:counts] > 0
        return [np.where(met, self.point.x[:counts], targets)] if met.any() else []

    def _deal(self, base: Callable[[], Incumbent], until_s: float) -> None:
        """A point from shards, where the whole would take too long."""
        work, start_s = self._work, self._work.clock()
        counts, problem, program = self._model.counts, self._model.problem, self._ladder.tightened
        dealt = shards.deal(
            program, counts.nodes, problem.free, self.point.x, shards.COLUMNS_WANTED
        )
        if dealt is None or self._first_open() is None:
            return
        limit_s = self._left(until_s) * SHARDS_SHARE
        x = shards.rounded(
            dealt, self._objectives, work.budget, limit_s, workers=work.workers, seed=work.seed
        )
        work.took("relax", start_s)
        start_s = work.clock()
        x = x[: self._program.counts]
        for targets in (x, *self._with_met_tiers(x)):
            self.start_from(Greedy(self._model, base(), work.budget).complete(targets).x)
        work.took("search", start_s)

    def _by_patterns(self, until_s: float, x: IntArray, held: Sequence[int]) -> "_Told":
        """Relax over patterns, the first tiers held: better bounds, and where pods should go.

        ``x`` is a copy of the incumbent's point, because the search goes on beside it.
        """
        work, start_s = self._work, self._work.clock()
        prices = [self._ladder.prices(i) for i in range(len(self._tiers))]
        limit_s = self._left(until_s) * PATTERNS_SHARE
        found = self._patterns.solve(x, prices, limit_s, self._ladder.interrupt, values=held)
        for i, bound in found.bounds.items():
            self._ladder.price(i, bound.bound_at)
        work.took("relax", start_s)
        return _Told(bool(found.bounds), found.targets)

    @cached_property
    def _patterns(self) -> Patterns:
        """What is known of patterns, which grows."""
        return Patterns(self._model, self._program, self._objectives, self._work.budget)

    def _ask_the_quotient(self, until_s: float) -> None:
        """A bound on the first open tier that symmetry makes cheap."""
        i, budget = self._first_open(), self._work.budget
        if i is None or i > 0:
            return
        start_s = self._work.clock()
        limit_s = max(self._left(until_s) / 2, 0.01)
        bound = quick_bound(
            self._program, self._objectives[i], limit_s, deterministic=budget.deterministic
        )
        self._work.took("relax", start_s)
        if bound is not None:
            self._ladder.learn(i, self.values, bound)

    def _climb(self, until_s: float, rounds: int) -> "_Told":
        """Relax what is open."""
        start_s = self._work.clock()
        share = CLIMB_SHARE if self._work.workers == 1 else CLIMB_SHARE_BESIDE
        limit_s = self._left(until_s) * share
        told = self._ladder.climb(self.values, self._work.budget, limit_s, rounds=rounds)
        self._work.took("relax", start_s)
        point = self._ladder.point
        if not told or point is None:
            return _Told(told, None)
        return _Told(told, np.floor(point[: self._program.counts] + ROUNDING).astype(np.int64))

    def _take(self, told: "_Told") -> bool:
        """Complete what a relaxation said greedily; whether it said anything."""
        if told.targets is not None and self._base is not None:
            start_s = self._work.clock()
            greedy = Greedy(self._model, self._base(), self._work.budget)
            self.start_from(greedy.complete(told.targets).x)
            self._work.took("search", start_s)
        return told.news

    def start_from(self, x: IntArray) -> None:
        """Take another point, if it is better and every row holds."""
        worth = [int(objective @ x) for objective in self._objectives]
        if worth > self.values and self._program.accepts(x):
            self.point = Incumbent(self._program, x)

    def _alternate(self, until_s: float) -> None:
        """Search while it is relaxed beside it; then ask CP-SAT, and search on, in turn.

        With one worker the relaxation comes first: the order of events is then always the same.
        """
        workers, search = self._work.workers, self._neighbours
        self._ladder.resume()
        fruitless: list[int] | None = None
        with ThreadPoolExecutor(1) as beside:
            relaxing: Future[_Told] | None = None
            while (i := self._first_open()) is not None and self._left(until_s) > 0:
                relaxes = not self._is_guided and fruitless != self.values + self.bounds
                if relaxing is None and relaxes:
                    relaxing = beside.submit(self._next_relaxation(i), until_s)
                if relaxing is not None and (workers == 1 or relaxing.done()):
                    told = self._take(relaxing.result())
                    relaxing, fruitless = None, None if told else self.values + self.bounds
                    self._tell()
                    continue
                self._search(search, until_s, relaxing)
                stuck = relaxing is None and self._first_open() == i and self._left(until_s) > 0
                if stuck and self._program.width <= COLUMNS_MAX:
                    self._ask(i, self._left(until_s) / 2)
            self._ladder.stop()

    def _next_relaxation(self, first: int) -> "Callable[[float], _Told]":
        """Over patterns, where much is open; then a climb without cuts, and those with cuts.

        The second time over patterns, the tiers down to the first that is open are held at what
        they came to.
        """
        if self._patterned < PATTERNS_MAX and self._base is not None and self._is_wide():
            held = self.values[: first + 1] if self._patterned else []
            self._patterned += 1
            return partial(self._by_patterns, x=self.point.x.copy(), held=held)
        self._relaxed += 1
        return partial(self._climb, rounds=0 if self._relaxed == 1 else ROUNDS_MAX)

    def _is_wide(self) -> bool:
        """Whether a tier that was relaxed is far from what that says."""
        return any(
            bound - value > PATTERNS_GAP * bound
            and (self._patterned or self._ladder.prices(i) is not None)
            for i, (value, bound) in enumerate(zip(self.values, self.bounds, strict=True))
        )

    @cached_property
    def _neighbours(self) -> Search:
        """The search, which learns as it goes."""
        draw = Draw(self._model, self._program, self._work.seed)
        return Search(draw, self._objectives, self._tell)

    def _search(self, search: Search, until_s: float, beside: "Future[_Told] | None") -> None:
        """Search neighbourhoods, with one worker less while somebody relaxes."""
        start_s = self._work.clock()
        workers = self._work.workers - (beside is not None)
        news = beside.done if beside is not None else lambda: False
        left_s = self._left(until_s)
        search.run(self.point, self.bounds, self._work.budget, left_s, workers=workers, news=news)
        self._work.took("search", start_s)

    def _close(self, until_s: float) -> None:
        """Ask CP-SAT for one tier after the other; half of the time for each but the last."""
        for i in range(len(self._objectives)):
            if self.values[i] < self.bounds[i] and self._left(until_s) > 0:
                share = 1 if i + 1 == len(self._objectives) else 2
                self._ask(i, self._left(until_s) / share)

    def _ask(self, i: int, limit_s: float) -> None:
        """Ask CP-SAT for a tier of the whole program, those above held at their values."""
        budget, work, values = self._work.budget, self._work, self.values
        start_s = self._work.clock()
        program = self._program.holding(self._objectives[:i], values)
        answer = cpsat.maximise(program, self._objectives[i], self.point.x, work.search(limit_s))
        budget.spend(answer.deterministic_s)
        self._ladder.learn(i, values, answer.bound)
        if answer.x is not None and int(self._objectives[i] @ answer.x) > values[i]:
            self.start_from(answer.x)
        work.took("search", start_s)
        self._tell()


def _priced(guide: Guide, tiers: Sequence[Tier]) -> PricedBound:
    """The bound that prices give on the last of some tiers, told what those before are held at."""
    *above, last = tiers

    def bound_at(values: Sequence[int]) -> int | None:
        told = zip(above, values, strict=True)
        held = {tier.priority: value for tier, value in told if tier.priority is not None}
        return guide.bound_at(last.priority, held)

    return bound_at
