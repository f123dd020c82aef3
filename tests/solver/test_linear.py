"""Linear solvers are told the same program, entry by entry and at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchsched.solver import linear
from batchsched.solver.program import Program
from tests.solver.programs import programs


@given(program=programs(), data=st.data(), integral=st.booleans())
def test_entry_by_entry_and_at_once_are_the_same_model(
    program: Program, data: st.DataObject, *, integral: bool
) -> None:
    """As the solvers' own exchange format has it."""
    weights = st.lists(st.integers(-4, 4), min_size=program.width, max_size=program.width)
    objective = np.array(data.draw(weights), dtype=np.int64)
    scale = linear.row_scale(program)
    told = []
    for few in (-1, program.width * program.height):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(linear, "ENTRIES_FEW", few)
            model = linear.linear_model(program, objective, scale, integral=integral)
            told.append(model.export_to_mps_string())
    assert told[0] == told[1]
