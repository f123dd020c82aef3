"""Asking both halves of a rule about one placement, and drawing problems that a rule is about."""

import random
from collections.abc import Iterator, Mapping

import numpy as np

from batchsched.constraints import Constraint
from batchsched.feasibility.compile import compile_problem
from batchsched.plan.state import Violation
from batchsched.plan.verify import final_state
from batchsched.snapshot.snapshot import Snapshot, pending
from batchsched.solver.extend import extendable
from batchsched.solver.model import Model
from batchsched.testing import random_snapshot


def violations(
    rule: Constraint, snapshot: Snapshot, placements: Mapping[str, str]
) -> list[Violation]:
    """What the check says, for pods of the namespace ``default`` by name."""
    keyed = {("default", name): node for name, node in placements.items()}
    return list(rule.check(final_state(snapshot, pending(snapshot), keyed)))


def posted(rule: Constraint, snapshot: Snapshot) -> Model:
    """The model with this rule alone."""
    model = Model(compile_problem(snapshot, pending(snapshot)))
    rule.post(model)
    return model


def rows_accept(rule: Constraint, snapshot: Snapshot, placements: Mapping[str, str]) -> bool:
    """What rows and candidates say."""
    model = posted(rule, snapshot)
    nodes = {node.name: n for n, node in enumerate(model.problem.nodes)}
    counts = np.zeros(len(model.counts), dtype=np.int64)
    if placements.keys() & {each.pod.name for each in model.problem.excluded}:
        return False
    for c, pods in enumerate(model.problem.classes):
        for pod in pods.pods:
            if pod.name in placements:
                column = model.column[c, nodes[placements[pod.name]]]
                if column < 0:
                    return False
                counts[column] += 1
    return extendable(model, counts)


def allows(rule: Constraint, snapshot: Snapshot, /, **placements: str) -> bool:
    """Whether a rule allows these placements; both halves have to say the same."""
    checked = not violations(rule, snapshot, placements)
    accepted = rows_accept(rule, snapshot, placements)
    assert checked == accepted, f"the check says {checked}, the rows say {accepted}"
    return checked


def drawn(count: int, *themes: str, seed: int = 0) -> Iterator[Snapshot]:
    """Random problems about some themes."""
    draw = random.Random(seed)
    for _ in range(count):
        yield random_snapshot(draw, themes)
