"""The outcome: what a run comes to, in numbers that two policies can be compared by."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from batchsched.cycle import GroupKey
from batchsched.daemon.ports import WindowRecord
from batchsched.sim.meter import Life
from batchsched.sim.simulation import Simulation

HOUR_S = 3600.0
MILLI = 1000


@dataclass(frozen=True, slots=True)
class Gang:
    """One gang: when its last needed member came, and when enough of it were bound."""

    name: GroupKey
    min_count: int
    members: int
    created_s: float
    started_s: float | None
    """None: it never started."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one run; ``placed`` pods were bound at some time."""

    policy: str
    pods: int
    placed: int
    gpu_hours: float
    """GPUs that were held, times how long, until the end of the run."""
    cpu_hours: float
    wait_mean_s: float
    """From creation to binding, or to the end of the run where there was none."""
    wait_p95_s: float
    wait_max_s: float
    gangs: int
    gangs_started: int
    gpu_mean: float
    """The share of all GPUs in use, over the windows."""
    windows: int
    windows_proven: int
    """Windows whose plan is proven optimal in the pods it places."""
    windows_failed: int
    solve_seconds: float
    """Real seconds spent deciding."""


def outcome(policy: str, run: Simulation, solve_seconds: float) -> Outcome:
    """Sum a run up."""
    end_s = run.clock.now_s()
    lives = sorted(run.meter.lives.values(), key=lambda life: (life.created_s, life.pod))
    placed = [life for life in lives if life.bound_s is not None]
    waits = sorted(_wait_s(life, end_s) for life in lives) or [0.0]
    found = gangs(lives)
    windows = run.recorder.windows
    return Outcome(
        policy=policy,
        pods=len(lives),
        placed=len(placed),
        gpu_hours=sum(life.gpus * held_s(life, end_s) for life in placed) / HOUR_S,
        cpu_hours=sum(_cpus(life) * held_s(life, end_s) for life in placed) / HOUR_S,
        wait_mean_s=fmean(waits),
        wait_p95_s=waits[int(0.95 * (len(waits) - 1))],
        wait_max_s=waits[-1],
        gangs=len(found),
        gangs_started=sum(gang.started_s is not None for gang in found),
        gpu_mean=fmean(sample.gpu for sample in run.meter.samples),
        windows=len(windows),
        windows_proven=sum(proven(window) for window in windows),
        windows_failed=sum(bool(window.failure) for window in windows),
        solve_seconds=solve_seconds,
    )


def held_s(life: Life, end_s: float) -> float:
    """How long a pod held its place."""
    if life.bound_s is None:
        return 0.0
    return (end_s if life.ended_s is None else life.ended_s) - life.bound_s


def proven(window: WindowRecord) -> bool:
    """Whether no plan places more pods of the window."""
    return window.plan is not None and window.plan.status == "Optimal"


def gap(window: WindowRecord) -> float | None:
    """The largest gap of the tiers that count pods, None where nothing was proven."""
    if window.plan is None:
        return None
    gaps = [tier.gap for tier in window.plan.tiers if tier.name.startswith("placed/")]
    return max(gaps, default=0.0)


def gangs(lives: Sequence[Life]) -> list[Gang]:
    """The gangs of a run, in the order in which they came."""
    members: dict[GroupKey, list[Life]] = {}
    for life in lives:
        if life.group is not None and life.min_count > 1:
            members.setdefault(life.group, []).append(life)
    found = [_gang(name, each) for name, each in members.items()]
    return sorted(found, key=lambda gang: (gang.created_s, gang.name))


def _gang(name: GroupKey, members: list[Life]) -> Gang:
    least = members[0].min_count
    created = sorted(life.created_s for life in members)
    bound = sorted(life.bound_s for life in members if life.bound_s is not None)
    return Gang(
        name=name,
        min_count=least,
        members=len(members),
        created_s=created[min(least, len(created)) - 1],
        started_s=bound[least - 1] if len(bound) >= least else None,
    )


def _wait_s(life: Life, end_s: float) -> float:
    return (end_s if life.bound_s is None else life.bound_s) - life.created_s


def _cpus(life: Life) -> float:
    return dict(life.requests).get("cpu", 0) / MILLI
