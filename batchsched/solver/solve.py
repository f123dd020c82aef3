"""Solve: tier by tier, each held at its value for the next. Never worse than the greedy's answer.

1. greedy on the constraints alone;
2. for each tier: done at once where the incumbent meets a bound known beforehand; else GLOP for a
   bound and a point to round; then CP-SAT on the whole program, or on neighbourhoods of it where
   that is too large.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from batchsched.solver.budget import Budget
from batchsched.solver.cpsat import ModelDefectError, Search, maximise
from batchsched.solver.greedy import Greedy
from batchsched.solver.incumbent import Incumbent
from batchsched.solver.model import Model, Stage, Tier
from batchsched.solver.program import Program
from batchsched.solver.relax import highest, quick_bound, relax
from batchsched.solver.search import COLUMNS_MAX, Effort, Task, improve
from batchsched.solver.settle import settle

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how hard to try; ``deterministic`` counts work instead of time."""

    time_limit_s: float = 10.0
    workers: int = 1
    seed: int = 0
    deterministic: bool = False


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
    model: Model, limits: Limits, clock: Callable[[], float], progress: Progress | None = None
) -> Solution:
    """Solve the tiers of the model in order.

    Args:
        model: Constraints posted, tiers ranked.
        limits: Time, workers, seed.
        clock: Monotonic seconds; in deterministic mode for the report only.
        progress: Told of each tier.
    """
    return _Solve(model, limits, clock, progress or (lambda *_: None)).run()


WORK_PER_S = 0.25
"""Deterministic seconds that a second of the time limit buys: one took 4 s of one 2.8 GHz core."""
TINY = 300
"""Columns up to which CP-SAT closes a program before a relaxation would have helped it."""
GREEDY_SHARE = 0.5
"""Of the time limit, the most that the greedy may take before the solvers have their turn."""
GREEDY_S_MIN = 0.2
"""What the greedy may take however short the limit is: there is always a plan, never a bad one."""
ROUNDING = 1e-6
"""What a count may be short of an integer and still be taken for it: GLOP's tolerance."""


class _Solve:
    """One solve: the program, the incumbent, what is held, and where the time went."""

    def __init__(
        self, model: Model, limits: Limits, clock: Callable[[], float], progress: Progress
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
        self.seconds = {"greedy": 0.0, "relax": 0.0, "search": 0.0}
        self.held: list[TierResult] = []

    def run(self) -> Solution:
        start = self.clock()
        greedy_s = max(self.budget.remaining_s * GREEDY_SHARE, GREEDY_S_MIN)
        budget = Budget(greedy_s, None if self.limits.deterministic else self.clock)
        x = Greedy(self.model, Incumbent(self._base), budget).complete().x
        self._took("greedy", start)
        for i, stage in enumerate(self.model.stages):
            program = self._program(stage)
            objective = stage.tier.objective(program.width)
            x = self._extend(program, objective, x)
            if not program.accepts(x):
                message = f"the incumbent breaks a row of the model of {stage.tier.name}"
                raise ModelDefectError(message)
            weights = [_weight(s.tier) for s in self.model.stages[i:]]
            share_s = self.budget.remaining_s * weights[0] / sum(weights)
            x, bound = self._improve(stage.tier, program, objective, x, share_s)
            value = int(objective @ x)
            if value > bound:
                message = f"{stage.tier.name} is worth {value}, above its bound of {bound}"
                raise ModelDefectError(message)
            self.held.append(TierResult(stage.tier, value, bound))
            self.progress("tier", stage.tier.name, value, bound)
        return Solution(x, tuple(self.held), self.seconds)

    def _program(self, stage: Stage) -> Program:
        """What the tier is solved on: its prefix, with the tiers above held at their values."""
        program = self.program.prefix(stage.width, stage.height)
        for result in self.held:
            program = program.with_row(result.tier.columns, result.tier.coefficients, result.value)
        return program

    def _repack(self, program: Program, objective: IntArray, x: IntArray) -> IntArray:
        """Place everything anew on few nodes; the better of that and ``x``."""
        start = self.clock()
        point = Greedy(self.model, Incumbent(self._base), self.budget, pack=True).complete()
        packed = self._extend(program, objective, point.x)
        better = program.accepts(packed) and objective @ packed > objective @ x
        self._took("search", start)
        return packed if better else x

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

    def _improve(
        self, tier: Tier, program: Program, objective: IntArray, x: IntArray, share_s: float
    ) -> tuple[IntArray, int]:
        """A point at least as good, and a bound."""
        until_s = self.budget.remaining_s - share_s
        bound = highest(program, objective) if tier.highest is None else tier.highest
        if int(objective @ x) >= bound or self.budget.expired:
            return x, bound
        if program.width > TINY:
            x, proven = self._approach(program, objective, x, share_s)
            bound = min(bound, proven)
        left_s = self.budget.remaining_s - until_s
        if int(objective @ x) >= bound or left_s <= 0:
            return x, bound
        start = self.clock()
        if program.width <= COLUMNS_MAX:
            x, proven = self._whole(program, objective, x, left_s)
            bound = min(bound, proven)
        else:
            task, effort = Task(self.model, program, objective, bound), self.limits
            x = improve(task, x, left_s, self.budget, Effort(effort.workers, effort.seed))
        self._took("search", start)
        return x, bound

    def _approach(
        self, program: Program, objective: IntArray, x: IntArray, share_s: float
    ) -> tuple[IntArray, int]:
        """The relaxation's bound; and for placed tiers its point rounded, for others a repacking.

        A vertex of the relaxation says where pods go; of a packing it says little.
        """
        bound = self._quick_bound(program, objective, share_s / 2)
        if bound is not None and int(objective @ x) >= bound:
            return x, bound
        to_round = program.width == self._base.width
        if not to_round:
            x = self._repack(program, objective, x)
        if to_round or bound is None:
            limit_s = share_s if to_round else share_s / 2
            fractional, proven = self._relax(program, objective, limit_s)
            bound = proven if bound is None else min(bound, proven)
            if fractional is not None and to_round:
                x = self._round(program, objective, fractional, x)
        return x, bound

    def _whole(
        self, program: Program, objective: IntArray, x: IntArray, limit_s: float
    ) -> tuple[IntArray, int]:
        """CP-SAT on all of it."""
        search = Search(limit_s, self.budget.deterministic, self.limits.workers, self.limits.seed)
        answer = maximise(program, objective, x, search)
        self.budget.spend(answer.deterministic_s)
        if answer.x is not None and objective @ answer.x >= objective @ x:
            x = answer.x
        return x, answer.bound

    def _quick_bound(self, program: Program, objective: IntArray, limit_s: float) -> int | None:
        start = self.clock()
        counted = self.budget.deterministic
        bound = quick_bound(program, objective, max(limit_s, 0.01), deterministic=counted)
        self._took("relax", start)
        return bound

    def _relax(
        self, program: Program, objective: IntArray, limit_s: float
    ) -> tuple[FloatArray | None, int]:
        start = self.clock()
        counted = self.budget.deterministic
        result = relax(program, objective, max(limit_s, 0.01), deterministic=counted)
        self._took("relax", start)
        return result.x, result.bound

    def _round(
        self, program: Program, objective: IntArray, fractional: FloatArray, x: IntArray
    ) -> IntArray:
        """Round the counts down, complete greedily by priority; the better of that and ``x``."""
        start = self.clock()
        targets = np.floor(fractional[: self._base.counts] + ROUNDING).astype(np.int64)
        point = Greedy(self.model, Incumbent(self._base), self.budget).complete(targets)
        better = program.accepts(point.x) and objective @ point.x > objective @ x
        self._took("search", start)
        return point.x if better else x

    def _took(self, phase: str, start: float) -> None:
        self.seconds[phase] += self.clock() - start


def _weight(tier: Tier) -> float:
    """The share of the remaining time that a tier may claim, relative to those after it."""
    return 6.0 if tier.name.startswith("placed/") else 2.0 if tier.name == "preferences" else 1.0
