"""What a person reads after a what-if: what was changed, what comes of it, and how sure that is."""

import sys
from collections.abc import Iterable, Sequence
from typing import Literal

import orjson
import yaml
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from batchsched.cli.summary import stdout_console, unplaced_reasons
from batchsched.plan.plan import PlanTier, Unplaced
from batchsched.whatif.answer import Answer, Change, Fitted, Side
from batchsched.whatif.drain_answer import DrainNodes, DrainStep, Pinned

NAMES_SHOWN_MAX, STEPS_SHOWN_MAX = 12, 20
PODS_SHOWN_MAX = 3
"""Of one step."""


def show(answer: Change | Fitted | DrainNodes, form: str) -> None:
    """Print an answer: for people, or as JSON or YAML."""
    if form != "table":
        sys.stdout.write(printed(answer, form))
    elif isinstance(answer, Change):
        print_change(answer)
    elif isinstance(answer, Fitted):
        print_fit(answer)
    else:
        print_drain(answer)


def printed(answer: Answer, form: str) -> str:
    """The answer as JSON or YAML."""
    if form == "json":
        return answer.to_json().decode()
    return yaml.safe_dump(orjson.loads(answer.to_json()), sort_keys=False, allow_unicode=True)


def print_change(change: Change) -> None:
    """Print what changes."""
    console = stdout_console()
    console.print(Text(f"What if: {'; '.join(change.edits)}", style="bold"))
    console.print()
    console.print(_counts(change))
    console.print()
    console.print(_tiers(change))
    _print_names(console, "Newly placed", change.newly_placed)
    _print_names(console, "No longer placed", change.no_longer_placed)
    _print_names(console, "Return, made anew by their controllers", change.returning)
    _print_names(console, "Lost, for no controller owns them", change.lost)
    print_unplaced(console, change.unplaced)


def print_fit(fit: Fitted) -> None:
    """Print the cheapest set of nodes."""
    console = stdout_console()
    what = {
        "Optimal": "No set costs less",
        "Feasible": f"At most {fit.gap:.2%} above the least",
        "Infeasible": "Not all have a place on any number of these",
    }[fit.status]
    console.print(
        Text(
            f"{fit.placed:,} of {fit.pending:,} pending pods are placed "
            f"with new nodes for {fit.cost:g}. {what}.",
            style="bold",
        )
    )
    grid = table(("shape", "left"), ("nodes", "right"), ("each", "right"), ("together", "right"))
    for each in fit.nodes:
        total = each.count * each.price
        grid.add_row(each.shape, f"{each.count:,}", f"{each.price:g}", f"{total:g}")
    grid.add_row("cost", "", "", f"{fit.cost:g}")
    grid.add_row("bound", "", "", f"{fit.bound:g}")
    console.print()
    console.print(grid)
    print_unplaced(console, fit.unplaced)


def print_drain(drain: DrainNodes) -> None:
    """Print which nodes can be drained, in which order, and what keeps the others."""
    console = stdout_console()
    if drain.edits:
        console.print(Text(f"What if: {'; '.join(drain.edits)}", style="bold"))
    empty = next(tier for tier in drain.tiers if tier.name == "drained")
    sure = "No way empties more" if drain.status == "Optimal" else f"At most {empty.bound:,} can"
    console.print(
        Text(
            f"{empty.value:,} of {drain.nodes:,} nodes can be empty: "
            f"{len(drain.drained):,} can be drained, {len(drain.empty_now):,} empty now. {sure}.",
            style="bold",
        )
    )
    if drain.pending:
        console.print(f"{drain.placed:,} of {drain.pending:,} pending pods are placed first.")
    console.print()
    console.print(tiers_table(drain.tiers))
    if drain.steps:
        console.print()
        console.print(_steps(drain.steps))
    _print_pins(console, drain.pinned)
    print_unplaced(console, drain.unplaced)


def tiers_table(tiers: Sequence[PlanTier]) -> Table:
    """The certificate: what each tier is worth, and its bound."""
    grid = table(("tier", "left"), ("value", "right"), ("bound", "right"), ("", "left"))
    for tier in tiers:
        proven = "proven" if tier.status == "Optimal" else f"gap {tier.gap:.2%}"
        grid.add_row(tier.name, f"{tier.value:,}", f"{tier.bound:,}", proven)
    return grid


def _steps(steps: Sequence[DrainStep]) -> Table:
    """Who goes where, step by step."""
    grid = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    grid.add_column("step", justify="right", no_wrap=True)
    grid.add_column("from", no_wrap=True)
    grid.add_column("pods", justify="right", no_wrap=True)
    grid.add_column("to")  # the one column that may shrink
    for number, step in enumerate(steps[:STEPS_SHOWN_MAX], 1):
        pods = [f"{pod.namespace}/{pod.name} → {pod.to}" for pod in step.pods]
        more = len(pods) - PODS_SHOWN_MAX
        names = ", ".join(pods[:PODS_SHOWN_MAX]) + (f" and {more:,} more" if more > 0 else "")
        to = Text(names, no_wrap=True, overflow="ellipsis")
        grid.add_row(f"{number:,}", step.node or "(pending)", f"{len(pods):,}", to)
    if len(steps) > STEPS_SHOWN_MAX:
        grid.add_row("", f"and {len(steps) - STEPS_SHOWN_MAX:,} more", "", "")
    return grid


def _print_pins(console: Console, pinned: Sequence[Pinned]) -> None:
    """What keeps nodes from being drained, the most frequent first."""
    reasons: dict[str, set[str]] = {}
    first: dict[str, str] = {}
    for pin in pinned:
        reasons.setdefault(pin.why, set()).add(pin.node)
        first.setdefault(pin.why, f"{pin.namespace}/{pin.name} on {pin.node}")
    if reasons:
        kept = len({pin.node for pin in pinned})
        console.print(Text(f"\nKept from draining by a pod: {_nodes(kept)}", style="bold"))
    for why, nodes in sorted(reasons.items(), key=lambda each: (-len(each[1]), each[0])):
        console.print(Padding(Text(f"{_nodes(len(nodes))}: {why}"), (0, 0, 0, 2), expand=False))
        console.print(Padding(Text(f"as {first[why]}", "dim"), (0, 0, 0, 4), expand=False))


def _nodes(count: int) -> str:
    return f"{count:,} node" if count == 1 else f"{count:,} nodes"


def _counts(change: Change) -> Table:
    grid = table(("", "left"), ("now", "right"), ("then", "right"))
    for each in change.priorities:
        now = f"{each.placed_now:,} of {each.pending_now:,}"
        then = f"{each.placed_then:,} of {each.pending_then:,}"
        grid.add_row(f"pods placed, priority {each.priority}", now, then)
    now_then = (change.now, change.then)
    grid.add_row("pod groups placed", *(f"{s.gangs_placed:,} of {s.gangs:,}" for s in now_then))
    grid.add_row("nodes in use", *(f"{s.nodes_in_use:,} of {s.nodes:,}" for s in now_then))
    return grid


def _tiers(change: Change) -> Table:
    """Both sides' tiers, with what is proven of each."""
    sides = [_of_side(change.now), _of_side(change.then)]
    names = list(dict.fromkeys([*sides[1], *sides[0]]))
    grid = table(("tier", "left"), ("now", "right"), ("", "left"), ("then", "right"), ("", "left"))
    for name in names:
        grid.add_row(name, *(cell for side in sides for cell in side.get(name, ("–", ""))))
    return grid


def _of_side(side: Side) -> dict[str, tuple[str, str]]:
    return {
        tier.name: (
            f"{tier.value:,}",
            "proven" if tier.status == "Optimal" else f"bound {tier.bound:,}",
        )
        for tier in side.tiers
    }


def table(*columns: tuple[str, Literal["left", "right"]]) -> Table:
    """A plain table with its columns."""
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name, justify in columns:
        made.add_column(name, justify=justify)
    return made


def _print_names(console: Console, title: str, names: Sequence[str]) -> None:
    if names:
        more = len(names) - NAMES_SHOWN_MAX
        console.print(Text(f"\n{title}: {len(names):,}", style="bold"))
        for name in names[:NAMES_SHOWN_MAX]:
            console.print(f"  {name}")
        if more > 0:
            console.print(f"  and {more:,} more")


def print_unplaced(console: Console, unplaced: Iterable[Unplaced]) -> None:
    """Print who waits, and why."""
    waiting = list(unplaced)
    if waiting:
        console.print(Text(f"\nNot placed: {len(waiting):,}", style="bold"))
        for names, message in unplaced_reasons(waiting):
            console.print(Padding(Text(names, style="yellow"), (0, 0, 0, 2), expand=False))
            console.print(Padding(Text(message), (0, 0, 0, 4), expand=False))
