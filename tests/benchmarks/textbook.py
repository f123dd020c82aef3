"""The textbook's model, to compare with: a boolean for each pod and node, plain CP-SAT.

What one would write first, and what published systems write: ``x[pod, node]``, at most one node for
a pod, knapsacks on the nodes, and one priority after the other with the higher ones held. It knows
room and the rules of nodes, and no rule between pods. Building it counts, as it does in practice;
where the time is over before it is built there is no answer. It must not use anything of
``solver``.

Pods that run may be given as pods that may go or move. With ``settled`` it is the model of Priority
Matters to the letter: after the pods of a priority are placed, those that ran (of this priority and
higher) are disturbed as little as can be, an eviction counting one and a move two, and that is held
as well.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from ortools.sat.python import cp_model

from batchsched.feasibility.problem import Problem

Clock = Callable[[], float]
PodKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """Placed pods by priority, and for which of them CP-SAT proved that no more can be.

    ``booleans`` is how many there were when the model was built, or when time was over.
    """

    placed: dict[int, int]
    proven: dict[int, bool]
    booleans: int
    build_s: float
    disturbed: int = 0
    """Pods that ran and do not stay."""
    evicted: int = 0
    """Those of them that have no other place."""


class _TimeIsOverError(Exception):
    """Before the model was built."""


def solve(
    problem: Problem,
    time_limit_s: float,
    workers: int,
    clock: Clock,
    starts: Mapping[PodKey, int] | None = None,
    *,
    settled: bool = False,
) -> Answer:
    """Place pods by the textbook.

    Args:
        problem: Pods and nodes.
        time_limit_s: For building and solving together.
        workers: Of CP-SAT.
        clock: Monotonic seconds.
        starts: The node (index) where a pod runs that may be moved: CP-SAT's hint.
        settled: Whether to disturb few, priority by priority.
    """
    start_s = clock()
    model = _Booleans(problem, starts or {})
    priorities = sorted({each.priority for each in problem.classes}, reverse=True)
    try:
        model.build(lambda: clock() - start_s > time_limit_s)
    except _TimeIsOverError:
        unproven = dict.fromkeys(priorities, False)
        return Answer(model.at_the_start(), unproven, model.booleans, clock() - start_s)
    build_s = clock() - start_s
    placed, proven = {}, {}
    for rank, priority in enumerate(priorities):
        left_s = time_limit_s - (clock() - start_s)
        share_s = max(left_s / (len(priorities) - rank), 0.01) / (1 + settled)
        placed[priority], proven[priority] = model.improve(priority, share_s, workers)
        if settled:
            proven[priority] &= model.settle(priority, share_s, workers)
    return Answer(placed, proven, model.booleans, build_s, *model.disturbed())


@dataclass(frozen=True, slots=True)
class _Running:
    """A pod that runs: its booleans, and the one of where it is."""

    priority: int
    own: list[cp_model.IntVar]
    stays: cp_model.IntVar


class _Booleans:
    """The model while it is built and solved."""

    def __init__(self, problem: Problem, starts: Mapping[PodKey, int]) -> None:
        self.problem, self.starts = problem, starts
        self.model = cp_model.CpModel()
        self.booleans = 0
        self._of: dict[int, list[cp_model.IntVar]] = {}
        self._running: list[_Running] = []
        self._hint: dict[int, bool] = {}

    def build(self, over: Callable[[], bool]) -> None:
        """Make every boolean and row.

        Raises:
            _TimeIsOverError: Before that was done.
        """
        problem, model = self.problem, self.model
        on_node: list[list[tuple[int, cp_model.IntVar]]] = [[] for _ in problem.nodes]
        for c, each in enumerate(problem.classes):
            nodes = np.flatnonzero(problem.upper[c] > 0).tolist()
            for pod in each.pods:
                if over():
                    raise _TimeIsOverError
                own = [model.new_bool_var("") for _ in nodes]
                self.booleans += len(own)
                model.add_at_most_one(own)
                self._of.setdefault(each.priority, []).extend(own)
                start = self.starts.get(pod.key, -1)
                if start >= 0:
                    stays = own[nodes.index(start)]
                    self._running.append(_Running(each.priority, own, stays))
                for node, variable in zip(nodes, own, strict=True):
                    on_node[node].append((c, variable))
                    self._hint[variable.index] = node == start
        for node, cells in enumerate(on_node):
            if over():
                raise _TimeIsOverError
            self._knapsacks(node, cells)

    def _knapsacks(self, node: int, cells: list[tuple[int, cp_model.IntVar]]) -> None:
        """A row for each resource of a node, and one for the number of pods."""
        problem, variables = self.problem, [variable for _, variable in cells]
        for r in range(len(problem.resources)):
            amounts = [int(problem.requests[c, r]) for c, _ in cells]
            if any(amounts):
                load = cp_model.LinearExpr.weighted_sum(variables, amounts)
                self.model.add(load <= int(problem.free[node, r]))
        self.model.add(cp_model.LinearExpr.sum(variables) <= int(problem.slots[node]))

    def at_the_start(self) -> dict[int, int]:
        """How many pods of each priority are in place before anything is solved."""
        placed = dict.fromkeys((each.priority for each in self.problem.classes), 0)
        for each in self.problem.classes:
            placed[each.priority] += sum(self.starts.get(pod.key, -1) >= 0 for pod in each.pods)
        return placed

    def improve(self, priority: int, limit_s: float, workers: int) -> tuple[int, bool]:
        """Place as many pods of a priority as the time allows, and hold their number.

        Where CP-SAT finds nothing in its time, what was there before stays: a published system
        that fails leaves the cluster as it is.
        """
        own = self._of.get(priority, [])
        count = cp_model.LinearExpr.sum(own)
        self.model.maximize(count)
        proven = self._solve(limit_s, workers)
        value = sum(self._hint[variable.index] for variable in own)
        self.model.add(count >= value)
        return value, proven

    def settle(self, priority: int, limit_s: float, workers: int) -> bool:
        """Disturb as few as the time allows, of this priority and higher, and hold that."""
        running = [each for each in self._running if each.priority >= priority]
        # One if it goes, two if it moves: 1 + placed - 2 stays.
        terms = [(variable, 1) for each in running for variable in each.own]
        terms += [(each.stays, -2) for each in running]
        if not terms:
            return True
        variables, weights = [variable for variable, _ in terms], [weight for _, weight in terms]
        cost = cp_model.LinearExpr.weighted_sum(variables, weights)
        self.model.minimize(cost)
        proven = self._solve(limit_s, workers)
        value = sum(self._hint[variable.index] * weight for variable, weight in terms)
        self.model.add(cost <= value)
        return proven

    def disturbed(self) -> tuple[int, int]:
        """Of the pods that ran: how many do not stay in the last solution, and how many go."""
        going = [each for each in self._running if not self._hint[each.stays.index]]
        return len(going), sum(not any(self._hint[v.index] for v in each.own) for each in going)

    def _solve(self, limit_s: float, workers: int) -> bool:
        """Solve from the last solution on, and keep what is found; whether it is proven."""
        self.model.clear_hints()
        for index, hint in self._hint.items():
            self.model.add_hint(self.model.get_bool_var_from_proto_index(index), hint)
        solver = cp_model.CpSolver()
        solver.parameters.max_time_in_seconds = limit_s
        solver.parameters.num_workers = workers
        status = solver.solve(self.model)
        if status in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
            self._hint = {
                index: bool(one) for index, one in enumerate(solver.response_proto.solution)
            }
        return bool(status == cp_model.OPTIMAL)
