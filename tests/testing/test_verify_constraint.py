"""``verify_constraint`` passes a rule whose halves agree, and says what is wrong with any other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from batchsched.plan.state import FinalState, Violation
from batchsched.solver.model import Model
from batchsched.testing import make_node, make_pod, snapshot_of, verify_constraint

SNAPSHOTS = [snapshot_of(make_node("n1"), make_node("n2"), *(make_pod(f"p{i}") for i in range(3)))]


def at_most_two(model: Model) -> None:
    rows = model.counts.nodes
    model.add_rows("pairs", len(model.problem.nodes), [(rows, model.counts.columns, 1)], upper=2)


def at_most_three(model: Model) -> None:
    rows = model.counts.nodes
    model.add_rows("pairs", len(model.problem.nodes), [(rows, model.counts.columns, 1)], upper=3)


def at_most_one(model: Model) -> None:
    rows = model.counts.nodes
    model.add_rows("pairs", len(model.problem.nodes), [(rows, model.counts.columns, 1)], upper=1)


def by_a_column(model: Model) -> None:
    """``x <= 2 y`` with a column that may be 1."""
    count = len(model.problem.nodes)
    used = model.add_columns("pairs", 1, count)
    entries = [(model.counts.nodes, model.counts.columns, 1), (np.arange(count), used, -2)]
    model.add_rows("pairs", count, entries, upper=0)


def never_nothing(model: Model) -> None:
    model.add_rows("pairs", 1, [(0, model.counts.columns, 1)], lower=1)


def under_another_name(model: Model) -> None:
    model.add_rows("stranger", 1, [(0, model.counts.columns, 0)])


@dataclass(frozen=True)
class Pairs:
    """At most two pods on a node."""

    posts: Callable[[Model], None]
    name: str = "pairs"

    def post(self, model: Model) -> None:
        """As it was told to."""
        self.posts(model)

    def check(self, state: FinalState) -> Iterator[Violation]:
        """Two pods are enough."""
        for node, placed in state.receiving.items():
            if len(placed) > 2:
                yield Violation(self.name, placed[-1].pod.full_name, node, "two are enough")


@pytest.mark.parametrize("posts", [at_most_two, by_a_column])
def test_a_rule_whose_halves_agree_passes(posts: Callable[[Model], None]) -> None:
    assert verify_constraint(Pairs(posts), SNAPSHOTS) == 27
    assert verify_constraint(Pairs(posts), problems=20, seed=1) > 50


@pytest.mark.parametrize(
    ("posts", "said"),
    [
        (at_most_three, "unsound: the rows accept what the check does not"),
        (at_most_one, "incomplete: the check accepts what the rows do not"),
        (never_nothing, "refuses to place nothing"),
        (under_another_name, "posts under another name"),
    ],
)
def test_a_rule_whose_halves_disagree_does_not(posts: Callable[[Model], None], said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        verify_constraint(Pairs(posts), SNAPSHOTS)


def test_a_rule_that_posts_differently_each_time_does_not() -> None:
    bounds = iter(range(5, 100))

    def restless(model: Model) -> None:
        model.add_rows("pairs", 1, [(0, model.counts.columns, 1)], upper=next(bounds))

    with pytest.raises(AssertionError, match="posted twice"):
        verify_constraint(Pairs(restless), SNAPSHOTS)


def test_problems_are_drawn_the_same_for_a_seed() -> None:
    assert verify_constraint(Pairs(at_most_two), problems=30, seed=4) == verify_constraint(
        Pairs(at_most_two), problems=30, seed=4
    )
