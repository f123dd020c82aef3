"""`batchsched what-if`: a snapshot edited, solved beside the one that is, and compared with it."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import click

from batchsched.cli import options
from batchsched.snapshot.errors import InputError

if TYPE_CHECKING:
    from batchsched.snapshot.node import Node
    from batchsched.whatif.edits import Edited
    from batchsched.whatif.shapes import Shape

EDITS = ("add_nodes", "remove_node", "cordon", "set_requests", "scale", "priority")
UNPLACED = 3


@click.command("what-if")
@click.argument("snapshots", metavar="SNAPSHOT...", nargs=-1, required=True)
@click.option(
    "--add-nodes",
    multiple=True,
    metavar="FILE|NAME=COUNT",
    help="Add so many nodes like the one in a file, or like one that is there.",
)
@click.option(
    "--remove-node",
    multiple=True,
    metavar="NAME",
    help="Take a node away; its pods come back where a controller owns them.",
)
@click.option("--cordon", multiple=True, metavar="NAME", help="Let no more pods on a node.")
@click.option(
    "--set-requests",
    multiple=True,
    metavar="WORKLOAD:RESOURCE=AMOUNT,...",
    help="Have the pending pods of a workload ask for other amounts.",
)
@click.option(
    "--scale",
    multiple=True,
    metavar="WORKLOAD=N",
    help="Have N pending pods of a workload.",
)
@click.option(
    "--priority",
    multiple=True,
    metavar="WORKLOAD=N",
    help="Give the pending pods of a workload another priority.",
)
@click.option(
    "--fit-all",
    is_flag=True,
    help="Find the cheapest set of nodes that places the whole backlog.",
)
@click.option("--shapes", metavar="FILE", help="What nodes can be had, and what they cost.")
@options.time_limit("For each solve; of --fit-all for the whole.")
@options.profile
@options.workers
@options.seed("Of the search.")
@options.form("What to print: tables for people, or all that was found.")
@click.option(
    "--fail-on-unplaced", is_flag=True, help="Exit with 3 when pods stay unplaced after the edits."
)
def what_if(  # noqa: PLR0917 -- one parameter for each option
    snapshots: tuple[str, ...],
    add_nodes: tuple[str, ...],
    remove_node: tuple[str, ...],
    cordon: tuple[str, ...],
    set_requests: tuple[str, ...],
    scale: tuple[str, ...],
    priority: tuple[str, ...],
    fit_all: bool,
    shapes: str | None,
    time_limit: float,
    profile: str | None,
    workers: int | None,
    seed: int,
    form: str,
    fail_on_unplaced: bool,
) -> int:
    """Edit a snapshot, and say what changes.

    SNAPSHOT is what `kubectl get nodes,pods,... -A -o json` printed: files, folders, or - for
    stdin. A WORKLOAD is [NAMESPACE/]NAME of a Job, a Deployment or another owner of pods, of a pod
    group, or of a single pod. Edits are made in the order of the options above.
    """
    from batchsched.cli.files import load
    from batchsched.cli.profiles import load_profile
    from batchsched.cli.what_if_tables import print_change, print_fit, printed
    from batchsched.scheduler import Limits, schedule
    from batchsched.snapshot.snapshot import pending
    from batchsched.whatif.answer import compare, fitted
    from batchsched.whatif.edits import Edited
    from batchsched.whatif.fitting import fit_all as fit

    chosen, offers = load_profile(profile), _offers(shapes, fit_all=fit_all)
    given = (add_nodes, remove_node, cordon, set_requests, scale, priority)
    if not fit_all and not any(given):
        raise InputError("nothing to change; give an edit, or --fit-all with --shapes")
    snapshot, _ = load(snapshots)
    edited = _edited(Edited(snapshot), dict(zip(EDITS, given, strict=True)))
    limits = Limits(time_limit_s=time_limit, workers=workers or _cores(), seed=seed)
    if offers:
        window = pending(edited.snapshot)
        fitting = fit(edited.snapshot, window, chosen, offers, limits, time.monotonic)
        answer = fitted(edited, fitting)
        sys.stdout.write(printed(answer, form)) if form != "table" else print_fit(answer)
        return UNPLACED if fail_on_unplaced and answer.unplaced else 0
    plans = [
        schedule(each, pending(each), chosen, limits, time.monotonic)
        for each in (snapshot, edited.snapshot)
    ]
    change = compare(snapshot, plans[0], edited, plans[1])
    sys.stdout.write(printed(change, form)) if form != "table" else print_change(change)
    return UNPLACED if fail_on_unplaced and change.unplaced else 0


def _offers(shapes: str | None, *, fit_all: bool) -> tuple[Shape, ...]:
    """The shapes, which --fit-all and nobody else asks for."""
    from batchsched.cli.files import documents_of
    from batchsched.whatif.shapes import parse_shapes

    if fit_all != (shapes is not None):
        raise InputError("--fit-all and --shapes FILE go together; give both")
    return () if shapes is None else parse_shapes(documents_of(shapes), shapes)


def _edited(edited: Edited, given: dict[str, tuple[str, ...]]) -> Edited:
    """The edits, option by option."""
    from batchsched.whatif import edits

    for text in given["add_nodes"]:
        name, count = _assigned(text, "--add-nodes")
        edited = edits.add_nodes(edited, _pattern(edited, name), count)
    for name in given["remove_node"]:
        edited = edits.remove_node(edited, name)
    for name in given["cordon"]:
        edited = edits.cordon(edited, name)
    for text in given["set_requests"]:
        workload, _, amounts = text.rpartition(":")
        edited = edits.set_requests(edited, workload, edits.amounts(amounts))
    for text in given["scale"]:
        edited = edits.scale(edited, *_assigned(text, "--scale"))
    for text in given["priority"]:
        edited = edits.set_priority(edited, *_assigned(text, "--priority"))
    return edited


def _pattern(edited: Edited, name: str) -> Node:
    """What copies are made of: a node that is there, else the one in a file."""
    from batchsched.cli.files import load

    here = [node for node in edited.snapshot.nodes if node.name == name]
    if here:
        return here[0]
    found = load([name])[0].nodes
    if len(found) != 1:
        raise InputError(f"holds {len(found)} nodes; give one", source=name)
    return found[0]


def _assigned(text: str, option: str) -> tuple[str, int]:
    """``NAME=N`` taken apart."""
    name, _, number = text.rpartition("=")
    if not name or not number.lstrip("-").isdecimal():
        raise InputError(f"is {text!r}; write NAME=N", source=option)
    return name, int(number)


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
