"""Search: from a feasible point to a better one, on programs too large for CP-SAT as a whole.

Large-neighbourhood search: free all counts on some nodes (and the added columns that speak of
them), hold the rest, and let CP-SAT make the best of it. Nodes are drawn from those where a class
that is short could go, so that a neighbourhood holds both what is missing and what could make room
for it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batchsched.solver.budget import Budget
from batchsched.solver.cpsat import Search, maximise
from batchsched.solver.model import Model
from batchsched.solver.program import Program

IntArray = npt.NDArray[np.int64]

COLUMNS_MAX = 12_000
"""Columns of a restricted model; CP-SAT closes such ones in about a second on two cores."""
COLUMNS_MIN = 400
IDLE_WEIGHT = 0.1
"""How likely an empty node is drawn where nothing is short: it has little to give."""
STEP_S_MAX = 1.0
"""One neighbourhood's share of the time."""


@dataclass(frozen=True, slots=True)
class Task:
    """What to improve: a program with its tier's objective [width] and a bound on it."""

    model: Model
    program: Program
    objective: IntArray
    bound: int


@dataclass(frozen=True, slots=True)
class Effort:
    """With what: workers, seed, and whether by counted work."""

    workers: int
    seed: int


def improve(task: Task, x: IntArray, limit_s: float, budget: Budget, effort: Effort) -> IntArray:
    """Search neighbourhoods until the bound is met, or the share of the time is used up."""
    random = np.random.default_rng(effort.seed)
    until_s = budget.remaining_s - limit_s
    size = COLUMNS_MIN * 4
    value = int(task.objective @ x)
    while value < task.bound and budget.remaining_s > max(until_s, 0.0):
        free = neighbourhood(task, x, size, random)
        step_s = min(STEP_S_MAX, budget.remaining_s - max(until_s, 0.0))
        search = Search(step_s, budget.deterministic, effort.workers, effort.seed)
        part = task.program.restrict(free, x)
        answer = maximise(part, task.objective[free], x[free], search)
        budget.spend(max(answer.deterministic_s, 1e-3))
        if answer.x is not None:
            x = x.copy()
            x[free] = answer.x
        gained = int(task.objective @ x) > value
        value = int(task.objective @ x)
        if not gained:
            size = (
                min(size * 3 // 2, COLUMNS_MAX) if answer.optimal else max(size // 2, COLUMNS_MIN)
            )
    return x


def neighbourhood(
    task: Task, x: IntArray, columns_max: int, random: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """[width] the columns to free: about ``columns_max`` counts on nodes drawn at random."""
    counts, problem = task.model.counts, task.model.problem
    placed = np.bincount(counts.classes, x[: len(counts)], minlength=len(problem.classes))
    paid = task.objective[: len(counts)] > 0
    short = np.zeros(len(problem.classes), dtype=np.bool_)
    short[counts.classes[paid]] = True
    short &= placed < problem.class_size
    if np.any(short):
        chosen = random.choice(np.flatnonzero(short))
        weight = np.where(problem.upper[chosen] > 0, 1.0, 1e-9)
    else:
        held = np.bincount(counts.nodes, x[: len(counts)], minlength=len(problem.nodes))
        weight = np.where(held > 0, 1.0, IDLE_WEIGHT)
    order = np.argsort(-np.log(random.random(len(weight)) + 1e-300) / weight)
    per_node = np.bincount(counts.nodes, minlength=len(problem.nodes))
    nodes = order[: max(1, int(np.searchsorted(np.cumsum(per_node[order]), columns_max)))]
    free = np.zeros(task.program.width, dtype=np.bool_)
    inside = np.zeros(len(problem.nodes), dtype=np.bool_)
    inside[nodes] = True
    free[: len(counts)] = inside[counts.nodes]
    return _with_added(task.program, free)


def _with_added(program: Program, free: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Free the added columns next to freed ones, and those next to them: they share a row."""
    for _ in range(2):
        rows = np.zeros(program.height, dtype=np.bool_)
        rows[program.entry_rows[free[program.columns]]] = True
        touched = program.columns[rows[program.entry_rows] & (program.columns >= program.counts)]
        free = free.copy()
        free[touched] = True
    return free
