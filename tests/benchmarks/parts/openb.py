"""The openb traces: the solver beside the policies, as one backlog and as arrivals in windows.

Claim: as a backlog never fewer pods and GPUs in place than best fit or MostAllocated; in windows of
10, 60 and 600 s not fewer in the mean of the seeds.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from batchsched.profile import named_profiles
from batchsched.scheduler import Limits
from batchsched.sim.outcome import Outcome, outcome
from batchsched.sim.policies import SCORES, greedy, solver
from batchsched.sim.simulation import Simulation, with_timing
from batchsched.sim.trace import Draw
from tests.benchmarks.instances import openb as traces
from tests.benchmarks.parts import Options, Row

SOLVER = "solver"
POLICIES = (SOLVER, *SCORES)
WINDOWS_S = (10.0, 60.0, 600.0)
BACKLOG_LIMIT_S, WINDOW_LIMIT_S = 10.0, 5.0
PROFILE = "least-fragmentation"
"""The one that replays of traces have where nobody says."""
LOAD = 1.1
"""More than there is, so that who packs better places more."""
SPAN_S_MIN, WINDOWS_MIN = 900.0, 6
"""How long pods arrive: at least so long, and for so many windows."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How a trace is run; without a window it is one backlog."""

    trace: str
    window_s: float | None = None

    @property
    def name(self) -> str:
        """As the table names it."""
        how = "backlog" if self.window_s is None else f"windows of {self.window_s:g} s"
        return f"openb {self.trace}, {how}"

    def draw(self, seed: int) -> Draw:
        """How its pods arrive: in an order, or at times, that come from the seed."""
        if self.window_s is None:
            return Draw("backlog", seed)
        return Draw("drawn", seed, LOAD, max(SPAN_S_MIN, WINDOWS_MIN * self.window_s))


def openb_backlog(options: Options) -> Iterator[Row]:
    """Every trace as one backlog."""
    yield from _all(options, [Setting(trace) for trace in traces.TRACES])


def openb_windows(options: Options) -> Iterator[Row]:
    """Every trace as arrivals, in each width of window."""
    yield from _all(
        options, [Setting(trace, width) for trace in traces.TRACES for width in WINDOWS_S]
    )


def _all(options: Options, settings: list[Setting]) -> Iterator[Row]:
    path = traces.folder()
    if path is None:
        yield {"name": f"skipped: {traces.FOLDER} does not name a folder with the traces"}
        return
    for setting in settings:
        found = {}
        for policy in POLICIES:
            seeds = range(options.seeds)
            found[policy] = [_run(path, setting, policy, seed, options) for seed in seeds]
            yield _row(setting, policy, found[policy])
        yield _versus(setting, found)


def _run(path: Path, setting: Setting, policy: str, seed: int, options: Options) -> Outcome:
    scenario = traces.scenario(path, setting.trace, setting.draw(seed))
    limit_s = BACKLOG_LIMIT_S if setting.window_s is None else WINDOW_LIMIT_S
    limits = Limits(time_limit_s=limit_s, workers=options.workers, seed=seed)
    decide = (
        solver(named_profiles()[PROFILE], limits, time.monotonic)
        if policy == SOLVER
        else greedy(policy)
    )
    start_s = time.monotonic()
    run = Simulation(with_timing(scenario, window_s=setting.window_s), decide).run()
    return outcome(policy, run, time.monotonic() - start_s)


def _row(setting: Setting, policy: str, runs: list[Outcome]) -> Row:
    return {
        "name": f"{setting.name} by {policy}",
        "pods": round(fmean(run.pods for run in runs)),
        "placed": round(fmean(run.placed for run in runs), 1),
        "gpu_hours": round(fmean(run.gpu_hours for run in runs), 2),
        "gpu_percent": round(100 * fmean(run.gpu_mean for run in runs), 2),
        "run_s": round(fmean(run.solve_seconds for run in runs), 1),
    }


def _versus(setting: Setting, found: dict[str, list[Outcome]]) -> Row:
    """How far the solver is ahead of the better of best fit and MostAllocated, in the mean."""
    rivals = [found["best-fit"], found["most-allocated"]]
    ours = found[SOLVER]
    return {
        "name": f"{setting.name}, ahead",
        "placed": round(_ahead(ours, rivals, "placed"), 1),
        "gpu_hours": round(_ahead(ours, rivals, "gpu_hours"), 2),
    }


def _ahead(ours: list[Outcome], rivals: list[list[Outcome]], figure: str) -> float:
    means = [fmean(float(getattr(run, figure)) for run in runs) for runs in (ours, *rivals)]
    return means[0] - max(means[1:])
