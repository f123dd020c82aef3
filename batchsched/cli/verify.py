"""`batchsched verify`: a plan against a snapshot, by a checker that knows nothing of the model."""

from pathlib import Path

import click

from batchsched.cli.files import load
from batchsched.cli.profiles import load_profile
from batchsched.plan.plan import read_plan
from batchsched.plan.state import Violation
from batchsched.plan.verify import verify as verify_plan
from batchsched.profile import constraints_of, objectives_of
from batchsched.snapshot.snapshot import pending

VIOLATED = 3


@click.command()
@click.argument("plan", metavar="PLAN")
@click.argument("snapshots", metavar="SNAPSHOT...", nargs=-1, required=True)
@click.option("--profile", metavar="FILE|NAME", help="That the plan was made with.")
@click.option(
    "--scheduler-name",
    "scheduler_names",
    multiple=True,
    metavar="NAME",
    help="That the plan was made for; repeatable. Default: any.",
)
def verify(
    plan: str, snapshots: tuple[str, ...], profile: str | None, scheduler_names: tuple[str, ...]
) -> int:
    """Check a plan: every rule in the final state, and what the plan says of itself.

    PLAN is what `batchsched solve -o` wrote; SNAPSHOT what it was made from, or the
    cluster as it is now. Prints each violation on a line: rule, pod, node, and what is wrong.
    """
    chosen = load_profile(profile)
    given = read_plan(Path(plan).read_bytes(), plan)
    snapshot, sha256 = load(snapshots)
    if given.snapshot.sha256 not in {"", sha256}:
        click.echo("note: the plan was made from other bytes than these", err=True)
    found = verify_plan(
        given,
        snapshot,
        pending(snapshot, scheduler_names),
        constraints_of(chosen),
        objectives_of(chosen),
    )
    for violation in found:
        click.echo(_line(violation))
    if found:
        click.echo(f"{len(found)} violation{'s' if len(found) > 1 else ''}", err=True)
        return VIOLATED
    counts = (
        f"{len(given.bindings)} bindings, {len(given.evictions)} evictions, "
        f"{len(given.unplaced)} unplaced, {len(given.pod_groups)} pod groups"
    )
    click.echo(f"valid: {counts}")
    return 0


def _line(violation: Violation) -> str:
    """Rule, pod and node where there is one, message."""
    where = " on ".join(part for part in (violation.pod, violation.node) if part)
    return ": ".join(part for part in (violation.rule, where, violation.message) if part)
