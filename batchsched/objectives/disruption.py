"""Disruption (FORMULATION.md §O2): fewest budgets violated, pods terminated, and gangs robbed.

Where nothing may be evicted or moved the tier is met before it is solved; it stands in the plan
so that readers find it where it will be.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from batchsched.feasibility.problem import Problem
from batchsched.feasibility.selection import PodSelector
from batchsched.plan.state import FinalState, among
from batchsched.snapshot.labels import selects
from batchsched.solver.model import IntArray, Model, Tier


@dataclass(frozen=True, slots=True)
class Disruption:
    """Evictions beyond what budgets allow, then all evictions, then the groups that they rob."""

    name: str = "disruption"

    def tiers(self, model: Model) -> Sequence[Tier]:
        """Charge what a budget does not allow, then each running pod that does not stay."""
        problem = model.problem
        kept = model.cells(problem.running).columns
        size, worth = int(problem.class_size[problem.running].sum()), np.ones_like(kept)
        last = Tier(self.name, kept, worth, constant=-size, sign=-1, highest=size)
        if not problem.allowance:
            return [last]
        more = [self._gangs(model)] if problem.allowance.preemption else []
        return [self._budgets(model), last, *more]

    def _budgets(self, model: Model) -> Tier:
        """A column for what each budget is violated by: ``gone - allowed <= violated``."""
        problem, charged = model.problem, [np.zeros(0, dtype=np.int64)]
        for budget in problem.snapshot.budgets if problem.running.any() else ():
            selector = PodSelector((budget.namespace,), None, budget.selector)
            selected = problem.selections.classes(selector) & problem.running
            size = int(problem.class_size[selected].sum())
            excess = size - budget.disruptions_allowed
            if excess > 0:
                violated = model.add_columns(self.name, excess, 1, resting=True)
                columns = model.cells(selected).columns
                entries = [(0, columns, 1), (0, violated, 1)]
                model.add_rows(self.name, 1, entries, lower=excess)
                charged.append(violated)
        columns = np.concatenate(charged)
        cost = np.full(len(columns), -1, dtype=np.int64)
        return Tier(f"{self.name}/budgets", columns, cost, sign=-1, highest=0)

    def _gangs(self, model: Model) -> Tier:
        """A column for each group of which somebody runs: whether it loses a member."""
        problem, seated = model.problem, dict[int, list[int]]()
        for k, pods in enumerate(problem.classes):
            if pods.seat is not None and pods.seat.group is not None:
                seated.setdefault(pods.seat.group, []).append(k)
        columns = model.add_columns(self.name, 1, len(seated), resting=True)
        for column, (_, seats) in zip(columns, sorted(seated.items()), strict=True):
            size, cells = problem.class_size[seats], model.cells(np.array(seats))
            kept = np.searchsorted(seats, cells.classes), cells.columns, 1
            lost = np.arange(len(seats)), column, size
            model.add_rows(self.name, len(seats), [kept, lost], lower=size)
        cost = np.full(len(columns), -1, dtype=np.int64)
        return Tier(f"{self.name}/gangs", columns, cost, sign=-1, highest=0)

    def reads(self, problem: Problem) -> Iterable[IntArray]:
        """Nothing: it is not about pods to place."""
        del problem
        return ()

    def score(self, state: FinalState) -> Mapping[str, int]:
        """Count whom budgets do not allow to leave, who leaves, and the groups that they rob."""
        if not state.allowance:
            return {self.name: len(state.evicted)}
        gone = list(among(state.snapshot.pods, state.evicted).values())
        beyond = 0
        for budget in state.snapshot.budgets:
            theirs = [
                pod
                for pod in gone
                if pod.namespace == budget.namespace and selects(budget.selector, dict(pod.labels))
            ]
            beyond += max(0, len(theirs) - budget.disruptions_allowed)
        found = {f"{self.name}/budgets": beyond, self.name: len(state.evicted)}
        if state.allowance.preemption:
            robbed = {state.group_of[key] for key in state.evicted if key in state.group_of}
            found[f"{self.name}/gangs"] = len(robbed)
        return found
