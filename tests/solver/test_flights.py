"""Which tiers are improved together."""

import numpy as np

from batchsched.solver.model import Stage, Tier
from batchsched.solver.solve import _flights

NONE = np.zeros(0, dtype=np.int64)


def stage(name: str, width: int = 9, *, internal: bool = False, passing: bool = False) -> Stage:
    return Stage(Tier(name, NONE, NONE, internal=internal, passing=passing), width, 9)


def flights(*stages: Stage) -> list[list[str]]:
    return [[each.tier.name for each in flight] for flight in _flights(stages)]


def test_tiers_of_placed_pods_fly_together_and_disruption_after_them() -> None:
    """To find room for one more, everybody may have to move."""
    placed = [stage("placed/priority=1"), stage("victims", internal=True), stage("placed/0")]
    assert flights(*placed, stage("disruption/budgets"), stage("disruption")) == [
        ["placed/priority=1", "victims", "placed/0"],
        ["disruption/budgets", "disruption"],
    ]


def test_a_tier_with_columns_of_its_own_flies_by_itself() -> None:
    assert flights(stage("disruption/budgets", 12), stage("disruption", 12), stage("last", 15)) == [
        ["disruption/budgets", "disruption"],
        ["last"],
    ]


def test_what_passes_ends_with_the_tier_that_it_is_for() -> None:
    passing = stage("victims", internal=True, passing=True)
    assert flights(passing, stage("placed/1"), stage("placed/0")) == [
        ["victims", "placed/1"],
        ["placed/0"],
    ]
