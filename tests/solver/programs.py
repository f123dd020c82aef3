"""Small random programs for the solver's tests, and their optimum by enumeration."""

from itertools import product

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from batchsched.solver.program import Program, freeze

IntArray = npt.NDArray[np.int64]
ABSENT = 2**62


@st.composite
def programs(draw: st.DrawFn, width_max: int = 5, upper_max: int = 3) -> Program:
    """Programs that accept all zeros, with up to 5 columns and 5 rows of either sense."""
    width = draw(st.integers(1, width_max))
    height = draw(st.integers(0, 5))
    upper = draw(st.lists(st.integers(0, upper_max), min_size=width, max_size=width))
    cells = st.integers(-4, 6)
    matrix = draw(
        st.lists(st.lists(cells, min_size=width, max_size=width), min_size=height, max_size=height)
    )
    highest, lowest = st.integers(0, 12) | st.just(ABSENT), st.integers(-9, 0) | st.just(-ABSENT)
    row_upper = draw(st.lists(highest, min_size=height, max_size=height))
    row_lower = draw(st.lists(lowest, min_size=height, max_size=height))
    counts = draw(st.integers(1, width))
    return program_of(matrix, upper, (row_lower, row_upper), counts)


def program_of(
    matrix: list[list[int]],
    upper: list[int],
    row_bounds: tuple[list[int], list[int]],
    counts: int | None = None,
) -> Program:
    """A program from a dense matrix."""
    entries = [
        (row, column, value)
        for row, values in enumerate(matrix)
        for column, value in enumerate(values)
        if value
    ]
    columns = np.array(entries, dtype=np.int64).reshape(-1, 3).T
    return freeze(
        counts=len(upper) if counts is None else counts,
        bounds=(np.zeros(len(upper), dtype=np.int64), np.array(upper, dtype=np.int64)),
        row_bounds=(
            np.array(row_bounds[0], dtype=np.int64),
            np.array(row_bounds[1], dtype=np.int64),
        ),
        entries=(columns[0], columns[1], columns[2]),
    )


def points(program: Program) -> list[IntArray]:
    """Every integer point within the bounds that the rows accept."""
    ranges = [range(low, high + 1) for low, high in zip(program.lower, program.upper, strict=True)]
    every = (np.array(values, dtype=np.int64) for values in product(*ranges))
    return [x for x in every if program.accepts(x)]


def best(program: Program, objective: IntArray) -> int:
    """The optimum, by enumeration."""
    return max(int(objective @ x) for x in points(program))
