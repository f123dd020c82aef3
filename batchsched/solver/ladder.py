"""The ladder: relaxations of tiers that are optimised one after the other.

Each rung relaxes one tier with the tiers above held at their bounds, which they are assumed to
reach. Where they do not, the rung's duals still bound the tier: they price the rows that hold the
others, and give another bound for other values without another relaxation. Cuts that one rung
brings stay for all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from batchsched.solver.budget import Budget
from batchsched.solver.cuts import rounded_rows, small_rows
from batchsched.solver.program import Program
from batchsched.solver.quotient import Parts, Quotient, Sketch, merged, nearly_alike
from batchsched.solver.relax import (
    WORK_PER_ENTRY_S,
    Interrupt,
    Relaxation,
    glop,
    highest,
    lagrangian,
    relax,
)

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

PricedBound = Callable[[Sequence[int]], int | None]
"""A bound on a tier, told what the tiers above are held at."""

IDLE_ROUNDS_MAX = 2
"""Rounds without a lower optimum after which a rung is left."""


RUNG_SHARE = 0.6
"""Of the time for a climb, the most that one rung may take from those below it."""
GAIN_MIN = 1e-3
"""By how much a round of cuts must lower the optimum to be of use."""


@dataclass(frozen=True, eq=False)
class Prices:
    """Duals of a program's rows [height], and of the rows that hold the tiers above."""

    rows: FloatArray
    held: FloatArray


@dataclass(frozen=True, eq=False)
class Rung:
    """A bound on one tier, and why: duals of a program whose last rows hold the tiers above.

    Without duals (a bound that counting or CP-SAT gives) it holds as it is, or not at all.
    """

    program: Program
    held: tuple[int, ...]
    """What the tiers above are held at."""
    duals: FloatArray | None
    bound: int

    def bound_at(self, objective: IntArray, values: Sequence[int]) -> int | None:
        """The bound when the tiers above are held at these values, if that follows."""
        above = list(values[: len(self.held)])
        if all(value >= held for value, held in zip(above, self.held, strict=True)):
            return self.bound
        if self.duals is None:
            return None
        lower = self.program.row_lower.copy()
        lower[len(lower) - len(above) :] = above
        return lagrangian(replace(self.program, row_lower=lower), objective, self.duals)


class Ladder:
    """The relaxations of some tiers over one program.

    Args:
        program: What every tier has to satisfy.
        objectives: [width] each, highest tier first.
        known: A bound on each that needs no solving, or ``None``.
    """

    def __init__(
        self, program: Program, objectives: Sequence[IntArray], known: Sequence[int | None]
    ) -> None:
        """Nothing is relaxed yet; every bound is the one that is known."""
        self._whole = program
        self._with_cuts = program.with_rows(small_rows(program))
        self._objectives = tuple(objectives)
        self._known = tuple(
            highest(program, objective) if most is None else most
            for objective, most in zip(objectives, known, strict=True)
        )
        self._proven = [[Rung(program, (), None, most)] for most in self._known]
        self._rungs: list[Rung | None] = [None] * len(self._known)
        self._priced: list[list[PricedBound]] = [[] for _ in self._known]
        self.interrupt = Interrupt()
        self._relaxations: dict[int, tuple[tuple[tuple[int, ...], int], Relaxation]] = {}
        self.point: FloatArray | None = None
        """A fractional point [width] that all rungs relaxed so far accept, or ``None``."""

    def bounds(self, values: Sequence[int]) -> list[int]:
        """A bound on each tier, those above it held at these values."""
        found = []
        for i, (proven, rung, objective) in enumerate(
            zip(self._proven, self._rungs, self._objectives, strict=True)
        ):
            known = [*proven, rung] if rung is not None else proven
            at = [each.bound_at(objective, values) for each in known]
            at += [bound_at(values[:i]) for bound_at in self._priced[i]]
            found.append(min(bound for bound in at if bound is not None))
        return found

    def bound_of(self, i: int) -> PricedBound:
        """The bound on tier i, for any values of the tiers above it."""
        return lambda above: self.bounds([*above, *self._known[len(above) :]])[i]

    @property
    def tightened(self) -> Program:
        """The program with the cuts that are known."""
        return self._with_cuts

    def learn(self, i: int, values: Sequence[int], bound: int) -> None:
        """Take note of a bound on tier i that somebody else proved, for these values above it."""
        self._proven[i].append(Rung(self._whole, tuple(values[:i]), None, bound))

    def price(self, i: int, bound: PricedBound) -> None:
        """Take note of a bound on tier i that is known for any values of the tiers above it."""
        self._priced[i].append(bound)

    def prices(self, i: int) -> Prices | None:
        """The duals of tier i: of the program's rows and of those that hold the tiers above."""
        rung = self._rungs[i]
        if rung is None or rung.duals is None:
            return None
        return Prices(rung.duals[: self._whole.height], rung.duals[len(rung.duals) - i :])

    def stop(self) -> None:
        """End a climb that runs in another thread; nothing is relaxed until ``resume``."""
        self.interrupt.fire()

    def resume(self) -> None:
        """Be ready to climb, whatever was stopped before."""
        self.interrupt = Interrupt()

    def sketch(self, values: Sequence[int], budget: Budget) -> Sketch | None:
        """Bound every open tier by a relaxation in which what is nearly alike is merged.

        Args:
            values: What the incumbent is worth.
            budget: To be spent from.

        Returns:
            What the lowest tier's relaxation says; ``None`` where little is alike, or nothing open.
        """
        parts = nearly_alike(self._with_cuts, self._objectives)
        budget.spend(len(self._with_cuts.columns) * WORK_PER_ENTRY_S)
        if parts is None:
            return None
        mean: FloatArray | None = None
        held: tuple[int, ...] = ()
        for i, objective in enumerate(self._objectives):
            bound = self.bounds([*held, *values[i:]])[i]
            if values[i] < self._known[i] and (mean is not None or values[i] < bound):
                small = self._merged(held, objective, parts)
                limit_s, counted = budget.remaining_s, budget.deterministic
                solved = glop(small.program, small.objective, limit_s, deterministic=counted)
                if solved is None:
                    break
                mean, duals = solved[0], (solved[1] / small.row_size)[small.row_part]
                program = self._held(held)
                found = lagrangian(program, objective, duals)
                self._rungs[i] = Rung(program, held, duals, found)
                bound = min(bound, found)
            held = (*held, bound)
        return None if mean is None else Sketch(mean, parts.columns)

    def _merged(self, held: tuple[int, ...], objective: IntArray, parts: Parts) -> Quotient:
        """The merged relaxation; each row that holds a tier is a part of its own."""
        program = self._held(held)
        first = int(parts.rows.max(initial=-1)) + 1
        own = first + np.arange(program.height - len(parts.rows))
        return merged(program, objective, Parts(parts.columns, np.append(parts.rows, own)))

    def climb(self, values: Sequence[int], budget: Budget, limit_s: float, *, rounds: int) -> bool:
        """Relax every tier that is open, the higher ones held at their bounds.

        Args:
            values: What the incumbent is worth; tiers that are at their bound, and all above them
                too, are done.
            budget: To be spent from.
            limit_s: For all rungs together.
            rounds: How often each tier may be cut and relaxed again.

        Returns:
            Whether a bound has become lower, or a first point was found.
        """
        until_s = max(budget.remaining_s - limit_s, 0.0)
        before = (self.point is None, self.bounds(values))
        held: tuple[int, ...] = ()
        met = True
        for i in range(len(self._objectives)):
            bound = self.bounds([*held, *values[i:]])[i]
            met = met and values[i] >= bound
            left_s = budget.remaining_s - until_s
            if not met and values[i] < self._known[i] and left_s > 0:
                share_s = left_s if i + 1 == len(self._objectives) else left_s * RUNG_SHARE
                self._climb_to(i, held, values[i], budget, share_s, rounds)
                bound = self.bounds([*held, *values[i:]])[i]
            held = (*held, bound)
        return before != (self.point is None, self.bounds(values))

    def _climb_to(
        self,
        i: int,
        held: tuple[int, ...],
        value: int,
        budget: Budget,
        limit_s: float,
        rounds: int,
    ) -> None:
        """Relax one tier; cut and relax again while that helps and there is time for it."""
        until_s, idle = max(budget.remaining_s - limit_s, 0.0), 0
        start_s, last = budget.remaining_s, np.inf
        for round_ in range(rounds + 1):
            relaxed = self._relaxed(i, held, budget, budget.remaining_s - until_s)
            if relaxed.x is None:
                return
            idle = idle + 1 if relaxed.optimum > last - GAIN_MIN else 0
            last = min(last, relaxed.optimum)
            took_s = (start_s - budget.remaining_s) / (round_ + 1)
            if relaxed.bound <= value or idle >= IDLE_ROUNDS_MAX or round_ == rounds:
                return
            if budget.remaining_s - until_s < took_s or not self._cut(relaxed.x):
                return

    def _relaxed(self, i: int, held: tuple[int, ...], budget: Budget, limit_s: float) -> Relaxation:
        """Relax one tier as it is now, unless that has been done; keep the bound if it is good."""
        program, objective, rung = self._held(held), self._objectives[i], self._rungs[i]
        known = self._relaxations.get(i)
        if known is not None and known[0] == (held, program.height):
            self.point = known[1].x
            return known[1]
        relaxed = relax(
            program,
            objective,
            limit_s,
            deterministic=budget.deterministic,
            interrupt=self.interrupt,
        )
        budget.spend(len(program.columns) * WORK_PER_ENTRY_S)
        if relaxed.x is not None:
            self.point = relaxed.x
            self._relaxations[i] = ((held, program.height), relaxed)
            if rung is None or rung.held != held or relaxed.bound <= rung.bound:
                self._rungs[i] = Rung(program, held, relaxed.duals, relaxed.bound)
        return relaxed

    def _held(self, held: tuple[int, ...]) -> Program:
        """The program with its cuts, and the tiers above held."""
        return self._with_cuts.holding(self._objectives, held)

    def _cut(self, point: FloatArray) -> bool:
        """Cut a point off; whether there was a cut that does."""
        cuts = rounded_rows(self._whole, point)
        if cuts is not None:
            self._with_cuts = self._with_cuts.with_rows(cuts)
        return cuts is not None
