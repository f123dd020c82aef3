"""`batchsched explain`: what keeps a pod or a group from being placed, and what would help."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from batchsched.cli import options
from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.errors import InputError

if TYPE_CHECKING:
    from batchsched.explain.explanation import Explanation
    from batchsched.explain.subject import Subject

LIMIT_OF_ONE_S = 5.0
"""Of one of the many decisions that an explanation takes."""


@click.command()
@click.argument("name", metavar="NAMESPACE/NAME")
@click.argument("snapshots", metavar="SNAPSHOT...", nargs=-1, required=True)
@click.option(
    "--kind",
    type=click.Choice(["pod", "podgroup"]),
    default="pod",
    show_default=True,
    help="What the name is of.",
)
@options.time_limit("Say what is known by then (loading apart).")
@options.profile
@options.preemption
@options.form("How to print the explanation.")
def explain(  # noqa: PLR0917 -- one parameter for each option
    name: str,
    snapshots: tuple[str, ...],
    kind: str,
    time_limit: float,
    profile: str | None,
    preemption: str,
    form: str,
) -> None:
    """Say what keeps a pod or a group from being placed, and what would help.

    SNAPSHOT is what `kubectl get nodes,pods,... -A -o json` printed: files, folders, or - for
    stdin. Each fact is proven necessary and all of them together sufficient, each help was tried on
    a changed snapshot.
    """
    from batchsched.cli.files import load
    from batchsched.cli.profiles import load_profile
    from batchsched.explain.explaining import explain as explained
    from batchsched.explain.question import Means
    from batchsched.scheduler import Limits

    subject = _subject(kind, name)
    chosen = load_profile(profile)
    snapshot, _ = load(snapshots)
    means = Means(
        profile=chosen,
        limits=Limits(time_limit_s=min(time_limit, LIMIT_OF_ONE_S)),
        clock=time.monotonic,
        end_s=time.monotonic() + time_limit,
        allowance=Allowance(preemption=preemption == "lower-priority"),
    )
    sys.stdout.write(_printed(explained(snapshot, subject, means), form))


def _subject(kind: str, name: str) -> Subject:
    """Whom the words of the command line name."""
    from batchsched.explain.subject import Subject

    namespace, slash, own = name.partition("/")
    if not slash or not namespace or not own or "/" in own:
        raise InputError(f"is {name!r}; give namespace/name", source="NAMESPACE/NAME")
    return Subject("podgroup" if kind == "podgroup" else "pod", namespace, own)


def _printed(explanation: Explanation, form: str) -> str:
    """The explanation as text."""
    if form == "table":
        return "\n".join(_lines(explanation)) + "\n"
    content = explanation.to_json()
    if form == "json":
        return content.decode()
    import orjson
    import yaml

    return yaml.safe_dump(orjson.loads(content), sort_keys=False, allow_unicode=True)


def _lines(explanation: Explanation) -> list[str]:
    """What people read."""
    proven = {"Placed": "", "Unplaced": " (proven)", "Unknown": ""}[explanation.status]
    sure = proven if explanation.proven else " (not proven)"
    lines = [f"{explanation.subject}: {explanation.status}{sure}", f"  {explanation.message}"]
    if explanation.facts:
        lines += ["", "Why: these together, and none of them can be spared"]
        lines += [f"  {fact.rule}: {fact.message}" for fact in explanation.facts]
    elif explanation.status == "Unplaced" and not explanation.proven:
        lines += ["", "No facts are proven: the time was up, or a rule of a plug-in is to blame."]
    if explanation.remedies:
        lines += ["", "What would help, cheapest first; each was tried"]
        lines += [f"  - {remedy.message}" for remedy in explanation.remedies]
    if explanation.alternatives:
        lines += ["", "Other nodes that would take it, and what they cost"]
        lines += [f"  {each.node}: {each.message}" for each in explanation.alternatives]
    return lines
