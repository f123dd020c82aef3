"""A smallest set of facts that still keeps the pods out: found quickly, then proven one by one.

Finding divides and conquers (Junker's QuickXplain, AAAI 2004), which takes k log(n/k) questions for
k of n facts, and assumes that dropping a fact never makes things worse. That is nearly always so
(hard spread counts domains by node affinity), so nothing rests on it: deletion has the last word,
and the set it leaves is asked about again with another seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from batchsched.explain.facts import Fact, without
from batchsched.explain.question import Answer, Question
from batchsched.snapshot.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Core:
    """A smallest set, and whether everything about it is proven."""

    facts: tuple[Fact, ...]
    proven: bool


@dataclass(slots=True)
class Search:
    """Asks about sets of facts, each at most once."""

    snapshot: Snapshot
    question: Question
    facts: tuple[Fact, ...]
    asked: dict[frozenset[int], Answer] = field(default_factory=dict)

    def answer(self, kept: frozenset[int]) -> Answer:
        """Whether the pods are placed where only these facts hold."""
        found = self.asked.get(kept)
        if found is None:
            found = self.question.ask(self.alone(kept))
            self.asked[kept] = found
        return found

    def alone(self, kept: frozenset[int]) -> Snapshot:
        """The snapshot in which only these facts hold."""
        return without(self.snapshot, (fact for i, fact in enumerate(self.facts) if i not in kept))

    def core(self) -> Core:
        """A smallest set of facts that keeps the pods out; all of them are known to."""
        everything = frozenset(range(len(self.facts)))
        if self.answer(frozenset()) is not Answer.YES:
            return Core((), proven=False)  # not for any fact that we can drop
        found = frozenset(self._part(frozenset(), added=False, rest=sorted(everything)))
        if self.answer(found) is not Answer.NO:
            found = everything
        return self._proven(self._deleted(found))

    def _part(self, kept: frozenset[int], *, added: bool, rest: Sequence[int]) -> list[int]:
        """Of the rest, those that it takes beside the kept ones."""
        if added and self.answer(kept) is Answer.NO:
            return []
        if len(rest) == 1:
            return [*rest]
        half = len(rest) // 2
        first, second = rest[:half], rest[half:]
        late = self._part(kept | {*first}, added=True, rest=second)
        early = self._part(kept | {*late}, added=bool(late), rest=first)
        return early + late

    def _deleted(self, found: frozenset[int]) -> frozenset[int]:
        """A part of the set that keeps the pods out, and of which nothing can be spared."""
        while True:
            spare = next((i for i in sorted(found) if self.answer(found - {i}) is Answer.NO), None)
            if spare is None:
                return found
            found -= {spare}

    def _proven(self, found: frozenset[int]) -> Core:
        """The set, each part of which was asked about once more."""
        ask, seed = self.question.ask, self.question.means.limits.seed + 1
        enough = ask(self.alone(found), seed=seed) is Answer.NO
        needed = all(ask(self.alone(found - {i}), seed=seed) is Answer.YES for i in found)
        return Core(tuple(self.facts[i] for i in sorted(found)), enough and needed)
