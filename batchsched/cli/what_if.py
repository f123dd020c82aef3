"""`batchsched what-if`: a snapshot edited, solved beside the one that is, and compared with it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from batchsched.cli import options
from batchsched.snapshot.errors import InputError

if TYPE_CHECKING:
    from batchsched.profile import Profile
    from batchsched.scheduler import Limits
    from batchsched.snapshot.allowance import Allowance
    from batchsched.snapshot.node import Node
    from batchsched.snapshot.snapshot import Snapshot, Window
    from batchsched.whatif.answer import Change, Fitted
    from batchsched.whatif.drain_answer import DrainNodes
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
@click.option(
    "--drain-nodes",
    is_flag=True,
    help="Find the most nodes that can be emptied with everybody placed, and an order.",
)
@options.scheduler_names("Only pending pods of this scheduler; repeatable. Default: any.")
@options.preemption
@options.moves
@options.time_limit("For each solve; of --fit-all and --drain-nodes for the whole.")
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
    drain_nodes: bool,
    scheduler_names: tuple[str, ...],
    preemption: str,
    moves: str,
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
    group, or of a single pod. Edits are made in the order of the options above. With --drain-nodes,
    --moves says how many pods may move from nodes that are not emptied.
    """
    from batchsched.cli.files import load
    from batchsched.cli.profiles import load_profile
    from batchsched.cli.what_if_tables import show
    from batchsched.whatif.edits import Edited

    given = (add_nodes, remove_node, cordon, set_requests, scale, priority)
    allowance = options.allowance(preemption, moves)
    limits = options.limits(time_limit, workers, seed)
    asked = _Asked(load_profile(profile), limits, allowance, scheduler_names)
    offers = _offers(shapes, fit_all=fit_all)
    _refuse_what_does_not_go_together(allowance, fit_all=fit_all, drain_nodes=drain_nodes)
    if not fit_all and not drain_nodes and not any(given):
        raise InputError(
            "nothing to change; give an edit, --drain-nodes, or --fit-all with --shapes"
        )
    snapshot, _ = load(snapshots)
    edited = _edited(Edited(snapshot), dict(zip(EDITS, given, strict=True)))
    answer: Change | Fitted | DrainNodes
    if offers:
        answer = asked.fit(edited, offers)
    elif drain_nodes:
        answer = asked.drain(edited)
    else:
        answer = asked.change(snapshot, edited)
    show(answer, form)
    return UNPLACED if fail_on_unplaced and answer.unplaced else 0


@dataclass
class _Asked:
    """How to answer, whatever is asked."""

    profile: Profile
    limits: Limits
    allowance: Allowance
    scheduler_names: tuple[str, ...]

    def window(self, snapshot: Snapshot) -> Window:
        """The pending pods that it is about."""
        from batchsched.snapshot.snapshot import pending

        return pending(snapshot, self.scheduler_names)

    def change(self, snapshot: Snapshot, edited: Edited) -> Change:
        """Solve as it is, and as it would be."""
        from batchsched.scheduler import schedule
        from batchsched.whatif.answer import compare

        plans = [
            schedule(
                each,
                self.window(each),
                self.profile,
                self.limits,
                time.monotonic,
                allowance=self.allowance,
            )
            for each in (snapshot, edited.snapshot)
        ]
        return compare(snapshot, plans[0], edited, plans[1])

    def fit(self, edited: Edited, offers: tuple[Shape, ...]) -> Fitted:
        """Find the cheapest nodes."""
        from batchsched.whatif.answer import fitted
        from batchsched.whatif.fitting import fit_all

        window = self.window(edited.snapshot)
        found = fit_all(edited.snapshot, window, self.profile, offers, self.limits, time.monotonic)
        return fitted(edited, found)

    def drain(self, edited: Edited) -> DrainNodes:
        """Find the nodes that can be emptied."""
        from batchsched.whatif.drain_answer import drain_answer
        from batchsched.whatif.draining import drain_nodes

        window = self.window(edited.snapshot)
        found = drain_nodes(
            edited.snapshot,
            window,
            self.profile,
            self.limits,
            time.monotonic,
            moves_max=self.allowance.moves_max,
        )
        return drain_answer(edited, found)


def _refuse_what_does_not_go_together(
    allowance: Allowance, *, fit_all: bool, drain_nodes: bool
) -> None:
    if fit_all and drain_nodes:
        raise InputError("--fit-all adds nodes and --drain-nodes empties them; give one of them")
    if fit_all and allowance:
        raise InputError("--fit-all evicts and moves nobody; leave out --preemption and --moves")
    if drain_nodes and allowance.preemption:
        raise InputError("--drain-nodes has a place for each pod; leave out --preemption")


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
