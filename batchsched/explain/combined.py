"""Help where no single thing is enough: the pods are kept out for several reasons at once.

One set of facts is told, because it is proven and enough to keep them out. Without it there may be
another: sets are dropped one after the other until the pods are placed, and then as much of all
that is taken back as can be. What is left has to be done together.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from batchsched.explain.facts import PODS, Fact, facts_of, on_group, without
from batchsched.explain.minimal import Search
from batchsched.explain.question import Question
from batchsched.explain.remedy import Change, Remedy
from batchsched.explain.requests import lowered
from batchsched.explain.words import Words, advice
from batchsched.snapshot.snapshot import Snapshot

CAUSES_MAX = 4
"""Sets of facts, any of which would be enough: more than that is no pod to be helped."""

LAST = {"gang-minimum", "capacity"}
"""Kinds of facts about which as little as possible is done, once all else is."""


@dataclass(frozen=True)
class Combined:
    """Finds what has to be done together."""

    snapshot: Snapshot
    question: Question
    words: Words

    def found(self, core: tuple[Fact, ...]) -> Iterator[Remedy]:
        """The one remedy, of several parts, each of which it takes."""
        facts = sorted(self._enough(core), key=lambda each: each.kind in LAST)
        if not facts:
            return
        parts: list[Remedy] = []
        for fact in facts:
            others = [each for each in facts if each is not fact]
            part = self._part(fact, self._with(parts, others))
            if part is None:
                return
            parts.append(part)
        done = [part.change for part in parts]
        remedy = Remedy("together", "; and ".join(part.message for part in parts), _all(done))
        if remedy.helps(self.question, self.snapshot):
            yield remedy

    def _enough(self, core: tuple[Fact, ...]) -> list[Fact]:
        """The facts without which the pods are placed, none of which can stay; or nothing."""
        dropped = list(core)
        for _ in range(CAUSES_MAX):
            if self._helps(dropped):
                break
            left = without(self.snapshot, dropped)
            facts = facts_of(left, self.question.unit, self.question.group)
            more = Search(left, self.question, facts).core().facts
            if not more:
                return []
            dropped += more
        if not self._helps(dropped):
            return []
        for fact in list(dropped):
            fewer = [each for each in dropped if each is not fact]
            if self._helps(fewer):
                dropped = fewer
        return dropped

    def _helps(self, facts: list[Fact]) -> bool:
        remedy = Remedy("together", "", lambda snapshot: without(snapshot, facts))
        return remedy.helps(self.question, self.snapshot)

    def _with(self, parts: list[Remedy], others: list[Fact]) -> Snapshot:
        """The cluster with the parts that are found, and without what is to be found yet."""
        left = without(self.snapshot, others[len(parts) :])
        return _all([part.change for part in parts])(left)

    def _part(self, fact: Fact, snapshot: Snapshot) -> Remedy | None:
        """What to do about one of the facts, where the others are dealt with."""
        if fact.kind == "capacity" and fact.subject != PODS:
            return lowered(snapshot, self.question, self.words, fact.subject)
        if fact.kind == "gang-minimum" and self.question.group is not None:
            most = self.question.most(snapshot)
            if not most:
                return None
            what = f"let the gang start with {most} instead of {fact.subject[0]} pods"
            return Remedy("gang", what, on_group(self.question.group, min_count=most, parts=()))
        return Remedy("rule", advice(fact), fact.dropped)


def _all(changes: list[Change]) -> Change:
    """One change after the other."""

    def change(snapshot: Snapshot) -> Snapshot:
        for each in changes:
            snapshot = each(snapshot)
        return snapshot

    return change
