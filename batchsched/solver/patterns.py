"""Patterns: every node gets one set of whole pods, out of those that prices have shown to be good.

Where a node holds two or three large pods, rounding a relaxation over pods leaves much room that
nothing fits. A relaxation over patterns (Gilmore and Gomory's for cutting stock, by Dantzig and
Wolfe's decomposition) is nearly whole: of its vertex, few more nodes than there are classes have
more than one pattern. Its duals price the classes, ``knapsacks`` answers with the best pattern for
every node at these prices, and the two go on in turn until no pattern is missing. What the
knapsacks are worth at any prices bounds the tier as well.

Rows of a node alone (its room) are the patterns' own; all others, those of rules too, are rows of
the relaxation. What comes of it is where the greedy is told to place pods, who obeys all rules.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batchsched.solver.budget import Budget
from batchsched.solver.knapsacks import Knapsacks
from batchsched.solver.ladder import Prices
from batchsched.solver.model import Model
from batchsched.solver.prices import Priced
from batchsched.solver.program import NO_LIMIT, Program, freeze
from batchsched.solver.relax import SLACK, Interrupt, glop
from batchsched.solver.sums import add_up

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

ROUNDS_MAX = 40
"""Rounds of pricing for one tier; six to ten are usual."""
NEAR, NEAR_SHARE = 0.5, 0.005
"""How near the relaxation over patterns is to its bound, in pods or as a share of that, for no more
to be priced."""
MOSTLY = 0.5
"""Of a node's pattern in the relaxation, what makes it the one that is aimed at."""
WORK_PER_ENTRY_S = 5e-6
"""Deterministic seconds that an entry of a relaxation is counted for: ten times that of others, as
many of its vertices are one point."""
TIER_SHARE = 0.6
"""Of the time that is left, the most that a tier may take from those below it."""


@dataclass(frozen=True, eq=False)
class Patterned:
    """What the patterns say: bounds by tier, and [counts] where pods should go.

    There are no targets where patterns do not suit, or time was short.
    """

    bounds: dict[int, Priced]
    targets: IntArray | None


class Patterns:
    """The relaxation over patterns of some tiers over one program.

    Args:
        model: Its nodes and their room.
        program: The rows.
        objectives: [width] each, highest tier first.
        budget: To be spent from.
    """

    def __init__(
        self, model: Model, program: Program, objectives: Sequence[IntArray], budget: Budget
    ) -> None:
        """No pattern is known but the empty one, which needs no column."""
        self.program, self.objectives, self.budget = program, tuple(objectives), budget
        self._counts, self._nodes = len(model.counts), model.counts.nodes
        self._knapsacks = Knapsacks(model, program)
        self._kept = np.flatnonzero(~_of_one_node(program, self._nodes))
        self._row = np.full(program.height, -1, dtype=np.int64)
        self._row[self._kept] = np.arange(len(self._kept))
        self._pool = _Pool(self._nodes)
        self._best: dict[int, Prices] = {}
        """By tier, the prices that gave the best bound."""

    def solve(
        self,
        x: IntArray,
        prices: Sequence[Prices | None],
        limit_s: float,
        interrupt: Interrupt,
        values: Sequence[int] = (),
    ) -> Patterned:
        """Relax tier after tier over patterns, the higher ones held at what they came to.

        May be asked again, of what has been reached: all that is known stays.

        Args:
            x: [width] the incumbent, whose patterns are the first.
            prices: For each tier what another relaxation's duals were, if there was one.
            limit_s: How much of the budget it may take.
            interrupt: Fired where nobody waits for the answer any more.
            values: What the first tiers are held at; only those below them are relaxed.
        """
        if not self._knapsacks.is_small:
            return Patterned({}, None)
        until_s = max(self.budget.remaining_s - limit_s, 0.0)
        self._pool.add(x[: self._counts])
        held, bounds = list(values), dict[int, Priced]()
        point: FloatArray | None = None
        for i in range(len(values), len(prices)):
            left_s = self.budget.remaining_s - until_s
            share_s = left_s if i + 1 == len(prices) else left_s * TIER_SHARE
            tier = _Tier(self, i, tuple(held), interrupt)
            relaxed = tier.relax(self._best.get(i, prices[i]), share_s)
            if tier.best is not None:
                bounds[i], self._best[i] = tier.best.bound, tier.best.at
            if relaxed is None:
                break
            point = relaxed
            held.append(tier.worth)
        targets = None if point is None else self._pool.chosen(point, self._counts)
        return Patterned(bounds, targets)

    @property
    def known(self) -> int:
        """How many patterns are known."""
        return len(self._pool)

    def price(self, i: int, at: Prices) -> "_Answer | None":
        """The best patterns at some prices, and the bound that they give on tier i."""
        program, duals = self.program, np.zeros(self.program.height)
        duals[self._kept] = at.rows[self._kept]
        limits = np.where(duals > 0, program.row_upper, program.row_lower)
        duals[np.abs(limits) >= NO_LIMIT] = 0.0
        held = np.minimum(at.held, 0.0)
        priced = program.coefficients * duals[program.entry_rows]
        profit: FloatArray = self.objectives[i].astype(np.float64)
        profit -= np.bincount(program.columns, priced, program.width)
        for objective, price in zip(self.objectives, held, strict=False):
            profit -= price * objective
        filling = self._knapsacks.fill(profit[: self._counts])
        if filling is None:
            return None
        rest = profit[self._counts :]
        low, high = program.lower[self._counts :], program.upper[self._counts :]
        constant = filling.worth + float(np.maximum(rest * low, rest * high).sum())
        bound = Priced(constant + float(duals @ np.where(duals == 0, 0, limits)), -held)
        return _Answer(at, bound, self._pool.add(filling.counts), filling.work_s)

    def master(self, i: int, held: Sequence[int]) -> tuple[Program, IntArray]:
        """The relaxation of tier i over the patterns that are known, and what it maximises."""
        program, pool = self.program, self._pool
        patterns, kept = len(pool), len(self._kept)
        nodes = int(self._nodes.max(initial=-1)) + 1
        added = np.arange(self._counts, program.width)
        column_of = np.concatenate([pool.columns, added])
        amount = np.concatenate([pool.amounts, np.ones_like(added)])
        owner = np.concatenate([pool.owners, patterns + np.arange(len(added))])
        at, which = program.entries_of(column_of)
        row = self._row[program.by_column.rows[at]]
        value = program.by_column.coefficients[at] * amount[which]
        told, one = row >= 0, np.ones(patterns, dtype=np.int64)
        frozen = freeze(
            counts=patterns,
            bounds=(
                np.concatenate([np.zeros_like(one), program.lower[self._counts :]]),
                np.concatenate([one, program.upper[self._counts :]]),
            ),
            row_bounds=(
                np.concatenate([program.row_lower[self._kept], np.full(nodes, -NO_LIMIT)]),
                np.concatenate([program.row_upper[self._kept], np.ones(nodes, dtype=np.int64)]),
            ),
            entries=(
                np.concatenate([row[told], kept + pool.nodes]),
                np.concatenate([owner[which[told]], np.arange(patterns)]),
                np.concatenate([value[told], one]),
            ),
        )
        worths = [
            add_up(owner, o[column_of] * amount, frozen.width) for o in self.objectives[: i + 1]
        ]
        return frozen.holding(worths[:i], held), worths[i]

    def duals_of(self, duals: FloatArray, i: int) -> Prices:
        """A master's duals, as those of the whole program's rows."""
        rows = np.zeros(self.program.height)
        rows[self._kept] = duals[: len(self._kept)]
        return Prices(rows, duals[len(duals) - i :] if i else np.zeros(0))


@dataclass(frozen=True, eq=False)
class _Answer:
    """What the knapsacks say at some prices: a bound, and how many patterns are new."""

    at: Prices
    bound: Priced
    new: int
    work_s: float


class _Tier:
    """One tier's turn: relax over the known patterns, price, and so on."""

    def __init__(
        self, patterns: Patterns, i: int, held: tuple[int, ...], interrupt: Interrupt
    ) -> None:
        """Nothing is known of it."""
        self._patterns, self._i, self._held, self._interrupt = patterns, i, held, interrupt
        self._budget = patterns.budget
        self.best: _Answer | None = None
        """The one with the lowest bound."""
        self.worth = 0
        """What the last relaxation was worth, rounded down."""

    def relax(self, first: Prices | None, limit_s: float) -> FloatArray | None:
        """[patterns] how much of each; ``None`` where there was no time to tell."""
        budget, until_s = self._budget, max(self._budget.remaining_s - limit_s, 0.0)
        nothing = Prices(np.zeros(self._patterns.program.height), np.zeros(self._i))
        if limit_s <= 0 or self._price(first or nothing) is None:
            return None
        point: FloatArray | None = None
        reached = -np.inf
        for _ in range(ROUNDS_MAX):
            left_s = budget.remaining_s - until_s
            if left_s <= 0 or not self._patterns.known:
                break
            program, objective = self._patterns.master(self._i, self._held)
            budget.spend(len(program.columns) * WORK_PER_ENTRY_S)
            counted, interrupt = budget.deterministic, self._interrupt
            solved = glop(program, objective, left_s, deterministic=counted, interrupt=interrupt)
            if solved is None:
                break
            last, reached = reached, float(objective @ solved[0])
            if reached < last - SLACK:  # it was cut off: with more patterns it is worth no less
                break
            point, self.worth = solved[0][: program.counts], int(np.floor(reached + SLACK))
            if self._is_near(reached) or not self._price_around(solved[1]):
                break
        return point

    def _is_near(self, reached: float) -> bool:
        """Whether no pattern that is missing could be worth much."""
        assert self.best is not None, "prices were asked before anything was relaxed"
        bound = self.best.bound.bound_at(self._held)
        return bound <= reached + max(NEAR, NEAR_SHARE * bound)

    def _price_around(self, duals: FloatArray) -> bool:
        """Price between the master's duals and the best ones: steadier; else at its own.

        Returns:
            Whether there are new patterns.
        """
        assert self.best is not None, "prices were asked before anything was relaxed"
        own, best = self._patterns.duals_of(duals, self._i), self.best.at
        between = Prices((own.rows + best.rows) / 2, (own.held + best.held) / 2)
        answers = (self._price(at) for at in (between, own))
        return any(answer is not None and answer.new for answer in answers)

    def _price(self, at: Prices) -> _Answer | None:
        answer, held = self._patterns.price(self._i, at), self._held
        if answer is None:
            return None
        self._budget.spend(answer.work_s)
        if self.best is None or answer.bound.bound_at(held) < self.best.bound.bound_at(held):
            self.best = answer
        return answer


class _Pool:
    """The patterns that are known: pod counts by column, sorted by pattern."""

    def __init__(self, node_of: IntArray) -> None:
        """None yet."""
        self._node_of = node_of
        self._known: set[tuple[int, bytes, bytes]] = set()
        self.nodes = np.zeros(0, dtype=np.int64)
        """[patterns] whose each is."""
        self.owners = np.zeros(0, dtype=np.int64)
        """[entries] the pattern."""
        self.columns = np.zeros(0, dtype=np.int64)
        self.amounts = np.zeros(0, dtype=np.int64)

    def __len__(self) -> int:
        """How many."""
        return len(self.nodes)

    def add(self, counts: IntArray) -> int:
        """Add what each node holds of some counts, unless that is known; how many were not."""
        used = np.flatnonzero(counts)
        if not len(used):
            return 0
        used = used[np.argsort(self._node_of[used], kind="stable")]
        nodes, start = np.unique(self._node_of[used], return_index=True)
        new, columns, sizes = [], [], []
        for node, own in zip(nodes.tolist(), np.split(used, start[1:]), strict=True):
            key = (node, own.tobytes(), counts[own].tobytes())
            if key not in self._known:
                self._known.add(key)
                new.append(node)
                columns.append(own)
                sizes.append(len(own))
        if new:
            owners = len(self) + np.repeat(np.arange(len(new)), sizes)
            added = np.concatenate(columns)
            self.nodes = np.concatenate([self.nodes, np.array(new, dtype=np.int64)])
            self.owners = np.concatenate([self.owners, owners])
            self.columns = np.concatenate([self.columns, added])
            self.amounts = np.concatenate([self.amounts, counts[added]])
        return len(new)

    def chosen(self, point: FloatArray, counts: int) -> IntArray:
        """[counts] the patterns that a point has mostly."""
        mostly = np.zeros(len(self), dtype=np.bool_)
        mostly[: len(point)] = point > MOSTLY
        used = mostly[self.owners]
        chosen = np.zeros(counts, dtype=np.int64)
        np.add.at(chosen, self.columns[used], self.amounts[used])
        return chosen


def _of_one_node(program: Program, nodes: IntArray) -> BoolArray:
    """[height] whether a row is one of pods on a single node, of which more are worse for it."""
    counted = program.columns < program.counts
    rows, node = program.entry_rows, nodes[np.where(counted, program.columns, 0)]
    spoiled = np.zeros(program.height, dtype=np.bool_)
    spoiled[rows[~counted | (program.coefficients < 0)]] = True
    filled = np.flatnonzero(np.diff(program.first))
    lowest, highest = np.zeros((2, program.height), dtype=np.int64)
    lowest[filled] = np.minimum.reduceat(node, program.first[filled])
    highest[filled] = np.maximum.reduceat(node, program.first[filled])
    one = (lowest == highest) & ~spoiled
    return np.asarray(one & (program.row_lower <= 0) & (program.row_upper < NO_LIMIT))
