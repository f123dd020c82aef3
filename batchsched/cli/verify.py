"""`batchsched verify`: a plan against a snapshot, by a checker that knows nothing of the model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from batchsched.cli import options

if TYPE_CHECKING:
    from batchsched.plan.plan import Plan
    from batchsched.plan.state import Violation
    from batchsched.profile import Profile
    from batchsched.snapshot.snapshot import Snapshot, Window

VIOLATED = 3


@click.command()
@click.argument("plan", metavar="PLAN")
@click.argument("snapshots", metavar="SNAPSHOT...", nargs=-1, required=True)
@click.option(
    "--profile",
    metavar="FILE|NAME",
    help="That the plan was made with. Default: the built-in tiers that the plan names.",
)
@options.scheduler_names("That the plan was made for; repeatable. Default: as the plan's pods say.")
def verify(
    plan: str, snapshots: tuple[str, ...], profile: str | None, scheduler_names: tuple[str, ...]
) -> int:
    """Check a plan: every rule in the final state, and what the plan says of itself.

    PLAN is what `batchsched solve -o` wrote; SNAPSHOT what it was made from, or the
    cluster as it is now. Prints each violation on a line: rule, pod, node, and what is wrong.
    """
    from batchsched.cli.files import load
    from batchsched.cli.profiles import load_profile
    from batchsched.plan.plan import read_plan
    from batchsched.plan.verify import verify as verify_plan
    from batchsched.profile import constraints_of, objectives_of

    given = read_plan(Path(plan).read_bytes(), plan)
    chosen = _profile_of(given) if profile is None else load_profile(profile)
    snapshot, sha256 = load(snapshots)
    if given.snapshot.sha256 not in {"", sha256}:
        click.echo("note: the plan was made from other bytes than these", err=True)
    found = verify_plan(
        given,
        snapshot,
        _window(given, snapshot, scheduler_names),
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


def _profile_of(plan: Plan) -> Profile:
    """Judge a plan by those of its tiers that need no plug-in."""
    from batchsched.profile import OBJECTIVES, Profile, Rule

    named = (tier.name for tier in plan.tiers if tier.name in OBJECTIVES)
    return Profile(name="of the plan", objectives=tuple(Rule(name=name) for name in named))


def _window(plan: Plan, snapshot: Snapshot, scheduler_names: tuple[str, ...]) -> Window:
    """The pods that the plan had to decide on.

    A plan made for some schedulers' pods does not say whose; its pods do, if they are as many as it
    says were pending.
    """
    from batchsched.snapshot.snapshot import pending

    everybody = pending(snapshot, scheduler_names)
    if scheduler_names or len(everybody.pods) == plan.snapshot.pending:
        return everybody
    decided = {(bound.namespace, bound.name) for bound in plan.bindings}
    decided |= {(left.namespace, left.name) for left in plan.unplaced}
    names = {pod.spec.scheduler_name for pod in everybody.pods if pod.key in decided}
    theirs = pending(snapshot, tuple(sorted(names)))
    return theirs if names and len(theirs.pods) == plan.snapshot.pending else everybody


def _line(violation: Violation) -> str:
    """Rule, pod and node where there is one, message."""
    where = " on ".join(part for part in (violation.pod, violation.node) if part)
    return ": ".join(part for part in (violation.rule, where, violation.message) if part)
