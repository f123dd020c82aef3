"""`batchsched compare`: one snapshot under pod-by-pod policies and the solver, side by side."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from batchsched.cli import options

if TYPE_CHECKING:
    from batchsched.sim.comparison import Compared, Comparison

POLICIES = ("least-allocated", "most-allocated", "best-fit", "solver")
SOLVER = "solver"


@click.command()
@click.argument("snapshots", metavar="SNAPSHOT...", nargs=-1, required=True)
@click.option(
    "--policy",
    "policies",
    type=click.Choice(POLICIES),
    multiple=True,
    help="Which ones, in this order; repeatable. Default: all.",
)
@options.time_limit("Of the solver.")
@options.profile
@options.workers
@options.seed("Of the search.")
@options.scheduler_names("Only pods of this scheduler; repeatable. Default: any.")
@options.preemption
@options.moves
@options.form("What to print: a table for people, or all that was measured.")
def compare(  # noqa: PLR0917 -- one parameter for each option
    snapshots: tuple[str, ...],
    policies: tuple[str, ...],
    time_limit: float,
    profile: str | None,
    workers: int | None,
    seed: int,
    scheduler_names: tuple[str, ...],
    preemption: str,
    moves: str,
    form: str,
) -> None:
    """Place the pending pods of a snapshot as others would, and as the solver does.

    SNAPSHOT is what `kubectl get nodes,pods,... -A -o json` printed: files, folders, or - for
    stdin. least-allocated and most-allocated score nodes as kube-scheduler does, best-fit takes the
    fullest node; they take pod by pod, gangs whole, and touch no running pod, so --preemption and
    --moves are the solver's. Each plan is held against all rules.
    """
    from batchsched.cli.files import load
    from batchsched.cli.profiles import load_profile
    from batchsched.cli.what_if_tables import printed
    from batchsched.profile import constraints_of
    from batchsched.sim.comparison import compared
    from batchsched.sim.policies import greedy, solver
    from batchsched.snapshot.snapshot import pending

    allowance, chosen = options.allowance(preemption, moves), load_profile(profile)
    limits = options.limits(time_limit, workers, seed)
    ours = solver(chosen, limits, time.monotonic, allowance)
    asked = {
        name: ours if name == SOLVER else greedy(name)
        for name in dict.fromkeys(policies or POLICIES)
    }
    snapshot, _ = load(snapshots)
    window = pending(snapshot, scheduler_names)
    found = compared(snapshot, window, asked, constraints_of(chosen), time.monotonic)
    if form == "table":
        _print(found)
    else:
        sys.stdout.write(printed(found, form))


def _print(found: Comparison) -> None:
    """The policies as columns."""
    from rich.text import Text

    from batchsched.cli.summary import stdout_console
    from batchsched.cli.what_if_tables import table

    console = stdout_console()
    first = found.policies[0].side
    console.print(Text(f"{first.pending:,} pending pods on {first.nodes:,} nodes", style="bold"))
    console.print()
    grid = table(("", "left"), *((each.policy, "right") for each in found.policies))
    for priority in (each.priority for each in found.policies[0].priorities):
        counts = [next(p for p in c.priorities if p.priority == priority) for c in found.policies]
        cells = [f"{each.placed:,} of {each.pending:,}" for each in counts]
        grid.add_row(f"pods placed, priority {priority}", *cells)
    for label, cells in _rows(found.policies):
        grid.add_row(label, *cells)
    console.print(grid)
    for each in found.policies:
        if each.policy == SOLVER and first.pending:
            sure = "no plan places more" if each.side.status == "Optimal" else "not proven the most"
            console.print(f"\nThe solver's plan: {sure}.")


def _rows(policies: tuple[Compared, ...]) -> list[tuple[str, list[str]]]:
    """What is said of every policy, priorities aside."""
    return [
        ("pod groups placed", [f"{c.side.gangs_placed:,} of {c.side.gangs:,}" for c in policies]),
        ("nodes in use", [f"{c.side.nodes_in_use:,}" for c in policies]),
        ("free room of no use", [f"{c.fragmentation:.1%}" for c in policies]),
        ("pods evicted", [f"{c.evicted:,}" for c in policies]),
        ("pods moved", [f"{c.moved:,}" for c in policies]),
        ("rules broken", [f"{c.violations:,}" for c in policies]),
        ("seconds", [f"{c.seconds:.2f} s" for c in policies]),
    ]
