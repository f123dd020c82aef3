"""Simulating: a workload on the embedded cluster, window by window, policy by policy.

Reads the files, prints the windows as they go, and leaves a folder for people and scripts; what
happens in between is `sim`'s business.
"""

import gzip
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from batchsched.cli.options import limits as limits_of
from batchsched.cli.profiles import load_profile
from batchsched.cli.simulate import ALL, POLICIES
from batchsched.cli.summary import stdout_console
from batchsched.cli.windows import WindowPrinter, comparison
from batchsched.explain.question import Means
from batchsched.plan.plan import Plan
from batchsched.profile import Profile
from batchsched.scheduler import Limits
from batchsched.sim.outcome import Outcome, outcome
from batchsched.sim.policies import Policy, greedy, solver
from batchsched.sim.scenario import Scenario
from batchsched.sim.simulation import Simulation, with_timing
from batchsched.sim.workload import load as load_workload
from batchsched.snapshot.errors import InputError
from batchsched.snapshot.snapshot import Snapshot, Window

SOLVER = "solver"
SUFFIXES = (".yaml", ".yml", ".json", ".csv")
TRACE_WINDOW_S = 30.0
"""How long a window of a trace is open where nobody says: some 450 pods arrive in it."""
TRACE_PROFILE = "placed-only"
"""What suits a trace of GPU pods best, measured: the tightest fit that places most."""


EXPLANATIONS_S = 10.0
"""How long the report may take to prove why pods were left out, for each policy."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says, as `simulate` reads it."""

    workloads: tuple[str, ...]
    window_s: float | None
    policies: tuple[str, ...]
    seed: int
    output: str | None
    profile: str | None
    time_limit: float
    workers: int | None
    deterministic: bool
    ageing_windows: int
    arrivals: str
    load: float
    span_s: float


@dataclass(frozen=True, slots=True)
class _Shared:
    """What every run of one command shares."""

    profile: Profile
    limits: Limits
    seed: int
    output: Path | None


def run(options: Options) -> None:
    """Run the policies over the workload, print what happens, leave the folder."""
    counted = options.deterministic
    limits = limits_of(
        options.time_limit, options.workers, options.seed % 2**31, deterministic=counted
    )
    files = list(_files(options.workloads))
    trace = any(name.lower().endswith(".csv") for name, _ in files)
    scenario = _trace(files, options) if trace else load_workload(files, options.seed)
    window_s = options.window_s or (TRACE_WINDOW_S if trace else None)
    ageing_windows = options.ageing_windows
    scenario = with_timing(scenario, window_s=window_s, ageing_windows=ageing_windows)
    chosen = load_profile(options.profile or (TRACE_PROFILE if trace else None))
    output = Path(options.output) if options.output else None
    shared = _Shared(chosen, limits, options.seed, output)
    _run_all(scenario, _chosen(options.policies, scenario), shared)


def _chosen(policies: Sequence[str], scenario: Scenario) -> tuple[str, ...]:
    """The policies to run, each once."""
    if ALL in policies:
        return POLICIES
    return tuple(dict.fromkeys(policies)) or scenario.policies or (SOLVER,)


def _run_all(scenario: Scenario, policies: Sequence[str], options: _Shared) -> None:
    """Run one policy after the other, and compare them."""
    console = stdout_console()
    for note in scenario.notes:
        console.print(note, style="dim")
    outcomes: list[Outcome] = []
    runs: dict[str, Simulation] = {}
    for policy in policies:
        runs[policy], summed = _run(scenario, policy, options, console, aloud=not outcomes)
        outcomes.append(summed)
    console.print(comparison(outcomes))
    if options.output is not None:
        from batchsched.report.folder import write_folder

        means = partial(_means, options)
        page = write_folder(options.output, scenario, options.seed, runs, outcomes, means)
        console.print(f"Plans, tables and the report are in {options.output}: open {page}")


def _means(options: _Shared) -> Means:
    """With what the report proves why pods were left out, from now on."""
    return Means(
        profile=options.profile,
        limits=options.limits,
        clock=time.monotonic,
        end_s=time.monotonic() + EXPLANATIONS_S,
    )


def _run(
    scenario: Scenario, name: str, options: _Shared, console: Console, *, aloud: bool
) -> tuple[Simulation, Outcome]:
    """Run one policy; the first is printed window by window, the others as a line that moves."""
    printer = WindowPrinter(console, scenario, name, aloud=aloud)
    policy = _Timed(_policy(name, options))
    run = Simulation(scenario, policy, watcher=lambda w, s: printer.window(w, s, policy.last_s))
    printer.start()
    try:
        run.run()
    finally:
        printer.stop()
    return run, outcome(name, run, policy.total_s)


def _policy(name: str, options: _Shared) -> Policy:
    if name == SOLVER:
        return solver(options.profile, options.limits, time.monotonic)
    return greedy(name)


class _Timed:
    """A policy, with the real time that it took."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.last_s = self.total_s = 0.0

    def __call__(self, snapshot: Snapshot, window: Window, before: Plan | None = None) -> Plan:
        start_s = time.monotonic()
        plan = self._policy(snapshot, window, before)
        self.last_s = time.monotonic() - start_s
        self.total_s += self.last_s
        return plan


def _trace(files: list[tuple[str, bytes]], options: Options) -> Scenario:
    """The scenario of a trace."""
    from batchsched.sim.trace import Draw, is_trace, load_trace

    for name, data in files:
        if not is_trace(data):
            what = "is neither the node list nor the pod list of a trace, by its first line"
            raise InputError(what, source=name)
    draw = Draw(options.arrivals, options.seed, options.load, options.span_s)  # type: ignore[arg-type]  # click chose it
    return load_trace(files, draw)


def _files(paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Every file of a workload, folders opened up, in sorted order."""
    for path in map(Path, paths):
        found = [path]
        if path.is_dir():
            found = sorted(
                p for p in path.rglob("*") if p.name.removesuffix(".gz").endswith(SUFFIXES)
            )
            if not found:
                raise InputError(f"holds no {', '.join(SUFFIXES)} file", source=str(path))
        for each in found:
            yield str(each).removesuffix(".gz"), _unpacked(each)


def _unpacked(path: Path) -> bytes:
    data = path.read_bytes()
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError) as error:
        raise InputError(f"broken gzip: {error}", source=str(path)) from None
