"""Neighbourhoods: which columns to free together, so that what is short may find a place.

A neighbourhood is some nodes, and on them the classes that could change there: those that stand on
one of the nodes, and those that have pods left to place. Any other class is complete elsewhere and
could not come; pods that run and what they come back as are complete together, and with pods that
leave only together come those on other nodes. Nodes are drawn
where a short class almost fits, so that an exchange of a few pods makes room for it; for a gang
with a required topology, in one domain. Where pods have left their nodes and are to stay, nodes are
drawn that exchanged pods with each other.

Most exchanges make no room for a whole pod, but some of it. Each pod has a *burden*, the room that
it takes on the node where the short class almost fits, so that of two plans that place as many the
one is taken from which the next exchange may have the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batchsched.solver.incumbent import Incumbent
from batchsched.solver.model import Model
from batchsched.solver.program import Program, ranges
from batchsched.solver.ties import ties

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

COLUMNS_MAX = 3_000
"""Columns of one neighbourhood; SCIP closes such ones in some 0.1 s."""
ANYWHERE = 0.01
"""How likely a node is drawn that has no room at all, relative to one with room for a whole pod."""
IDLE_WEIGHT = 0.1
"""How likely empty nodes are drawn where nothing is short, all together relative to those that are
not, and each to one of these: they have little to give, however many there are."""
GRAINS = 20
"""Burden of a pod that fills a node. Finer ones keep the solvers busy with the last of them: on 64
nodes of eight pods each, 100 left 7 pods more unplaced, of 24, in one run of each."""
WALK_STEPS = 4
"""How far from each other nodes are, at most, that are drawn because they exchanged pods."""
AT_RANDOM = 0.1
"""The share of neighbourhoods that look at no short class though there are some."""


@dataclass(frozen=True, slots=True, eq=False)
class Neighbourhood:
    """The columns to free, sorted, the nodes that they are on, and what to have little of.

    ``burden`` [columns] is in shares of a node, ``GRAINS`` to the whole; zeros where nothing is
    short.
    """

    columns: IntArray
    nodes: IntArray
    burden: IntArray
    short: int | None
    """The class that they were drawn for."""
    out: IntArray
    """[C] pods without a place, of what runs and comes back where it comes back."""


class Draw:
    """Draws neighbourhoods of an incumbent.

    Args:
        model: Whose columns.
        program: The program that is being improved, over (a prefix of) the model's columns.
        seed: Of all that is drawn.
    """

    def __init__(self, model: Model, program: Program, seed: int) -> None:
        """Index the columns by node, and the added ones by row."""
        self.model = model
        self._problem, self._counts = model.problem, model.counts
        self._program = program
        self._random = np.random.default_rng(seed)
        nodes = len(model.problem.nodes)
        self._by_node = np.argsort(model.counts.nodes, kind="stable")
        self._first = np.searchsorted(model.counts.nodes[self._by_node], np.arange(nodes + 1))
        self._nodes = model.counts.nodes
        self._of_class = np.searchsorted(
            model.counts.classes, np.arange(len(model.problem.classes) + 1)
        )
        self._priority = np.array([c.priority for c in model.problem.classes], dtype=np.int64)
        self._pool = model.problem.pool
        self._running, self._returning = model.problem.running, model.problem.returning
        self._tie = ties(model, program)
        self._tied = np.flatnonzero(self._tie >= 0)
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
        x = point.x[: len(self._counts)]
        counted = objective[: len(self._counts)] > 0
        out = self._out(x)
        left = (out > 0)[self._pool]
        short = self._short(counted, left)
        weight = self._weights(x, counted, short)
        for others in busy:
            weight[others] = 0.0
        keys = np.log(np.maximum(self._random.random(len(weight)), 1e-300))
        with np.errstate(divide="ignore"):
            keys = np.where(weight > 0, keys / weight, -np.inf)
        nodes = np.argsort(-keys, kind="stable")[: min(size, int(np.count_nonzero(weight)))]
        free = self._with_tied(self._columns(x, np.sort(nodes), left))
        columns = self._with_added(free)
        burden = np.zeros(len(columns), dtype=np.int64)
        if short is not None and len(nodes):
            tightest = int(nodes[np.argmax(weight[nodes])])
            burden[: len(free)] = self._burden(free, counted, short, tightest)
        return Neighbourhood(columns, nodes, burden, short, out)

    def generator(self) -> np.random.Generator:
        """One of its own for somebody who draws beside this."""
        return self._random.spawn(1)[0]

    def _out(self, x: IntArray) -> IntArray:
        """[C] pods without a place; what runs and what comes back are the same pods."""
        classes = len(self._problem.classes)
        placed = np.zeros(classes, dtype=np.int64)
        np.add.at(placed, self._pool[self._counts.classes], x)
        own = np.where(self._returning, 0, self._problem.class_size)
        out = np.zeros(classes, dtype=np.int64)
        np.add.at(out, self._pool, own)
        return out - placed

    def _short(self, counted: BoolArray, left: BoolArray) -> int | None:
        """One of the classes that the tier lacks pods of; ``None`` where it lacks none, or so."""
        short = np.zeros(len(left), dtype=np.bool_)
        short[self._counts.classes[counted]] = True
        short &= left & self._problem.candidates.any(axis=1)
        if not np.any(short) or self._random.random() < AT_RANDOM:
            return None
        return int(self._random.choice(np.flatnonzero(short)))

    def _weights(self, x: IntArray, counted: BoolArray, c: int | None) -> FloatArray:
        """[N] how likely each node is drawn."""
        problem = self._problem
        if c is None:
            return self._exchanging(x, counted)
        weight = np.zeros(len(problem.nodes))
        own = self._nodes[self._of_class[c] : self._of_class[c + 1]]
        weight[own] = self._fit(x, c)[own] ** 2 + ANYWHERE
        group = problem.classes[c].group
        key = None if group is None else problem.gangs[group].group.required_topology
        if key is not None:
            domain = problem.domains(key).of_node
            chosen = self._random.choice(np.unique(domain[weight > 0]))
            weight[domain != chosen] = 0.0
        return weight

    def _exchanging(self, x: IntArray, counted: BoolArray) -> FloatArray:
        """[N] nodes that gave pods to each other, from one whose pods are to stay; or any.

        From a node the walk goes to where its pods are now, and to where those on it came from.
        """
        counts, nodes = self._counts, len(self._problem.nodes)
        gone = np.where(self._running[counts.classes], self._program.upper[: len(x)] - x, 0)
        homes = np.flatnonzero(gone * counted)
        if not len(homes):
            held = np.bincount(counts.nodes, x, nodes) > 0
            holding, idle = max(int(held.sum()), 1), max(int((~held).sum()), 1)
            return np.where(held, 1.0, IDLE_WEIGHT * min(holding / idle, 1.0))
        came = np.flatnonzero(self._returning[counts.classes] & (x > 0))
        ends = [
            (counts.nodes[at], self._pool[counts.classes[at]], amount[at])
            for at, amount in ((homes, gone), (came, x))
        ]
        weight = np.zeros(nodes)
        weight[self._random.choice(counts.nodes[homes])] = 1.0
        for _ in range(WALK_STEPS):
            reached = np.zeros(nodes)
            for (here, pool, many), (there, to, more) in (ends, reversed(ends)):
                flow = np.bincount(pool, many * weight[here], len(self._pool))
                reached += np.bincount(there, more * flow[to], nodes)
            weight += reached / max(float(reached.max()), 1.0)
        return weight

    def _burden(self, columns: IntArray, counted: BoolArray, c: int, node: int) -> IntArray:
        """[columns] what a pod takes of what the short class needs.

        On the node where the class almost fits that is everybody's; of those that the tier counts,
        wherever they are: as many small ones leave more.
        """
        problem, asked = self._problem, np.flatnonzero(self._problem.requests[c])
        if not len(asked):
            return np.zeros(len(columns), dtype=np.int64)
        classes, nodes = self._counts.classes[columns], self._counts.nodes[columns]
        free = np.maximum(problem.free[nodes[:, None], asked], 1)
        shares = (problem.requests[classes[:, None], asked] / free).mean(axis=1)
        times = (nodes == node).astype(np.int64) + counted[columns]
        burden: IntArray = np.rint(GRAINS * shares).astype(np.int64) * times
        return burden

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
        here[self._pool[classes[x[columns] > 0]]] = True
        here = here[self._pool]
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

    def _with_tied(self, columns: IntArray) -> IntArray:
        """The columns, and those of other nodes that change only together with some of them."""
        if not len(self._tied):
            return columns
        freed = np.zeros(self._program.width, dtype=np.bool_)
        tie = self._tie[columns]
        freed[tie[tie >= 0]] = True
        return np.union1d(columns, self._tied[freed[self._tie[self._tied]]])

    def _with_added(self, columns: IntArray) -> IntArray:
        """The added columns next to freed ones too, and those next to them: they share a row."""
        if self._program.width == self._program.counts:
            return columns
        for _ in range(2):
            at, _ = self._program.entries_of(columns)
            rows = np.unique(self._program.by_column.rows[at])
            columns = np.union1d(columns, self._added[ranges(self._first_added, rows)[0]])
        return columns
