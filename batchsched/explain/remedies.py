"""What would help, cheapest first; nothing is said that was not decided on and placed.

Each remedy is a changed snapshot. The order is what it costs: a rule of the pods' own, their
request, the gang's size, waiting for who runs, evicting them, nodes to buy.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from batchsched.explain.departures import Departures
from batchsched.explain.facts import PODS, Fact, asking, on_group, on_pods, without
from batchsched.explain.minimal import Core
from batchsched.explain.more_nodes import MoreNodes
from batchsched.explain.question import Answer, Question
from batchsched.explain.remedy import Change, Remedy
from batchsched.explain.words import Words, amount, plain, taint_text
from batchsched.snapshot.snapshot import Snapshot

SLOTS_MAX = 16
"""Pods of the unit on one node, up to which lower requests are looked for."""


@dataclass(frozen=True)
class Remedies:
    """Finds what would help against a core."""

    snapshot: Snapshot
    question: Question
    core: Core
    words: Words
    contested: Snapshot | None = None
    """Where other pending pods come first: the cluster before they had their places."""

    def found(self) -> Iterator[Remedy]:
        """Each remedy, placed by a plan that the verifier passed."""
        yield from self._rules()
        yield from self._requests()
        yield from self._smaller_gang()
        yield from Departures(self.snapshot, self.question, self.contested).found()
        yield from MoreNodes(self.snapshot, self.question).found()

    def _helps(self, change: Change) -> bool:
        return self.question.ask(change(self.snapshot)) is Answer.YES

    def _rules(self) -> Iterator[Remedy]:
        """One rule less, or where none alone is enough, the fewest of the core together."""
        rules = [f for f in self.core.facts if f.kind not in {"capacity", "gang-minimum"}]
        single = [Remedy("rule", _advice(f), f.dropped) for f in rules if self._helps(f.dropped)]
        yield from single
        if single or len(rules) < 2:  # noqa: PLR2004 -- together means two
            return
        together: list[Fact] = [*rules]
        if not self._helps(_dropping(together)):
            return
        for fact in rules:
            fewer = [each for each in together if each is not fact]
            if self._helps(_dropping(fewer)):
                together = fewer
        yield Remedy("rule", "; and ".join(map(_advice, together)), _dropping(together))

    def _requests(self) -> Iterator[Remedy]:
        """For each resource that is short, the most that could be asked for instead."""
        for fact in self.core.facts:
            if fact.kind == "capacity" and fact.subject != PODS:
                yield from self._lower(fact.subject)

    def _lower(self, resource: str) -> Iterator[Remedy]:
        now, free = self.words.asked(resource), self.words.free.values()
        slots = range(1, min(len(self.question.unit), SLOTS_MAX) + 1)
        shares = {room.get(resource, 0) // k for room in free for k in slots}
        amounts = sorted(each for each in shares if 0 < each < now)

        def lowered(most: int) -> Change:
            return on_pods(self.question.unit, asking(resource, most))

        if not amounts or not self._helps(lowered(amounts[0])):
            if self._helps(lowered(0)):
                yield Remedy("request", f"do without {resource}", lowered(0))
            return
        low, high = 0, len(amounts)  # the one helps; the other does not, or is not there
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._helps(lowered(amounts[middle])) else (low, middle)
        what = f"ask for {amount(resource, amounts[low])} instead of {amount(resource, now)}"
        yield Remedy("request", what, lowered(amounts[low]))

    def _smaller_gang(self) -> Iterator[Remedy]:
        """The most pods that the gang could start with."""
        most, index = self.words.most, self.question.group
        if not most or index is None or all(f.kind != "gang-minimum" for f in self.core.facts):
            return
        change = on_group(index, min_count=most)
        minimum = self.snapshot.groups[index].min_count
        if most < minimum and self._helps(change):
            yield Remedy(
                "gang", f"let the gang start with {most} instead of {minimum} pods", change
            )


def _dropping(facts: Sequence[Fact]) -> Change:
    """The change that drops facts together."""
    return lambda snapshot: without(snapshot, facts)


def _advice(fact: Fact) -> str:
    """What to do about a rule."""
    match fact.kind:
        case "taint":
            return f"tolerate {taint_text(fact.subject)}, or remove it from its nodes"
        case "cordon":
            return "uncordon the cordoned nodes"
        case "gang-topology":
            return f"let the gang span more than one {fact.subject}"
        case "affinity" | "anti-affinity" | "held-off" | "node-affinity" | "topology-spread":
            return f"make it a preference instead of a requirement: {plain(fact)}"
        case "group-problem":
            return f"mend the group: {fact.subject}"
        case _:
            return f"drop this rule: {plain(fact)}"
