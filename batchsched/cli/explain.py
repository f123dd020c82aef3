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
    from collections.abc import Iterator

    from batchsched.explain.explanation import Explanation
    from batchsched.explain.subject import Subject

LIMIT_OF_ONE_S = 5.0
"""Of one of the many decisions that an explanation takes."""


@click.command()
@click.argument("name", metavar="NAMESPACE/NAME")
@click.argument("snapshots", metavar="[SNAPSHOT]...", nargs=-1)
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
@options.kubeconfig
@options.context
@options.form("How to print the explanation; wide names all nodes and pods.", wide=True)
def explain(  # noqa: PLR0917 -- one parameter for each option
    name: str,
    snapshots: tuple[str, ...],
    kind: str,
    time_limit: float,
    profile: str | None,
    preemption: str,
    kubeconfig: str | None,
    context: str | None,
    form: str,
) -> None:
    """Say what keeps a pod or a group from being placed, and what would help.

    SNAPSHOT is what `kubectl get nodes,pods,... -A -o json` printed: files, folders, or - for
    stdin. Without one, the cluster of your kubeconfig is read as it is now. Each fact is proven
    necessary and all of them together sufficient, each help was tried on a changed snapshot.
    """
    from batchsched.cli.live_snapshot import load_or_read
    from batchsched.cli.profiles import load_profile
    from batchsched.explain.explaining import explain as explained
    from batchsched.explain.question import Means
    from batchsched.scheduler import Limits

    subject = _subject(kind, name)
    chosen = load_profile(profile)
    snapshot = load_or_read(snapshots, kubeconfig, context)
    means = Means(
        profile=chosen,
        limits=Limits(time_limit_s=min(time_limit, LIMIT_OF_ONE_S)),
        clock=time.monotonic,
        end_s=time.monotonic() + time_limit,
        allowance=Allowance(preemption=preemption == "lower-priority"),
    )
    sys.stdout.write(printed(explained(snapshot, subject, means), form))


def _subject(kind: str, name: str) -> Subject:
    """Whom the words of the command line name."""
    from batchsched.explain.subject import Subject

    namespace, slash, own = name.partition("/")
    if not slash or not namespace or not own or "/" in own:
        raise InputError(f"is {name!r}; give namespace/name", source="NAMESPACE/NAME")
    return Subject("podgroup" if kind == "podgroup" else "pod", namespace, own)


def printed(explanation: Explanation, form: str) -> str:
    """The explanation as text."""
    if form in {"table", "wide"}:
        return "\n".join(_lines(explanation, wide=form == "wide")) + "\n"
    content = explanation.to_json()
    if form == "json":
        return content.decode()
    import orjson
    import yaml

    return yaml.safe_dump(orjson.loads(content), sort_keys=False, allow_unicode=True)


def _lines(explanation: Explanation, *, wide: bool) -> list[str]:
    """What people read."""
    proven = {"Placed": "", "Unplaced": " (proven)", "Unknown": ""}[explanation.status]
    sure = proven if explanation.proven else " (not proven)"
    lines = [f"{explanation.subject}: {explanation.status}{sure}", f"  {explanation.message}"]
    if wide and explanation.pods:
        lines.append(f"  asked about: {', '.join(explanation.pods)}")
    lines += _facts(explanation, wide=wide)
    return [*lines, *_remedies(explanation), *_alternatives(explanation)]


def _remedies(explanation: Explanation) -> Iterator[str]:
    """What would help, and whether there may be more."""
    if explanation.status != "Unplaced" or not (explanation.facts or explanation.remedies):
        return
    yield ""
    if explanation.remedies:
        yield "What would help, cheapest first; each was tried"
    elif explanation.all_remedies:
        yield "Nothing that was tried would help."
    for remedy in explanation.remedies:
        yield f"  - {remedy.message}"
    if not explanation.all_remedies:
        yield "  The time was up; more may help (--time-limit)."


def _facts(explanation: Explanation, *, wide: bool) -> Iterator[str]:
    """Why not, with all nodes and pods that a fact concerns where there is room for it."""
    if explanation.facts:
        sure = ", and none of them can be spared" if explanation.proven else "; some may not matter"
        yield ""
        yield f"Why: these together{sure}"
    elif explanation.status == "Unplaced" and not explanation.proven:
        yield ""
        yield "No facts are proven: the time was up, or a rule of a plug-in is to blame."
    for fact in explanation.facts:
        yield f"  {fact.rule}: {fact.message}"
        if wide:
            yield f"      kind: {fact.kind}"
        for what, names in (("nodes", fact.nodes), ("pods", fact.pods)) if wide else ():
            if names:
                yield f"      {what}: {', '.join(names)}"


def _alternatives(explanation: Explanation) -> list[str]:
    """Where else a pod could be, and what that would cost."""
    if not explanation.alternatives:
        return ["", "No other node would take it."] if explanation.all_alternatives else []
    lines = ["", "Other nodes that would take it, the next best first, and what they cost"]
    lines += [f"  {each.node}: {each.message}" for each in explanation.alternatives]
    return lines if explanation.all_alternatives else [*lines, "  others: no better than these"]
