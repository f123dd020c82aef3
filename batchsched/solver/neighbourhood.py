"""Neighbourhoods: which columns to free together, so that what is short may find a place.

A neighbourhood is some nodes, and on them the classes that could change there: those that stand on
one of the nodes, and those that have pods left to place. Any other class is complete elsewhere and
could not come. Nodes are drawn where a short class almost fits, so that an exchange of a few pods
makes room for it; for a gang with a required topology, in one domain.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batchsched.solver.incumbent import Incumbent
from batchsched.solver.model import Model
from batchsched.solver.program import Program, ranges

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

COLUMNS_MAX = 3_000
"""Columns of one neighbourhood; SCIP closes such ones in some 0.1 s."""
ANYWHERE = 0.01
"""How likely a node is drawn that has no room at all, relative to one with room for a whole pod."""
IDLE_WEIGHT = 0.1
"""How likely an empty node is drawn where nothing is short: it has little to give."""
AT_RANDOM = 0.1
"""The share of neighbourhoods that look at no short class though there are some."""


@dataclass(frozen=True, slots=True, eq=False)
class Neighbourhood:
    """The columns to free, sorted, and the nodes that they are on."""

    columns: IntArray
    nodes: IntArray


class Draw:
    """Draws neighbourhoods of an incumbent.

    Args:
        model: Whose columns.
        program: The program that is being improved, over (a prefix of) the model's columns.
        seed: Of all that is drawn.
    """

    def __init__(self, model: Model, program: Program, seed: int) -> None:
        """Index the columns by node, and the added ones by row."""
        self._problem, self._counts = model.problem, model.counts
        self._program = program
        self._random = np.random.default_rng(seed)
        nodes = len(model.problem.nodes)
        self._by_node = np.argsort(model.counts.nodes, kind="stable")
        self._first = np.searchsorted(model.counts.nodes[self._by_node], np.arange(nodes + 1))
        self._priority = np.array([c.priority for c in model.problem.classes], dtype=np.int64)
        added = program.columns >= program.counts
        self._added = program.columns[added]
        of_row = np.bincount(program.entry_rows[added], minlength=program.height)
        self._first_added = np.concatenate([[0], np.cumsum(of_row)])

    def draw(
        self, point: Incumbent, objective: IntArray, size: int, busy: Sequence[IntArray]
    ) -> Neighbourhood:
        """Draw one.

        Args:
            point: The incumbent.
            objective: [width] of the tier to be improved.
            size: How many nodes.
            busy: Nodes to leave alone, because somebody else is changing them.
        """
        counts, problem = self._counts, self._problem
        x = point.x[: len(counts)]
        placed = np.bincount(counts.classes, x, len(problem.classes)).astype(np.int64)
        left = placed < problem.class_size
        weight = self._weights(x, objective, left)
        for others in busy:
            weight[others] = 0.0
        keys = np.log(np.maximum(self._random.random(len(weight)), 1e-300))
        with np.errstate(divide="ignore"):
            keys = np.where(weight > 0, keys / weight, -np.inf)
        nodes = np.argsort(-keys, kind="stable")[: min(size, int(np.count_nonzero(weight)))]
        columns = self._columns(x, np.sort(nodes), left)
        return Neighbourhood(self._with_added(columns), nodes)

    def _weights(self, x: IntArray, objective: IntArray, left: BoolArray) -> FloatArray:
        """[N] how likely each node is drawn."""
        counts, problem = self._counts, self._problem
        short = np.zeros(len(problem.classes), dtype=np.bool_)
        short[counts.classes[objective[: len(counts)] > 0]] = True
        short &= left & problem.candidates.any(axis=1) & ~problem.returning
        if not np.any(short) or self._random.random() < AT_RANDOM:
            held = np.bincount(counts.nodes, x, len(problem.nodes))
            return np.where(held > 0, 1.0, IDLE_WEIGHT)
        c = int(self._random.choice(np.flatnonzero(short)))
        weight = np.where(problem.upper[c] > 0, self._fit(x, c) ** 2 + ANYWHERE, 0.0)
        group = problem.classes[c].group
        key = None if group is None else problem.gangs[group].group.required_topology
        if key is not None:
            domain = problem.domains(key).of_node
            chosen = self._random.choice(np.unique(domain[weight > 0]))
            weight[domain != chosen] = 0.0
        return weight

    def _fit(self, x: IntArray, c: int) -> FloatArray:
        """[N] what share of one pod of a class would fit, 1 at most, where no lower one counts.

        Pods of lower priority would have to give way: the tiers are lexicographic.
        """
        problem, counts = self._problem, self._counts
        used = np.flatnonzero((x > 0) & (self._priority[counts.classes] >= self._priority[c]))
        room = problem.free.copy()
        taken = x[used, None] * problem.requests[counts.classes[used]]
        np.subtract.at(room, counts.nodes[used], taken)
        asked = problem.requests[c] > 0
        if not np.any(asked):
            return np.ones(len(problem.nodes))
        shares = room[:, asked] / problem.requests[c, asked]
        return np.asarray(np.clip(shares.min(axis=1), 0.0, 1.0), dtype=np.float64)

    def _columns(self, x: IntArray, nodes: IntArray, left: BoolArray) -> IntArray:
        """The counts of some nodes that could change there, sorted; at random where too many."""
        columns = self._by_node[ranges(self._first, nodes)[0]]
        classes = self._counts.classes[columns]
        here = np.zeros(len(self._problem.classes), dtype=np.bool_)
        here[classes[x[columns] > 0]] = True
        free = columns[here[classes] | left[classes]]
        if len(free) > COLUMNS_MAX:
            free = self._fewer(x, free, here)
        return np.sort(free)

    def _fewer(self, x: IntArray, columns: IntArray, here: BoolArray) -> IntArray:
        """Some of the columns: all that hold pods, then classes that do, then others, at random."""
        classes = self._counts.classes[columns]
        of_class = self._random.random(len(self._problem.classes))
        rank = np.where(x[columns] > 0, -1.0, of_class[classes] + ~here[classes])
        return columns[np.argsort(rank, kind="stable")[:COLUMNS_MAX]]

    def _with_added(self, columns: IntArray) -> IntArray:
        """The added columns next to freed ones too, and those next to them: they share a row."""
        if self._program.width == self._program.counts:
            return columns
        for _ in range(2):
            at, _ = self._program.entries_of(columns)
            rows = np.unique(self._program.by_column.rows[at])
            columns = np.union1d(columns, self._added[ranges(self._first_added, rows)[0]])
        return columns
