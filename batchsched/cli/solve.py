"""`batchsched solve`: a snapshot in, a verified plan out."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from batchsched.cli import options
from batchsched.cli.output import check_writable, write_whole

if TYPE_CHECKING:
    from batchsched.plan.plan import Plan

UNPLACED = 3


@click.command()
@click.argument("snapshots", metavar="SNAPSHOT...", nargs=-1, required=True)
@click.option("-o", "--output", metavar="PLAN", help="Write the plan (JSON) to this file.")
@options.time_limit("Stop when the plan is proven optimal, or after this time (loading apart).")
@options.profile
@options.workers
@options.seed("Of the search: another seed may find another plan, as good.")
@click.option(
    "--deterministic",
    is_flag=True,
    help="Same input, same bytes: one worker, counted work, no timings.",
)
@options.scheduler_names("Only pods of this scheduler; repeatable. Default: any.")
@options.preemption
@options.moves
@options.form("What to print: the summary, or the plan.")
@click.option("--quiet", is_flag=True, help="Print no summary and no progress.")
@click.option("--fail-on-unplaced", is_flag=True, help="Exit with 3 when pods stay unplaced.")
def solve(  # noqa: PLR0917 -- one parameter for each option
    snapshots: tuple[str, ...],
    output: str | None,
    time_limit: float,
    profile: str | None,
    workers: int | None,
    seed: int,
    deterministic: bool,
    scheduler_names: tuple[str, ...],
    preemption: str,
    moves: str,
    form: str,
    quiet: bool,
    fail_on_unplaced: bool,
) -> int:
    """Place the pending pods of a snapshot, and prove how well.

    SNAPSHOT is what `kubectl get nodes,pods,... -A -o json` printed: files, folders, or - for
    stdin.
    """
    from batchsched.cli.files import load
    from batchsched.cli.profiles import load_profile
    from batchsched.cli.summary import print_summary, progress_line
    from batchsched.scheduler import Origin, schedule
    from batchsched.snapshot.snapshot import pending

    allowance = options.allowance(preemption, moves)
    if output is not None:
        check_writable(output)
    chosen = load_profile(profile)
    start_s = time.monotonic()
    snapshot, sha256 = load(snapshots)
    limits = options.limits(time_limit, workers, seed, deterministic=deterministic)
    plan = schedule(
        snapshot,
        pending(snapshot, scheduler_names),
        chosen,
        limits,
        time.monotonic,
        allowance=allowance,
        origin=Origin(sha256, time.monotonic() - start_s),
        progress=None if quiet else progress_line(),
    )
    if output is not None:
        write_whole(output, plan.to_json())
    if form != "table":
        sys.stdout.write(_printed(plan, form))
    elif not quiet:
        print_summary(plan, written_to=output)
    return UNPLACED if fail_on_unplaced and plan.unplaced else 0


def _printed(plan: Plan, form: str) -> str:
    """The plan as text."""
    if form == "json":
        return plan.to_json().decode()
    import orjson
    import yaml

    return yaml.safe_dump(orjson.loads(plan.to_json()), sort_keys=False, allow_unicode=True)
