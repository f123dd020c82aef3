"""Cuts keep every integer point, and take from the relaxation what no integer point reaches."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from batchsched.solver.cuts import rounded_rows, small_rows
from batchsched.solver.program import Program
from batchsched.solver.relax import relax
from tests.solver.programs import best, points, program_of, programs

ABSENT = 2**62


@given(programs(width_max=4, upper_max=4), st.data())
def test_no_integer_point_is_cut_off(program: Program, data: st.DataObject) -> None:
    """Whatever point the cuts were made for."""
    fractions = st.floats(0, 1, allow_nan=False)
    shares = data.draw(st.lists(fractions, min_size=program.width, max_size=program.width))
    cuts = rounded_rows(program, np.array(shares) * program.upper)
    narrow = program.with_rows(small_rows(program))
    if cuts is not None:
        narrow = narrow.with_rows(cuts)
    expected = {tuple(x) for x in points(program)}
    assert {tuple(x) for x in points(narrow)} == expected


@given(programs(width_max=4), st.data())
def test_a_bound_with_cuts_is_a_bound(program: Program, data: st.DataObject) -> None:
    """Round after round, no integer point becomes better than the bound."""
    weights = st.lists(st.integers(-2, 5), min_size=program.width, max_size=program.width)
    objective = np.array(data.draw(weights), dtype=np.int64)
    narrow = program.with_rows(small_rows(program))
    for _ in range(3):
        relaxed = relax(narrow, objective, 10.0, deterministic=True)
        assert best(program, objective) <= relaxed.bound
        cuts = None if relaxed.x is None else rounded_rows(program, relaxed.x)
        if cuts is None:
            break
        narrow = narrow.with_rows(cuts)


def test_seven_devices_take_one_pod_of_four_and_one_of_two() -> None:
    """The relaxation would place a fraction more; the roundings of the small row forbid it."""
    program = program_of([[4, 4, 2]], [1, 1, 1], ([-ABSENT], [7]))
    objective = np.array([2, 2, 1], dtype=np.int64)
    plain = relax(program, objective, 10.0, deterministic=True)
    narrow = program.with_rows(small_rows(program))
    assert plain.optimum > 3.4
    assert relax(narrow, objective, 10.0, deterministic=True).optimum < 3.0 + 1e-6


def test_a_large_row_is_rounded_where_the_point_is_cut_off() -> None:
    """Free memory of 100 takes one pod of 64, not 1.56 of them."""
    program = program_of([[64, 64]], [1, 1], ([-ABSENT], [100]))
    objective = np.ones(2, dtype=np.int64)
    relaxed = relax(program, objective, 10.0, deterministic=True)
    assert relaxed.x is not None
    cuts = rounded_rows(program, relaxed.x)
    assert cuts is not None
    again = relax(program.with_rows(cuts), objective, 10.0, deterministic=True)
    assert again.optimum < 1.0 + 1e-6
