"""Ageing, on streams drawn from seeds: a large gang starts in time with it, and starves without.

The bound that is held: once room is kept for the gang, the moment at which it will have that room
is never put off by what fills in, and it starts when those have ended who held the room then.
"""

from random import Random
from time import monotonic

import pytest

from batchsched.cycle import Timing
from batchsched.profile import Profile
from batchsched.scheduler import Limits
from batchsched.sim.cluster import START_DELAY_S
from batchsched.sim.policies import solver
from batchsched.sim.scenario import PodArrival, Scenario
from batchsched.sim.simulation import Simulation
from batchsched.snapshot.ends import EXPECTED_DURATION
from batchsched.snapshot.reservation import Reservation
from tests.builders import make_node, make_pod, make_snapshot

LIMITS = Limits(time_limit_s=5.0, workers=1, deterministic=True)
STREAM_S, COMES_AT_S, WINDOWS = 240.0, 40.0, 2
NODES, GANG = 4, 3
WINDOW_S = 2.0
SLACK_S = START_DELAY_S + 1.0
"""Who has not started yet is reckoned to start now; and ``startTime`` has whole seconds."""
BINDS_WITHIN_S = 2 * WINDOW_S


def _said(duration_s: float, **notes: str) -> dict[str, object]:
    said = {EXPECTED_DURATION: f"{duration_s:g}s", **notes}
    return {"annotations": tuple(sorted(said.items()))}


def scenario(seed: int, *, windows: int, told: bool = True) -> Scenario:
    """Small pods that ask for a little more than all nodes have, and one gang of whole nodes."""
    random = Random(f"ageing {seed}")
    pods, at_s, number = [], 0.0, 0
    while at_s < STREAM_S:
        takes_s = random.choice([10.0, 20.0, 40.0])
        pod = {"pod": _said(takes_s)} if told else {}
        small = make_pod(f"s{number:04}", cpu=random.choice([1000, 2000]), **pod)  # type: ignore[arg-type]  # by name
        pods.append(PodArrival(at_s, small, takes_s))
        at_s, number = at_s + random.expovariate(1 / 2.5), number + 1
    notes = {"batchsched.io/gang": "big", "batchsched.io/min-available": str(GANG)}
    for member in range(GANG):
        pod = {"pod": _said(60.0, **notes)}
        pods.append(PodArrival(COMES_AT_S, make_pod(f"g{member}", cpu=4000, **pod), 60.0))  # type: ignore[arg-type]  # by name
    return Scenario(
        name=f"ageing {seed}",
        base=make_snapshot([make_node(f"n{i}", cpu=4000) for i in range(NODES)]),
        duration_s=STREAM_S,
        pods=pods,
        timing=Timing(WINDOW_S, 2 * WINDOW_S, ageing_windows=windows),
    )


def played(seed: int, *, windows: int = WINDOWS, told: bool = True) -> Simulation:
    policy = solver(Profile(objectives=()), LIMITS, monotonic)
    run = Simulation(scenario(seed, windows=windows, told=told), policy).run()
    assert not any(window.failure for window in run.recorder.windows)
    run.cycle.validate()
    return run


def started_s(run: Simulation) -> float | None:
    """When the gang started, in seconds of the simulation."""
    members = [life for life in run.meter.lives.values() if _is_member(life.pod)]
    bound = [life.bound_s for life in members if life.bound_s is not None]
    assert len(bound) in {0, GANG}
    return max(bound, default=None)


def kept(run: Simulation) -> list[Reservation]:
    """The reservations for the gang, window by window."""
    return [
        window.plan.reservation.meant()
        for window in run.recorder.windows
        if window.plan is not None
        and window.plan.reservation is not None
        and _is_member(window.plan.reservation.meant().pods[0])
    ]


def _is_member(pod: tuple[str, str]) -> bool:
    return pod[1].startswith("g")


@pytest.mark.slow
@pytest.mark.parametrize("which", range(3))
def test_without_ageing_the_gang_starves_under_the_stream(which: int) -> None:
    run = played(which, windows=0)
    assert started_s(run) is None
    assert not kept(run)


@pytest.mark.slow
def test_with_ageing_the_gang_starts_when_the_room_that_was_first_kept_is_free(seed: int) -> None:
    run = played(seed)
    # Of windows that close after the moment, the moment is now.
    moments = [at_s for each in kept(run) if (at_s := each.until_s or 0.0) > each.at_s]
    begun_s, first_s = started_s(run), moments[0] - run.scenario.start.timestamp()
    assert begun_s is not None
    assert begun_s <= first_s + SLACK_S + BINDS_WITHIN_S
    assert max(moments) <= moments[0] + SLACK_S, "it was put off"


@pytest.mark.slow
@pytest.mark.parametrize("which", range(3))
def test_where_nobody_says_when_they_end_it_starts_when_they_have(which: int) -> None:
    run = played(which, told=False)
    first, begun_s = kept(run)[0], started_s(run)
    at_s = first.at_s - run.scenario.start.timestamp()
    assert first.until_s is None
    assert begun_s is not None
    names = {name for name, _ in first.nodes}
    holding = [
        life
        for life in run.meter.lives.values()
        if life.node in names and (life.bound_s or 0.0) < at_s and (life.ended_s or at_s) >= at_s
    ]
    ends = [life.ended_s for life in holding]
    assert all(end is not None for end in ends)
    assert begun_s <= max(end for end in ends if end is not None) + BINDS_WITHIN_S
