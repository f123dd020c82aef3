"""`batchsched simulate`: its options; what it does is in `simulating`, imported when it runs."""

from typing import Any

import click

from batchsched.cli import options
from batchsched.cli.numbers import FiniteRange

POLICIES = ("solver", "least-allocated", "most-allocated", "best-fit")
ALL = "all"


@click.command()
@click.argument("workloads", metavar="WORKLOAD...", nargs=-1, required=True)
@click.option(
    "--window",
    "window_s",
    type=FiniteRange(min=0, min_open=True),
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
@options.time_limit("Of the solver, for each window.", 5.0)
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Default: all cores.")
@click.option(
    "--deterministic", is_flag=True, help="The same run each time: one worker, counted work."
)
@click.option(
    "--ageing",
    "ageing_windows",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Solver: keep room for who was passed over in N windows; default: never.",
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
    type=FiniteRange(min=0, min_open=True),
    default=0.95,
    show_default=True,
    help="Traces, drawn: GPUs asked for at the end, as a multiple of all GPUs.",
)
@click.option(
    "--span",
    "span_s",
    type=FiniteRange(min=1),
    default=900.0,
    show_default=True,
    metavar="SECONDS",
    help="Traces, drawn: how long pods arrive.",
)
def simulate(**chosen: Any) -> None:  # noqa: ANN401 -- what click read, by name
    """Run a workload on the embedded cluster, in virtual time.

    WORKLOAD is Kubernetes objects (Nodes, Pods, Jobs, CronJobs, PodGroups and a Simulation) in
    YAML or JSON, files or folders; or a node list and a pod list of the openb trace.
    """
    from batchsched.cli.simulating import Options, run

    run(Options(**chosen))
