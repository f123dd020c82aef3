"""`batchsched audit`: what a solve would gain over a cluster as it is, exported or live."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from batchsched.cli import options

if TYPE_CHECKING:
    from batchsched.whatif.auditing import Audit


@click.command()
@click.argument("snapshots", metavar="[SNAPSHOT...]", nargs=-1)
@options.kubeconfig
@options.context
@options.time_limit("Of the whole, reading apart.")
@options.profile
@options.workers
@options.seed("Of the search.")
@options.scheduler_names("Only pending pods of this scheduler; repeatable. Default: any.")
@options.preemption
@options.moves
@options.form("What to print: tables for people, or all that was found.")
def audit(  # noqa: PLR0917 -- one parameter for each option
    snapshots: tuple[str, ...],
    kubeconfig: str | None,
    context: str | None,
    time_limit: float,
    profile: str | None,
    workers: int | None,
    seed: int,
    scheduler_names: tuple[str, ...],
    preemption: str,
    moves: str,
    form: str,
) -> None:
    """Say what a solve would gain over a cluster as it is, and prove it.

    SNAPSHOT is what `kubectl get nodes,pods,... -A -o json` printed: files, folders, or - for
    stdin; without one, the live cluster is read, with kubectl's credentials. The pending pods are
    placed with the evictions and moves that are allowed; moves that are left empty nodes. Nothing
    is written to any cluster.
    """
    from batchsched.cli.live_snapshot import load_or_read
    from batchsched.cli.profiles import load_profile
    from batchsched.cli.what_if_tables import printed
    from batchsched.snapshot.snapshot import pending
    from batchsched.whatif.auditing import audit as audited

    allowance, chosen = options.allowance(preemption, moves), load_profile(profile)
    snapshot = load_or_read(snapshots, kubeconfig, context)
    found = audited(
        snapshot,
        pending(snapshot, scheduler_names),
        chosen,
        options.limits(time_limit, workers, seed),
        time.monotonic,
        allowance=allowance,
    )
    if form == "table":
        _print(found)
    else:
        sys.stdout.write(printed(found, form))


def _print(found: Audit) -> None:
    """What is gained in a line, then now and then side by side, then the certificate."""
    from rich.text import Text

    from batchsched.cli.summary import stdout_console
    from batchsched.cli.what_if_tables import print_unplaced, table, tiers_table

    console = stdout_console()
    console.print(Text(_headline(found), style="bold"))
    console.print()
    grid = table(("", "left"), ("now", "right"), ("then", "right"))
    for each in found.running:
        grid.add_row(
            f"pods with a node, priority {each.priority}", f"{each.now:,}", f"{each.then:,}"
        )
    grid.add_row("pods waiting", f"{found.pending:,}", f"{found.pending - found.placed:,}")
    waiting = found.pod_groups - found.pod_groups_placed
    grid.add_row("pod groups waiting", f"{found.pod_groups:,}", f"{waiting:,}")
    grid.add_row(
        f"nodes in use, of {found.nodes:,}", f"{found.in_use_now:,}", f"{found.in_use_then:,}"
    )
    console.print(grid)
    if found.tiers:
        console.print()
        console.print(tiers_table(found.tiers))
    print_unplaced(console, found.unplaced)


def _headline(found: Audit) -> str:
    """What a solve would do, and how sure it is."""
    parts = []
    if found.pending:
        parts.append(f"place {found.placed:,} of {found.pending:,} pending pods")
    if found.pod_groups:
        parts.append(f"complete {found.pod_groups_placed:,} of {found.pod_groups:,} pod groups")
    if found.emptied:
        nodes = len(found.emptied)
        parts.append(f"empty {nodes:,} node{'s' if nodes > 1 else ''}")
    if not parts:
        return "Nothing to gain: no pod is pending, and no move that is allowed empties a node."
    costs = [f"{n:,} evicted" for n in (found.evicted,) if n]
    costs += [f"{n:,} moved" for n in (found.moved,) if n]
    cost = f", with {' and '.join(costs)}" if costs else ""
    sure = "No plan places more" if found.status == "Optimal" else "Not proven to be the most"
    end = f" {sure}." if found.pending else ""
    last = next((tier for tier in found.tiers if tier.name == "drained"), None)
    if found.emptied and last is not None and last.status == "Optimal":
        end += " No way empties more then."
    first = f"{', '.join(parts[:-1])} and " if parts[1:] else ""
    return f"A solve would {first}{parts[-1]}{cost}.{end}"
