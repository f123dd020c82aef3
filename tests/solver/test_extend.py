"""Extending counts by added columns: enumerated where that is quick, asked of CP-SAT elsewhere."""

import numpy as np
import pytest

from batchsched.feasibility.compile import compile_problem
from batchsched.snapshot.snapshot import pending
from batchsched.solver import extend
from batchsched.solver.extend import extendable, which_extend
from batchsched.solver.model import Model
from tests.builders import make_node, make_pod, make_snapshot


def model() -> Model:
    """Two pods of different kinds on one node."""
    snapshot = make_snapshot([make_node()], [make_pod("p1", cpu=1), make_pod("p2", cpu=2)])
    return Model(compile_problem(snapshot, pending(snapshot)))


@pytest.mark.parametrize("enumerated_max", [extend.ENUMERATED_MAX, 0])
def test_some_value_of_the_added_columns_is_enough(
    enumerated_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extend, "ENUMERATED_MAX", enumerated_max)
    both = model()
    added = both.add_columns("r", 3, 2)
    # Both columns are needed for both pods: x1 + x2 = 2 y, y <= z, z even by 2 z' = z.
    both.add_rows("r", 1, [(0, both.counts.columns, 1), (0, added[0], -2)], lower=0, upper=0)
    both.add_rows("r", 1, [(0, added[0], 1), (0, added[1], -1)], upper=0)
    points = np.array([[0, 0], [1, 0], [0, 1], [1, 1], [2, 0]])
    assert which_extend(both.freeze(), points).tolist() == [True, False, False, True, False]
    assert extendable(both, points[3])
    assert not extendable(both, points[1])


def test_rows_without_added_columns_decide_by_themselves() -> None:
    plain = model()
    plain.add_rows("r", 1, [(0, plain.counts.columns, 1)], upper=1)
    assert extendable(plain, np.array([1, 0]))
    assert not extendable(plain, np.array([1, 1]))


def test_a_model_without_rows_accepts_what_is_within_bounds() -> None:
    assert extendable(model(), np.array([1, 1]))
    assert not extendable(model(), np.array([2, 0]))
