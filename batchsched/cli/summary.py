"""What a person reads after a solve: what was placed, what was not and why, how good and how sure.

Plain words first, then a table of tiers. On a terminal 80 columns are enough: names of pods are cut
there, nodes never. Colours only where a terminal shows them; in a pipe or a file nothing is cut or
wrapped, so that grep finds it.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from batchsched.plan.plan import Eviction, Plan, PlanTier, Unplaced

NAMES_SHOWN_MAX = 3
REASONS_SHOWN_MAX = 12
NODES_SHOWN_MAX = 12
EVICTIONS_SHOWN_MAX = 12
PIPED_COLUMNS = 10_000
"""Wider than any line: a name has 253 characters at most, and a cell three names."""


def progress_line() -> Callable[[str, str, int, int], None] | None:
    """A line on stderr that says how the solve stands; ``None`` where nobody watches."""
    if not sys.stderr.isatty():
        return None

    def tell(phase: str, tier: str, value: int, bound: int) -> None:
        state = "proven" if value == bound else f"bound {bound}"
        sys.stderr.write(f"\r\x1b[K{phase} {tier}: {value} ({state})")
        sys.stderr.flush()

    return tell


def stdout_console() -> Console:
    """Where people read: as wide as the terminal, or as wide as it takes."""
    return Console(width=None if sys.stdout.isatty() else PIPED_COLUMNS, highlight=False)


def print_summary(plan: Plan, written_to: str | None) -> None:
    """Print the summary of a plan to stdout."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    console = stdout_console()
    console.print(_headline(plan))
    if plan.snapshot.pending:
        console.print()
        console.print(_tiers(plan.tiers))
    if plan.bindings:
        console.print()
        console.print(nodes_table(plan))
    if plan.evictions:
        console.print()
        console.print(_evictions(plan.evictions))
    if plan.pod_groups:
        console.print()
        console.print(_groups(plan))
    if plan.unplaced:
        console.print()
        console.print(Text(f"Not placed: {_count(len(plan.unplaced), 'pod')}", style="bold"))
        for names, message in unplaced_reasons(plan.unplaced):
            console.print(Padding(Text(names, style="yellow"), (0, 0, 0, 2), expand=False))
            console.print(Padding(Text(message), (0, 0, 0, 4), expand=False))
    if written_to is not None and written_to != "-":
        console.print(f"\nPlan written to {written_to}, checked by the independent verifier.")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _headline(plan: Plan) -> Text:
    placed, pending = len(plan.bindings), plan.snapshot.pending
    text = Text()
    if not pending:
        text.append(f"Nothing to place: {_nobody(plan.snapshot.pods)}", style="bold")
    else:
        style = "bold green" if placed == pending else "bold yellow"
        text.append(
            f"Placed {f'{placed:,}' if placed else 'none'} of {_count(pending, 'pending pod')}",
            style=style,
        )
        if placed:
            text.append(f" on {_count(len({b.node for b in plan.bindings}), 'node')}")
            text.append(f" (of {plan.snapshot.nodes:,})")
        for what in _leaving(plan.evictions):
            text.append(f", {what}")
        text.append(".")
        sure = "No plan places more" if plan.status == "Optimal" else "Not proven to be the most"
        text.append(f" {sure}.")
    seconds = plan.solver.seconds
    if seconds.total:
        text.append(f"  {seconds.total:.2f} s", style="dim")
    return text


def _nobody(pods: int) -> str:
    """Why there is nothing to decide; people give Jobs, and wonder."""
    if pods:
        return f"none of {_count(pods, 'pod')} is pending."
    return "there is no Pod. (Controllers make them: a Job or a Deployment alone is none.)"


def _leaving(evictions: Sequence[Eviction]) -> Iterable[str]:
    """How many running pods are evicted, and how many are moved."""
    for reason, verb in (("Preempted", "evicts"), ("Moved", "moves")):
        number = sum(each.reason == reason for each in evictions)
        if number:
            yield f"{verb} {number:,}"


def _tiers(tiers: Sequence[PlanTier]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name, justify in (("tier", "left"), ("value", "right"), ("bound", "right"), ("", "left")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for tier in tiers:
        proven = tier.status == "Optimal"
        sure = Text("proven", "green") if proven else Text(f"gap {tier.gap:.2%}", "yellow")
        table.add_row(tier.name, f"{tier.value:,}", f"{tier.bound:,}", sure)
    return table


def _groups(plan: Plan) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("pod group", "minimum", "members", "placed", ""):
        table.add_column(
            name, justify="right" if name in {"minimum", "members", "placed"} else "left"
        )
    for group in plan.pod_groups[:REASONS_SHOWN_MAX]:
        style = "green" if group.status == "Placed" else "yellow"
        name = f"{group.namespace}/{group.name}"
        counts = (group.min_count, group.members, group.placed)
        table.add_row(name, *(f"{n:,}" for n in counts), Text(group.status, style))
    if len(plan.pod_groups) > REASONS_SHOWN_MAX:
        table.add_row(f"and {len(plan.pod_groups) - REASONS_SHOWN_MAX:,} more")
    return table


def nodes_table(plan: Plan) -> Table:
    """Who goes where, node by node."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    pods_of: dict[str, list[str]] = {}
    for binding in plan.bindings:
        pods_of.setdefault(binding.node, []).append(f"{binding.namespace}/{binding.name}")
    table.add_column("node", no_wrap=True)
    table.add_column("gets", justify="right", no_wrap=True)
    table.add_column("pods")  # the one column that may shrink: its cells are cut, not wrapped
    for node in sorted(pods_of)[:NODES_SHOWN_MAX]:
        names = Text(_named(sorted(pods_of[node])), no_wrap=True, overflow="ellipsis")
        table.add_row(node, f"{len(pods_of[node]):,}", names)
    if len(pods_of) > NODES_SHOWN_MAX:
        table.add_row(f"and {len(pods_of) - NODES_SHOWN_MAX:,} more")
    return table


def _evictions(evictions: Sequence[Eviction]) -> Table:
    """Who leaves, where to, and for whom."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("leaves", overflow="ellipsis")
    for name in ("from", "to", "for"):
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    for each in evictions[:EVICTIONS_SHOWN_MAX]:
        to = Text(each.to) if each.to is not None else Text("evicted", "yellow")
        table.add_row(f"{each.namespace}/{each.name}", each.from_, to, each.for_ or "–")
    if len(evictions) > EVICTIONS_SHOWN_MAX:
        table.add_row(f"and {len(evictions) - EVICTIONS_SHOWN_MAX:,} more")
    return table


def _named(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - NAMES_SHOWN_MAX
    return ", ".join(names[:NAMES_SHOWN_MAX]) + (f" and {more:,} more" if more > 0 else "")


def unplaced_reasons(unplaced: Iterable[Unplaced]) -> Iterable[tuple[str, str]]:
    """Names and message for each reason, the most frequent first."""
    by_message = sorted(unplaced, key=lambda u: (u.message, u.namespace, u.name))
    alike = [list(group) for _, group in groupby(by_message, key=lambda u: u.message)]
    alike.sort(key=lambda group: (-len(group), group[0].message))
    for group in alike[:REASONS_SHOWN_MAX]:
        yield _named([f"{u.namespace}/{u.name}" for u in group]), group[0].message
    if len(alike) > REASONS_SHOWN_MAX:
        yield f"and {len(alike) - REASONS_SHOWN_MAX:,} more reasons", "All are in the plan."
