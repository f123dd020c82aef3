"""The numbers of a run are those that one counts by hand."""

import pytest

from batchsched.sim.outcome import Outcome, gangs
from batchsched.sim.simulation import Simulation


def test_the_outcome_counts_pods_time_and_gangs(outcomes: list[Outcome]) -> None:
    first = outcomes[0]
    assert (first.policy, first.pods, first.placed) == ("best-fit", 9, 8)
    assert (first.gangs, first.gangs_started) == (1, 1)
    assert first.gpu_hours == pytest.approx(2 * 4 * 42.0 / 3600)
    assert first.cpu_hours == pytest.approx((6 * 32.0 + 2 * 42.0) / 3600)
    assert first.wait_max_s == pytest.approx(119.0)
    assert first.windows_failed == 0


def test_a_gang_starts_with_its_last_needed_member(runs: dict[str, Simulation]) -> None:
    (gang,) = gangs(list(runs["best-fit"].meter.lives.values()))
    assert (gang.name[:2], gang.min_count, gang.members) == (("team", "gang"), 2, 2)
    assert gang.started_s is not None
    assert 0 < gang.started_s - gang.created_s < 6
