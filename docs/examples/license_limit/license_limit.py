"""Floating licences: a rule and an objective of one's own, as an example to copy.

A licence server hands out so many seats, wherever the pods run. Kubernetes knows no such resource:
what a node advertises is that node's alone. So pods start, find no seat and crash. The rule leaves
them pending instead.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from batchsched.feasibility.problem import Problem
from batchsched.plan.state import FinalState, Violation
from batchsched.snapshot.pod import PodSpec
from batchsched.snapshot.snapshot import holding
from batchsched.solver.model import Cells, IntArray, Model, Tier


def uses(spec: PodSpec, image: str) -> bool:
    """Whether a pod takes a seat: one of its images begins so."""
    return any(each.startswith(image) for each in spec.images)


def users(model: Model, image: str, *, running: bool = True) -> Cells:
    """The columns of pods that take a seat; of those that run, too, if they may go."""
    problem = model.problem
    mask = np.array([uses(pods.spec, image) for pods in problem.classes], dtype=np.bool_)
    return model.cells(mask if running else mask & ~problem.running)


@dataclass(frozen=True, slots=True)
class LicenseLimit:
    """At most ``seats`` pods of an image run in the whole cluster."""

    image: str
    seats: int

    def __post_init__(self) -> None:
        """Refuse what a profile got wrong; a TypeError becomes one line about the profile."""
        seats: object = self.seats  # a profile may hold anything
        if not isinstance(seats, int) or seats < 0:
            raise TypeError(f"seats is {seats!r}; write a whole number from 0")

    @property
    def name(self) -> str:
        """One name for each licence, as a profile may limit several."""
        return f"license_limit/{self.image}"

    def post(self, model: Model) -> None:
        """``sum of the users' columns <= free seats``: one row over all nodes."""
        cells = users(model, self.image)
        bound = (pod for pod in model.problem.fixed if pod.node is not None)
        taken = sum(uses(pod.spec, self.image) for pod in bound)
        if len(cells):
            free = max(0, self.seats - taken)
            model.add_rows(self.name, 1, [(0, cells.columns, 1)], upper=free)

    def reads(self, problem: Problem) -> Iterable[IntArray]:
        """Nothing of a node: a seat is a seat."""
        return ()

    def check(self, state: FinalState) -> Iterator[Violation]:
        """Count who has a seat in the end; only pods that the plan places can break the rule."""
        placed = [each for each in state.placed if uses(each.pod.spec, self.image)]
        kept = [
            pod
            for pod in holding(state.snapshot)
            if pod.key not in state.evicted and uses(pod.spec, self.image)
        ]
        if placed and len(placed) + len(kept) > self.seats:
            message = f"{len(placed) + len(kept)} pods need a seat, there are {self.seats}"
            yield Violation(self.name, placed[-1].pod.full_name, placed[-1].node.name, message)


@dataclass(frozen=True, slots=True)
class LicenseOnNodes:
    """As many of the licensed pods as can be on nodes with a label: seats are paid by the hour."""

    image: str
    label: str
    value: str

    @property
    def name(self) -> str:
        """The name of the tier in plans."""
        return f"license_on_nodes/{self.image}"

    def tiers(self, model: Model) -> Sequence[Tier]:
        """One tier: the users' columns on such nodes, each worth one."""
        cells = users(model, self.image, running=False)
        labels = [dict(node.labels).get(self.label) for node in model.problem.nodes]
        wanted = np.array([label == self.value for label in labels], dtype=np.bool_)
        columns = cells.columns[wanted[cells.nodes]]
        return [Tier(self.name, columns, np.ones(len(columns), dtype=np.int64))]

    def score(self, state: FinalState) -> Mapping[str, int]:
        """Count them in the final state."""
        on_such = [
            each
            for each in state.placed
            if uses(each.pod.spec, self.image)
            and dict(each.node.labels).get(self.label) == self.value
        ]
        return {self.name: len(on_such)}
