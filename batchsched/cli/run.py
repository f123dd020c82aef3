"""`batchsched run`: the scheduler. Reads its configuration, and says how the process may end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from batchsched.snapshot.errors import InputError

if TYPE_CHECKING:
    from batchsched.daemon.configuration import SchedulerConfiguration
    from batchsched.daemon.shadow import Summary

UNPLACED = 3


@click.command()
@click.option("--config", metavar="FILE", help="A SchedulerConfiguration; default: all defaults.")
@click.option("--kubeconfig", metavar="FILE", help="Of the cluster; default: as kubectl finds it.")
@click.option("--context", metavar="NAME", help="Of the kubeconfig; default: its current one.")
@click.option("--once", is_flag=True, help="Place what is pending now, as far as it fits, and end.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Write nothing; in the end say what would have been placed beside the other scheduler.",
)
@click.option("--check-config", is_flag=True, help="Check the configuration, and run nothing.")
@click.option(
    "--record", metavar="DIR", help="Keep the input and the plan of each window in this folder."
)
@click.option(
    "--fail-on-unplaced", is_flag=True, help="With --once: exit with 3 when pods stay unplaced."
)
def run(  # noqa: PLR0917 -- one parameter for each option
    config: str | None,
    kubeconfig: str | None,
    context: str | None,
    once: bool,
    dry_run: bool,
    check_config: bool,
    record: str | None,
    fail_on_unplaced: bool,
) -> int:
    """Schedule the pods of a live cluster that name one of the configured schedulers.

    It ends cleanly on SIGTERM and SIGINT, and tells its state on SIGUSR1.
    """
    configuration = load_configuration(config)
    if check_config:
        click.echo("\n".join(summary_of(configuration, config)))
        return 0
    from batchsched.cli.live import Options, run_live

    options = Options(
        kubeconfig=kubeconfig,
        context=context,
        once=once,
        dry_run=dry_run,
        shadows_default=dry_run and config is None,
        record=Path(record) if record else None,
    )
    left, shadow = run_live(configuration, options)
    if shadow is not None:
        print_shadow(shadow)
    return UNPLACED if once and fail_on_unplaced and left else 0


def load_configuration(file: str | None) -> SchedulerConfiguration:
    """The configuration in a file; all defaults where none is named.

    Raises:
        InputError: The file cannot be read, or is no configuration.
    """
    from batchsched.daemon.configuration import SchedulerConfiguration, parse_configuration

    if file is None:
        return SchedulerConfiguration()
    try:
        content = Path(file).read_bytes()
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise InputError(f"cannot be read: {reason}", source=file) from None
    return parse_configuration(content, file)


def summary_of(configuration: SchedulerConfiguration, file: str | None) -> list[str]:
    """What a configuration means, as lines for a person."""
    from batchsched.daemon.durations import written

    lines = [f"OK: {file or 'all defaults'}"]
    for profile in configuration.profiles:
        tiers = ", ".join(rule.name for rule in profile.rules().objectives) or "nothing more"
        lines.append(f"  pods of {profile.scheduler_name}: placed, disruption, then {tiers}")
        if profile.rules().constraints:
            own = ", ".join(rule.name for rule in profile.rules().constraints)
            lines.append(f"    rules of one's own: {own}")
        lines.append(f"    preemption: {profile.preemption}")
    window, lease = configuration.window, configuration.leader_election
    lines.append(
        f"  windows close after {written(window.idle)} of quiet, {written(window.max)} in all, "
        f"{window.max_pods:,} pods; a solve takes up to {written(configuration.solve.time_limit)}"
    )
    held = f"Lease {lease.resource_namespace or '(own namespace)'}/{lease.resource_name}"
    lines.append(f"  leader: {held}" if lease.leader_elect else "  leader: no election")
    return lines


def print_shadow(summary: Summary) -> None:
    """Print what a shadow has seen."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("scheduler")
    for head in ("pods placed", "gangs whole", "nodes used", "mean wait"):
        table.add_column(head, justify="right")
    for line in summary.lines:
        placed, gangs = f"{line.placed} of {summary.pods}", f"{line.gangs} of {summary.gangs}"
        table.add_row(line.name, placed, gangs, str(line.nodes), f"{line.wait_s:.1f} s")
    Console(highlight=False).print(table)
