"""Regions: whole domains in place of nodes, for gangs that ask for one domain each.

Which gang gets which rack is a question of some thousand columns, where the model of gangs on nodes
has some hundred thousand. It is a relaxation: the room of a domain is that of its nodes together,
and no rule counts but that of room and those of gangs. So its bounds hold; and a plan that follows
it has only to pack each domain by itself. A gang that needs all of its members is one column in
each domain, in which all of it is or nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from batchsched.solver import cpsat
from batchsched.solver.budget import Budget
from batchsched.solver.ladder import Ladder
from batchsched.solver.model import Bundle, Model
from batchsched.solver.program import NO_LIMIT, Program, freeze
from batchsched.solver.sums import add_up

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

ROUNDING = 1e-6
"""What a column may be short of an integer and still be taken for it: GLOP's tolerance."""
UNITS_MAX = 2**24
"""In how many units the room of a domain is counted at most: bytes would be too many for CP-SAT."""


@dataclass(frozen=True, eq=False)
class Regions:
    """The relaxation of a model's counts.

    A *region* is one class in one domain: ``region`` [counts] says which region a count is in. Of a
    region ``column`` stands for ``times`` pods of the class a unit, or is -1 where none can be.
    """

    program: Program
    region: IntArray
    column: IntArray
    times: IntArray
    choices: IntArray
    """[C] how many domains a class has to choose from; 1 where it may be anywhere."""
    claims: IntArray
    """The rows that say how many of a class, or how often a gang, can be placed."""
    fixable: BoolArray
    """[width] which columns may be rounded down by themselves."""

    @staticmethod
    def of(model: Model) -> "Regions | None":
        """The regions of a model with all constraints; ``None`` where nobody has a choice."""
        keys = _keys(model)
        if not any(keys):
            return None
        layout = _Layout(model, _domains(model, keys))
        choices = np.bincount(layout.classes, minlength=len(keys))
        if int(choices.max(initial=0)) <= 1:
            return None
        layout.add_gangs()
        layout.add_singles()
        for key in sorted({*keys, ""}):
            layout.add_rooms(key)
        program = layout.program()
        fixable = np.isin(np.arange(len(program.upper)), layout.elastic, invert=True)
        return Regions(
            *(program, layout.region, layout.column, layout.times),
            *(choices, np.array(layout.claims, dtype=np.int64), fixable),
        )

    def ladder(
        self, objectives: Sequence[IntArray], budget: Budget, limit_s: float
    ) -> "Ladder | None":
        """The relaxations of some tiers; ``None`` where one values a region's counts differently.

        Args:
            objectives: [width of the model, or more] each, highest tier first.
            budget: To be spent from.
            limit_s: How much of it.
        """
        own = [self._own(objective) for objective in objectives]
        known = [each for each in own if each is not None]
        if len(known) < len(own):
            return None
        ladder = Ladder(self.program, known, [None] * len(known))
        ladder.climb([0] * len(known), budget, limit_s, rounds=0)
        return ladder

    def rounded(
        self,
        point: FloatArray,
        objectives: Sequence[IntArray],
        budget: Budget,
        search: cpsat.Search,
    ) -> IntArray:
        """A point near a fractional one: who is in one domain stays there, CP-SAT sees to the rest.

        Nearly all gangs are whole at a vertex: there are more of them than domains.

        Args:
            point: [width]
            objectives: As for ``ladder``.
            budget: To be spent from.
            search: How to search; the time is for all tiers.
        """
        program = self.program
        x = np.where(self.fixable, np.floor(point + ROUNDING), 0).astype(np.int64)
        activity = program.activity(x)
        short = self.claims[activity[self.claims] < program.row_upper[self.claims]]
        columns = np.unique(program.columns[program.entries_in(short)[0]])
        columns = np.union1d(columns, np.flatnonzero(~self.fixable))
        part, values = program.part(columns, x, activity), x[columns]
        for i, objective in enumerate(objectives):
            own = self._own(objective)
            assert own is not None, "asked for before, by the ladder"
            share = replace(search, limit_s=search.limit_s / (len(objectives) - i))
            answer = cpsat.maximise(part, own[columns], values, share)
            budget.spend(answer.deterministic_s)
            if answer.x is None:
                break
            values = answer.x
            part = part.holding([own[columns]], [int(own[columns] @ values)])
        x[columns] = values
        return x

    def chosen(self, x: IntArray) -> BoolArray:
        """[counts] those in whose region a point [width] places somebody."""
        inside = (self.column >= 0) & (x[self.column] > 0)
        return np.asarray(inside[self.region], dtype=np.bool_)

    def _own(self, objective: IntArray) -> IntArray | None:
        """The objective over the regions' columns, if it values all of a region alike."""
        of_region = np.zeros(len(self.column), dtype=np.int64)
        of_region[self.region] = objective[: len(self.region)]
        same = np.array_equal(of_region[self.region], objective[: len(self.region)])
        if not same or np.any(objective[len(self.region) :]):
            return None
        own, some = np.zeros(self.program.width, dtype=np.int64), self.column >= 0
        np.add.at(own, self.column[some], (of_region * self.times)[some])
        return own


class _Layout:
    """The relaxation as it is put together."""

    def __init__(self, model: Model, domain: IntArray) -> None:
        """Number the regions: ``domain`` [counts] is where a count is, 0 for anywhere."""
        self._model, counts, problem = model, model.counts, model.problem
        width = int(domain.max(initial=0)) + 1
        found, self.region = np.unique(counts.classes * width + domain, return_inverse=True)
        self.classes, self._domain = found // width, found % width
        upper = problem.upper[counts.classes, counts.nodes]
        room = add_up(self.region, upper, len(found))
        self._most = np.minimum(room, problem.class_size[self.classes])
        self.column = np.full(len(found), -1, dtype=np.int64)
        self.times = np.ones(len(found), dtype=np.int64)
        self._first = np.searchsorted(self.classes, np.arange(len(problem.classes) + 1))
        self._upper: list[int] = []
        self._rows: list[tuple[int, int]] = []
        self._entries: list[tuple[IntArray, IntArray, IntArray]] = []
        self._done = np.zeros(len(problem.classes), dtype=np.bool_)
        self.claims: list[int] = []
        self.elastic: list[int] = []

    def add_gangs(self) -> None:
        """One column for each gang that needs all of its members, in each domain with room.

        Two kinds are left to ``add_singles``, for they need not be in one domain: gangs of which a
        member may leave, it need not be where others go; and gangs that start only together.
        """
        for bundle in self._model.bundles:
            if (
                self._model.problem.running[bundle.classes].any()
                or self._done[bundle.classes].any()
                or self._are_several(bundle)
            ):
                continue
            if bundle.least == self._model.problem.class_size[bundle.classes].sum():
                self._add_whole(bundle)
            elif self._domain[self._of(bundle.classes)].any():
                self._add_elastic(bundle)

    def _are_several(self, bundle: Bundle) -> bool:
        """Whether a bundle is a union of gangs, each in a domain of its own."""
        classes = self._model.problem.classes
        return len({classes[c].group for c in bundle.classes.tolist()}) > 1

    def _of(self, classes: IntArray) -> IntArray:
        return np.concatenate([np.arange(self._first[c], self._first[c + 1]) for c in classes])

    def _add_whole(self, bundle: Bundle) -> None:
        """All of it is in one domain, in which there is room for each of its classes."""
        own = self._of(bundle.classes)
        size = self._model.problem.class_size[self.classes[own]]
        own, size = own[self._most[own] == size], size[self._most[own] == size]
        _, at, there = np.unique(self._domain[own], return_inverse=True, return_counts=True)
        full = there == len(bundle.classes)
        columns = self._add_columns(np.ones(int(full.sum()), dtype=np.int64))
        number = np.where(full, np.cumsum(full) - 1, -1)
        kept = full[at]
        self.column[own[kept]] = columns[number[at[kept]]]
        self.times[own[kept]] = size[kept]
        self._add_claim(1, columns)
        self._done[bundle.classes] = True

    def _add_elastic(self, bundle: Bundle) -> None:
        """Members are in one domain, and there are enough of them or none."""
        own = self._of(bundle.classes)
        columns = self._add_columns(self._most[own])
        self.column[own] = columns
        domains, at = np.unique(self._domain[own], return_inverse=True)
        used = self._add_columns(np.ones(len(domains), dtype=np.int64))
        for i in range(len(own)):
            pair = np.array([columns[i], used[at[i]]])
            self._add_row(-NO_LIMIT, 0, pair, np.array([1, -self._most[own[i]]]))
        for d in range(len(domains)):
            here = np.append(columns[at == d], used[d])
            self._add_row(0, NO_LIMIT, here, np.append(np.ones(len(here) - 1, int), -bundle.least))
        self._add_claim(1, used)
        self.elastic += [*columns.tolist(), *used.tolist()]
        for c in bundle.classes.tolist():
            inside = columns[self.classes[own] == c]
            self._add_claim(int(self._model.problem.class_size[c]), inside)
        self._done[bundle.classes] = True

    def add_singles(self) -> None:
        """All others: no more of a class than there are, wherever."""
        own = np.flatnonzero(~self._done[self.classes])
        self.column[own] = self._add_columns(self._most[own])
        for c in np.unique(self.classes[own]).tolist():
            inside = self.column[self._first[c] : self._first[c + 1]]
            self._add_claim(int(self._model.problem.class_size[c]), inside)

    def add_rooms(self, key: str) -> None:
        """For each domain of a key (for all nodes, if it is empty), room for what lies in it."""
        problem, nodes = self._model.problem, self._model.counts.nodes
        used = np.zeros(len(problem.nodes), dtype=np.bool_)
        used[nodes] = True
        of_node = problem.domains(key).of_node if key else np.zeros(len(used), dtype=np.int64)
        low = np.full(len(self.column), len(used), dtype=np.int64)
        high = np.full(len(self.column), -1, dtype=np.int64)
        np.minimum.at(low, self.region, of_node[nodes])
        np.maximum.at(high, self.region, of_node[nodes])
        inside = np.flatnonzero((low == high) & (low >= 0) & (self.column >= 0))
        asked = np.column_stack([problem.requests, np.ones(len(problem.classes), dtype=np.int64)])
        free = np.column_stack([problem.free, problem.slots])
        for d in np.unique(low[inside]).tolist():
            own = inside[low[inside] == d]
            for room, each in zip(free[used & (of_node == d)].sum(axis=0), asked.T, strict=True):
                unit = max(int(room) // UNITS_MAX, 1)
                taken = each[self.classes[own]] * self.times[own] // unit
                self._add_row(-NO_LIMIT, int(room) // unit, self.column[own], taken)

    def program(self) -> Program:
        """All of it."""
        lower, upper = np.array(self._rows, dtype=np.int64).reshape(-1, 2).T
        rows, columns, coefficients = (
            np.concatenate(part) for part in zip(*self._entries, strict=True)
        )
        most = np.array(self._upper, dtype=np.int64)
        return freeze(
            counts=len(most),
            bounds=(np.zeros_like(most), most),
            row_bounds=(lower, upper),
            entries=(rows, columns, coefficients),
        ).divided()

    def _add_columns(self, upper: IntArray) -> IntArray:
        first = len(self._upper)
        self._upper += upper.tolist()
        return np.arange(first, len(self._upper), dtype=np.int64)

    def _add_claim(self, upper: int, columns: IntArray) -> None:
        self.claims.append(len(self._rows))
        self._add_row(0, upper, columns, np.ones_like(columns))

    def _add_row(self, lower: int, upper: int, columns: IntArray, coefficients: IntArray) -> None:
        self._entries.append((np.full(len(columns), len(self._rows)), columns, coefficients))
        self._rows.append((lower, upper))


def _keys(model: Model) -> list[str]:
    """[C] the topology key of which the gang of a class may be in one domain; or empty."""
    gangs = model.problem.gangs
    found = (None if c.group is None else gangs[c.group].group for c in model.problem.classes)
    return ["" if group is None else group.required_topology or "" for group in found]


def _domains(model: Model, key: Sequence[str]) -> IntArray:
    """[counts] the domain that a count is in, of the key of its class, from 1; 0 without one."""
    counts, domain = model.counts, np.zeros(len(model.counts), dtype=np.int64)
    names = np.array(key)
    for each in sorted({*key} - {""}):
        own = (names == each)[counts.classes]
        domain[own] = model.problem.domains(each).of_node[counts.nodes[own]] + 1
    return domain
