"""What flights do together: who gets the time, and what is told of it."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from batchsched.profile import default_profile
from batchsched.scheduler import Limits, schedule
from batchsched.snapshot.snapshot import Snapshot, pending
from batchsched.solver.flight import Flight
from tests.benchmarks.instances.backlog import backlog
from tests.builders import make_node, make_pod, make_snapshot, make_spec

LIMITS = Limits(time_limit_s=10.0, workers=1, deterministic=True)


def misleading() -> Snapshot:
    """Largest first places four of six pods, smallest first too; five is the optimum."""
    nodes = [make_node(f"node-{i}", cpu=cores * 1000) for i, cores in enumerate((12, 7))]
    sizes = (2, 3, 4, 5, 5, 6)
    specs = [make_spec(requests={"cpu": cores * 1000}) for cores in sizes]
    return make_snapshot(nodes, [make_pod(f"pod-{i}", spec=spec) for i, spec in enumerate(specs)])


def test_time_that_the_tiers_below_leave_goes_to_one_above_that_is_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The placed tier gets nowhere at first; those below it are proven, and then it is searched.

    What is below it is then solved anew: with five pods placed another number of nodes is least.
    """
    flown: list[int] = []
    run = Flight.run

    def late(flight: Flight, limit_s: float, *others: Callable[[], object] | None) -> None:
        flown.append(id(flight))
        if len(flown) > 1:
            run(flight, limit_s, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(Flight, "run", late)
    snapshot = misleading()
    plan = schedule(snapshot, pending(snapshot), default_profile(), LIMITS, lambda: 0.0)
    assert flown.count(flown[0]) == 2
    assert plan.status == "Optimal"
    assert [tier.value for tier in plan.tiers] == [5, 0, 0, 2]
    assert all(tier.status == "Optimal" for tier in plan.tiers)


def test_the_tier_that_is_worked_on_is_told_of_before_it_is_done() -> None:
    """Each time its value or bound is news, and the two have not met yet."""
    snapshot, told = backlog(60, 240, 16, coarse=3), list[tuple[str, str, int, int]]()
    schedule(
        snapshot,
        pending(snapshot),
        default_profile(),
        LIMITS,
        lambda: 0.0,
        progress=lambda *each: told.append(each),
    )
    values = {tier: value for phase, tier, value, _ in told if phase == "tier"}
    searched = [each for each in told if each[0] == "search"]
    assert len(searched) > 2
    assert all(one != two for one, two in pairwise(searched))
    for _, tier, value, bound in searched:
        assert value < bound
        assert values[tier] <= bound
