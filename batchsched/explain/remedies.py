"""What would help, cheapest first; nothing is said that was not decided on and placed.

Each remedy is a changed snapshot. The order is what it costs: a rule of the pods' own, their
request, the gang's size, waiting for who runs, evicting them, nodes to buy.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from batchsched.explain.combined import Combined
from batchsched.explain.departures import Departures
from batchsched.explain.facts import PODS, on_group
from batchsched.explain.minimal import Core
from batchsched.explain.more_nodes import MoreNodes
from batchsched.explain.question import Question
from batchsched.explain.remedy import Remedy
from batchsched.explain.requests import in_time, lowered
from batchsched.explain.words import Words, advice
from batchsched.snapshot.ends import STARTS_WITHIN_S
from batchsched.snapshot.snapshot import Snapshot


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
        own = [*self._in_time(), *self._rules(), *self._requests(), *self._smaller_gang()]
        yield from own
        if not own:
            yield from Combined(self.snapshot, self.question, self.words).found(self.core.facts)
        yield from Departures(self.snapshot, self.question, self.contested).found()
        yield from MoreNodes(self.snapshot, self.question).found()

    def _in_time(self) -> Iterator[Remedy]:
        """To be gone before the room is needed that is kept for others, and to say so."""
        for made in (fact.subject for fact in self.core.facts if fact.kind == "reserved"):
            most_s = int((made.until_s or made.at_s) - made.at_s - STARTS_WITHIN_S)
            remedy = in_time(self.question.unit, most_s)
            if most_s > 0 and self._helps(remedy):
                yield remedy

    def _rules(self) -> Iterator[Remedy]:
        """One rule less."""
        for fact in self.core.facts:
            remedy = Remedy("rule", advice(fact), fact.dropped)
            if fact.kind not in {"capacity", "gang-minimum"} and self._helps(remedy):
                yield remedy

    def _requests(self) -> Iterator[Remedy]:
        """For each resource that is short, the most that could be asked for instead."""
        for fact in self.core.facts:
            if fact.kind == "capacity" and fact.subject != PODS:
                remedy = lowered(self.snapshot, self.question, self.words, fact.subject)
                if remedy is not None:
                    yield remedy

    def _smaller_gang(self) -> Iterator[Remedy]:
        """The most pods that the gang could start with."""
        most, index = self.words.most, self.question.group
        if not most or index is None or all(f.kind != "gang-minimum" for f in self.core.facts):
            return
        minimum = self.snapshot.groups[index].min_count
        what = f"let the gang start with {most} instead of {minimum} pods"
        remedy = Remedy("gang", what, on_group(index, min_count=most, parts=()))
        if most < minimum and self._helps(remedy):
            yield remedy

    def _helps(self, remedy: Remedy) -> bool:
        return remedy.helps(self.question, self.snapshot)
