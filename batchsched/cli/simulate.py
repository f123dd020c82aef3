"""`batchsched simulate`: a workload on the embedded cluster, window by window, policy by policy.

Reads the files, prints the windows as they go, and leaves a folder for people and scripts; what
happens in between is `sim`'s business.
"""

import gzip
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console

from batchsched.cli.profiles import load_profile
from batchsched.cli.windows import WindowPrinter, comparison
from batchsched.plan.plan import Plan
from batchsched.profile import Profile
from batchsched.scheduler import Limits
from batchsched.sim.outcome import Outcome, outcome
from batchsched.sim.policies import SCORES, Policy, greedy, solver
from batchsched.sim.scenario import Scenario
from batchsched.sim.simulation import Simulation, with_timing
from batchsched.sim.workload import load as load_workload
from batchsched.snapshot.errors import InputError
from batchsched.snapshot.snapshot import Snapshot, Window

SOLVER, ALL = "solver", "all"
POLICIES = (SOLVER, *SCORES)
SUFFIXES = (".yaml", ".yml", ".json", ".csv")
TRACE_WINDOW_S = 30.0
"""How long a window of a trace is open where nobody says: some 450 pods arrive in it."""
TRACE_PROFILE = "placed-only"
"""What suits a trace of GPU pods best, measured: the tightest fit that places most."""


@dataclass(frozen=True, slots=True)
class _Options:
    """What every run of one command shares."""

    profile: Profile
    limits: Limits
    seed: int
    output: Path | None


@click.command()
@click.argument("workloads", metavar="WORKLOAD...", nargs=-1, required=True)
@click.option(
    "--window",
    "window_s",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Close every window after this time; default: as the workload says, 30 for traces.",
)
@click.option(
    "--policy",
    "policies",
    multiple=True,
    type=click.Choice([*POLICIES, ALL]),
    help="Who decides; repeatable. Default: as the workload says, else solver.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Draws random arrivals, and seeds the solver.",
)
@click.option("-o", "--output", metavar="DIR", help="Leave plans, tables and report.html here.")
@click.option(
    "--profile",
    metavar="FILE|NAME",
    help="The solver's; default: default, for traces placed-only.",
)
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0, min_open=True),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="Of the solver, for each window.",
)
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Default: all cores.")
@click.option(
    "--deterministic", is_flag=True, help="The same run each time: one worker, counted work."
)
@click.option(
    "--arrivals",
    type=click.Choice(["drawn", "recorded", "backlog"]),
    default="drawn",
    show_default=True,
    help="Traces: how pods arrive.",
)
@click.option(
    "--load",
    type=click.FloatRange(min=0, min_open=True),
    default=0.95,
    show_default=True,
    help="Traces, drawn: GPUs asked for at the end, as a multiple of all GPUs.",
)
@click.option(
    "--span",
    "span_s",
    type=click.FloatRange(min=1),
    default=900.0,
    show_default=True,
    metavar="SECONDS",
    help="Traces, drawn: how long pods arrive.",
)
def simulate(  # noqa: PLR0917 -- one parameter for each option
    workloads: tuple[str, ...],
    window_s: float | None,
    policies: tuple[str, ...],
    seed: int,
    output: str | None,
    profile: str | None,
    time_limit: float,
    workers: int | None,
    deterministic: bool,
    arrivals: str,
    load: float,
    span_s: float,
) -> None:
    """Run a workload on the embedded cluster, in virtual time.

    WORKLOAD is Kubernetes objects (Nodes, Pods, Jobs, CronJobs, PodGroups and a Simulation) in
    YAML or JSON, files or folders; or a node list and a pod list of the openb trace.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    limits = Limits(
        time_limit_s=time_limit,
        workers=1 if deterministic else workers or cores,
        seed=seed % 2**31,
        deterministic=deterministic,
    )
    files = list(_files(workloads))
    trace = any(name.lower().endswith(".csv") for name, _ in files)
    draw = (seed, arrivals, load, span_s)
    scenario = _trace(files, *draw) if trace else load_workload(files, seed)
    scenario = with_timing(scenario, window_s=window_s or (TRACE_WINDOW_S if trace else None))
    chosen = load_profile(profile or (TRACE_PROFILE if trace else None))
    options = _Options(chosen, limits, seed, Path(output) if output else None)
    _run_all(scenario, _chosen(policies, scenario), options)


def _chosen(policies: Sequence[str], scenario: Scenario) -> tuple[str, ...]:
    """The policies to run, each once."""
    if ALL in policies:
        return POLICIES
    return tuple(dict.fromkeys(policies)) or scenario.policies or (SOLVER,)


def _run_all(scenario: Scenario, policies: Sequence[str], options: _Options) -> None:
    """Run one policy after the other, and compare them."""
    console = Console(highlight=False)
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

        page = write_folder(options.output, scenario, options.seed, runs, outcomes)
        console.print(f"Plans, tables and the report are in {options.output}: open {page}")


def _run(
    scenario: Scenario, name: str, options: _Options, console: Console, *, aloud: bool
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


def _policy(name: str, options: _Options) -> Policy:
    if name == SOLVER:
        return solver(options.profile, options.limits, time.monotonic)
    return greedy(name)


class _Timed:
    """A policy, with the real time that it took."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.last_s = self.total_s = 0.0

    def __call__(self, snapshot: Snapshot, window: Window) -> Plan:
        start_s = time.monotonic()
        plan = self._policy(snapshot, window)
        self.last_s = time.monotonic() - start_s
        self.total_s += self.last_s
        return plan


def _trace(
    files: list[tuple[str, bytes]], seed: int, arrivals: str, load: float, span_s: float
) -> Scenario:
    """The scenario of a trace."""
    from batchsched.sim.trace import Draw, is_trace, load_trace

    for name, data in files:
        if not is_trace(data):
            what = "is neither the node list nor the pod list of a trace, by its first line"
            raise InputError(what, source=name)
    return load_trace(files, Draw(arrivals, seed, load, span_s))  # type: ignore[arg-type]  # click chose it


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
