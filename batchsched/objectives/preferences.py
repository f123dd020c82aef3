"""Preferences (FORMULATION.md §O3): what pods would rather have.

Weighed as kube-scheduler weighs its scores. What depends on the node alone is a coefficient of the
counts; company (preferred pod affinity), soft spread and preferred topology need columns of their
own, which ``_preferred`` adds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from batchsched.feasibility.columns import distinct
from batchsched.feasibility.preferences import image_locality, intolerable_taints, preferred_nodes
from batchsched.feasibility.problem import Problem
from batchsched.objectives._preference_score import score
from batchsched.objectives._preferred import (
    Charges,
    most_of_company,
    prefer_company,
    prefer_domains,
    prefer_spread,
    read_of_company,
    read_of_domains,
    read_of_spread,
)
from batchsched.plan.state import FinalState
from batchsched.solver.model import IntArray, Model, Tier
from batchsched.solver.sums import BoolArray

POINTS_PER_WEIGHT = 2
POINTS_PER_TAINT = -30
IMAGE_SCORE_PER_POINT = 10


@dataclass(frozen=True, slots=True)
class Preferences:
    """One tier that adds up what each placed pod likes and dislikes about its place."""

    name: str = "preferences"

    def tiers(self, model: Model) -> Sequence[Tier]:
        """Points of the nodes, then rows and columns for what depends on other pods."""
        problem, counts = model.problem, model.counts
        of_kind, kind = _points(problem)
        points = of_kind[kind[counts.classes], counts.nodes]
        points[problem.running[counts.classes]] = 0
        best = np.zeros(len(problem.classes), dtype=np.int64)
        if problem.shortlist is None:
            np.maximum.at(best, counts.classes, points)
        else:
            best = of_kind.max(axis=1, initial=0)[kind] * ~problem.running
        paid = np.flatnonzero(points)
        charges = Charges(self.name)
        charges.add(counts.columns[paid], points[paid])
        prefer_company(model, charges)
        prefer_spread(model, charges)
        prefer_domains(model, charges)
        highest = int(best @ problem.class_size) + most_of_company(problem)
        return [Tier(self.name, *charges.collected(), highest=highest)]

    def reads(self, problem: Problem) -> Iterable[IntArray | BoolArray]:
        """Points, and what company, soft spread and preferred domains read."""
        yield _points(problem)[0]
        yield from read_of_company(problem)
        yield from read_of_spread(problem)
        yield from read_of_domains(problem)

    def score(self, state: FinalState) -> Mapping[str, int]:
        """Ask each placed pod, in plain Python."""
        return {self.name: score(state)}


def _points(problem: Problem) -> tuple[IntArray, IntArray]:
    """[K, N] what the node alone is worth to pods of each kind, and the kind of each class [C]."""
    specs = [c.spec for c in problem.classes]
    _, kind = distinct(
        (spec.preferred_nodes, spec.tolerations, spec.images, spec.containers) for spec in specs
    )
    _, first = np.unique(kind, return_index=True)
    asked = [specs[c] for c in first.tolist()]
    points = (
        POINTS_PER_WEIGHT * preferred_nodes(problem, asked)
        + POINTS_PER_TAINT * intolerable_taints(problem, asked)
        + image_locality(problem, asked) // IMAGE_SCORE_PER_POINT
    )
    return points, kind
