"""`batchsched apply`: a plan onto a live cluster, as far as it still holds there."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from batchsched.cli import options
from batchsched.cli.numbers import FiniteRange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from batchsched.cycle import Announce
    from batchsched.daemon.applying import Applied
    from batchsched.daemon.wake import Wake
    from batchsched.kube.cluster import KubeCluster

UNPLACED, NO_CLUSTER = 3, 4
SYNC_POLL_S = 0.5
SYNC_S_MAX = 60.0
"""With problems that last longer the cluster counts as unreachable."""
ALWAYS_S = 3600.0
"""How long a write may take by the lease that a command does not need."""
_OF_THE_CLUSTER = frozenset({"unreachable", "forbidden", "throttled"})
"""First words of refusals that say nothing of the plan."""


@click.command()
@click.argument("plan", metavar="PLAN")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Change nothing: have the API server say what it would do.",
)
@options.kubeconfig
@options.context
@click.option(
    "--profile",
    metavar="FILE|NAME",
    help="Whose rules are checked, as when the plan was made; default: default.",
)
@click.option(
    "--wait",
    "wait_s",
    type=FiniteRange(min=0),
    default=120.0,
    show_default=True,
    metavar="SECONDS",
    help="How long evicted pods may take to leave.",
)
@click.option("--quiet", is_flag=True, help="Print only what was refused.")
@click.option("--fail-on-unplaced", is_flag=True, help="Exit with 3 when pods stay unplaced.")
def apply(  # noqa: PLR0917 -- one parameter for each option
    plan: str,
    dry_run: bool,
    kubeconfig: str | None,
    context: str | None,
    profile: str | None,
    wait_s: float,
    quiet: bool,
    fail_on_unplaced: bool,
) -> int:
    """Bind the pods of a plan on the live cluster, and evict whom it evicts.

    PLAN is what `batchsched solve -o` wrote. It is held against all rules on the cluster as
    it is now; what does not hold any more is refused, a pod group as a whole. Applied twice,
    it does the second time what the first left undone.
    """
    from batchsched.cli.profiles import load_profile
    from batchsched.daemon.applying import Applying
    from batchsched.daemon.clock import SystemClock
    from batchsched.daemon.translation import notes_of
    from batchsched.daemon.wake import Wake
    from batchsched.plan.plan import read_plan
    from batchsched.profile import constraints_of

    given = read_plan(Path(plan).read_bytes(), plan)
    checks = constraints_of(load_profile(profile))
    wake = Wake()
    with _cluster(kubeconfig, context, wake) as (cluster, announce):
        applying = Applying(cluster, SystemClock(), wake.wait, checks, notes_of(0, given), announce)
        found = applying.tried(given) if dry_run else applying.run(given, wait_s)
    _print(found, quiet=quiet)
    refused = [each for each in found if each.what == "Refused"]
    if any(each.why.partition(":")[0] in _OF_THE_CLUSTER for each in refused):
        return NO_CLUSTER
    return UNPLACED if fail_on_unplaced and (refused or given.unplaced) else 0


@contextmanager
def _cluster(
    kubeconfig: str | None, context: str | None, wake: Wake
) -> Iterator[tuple[KubeCluster, Callable[[Announce], None]]]:
    """The live cluster, read once and kept up to date; and who tells people there.

    Raises:
        ClusterError: It cannot be reached, or does not let us.
    """
    import socket
    from random import Random

    from batchsched.daemon.clock import SystemClock
    from batchsched.kube.announcements import Reporter
    from batchsched.kube.cache import Cache
    from batchsched.kube.cluster import KubeCluster
    from batchsched.kube.connection import OK, Connection
    from batchsched.kube.errors import UnreachableError
    from batchsched.kube.publisher import Publisher
    from batchsched.kube.writer import Writer

    connection = Connection.open(kubeconfig=kubeconfig, context=context, connections_max=64)
    reply = connection.call("GET", "/api/v1/nodes", query={"limit": "1"})
    if reply.status != OK:
        raise reply.refusal("list nodes")
    clock = SystemClock()
    cache = Cache(connection, Random(), wake)
    writer = Writer(connection, clock, allowance_s=lambda: ALWAYS_S, wake=wake)
    publisher = Publisher(connection, clock, Reporter(socket.gethostname(), clock.wall))
    try:
        cache.start()
        writer.start()
        publisher.start()
        until_s = clock.now_s() + SYNC_S_MAX
        while not cache.synced():
            wake.wait(SYNC_POLL_S)
            if cache.problems() and clock.now_s() > until_s:
                problems = "; ".join(f"{kind}: {why}" for kind, why in cache.problems().items())
                raise UnreachableError("read the cluster", problems)
        yield KubeCluster(cache, writer, clock), publisher.announce
    finally:
        writer.stop()
        publisher.stop()
        cache.stop()
        connection.close()


def _print(found: Sequence[Applied], *, quiet: bool) -> None:
    """One line a pod, then the counts."""
    shown = [each for each in found if each.what == "Refused" or not quiet]
    widths = [
        max((len(cell) for cell in column), default=0)
        for column in zip(*(_cells(each) for each in shown), strict=True)
    ]
    for each in shown:
        line = "  ".join(c.ljust(w) for c, w in zip(_cells(each), widths, strict=True))
        click.echo(line.rstrip())
    counts = Counter(each.what for each in found)
    said = ", ".join(f"{count} {what.lower()}" for what, count in counts.items())
    click.echo(said or "nothing to do", err=quiet or not sys.stdout.isatty())


def _cells(applied: Applied) -> tuple[str, str, str, str]:
    return ("/".join(applied.pod), applied.node, applied.what, applied.why)
