"""All rules at once: what rows and candidates accept is what all checks accept.

The pairs with the other rules on. Where a node is no candidate, some check has to object to it.
"""

import pytest

from batchsched.constraints import default_constraints
from batchsched.testing import verify_constraints
from batchsched.testing.problems import THEMES
from tests.constraints.pairs import drawn


def test_the_rules_are_in_the_order_of_the_formulation() -> None:
    assert [rule.name for rule in default_constraints()] == [
        "assignment",
        "capacity",
        "ports",
        "disks",
        "anti_affinity",
        "affinity",
        "spread",
        "gang",
        "gang_topology",
        "exclusive_claims",
        "volume_limits",
        "volume_binding",
        "node_rules",
        "evictions",
        "reservation",
        "gang_slices",
    ]


@pytest.mark.parametrize("theme", sorted(THEMES))
def test_rules_and_checks_agree_on_problems_about(theme: str) -> None:
    assert verify_constraints(default_constraints(), drawn(60, theme, seed=1)) > 100


def test_rules_and_checks_agree_on_problems_about_several_things() -> None:
    assert verify_constraints(default_constraints(), drawn(300, seed=2)) > 1000


def test_rules_and_checks_agree_on_problems_about_everything() -> None:
    assert verify_constraints(default_constraints(), drawn(100, *sorted(THEMES), seed=3)) > 100
