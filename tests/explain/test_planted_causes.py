"""A cause is planted: it is what gets named, nothing else is, and every help that is told helps.

Small worlds, two for each plant; ``PLANTED`` is how many instead. On 1,000 nodes
it is `make bench ARGS=explain`.
"""

import os
from dataclasses import replace

import pytest

from batchsched.explain.question import Means
from batchsched.profile import default_profile
from batchsched.scheduler import Limits
from tests.explain.campaign import Case, cases, explained, faults
from tests.explain.planted import CAUSES

MEANS = Means(
    profile=default_profile(),
    limits=Limits(time_limit_s=5.0, workers=1, deterministic=True),
    clock=lambda: 0.0,
    end_s=60.0,
)
COUNT = int(os.environ.get("PLANTED", str(2 * len(CAUSES))))
NODES, LOADS = 7, 2


@pytest.mark.parametrize("case", list(cases(COUNT, NODES, LOADS)), ids=lambda case: case.name)
def test_the_planted_cause_is_named_nothing_can_be_spared_and_each_help_helps(case: Case) -> None:
    assert not list(faults(case, explained(case, MEANS)))


def test_the_checks_notice_a_fact_too_many_and_a_help_that_is_none() -> None:
    first, second = cases(2, NODES, LOADS)
    one, other = explained(first, MEANS), explained(second, MEANS)
    mixed = replace(one, facts=(*one.facts, *other.facts), remedies=other.remedies)
    found = list(faults(first, mixed))
    assert any("could be spared" in fault for fault in found)
    assert any("does not help" in fault for fault in found)
