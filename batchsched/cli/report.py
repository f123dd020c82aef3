"""`batchsched report`: one HTML page of a plan, of a simulation, or of a recorded run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from batchsched.cli import options
from batchsched.cli.output import check_writable, write_whole
from batchsched.snapshot.errors import InputError

if TYPE_CHECKING:
    from batchsched.explain.question import Means
    from batchsched.plan.plan import Plan
    from batchsched.snapshot.snapshot import Snapshot

LIMIT_OF_ONE_S = 5.0
"""Of one of the many decisions that explanations take."""


@click.command()
@click.argument("source", metavar="PLAN|DIR")
@click.option("-o", "--output", metavar="FILE.html", required=True, help="Write the page here.")
@click.option(
    "--snapshot",
    "snapshots",
    multiple=True,
    metavar="FILE",
    help="What the plan was made from: for the map, and why pods are left out; repeatable.",
)
@options.time_limit("For all explanations together.", 30.0)
@options.profile
def report(
    source: str, output: str, snapshots: tuple[str, ...], time_limit: float, profile: str | None
) -> None:
    """Make an HTML page of a plan, of a simulation, or of a recorded run.

    The page is one file that needs nothing else. PLAN is what `batchsched solve -o` wrote, DIR what
    `batchsched simulate -o` or `batchsched run --record` left.
    """
    check_writable(output)
    path = Path(source)
    if not path.is_dir():
        page = _of_plan(path, snapshots, time_limit, profile)
    elif snapshots:
        raise InputError("is for a plan; a folder has its own", source="--snapshot")
    else:
        page = _of_folder(path, time_limit)
    write_whole(output, page.encode())
    click.echo(f"Report written to {output}")


def _of_plan(path: Path, snapshots: tuple[str, ...], time_limit: float, profile: str | None) -> str:
    """The page of a plan."""
    from batchsched.plan.plan import read_plan
    from batchsched.report.plan_page import plan_page

    plan = read_plan(path.read_bytes(), str(path))
    if not snapshots:
        return plan_page(plan, path.name)
    snapshot, notes = _snapshot(snapshots, plan)
    means = _means(plan, profile, time_limit)
    return plan_page(plan, path.name, snapshot, means, notes=notes)


def _of_folder(path: Path, time_limit: float) -> str:
    """The page of a recorded run, or of a simulation."""
    from batchsched.report.plan_page import plan_page
    from batchsched.report.recorded import PROFILE, SNAPSHOT, is_record, read_recorded
    from batchsched.report.simulation_page import simulation_page
    from batchsched.report.tables import read_tables

    if not is_record(path):
        return simulation_page(read_tables(path))
    run = read_recorded(path)
    snapshot, notes = _snapshot((str(run.folder / SNAPSHOT),), run.plan)
    means = _means(run.plan, str(run.folder / PROFILE), time_limit)
    name = path.name or path.resolve().name
    return plan_page(run.plan, name, snapshot, means, windows=run.windows, notes=notes)


def _snapshot(names: tuple[str, ...], plan: Plan) -> tuple[Snapshot, list[str]]:
    """The snapshot, and whether it is the plan's own.

    Raises:
        InputError: The plan is about nodes or pods that it does not hold.
    """
    from batchsched.cli.files import load

    snapshot, sha256 = load(names)
    nodes = {node.name for node in snapshot.nodes}
    pods = {pod.key for pod in snapshot.pods}
    for each in plan.bindings:
        if each.node not in nodes or (each.namespace, each.name) not in pods:
            what = (
                f"does not hold {each.namespace}/{each.name}, or {each.node}: it is not the plan's"
            )
            raise InputError(what, source=names[0])
    if plan.snapshot.sha256 in {"", sha256}:
        return snapshot, []
    return snapshot, ["The snapshot is not to the byte the one that the plan was made from."]


def _means(plan: Plan, profile: str | None, time_limit: float) -> Means:
    """With what reasons are proven."""
    from batchsched.cli.profiles import load_profile
    from batchsched.explain.question import Means
    from batchsched.scheduler import Limits
    from batchsched.snapshot.allowance import Allowance

    return Means(
        profile=load_profile(profile),
        limits=Limits(time_limit_s=min(time_limit, LIMIT_OF_ONE_S)),
        clock=time.monotonic,
        end_s=time.monotonic() + time_limit,
        allowance=Allowance(preemption=plan.allowance.preemption == "lower-priority"),
    )
