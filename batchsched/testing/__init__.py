"""Testing: what people who write rules need to prove them: ``verify_constraint(rule)``.

A rule is said twice, as rows for the model and as a check of the final state. Here both are asked
about every placement of small problems, and have to agree. Problems are drawn from a seed or given.
"""

import itertools
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from batchsched.constraints import Constraint
from batchsched.feasibility.compile import compile_problem
from batchsched.feasibility.problem import Problem
from batchsched.plan.state import Violation
from batchsched.plan.verify import final_state
from batchsched.snapshot.snapshot import Snapshot, Window, pending
from batchsched.solver.extend import which_extend
from batchsched.solver.model import IntArray, Model
from batchsched.testing.builders import make_node, make_pod, snapshot_of
from batchsched.testing.problems import random_snapshot

__all__ = [
    "make_node",
    "make_pod",
    "random_snapshot",
    "snapshot_of",
    "verify_constraint",
    "verify_constraints",
]

PLACEMENTS_MAX = 5_000
"""Of one problem: 3 pods on 3 nodes have 64."""


def verify_constraint(
    rule: Constraint,
    snapshots: Iterable[Snapshot] | None = None,
    *,
    problems: int = 300,
    seed: int = 0,
) -> int:
    """Prove that the two halves of a rule agree, on every placement of small problems.

    - *sound*: what the rows accept, the check accepts;
    - *complete*: what the check accepts, the rows accept for some values of the added columns;
    - *deterministic*: posted again, it is the same arrays;
    - *local*: it adds rows and columns of its own, touches no others, accepts the empty plan.

    Args:
        rule: The rule.
        snapshots: Problems that the rule is about; all their pending pods are placed in every way.
            A handful of pods and nodes is plenty, and the most that can be enumerated.
        problems: How many random problems to draw where none are given.
        seed: What they are drawn from.

    Returns:
        How many placements were compared.

    Raises:
        AssertionError: The halves disagree; says on which placement of which problem.
    """
    compared = 0
    for snapshot in _given(snapshots, problems, seed):
        case = _Case.of(snapshot, whole=_is_ones_own(rule))
        _posts_well(rule, case.problem)
        compared += _compare([rule], case, representable_only=True)
    return compared


def verify_constraints(
    rules: Sequence[Constraint],
    snapshots: Iterable[Snapshot] | None = None,
    *,
    problems: int = 300,
    seed: int = 0,
) -> int:
    """Prove that rules together, with the candidates, say the same as all their checks.

    As ``verify_constraint``, but of all rules at once; and a placement on a node that is no
    candidate has to break some check.
    """
    compared = 0
    for snapshot in _given(snapshots, problems, seed):
        case = _Case.of(snapshot, whole=any(_is_ones_own(rule) for rule in rules))
        compared += _compare(rules, case, representable_only=False)
    return compared


def _is_ones_own(rule: Constraint) -> bool:
    """Whether a rule is a plug-in, for which pod classes keep their labels whole."""
    return not type(rule).__module__.startswith("batchsched.constraints.")


def _given(snapshots: Iterable[Snapshot] | None, problems: int, seed: int) -> Iterable[Snapshot]:
    if snapshots is not None:
        return snapshots
    draw = random.Random(seed)
    return (random_snapshot(draw) for _ in range(problems))


@dataclass(frozen=True, eq=False)
class _Case:
    """A problem, and every way to place its pods."""

    snapshot: Snapshot
    window: Window
    problem: Problem

    @staticmethod
    def of(snapshot: Snapshot, *, whole: bool) -> "_Case":
        window = pending(snapshot)
        return _Case(snapshot, window, compile_problem(snapshot, window, whole=whole))

    def placements(self) -> Iterator[dict[tuple[str, str], str]]:
        """Every way to give each pod a node or none."""
        ways = [None, *(node.name for node in self.problem.nodes)]
        assert len(ways) ** len(self.window.pods) <= PLACEMENTS_MAX, "too many ways to enumerate"
        for chosen in itertools.product(ways, repeat=len(self.window.pods)):
            pods = zip(self.window.pods, chosen, strict=True)
            yield {pod.key: node for pod, node in pods if node is not None}

    def table(self, placements: Mapping[tuple[str, str], str]) -> IntArray | None:
        """The placements as counts [C, N]; ``None`` if a pod is placed that no class has."""
        index = {node.name: n for n, node in enumerate(self.problem.nodes)}
        of_pod = {pod.key: c for c, pods in enumerate(self.problem.classes) for pod in pods.pods}
        counts = np.zeros(self.problem.upper.shape, dtype=np.int64)
        for key, node in placements.items():
            if key not in of_pod:
                return None
            counts[of_pod[key], index[node]] += 1
        return counts


def _posts_well(rule: Constraint, problem: Problem) -> None:
    """Posting is deterministic and local, and placing nothing is accepted."""
    model, again = Model(problem), Model(problem)
    columns = model.freeze()
    rule.post(model)
    rule.post(again)
    program, same = model.freeze(), again.freeze()
    for name in ("lower", "upper", "row_lower", "row_upper", "first", "columns", "coefficients"):
        assert np.array_equal(getattr(program, name), getattr(same, name)), (
            f"{rule.name}: posted twice, {name} differ"
        )
    for name in ("lower", "upper"):
        kept = getattr(program, name)[: columns.width]
        assert np.array_equal(kept, getattr(columns, name)), f"{rule.name}: changed others' columns"
    assert all(owner == rule.name for owner, *_ in model.blocks), (
        f"{rule.name}: posts under another name"
    )
    assert program.accepts(program.lower), f"{rule.name}: refuses to place nothing"


def _compare(rules: Sequence[Constraint], case: _Case, *, representable_only: bool) -> int:
    """Ask rows and checks about every placement; give how many were asked."""
    model = Model(case.problem)
    for rule in rules:
        rule.post(model)
    asked, tables = [], []
    for placements in case.placements():
        table = case.table(placements)
        if table is not None and not (table > case.problem.upper).any():
            asked.append(placements)
            tables.append(table[model.counts.classes, model.counts.nodes])
        elif not representable_only:
            found = _objections(rules, case, placements)
            assert found, _told(rules, case, placements, "no candidates, but no check objects")
    points = np.array(tables, dtype=np.int64).reshape(len(asked), len(model.counts))
    accepted = which_extend(model.freeze(), points)
    for placements, rows_accept in zip(asked, accepted.tolist(), strict=True):
        found = _objections(rules, case, placements)
        if rows_accept and found:
            text = f"unsound: the rows accept what the check does not: {found[0]}"
            raise AssertionError(_told(rules, case, placements, text))
        if not rows_accept and not found:
            text = "incomplete: the check accepts what the rows do not"
            raise AssertionError(_told(rules, case, placements, text))
    return len(asked)


def _objections(
    rules: Sequence[Constraint], case: _Case, placements: Mapping[tuple[str, str], str]
) -> list[Violation]:
    """What the checks say of placements."""
    state = final_state(case.snapshot, case.window, placements)
    return [violation for rule in rules for violation in rule.check(state)]


def _told(
    rules: Sequence[Constraint], case: _Case, placements: Mapping[tuple[str, str], str], what: str
) -> str:
    """What disagreed, on what, in lines that can be read."""
    named = ", ".join(rule.name for rule in rules)
    where = ", ".join(f"{name} on {node}" for (_, name), node in placements.items()) or "nothing"
    nodes = "\n".join(f"  {node}" for node in case.snapshot.nodes)
    pods = "\n".join(f"  {pod}" for pod in case.snapshot.pods)
    return f"{named}: {what}\nplaced: {where}\nnodes:\n{nodes}\npods:\n{pods}\n{case.snapshot}"
