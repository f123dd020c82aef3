"""Solve: tier by tier, each held at its value for the next. Never worse than the greedy's answer.

The greedy answers first, on the constraints alone. Then the tiers are improved flight by flight:
those that speak of the same columns and rows together, the placed tiers before all others.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import chain

import numpy as np
import numpy.typing as npt

from batchsched.solver.budget import Budget
from batchsched.solver.cpsat import ModelDefectError
from batchsched.solver.flight import Flight, Work
from batchsched.solver.greedy import Greedy
from batchsched.solver.hopeless import hopeless
from batchsched.solver.incumbent import Incumbent
from batchsched.solver.model import Model, Stage, Tier
from batchsched.solver.program import Program
from batchsched.solver.reprieve import reprieved
from batchsched.solver.settle import settle
from batchsched.solver.sums import add_up
from batchsched.solver.thrift import Thrift

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how hard to try; ``deterministic`` counts work instead of time.

    ``polish_s`` is what all tiers may take together that come after those of placed pods and of
    disruption: where pods wait to be bound, a little less packing is better than seconds.
    """

    time_limit_s: float = 10.0
    workers: int = 1
    seed: int = 0
    deterministic: bool = False
    polish_s: float | None = None


@dataclass(frozen=True, slots=True)
class TierResult:
    """What came of one tier, in the tier's own (maximised) sense."""

    tier: Tier
    value: int
    bound: int

    @property
    def optimal(self) -> bool:
        """Whether value and bound meet."""
        return self.value >= self.bound


@dataclass(frozen=True, eq=False)
class Solution:
    """A feasible point over all columns, and what is proven about it."""

    x: IntArray
    tiers: tuple[TierResult, ...]
    seconds: dict[str, float] = field(default_factory=dict)


Progress = Callable[[str, str, int, int], None]
"""Called with (phase, tier, value, bound) whenever something is known."""


def solve(
    model: Model,
    limits: Limits,
    clock: Callable[[], float],
    progress: Progress | None = None,
    targets: IntArray | None = None,
) -> Solution:
    """Solve the tiers of the model in order.

    Args:
        model: Constraints posted, tiers ranked.
        limits: Time, workers, seed.
        clock: Monotonic seconds; in deterministic mode for the report only.
        progress: Told of each tier that is done, as ``tier``; and meanwhile, as ``search``, of the
            one that is worked on.
        targets: [counts] where pods went in an earlier plan, or ``None``: another start, which is
            taken if it is no worse than the greedy's own.
    """
    return _Solve(model, limits, clock, progress).run(targets)


WORK_PER_S = 0.25
"""Deterministic seconds that a second of the time limit buys: one took 4 s of one 2.8 GHz core."""
GREEDY_SHARE = 0.5
"""Of the time limit, the most that the greedy may take before the solvers have their turn."""
GREEDY_S_MIN = 0.2
"""What the greedy may take however short the limit is: there is always a plan, never a bad one."""
HOPELESS_SHARE = 0.1
"""Of the time that is left, the most that asking about gangs without a place may take."""
MORE_MAX = 4
"""Plans with those first who were left out (squeaky wheels: Joslin and Clements, 1999)."""
AGAIN_SHARE, AGAIN_MAX = 0.1, 3
"""Of the time limit, what has to be left at the end for tiers that are open to be searched again;
and how often at most."""


class _Solve:
    """One solve: the program, the incumbent, what is held, and where the time went."""

    def __init__(
        self, model: Model, limits: Limits, clock: Callable[[], float], progress: Progress | None
    ) -> None:
        self.model, self.limits, self.clock, self.progress = model, limits, clock, progress
        self.budget = (
            Budget(limits.time_limit_s * WORK_PER_S, None)
            if limits.deterministic
            else Budget(limits.time_limit_s, clock)
        )
        self.program = model.freeze()
        first = model.stages[0]
        self._base = self.program.prefix(first.width, first.height)
        self._staying = self._everybody_stays()
        self.seconds = {"greedy": 0.0, "relax": 0.0, "search": 0.0}
        self.stages = _flights(model.stages)
        self.flights: list[Flight] = []
        self.results: list[list[TierResult]] = []
        """Of each flight."""
        self._polished_at_s: float | None = None
        """What is left of the budget when no more may be polished; None before that begins."""

    def _first_point(self) -> Incumbent:
        """The start, to be completed."""
        return Incumbent(self._base, self._staying)

    def _everybody_stays(self) -> IntArray:
        """The start, over all columns that the first tier takes."""
        start = self.model.start
        if start is None:
            return self._base.lower
        return self._extend(self._base, np.zeros(self._base.width, dtype=np.int64), start)

    def run(self, targets: IntArray | None) -> Solution:
        x = self._start(targets)
        self._give_up_hopeless(x)
        x = self._fly_from(0, x)
        for _ in range(AGAIN_MAX):
            i = next((i for i, own in enumerate(self.results) if not _optimal(own)), None)
            if i is None or self._may_take_s(i) < self._again_s:
                break
            x = self._fly_on(i, x)
        return Solution(x, tuple(chain.from_iterable(self.results)), self.seconds)

    def _give_up_hopeless(self, x: IntArray) -> None:
        """Take the places of gangs away that no plan can place: bounds are then what can be had."""
        start_s, limit_s = self.clock(), self.budget.remaining_s * HOPELESS_SHARE
        search = self._work.search(limit_s)
        if len(columns := hopeless(self.model, self._base, x, self.budget, search)):
            self.program = self.program.without(columns)
            self._base = self.program.prefix(self._base.width, self._base.height)
        self._took("search", start_s)

    def _fly_from(self, i: int, x: IntArray) -> IntArray:
        """The flights from one on, the point of the one before given; the point of the last."""
        del self.flights[i:], self.results[i:]
        for number in range(i, len(self.stages)):
            x = self._fly(number, x)
        return x

    def _fly_on(self, i: int, x: IntArray) -> IntArray:
        """Give a flight that is open what those below left of their time.

        They are flown again if it came to anything else, for they depend on it.
        """
        flight = self.flights[i]
        before = flight.values
        flight.run(self._share_s(i))
        flight.start_from(reprieved(self.model, flight.point))
        self.results[i] = self._results(i)
        return x if flight.values == before else self._fly_from(i + 1, flight.point.x)

    def _share_s(self, i: int) -> float:
        """What a flight may take of the time that is left."""
        weights = [sum(_weight(stage.tier) for stage in stages) for stages in self.stages]
        return self._may_take_s(i) * weights[i] / sum(weights[i:])

    def _may_take_s(self, i: int) -> float:
        """What this flight and those after it may take of the time that is left."""
        left_s, polish_s = self.budget.remaining_s, self.limits.polish_s
        if polish_s is None or any(_leads_or_disrupts(stage.tier) for stage in self.stages[i]):
            return left_s
        if self._polished_at_s is None:
            self._polished_at_s = max(left_s - polish_s, 0.0)
        return max(left_s - self._polished_at_s, 0.0)

    def _held(self, i: int) -> list[TierResult]:
        """What a flight has to hold; passing tiers before a lasting one are over with it."""
        held: list[TierResult] = []
        for result in chain.from_iterable(self.results[:i]):
            if not result.tier.passing:
                held = [each for each in held if not each.tier.passing]
            held.append(result)
        return held

    def _start(self, targets: IntArray | None) -> IntArray:
        """The best of the greedy's plans and the earlier one completed, in the order of tiers.

        Where there is a guide and what it says comes to the bounds, that is the start.
        """
        start = self.clock()
        greedy_s = max(self.budget.remaining_s * GREEDY_SHARE, GREEDY_S_MIN)
        budget = Budget(greedy_s, None if self.limits.deterministic else self.clock)
        guided = self._guidance()
        found = [] if guided is None else [self._completed(budget, guided)]
        tiers = [stage.tier for stage in self.stages[0]]
        if not found or not self._all_placed(tiers, found[0]):
            found += self._unaided(tiers, budget)
        if targets is not None and np.any(targets) and not budget.expired:
            found.insert(0, self._completed(budget, targets))
        if len(found) > 1:
            found.sort(key=self._worth, reverse=True)
        self._took("greedy", start)
        return found[0]

    def _guidance(self) -> IntArray | None:
        """[counts] where the guide would place pods."""
        model = self.model
        return None if model.guide is None else model.guide.targets(model.column, len(model.counts))

    def _unaided(self, tiers: Sequence[Tier], budget: Budget) -> list[IntArray]:
        """Large pods first; where not all find a place, small ones first is tried too."""
        found = [self._completed(budget)]
        if not self._all_placed(tiers, found[0]):
            small_first = Greedy(self.model, self._first_point(), budget, small_first=True)
            found.append(small_first.complete().x)
        return found + self._once_more(tiers, found[0], budget) if self.model.bundles else found

    def _once_more(self, tiers: Sequence[Tier], x: IntArray, budget: Budget) -> list[IntArray]:
        """Plans in which gangs go first that were left out before: others can do with any place."""
        favoured, found = np.zeros(len(self.model.problem.classes), np.bool_), list[IntArray]()
        while len(found) < MORE_MAX and not self._all_placed(tiers, x) and not budget.expired:
            favoured = favoured | self.model.short(x)
            greedy = Greedy(self.model, self._first_point(), budget, favoured=favoured)
            found.append(x := greedy.complete().x)
        return found

    def _completed(self, budget: Budget, targets: IntArray | None = None) -> IntArray:
        return Greedy(self.model, self._first_point(), budget).complete(targets).x

    def _all_placed(self, tiers: Sequence[Tier], x: IntArray) -> bool:
        """Whether the tiers are at bounds that need no solving."""
        held: dict[int, int] = {}
        for tier in tiers:
            value, bound, guide = int(tier.objective(len(x)) @ x), tier.highest, self.model.guide
            if tier.priority is not None:
                priced = None if guide is None else guide.bound_at(tier.priority, held)
                bound = bound if priced is None or bound is None else min(bound, priced)
                held[tier.priority] = value
            if bound != value:
                return False
        return True

    def _worth(self, x: IntArray) -> list[int]:
        """What a plan is worth in every tier, the later ones' columns settled."""
        worth = []
        for stages in self.stages:
            program = self.program.prefix(stages[0].width, stages[0].height)
            objectives = [stage.tier.objective(program.width) for stage in stages]
            x = self._extend(program, objectives[0], x)
            worth += [int(objective @ x) for objective in objectives]
        return worth

    def _fly(self, i: int, x: IntArray) -> IntArray:
        """Solve the tiers of one flight for the first time; the point."""
        stages, share_s = self.stages[i], self._share_s(i)
        program = self._program(i)
        tiers = [stage.tier for stage in stages]
        objective = tiers[0].objective(program.width)
        x = self._extend(program, objective, x)
        if not program.accepts(x):
            message = f"the incumbent breaks a row of the model of {tiers[0].name}"
            raise ModelDefectError(message)
        first = (stages[0].width, stages[0].height) == (self._base.width, self._base.height)
        flight = Flight(
            self.model, program, tiers, x, self._work, self._first_point if first else None
        )
        self.flights.append(flight)
        # Another start takes as long as the first: where there is no time for it, do without.
        another = not first and share_s >= self.seconds["greedy"]
        flight.run(share_s, (lambda: self._repacked(program, tiers, x)) if another else None)
        flight.start_from(reprieved(self.model, flight.point))
        self.results.append(self._results(i))
        return flight.point.x

    @cached_property
    def _work(self) -> Work:
        limits, progress = self.limits, self.progress
        tell = None if progress is None else partial(progress, "search")
        return Work(limits.workers, limits.seed, self.budget, self.clock, self._took, tell)

    def _results(self, i: int) -> list[TierResult]:
        """What the tiers of a flight are worth."""
        flight, results = self.flights[i], []
        tiers = (stage.tier for stage in self.stages[i])
        for tier, value, bound in zip(tiers, flight.values, flight.bounds, strict=True):
            if value > bound:
                message = f"{tier.name} is worth {value}, above its bound of {bound}"
                raise ModelDefectError(message)
            results.append(TierResult(tier, value, bound))
            if self.progress is not None:
                self.progress("tier", tier.name, value, bound)
        return results

    def _program(self, i: int) -> Program:
        """What a flight is solved on: its prefix, with the tiers above held at their values."""
        stage = self.stages[i][0]
        program = self.program.prefix(stage.width, stage.height)
        for result in self._held(i):
            program = program.with_row(result.tier.columns, result.tier.coefficients, result.value)
        return program

    def _repacked(self, program: Program, tiers: Sequence[Tier], x: IntArray) -> IntArray:
        """Everything placed anew: where a tier says what room is worth, as that costs the least.

        On few nodes else.
        """
        first, room = self._first_point(), next((t.room for t in tiers if t.room is not None), None)
        if room is None:
            greedy = Greedy(self.model, first, self.budget, pack=True)
        else:
            counts = self.model.counts
            placed = add_up(counts.classes, x[: len(counts)], len(self.model.problem.classes))
            greedy = Thrift(self.model, first, self.budget, room, placed)
        return self._extend(program, tiers[0].objective(program.width), greedy.complete().x)

    def _extend(self, program: Program, objective: IntArray, x: IntArray) -> IntArray:
        """Extend a point to the columns that this and earlier tiers have brought."""
        blocks = [
            (first, count)
            for _, kind, first, count in self.model.blocks
            if kind == "columns" and len(x) <= first < program.width
        ]
        leaning = objective.copy()
        for first, last in self.model.resting:
            leaning[first:last] -= leaning[first:last] == 0
        return settle(program, x, blocks, leaning)

    @property
    def _again_s(self) -> float:
        """What has to be left for an open flight to be flown on."""
        budget_s = self.limits.time_limit_s * (WORK_PER_S if self.limits.deterministic else 1)
        return AGAIN_SHARE * budget_s

    def _took(self, phase: str, start: float) -> None:
        self.seconds[phase] += self.clock() - start


def _flights(stages: Sequence[Stage]) -> list[list[Stage]]:
    """Consecutive stages of the same columns and rows, the leading ones apart from all others.

    Who looks for a better plan in a leading tier may go through plans that are worse in the others.
    Where tiers pass, a flight ends with the tier that they are for: it ends them.
    """
    passed = [i for i, each in enumerate(stages) if each.tier.passing]
    ends = {next(i for i in range(p, len(stages)) if not stages[i].tier.passing) for p in passed}
    flights: list[list[Stage]] = []
    for i, stage in enumerate(stages):
        last = flights[-1][-1] if flights else None
        same = last is not None and _over(last) == _over(stage)
        if same and i - 1 not in ends:
            flights[-1].append(stage)
        else:
            flights.append([stage])
    return flights


def _over(stage: Stage) -> tuple[int, int, bool]:
    """What the stages of a flight have in common."""
    return stage.width, stage.height, _leads(stage.tier)


def _leads_or_disrupts(tier: Tier) -> bool:
    """Whether people would wait for it."""
    return _leads(tier) or tier.name.startswith("disruption")


def _leads(tier: Tier) -> bool:
    """Whether it counts pods in place, or is a stage of one that does."""
    return tier.internal or tier.name.startswith("placed/")


def _optimal(results: Sequence[TierResult]) -> bool:
    """Whether all of them are."""
    return all(result.optimal for result in results)


def _weight(tier: Tier) -> float:
    """The share of the remaining time that a tier may claim, relative to those after it."""
    return 6.0 if _leads(tier) else 2.0 if tier.name in ("disruption", "preferences") else 1.0
