"""Prices: what room is worth, where there are too many pairs of class and node to relax.

The placed tiers are relaxed over kinds of pods and kinds of nodes (``kinds``), priority by
priority, the higher ones held. What that is worth bounds nothing; but its duals are prices for the
room of every node, and at any prices every pair of class and node is told: no plan is worth more
than all room at its price and, of each class, what its pods bring beyond the cheapest place that
it may have (Lagrangian relaxation; FORMULATION.md, Bounds). So the bound holds for the whole
problem though only a shortlist of it is solved on, and rows of rules other than capacity are left
out, which can only raise it.

Kinds of which some classes are worth their price and others are not are split, and all is relaxed
again: there the prices are made.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batchsched.feasibility.problem import Problem
from batchsched.solver.budget import Budget
from batchsched.solver.kinds import Kinds, Market, kinds_of
from batchsched.solver.program import NO_LIMIT, Program, freeze
from batchsched.solver.relax import SLACK, glop

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

ROUNDS_MAX = 3
"""How often kinds are split; each time, what the bound lacks falls to a third or less."""
NEAR = 5e-4
"""How near a bound is to what the kinds are worth, as a share of it, for no more to be split."""
EVEN = 1e-6
"""What a class may bring beyond its price, or lack, and still be on the edge."""
WORK_PER_ENTRY_S = 5e-7
"""Deterministic seconds that an entry of a relaxation is counted for."""


@dataclass(frozen=True, eq=False)
class Priced:
    """A bound on the placed pods of a priority: ``constant - sum of price * pods`` of those above.

    ``above`` says what a pod of each higher priority, the highest first, is worth in pods of this.
    """

    constant: float
    above: FloatArray

    def bound_at(self, values: Sequence[int]) -> int:
        """The bound where so many pods of each higher priority are placed; any numbers will do."""
        told = self.above * np.array(values[: len(self.above)], dtype=np.float64)
        error = SLACK + 1e-9 * (abs(self.constant) + float(told.sum()))
        return int(np.floor(self.constant - float(told.sum()) + error))


@dataclass(frozen=True, eq=False)
class Level:
    """The prices that a priority makes.

    ``cost`` [C] is what the cheapest place of a class costs, in pods of this priority; infinite
    where it has none.
    """

    priority: int
    cost: FloatArray
    bound: Priced


def levels_of(problem: Problem, budget: Budget) -> tuple[Level, ...]:
    """Prices and bounds for each priority that has classes, the highest first."""
    market = Market.of(problem)
    kinds = kinds_of(problem, market)
    found: tuple[Level, ...] = ()
    for _ in range(ROUNDS_MAX):
        relaxed = _Relaxed(problem, market, kinds)
        levels = relaxed.levels(budget)
        found = found or levels
        if len(levels) < len(found) or budget.expired:
            break
        found = levels
        if not np.any(relaxed.uneven):
            break
        kinds = kinds.split(relaxed.uneven)
    return found


class _Relaxed:
    """The placed tiers of a problem, relaxed over kinds one after the other."""

    def __init__(self, problem: Problem, market: Market, kinds: Kinds) -> None:
        self._market, self._kinds, self._size = market, kinds, problem.class_size
        self._priority = np.array([c.priority for c in problem.classes], dtype=np.int64)
        self._at, self._on = kinds.pairs()
        pods = np.bincount(kinds.of_class, self._size)
        self._asked = _sums(kinds.of_class, market.asked * self._size[:, None]) / pods[:, None]
        self._room = _sums(kinds.of_node, market.room).astype(np.int64)
        self._program = self._over_kinds(pods.astype(np.int64))
        self.uneven = np.zeros(len(pods), dtype=np.bool_)
        """[K] kinds that are not told right: some classes are worth their price, others not."""

    def levels(self, budget: Budget) -> tuple[Level, ...]:
        """One for each priority, as long as there is time."""
        found: list[Level] = []
        objectives: list[IntArray] = []
        held: list[int] = []
        proven: list[int] = []
        first = np.zeros(int(self._kinds.of_class.max()) + 1, dtype=np.int64)
        first[self._kinds.of_class] = self._priority
        for priority in np.unique(self._priority)[::-1].tolist():
            objective = (first[self._at] == priority).astype(np.int64)
            program = self._program.holding(objectives, held)
            budget.spend(len(program.columns) * WORK_PER_ENTRY_S)
            counted = budget.deterministic
            solved = glop(program, objective, budget.remaining_s, deterministic=counted)
            if solved is None:
                break
            level = self._level(priority, solved[1], len(held))
            worth = float(objective @ solved[0])
            bound = level.bound.bound_at(proven)
            if bound > worth + max(1.0, NEAR * worth):
                self._note(level)
            found.append(level)
            objectives.append(objective)
            held.append(int(np.floor(worth + SLACK)))
            proven.append(bound)
        return tuple(found)

    def _over_kinds(self, pods: IntArray) -> Program:
        """At most all pods of each kind, and what all nodes of a kind have room for together."""
        (kinds, rows), own = self._asked.shape, np.arange(len(self._at))
        asked = np.rint(self._asked[self._at]).astype(np.int64)
        entry, row = np.nonzero(asked)
        return freeze(
            counts=len(own),
            bounds=(np.zeros(len(own), dtype=np.int64), pods[self._at]),
            row_bounds=(
                np.full(kinds + self._room.size, -NO_LIMIT, dtype=np.int64),
                np.concatenate([pods, self._room.ravel()]),
            ),
            entries=(
                np.concatenate([self._at, kinds + self._on[entry] * rows + row]),
                np.concatenate([own, entry]),
                np.concatenate([np.ones(len(own), dtype=np.int64), asked[entry, row]]),
            ),
        )

    def _level(self, priority: int, duals: FloatArray, tiers: int) -> Level:
        """What the duals say of every pair of class and node."""
        kinds = len(self._asked)
        prices = np.maximum(duals[kinds : kinds + self._room.size], 0.0).reshape(self._room.shape)
        above = np.maximum(-duals[len(duals) - tiers :], 0.0) if tiers else np.zeros(0)
        costs = np.where(self._kinds.share > 0, self._market.asked @ prices.T, np.inf)
        cost: FloatArray = costs.min(axis=1)
        gains = self._size * np.maximum(self._worth(priority, above) - cost, 0.0)
        constant = float((prices * self._room).sum()) + float(gains.sum())
        return Level(priority, cost, Priced(constant, above))

    def _worth(self, priority: int, above: FloatArray) -> FloatArray:
        """[C] what a pod of each class is worth, in pods of a priority."""
        worth: FloatArray = (self._priority == priority).astype(np.float64)
        higher = np.unique(self._priority)[::-1][: len(above)]
        for each, price in zip(higher, above, strict=True):
            worth = np.where(self._priority == each, price, worth)
        return worth

    def _note(self, level: Level) -> None:
        """See which kinds have classes on both sides of their price."""
        gain = self._worth(level.priority, level.bound.above) - level.cost
        size = len(self.uneven)
        over = np.bincount(self._kinds.of_class, gain > EVEN, size)
        under = np.bincount(self._kinds.of_class, gain < -EVEN, size)
        self.uneven |= (over > 0) & (under > 0)


def _sums(of: IntArray, rows: IntArray) -> FloatArray:
    """[kinds, M] sums over the members of each kind."""
    sums = np.zeros((int(of.max()) + 1, rows.shape[1]))
    np.add.at(sums, of, rows)
    return sums
