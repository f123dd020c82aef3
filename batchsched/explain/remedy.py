"""A remedy: something that helps, as the changed snapshot on which it was tried.

Knows nothing of how remedies are found, so that whoever doubts one can try it again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from batchsched.explain.question import Answer, Question
from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.snapshot import Snapshot

Change: TypeAlias = Callable[[Snapshot], Snapshot]


@dataclass(frozen=True, slots=True)
class Remedy:
    """Something that helps.

    Attributes:
        kind: What sort of help.
        message: What to do.
        change: Of the snapshot, where that is done.
        preempting: Whether preemption has to be allowed.
        among_all: Whether it is tried with all pending pods; ``change`` then gives a snapshot in
            which they are.
    """

    kind: str
    message: str
    change: Change
    preempting: bool = False
    among_all: bool = False

    def tried(self, question: Question, snapshot: Snapshot) -> tuple[Question, Snapshot]:
        """The question to ask, and the snapshot to ask it of."""
        means = question.means
        if self.preempting:
            moves_max = means.allowance.moves_max
            means = replace(means, allowance=Allowance(preemption=True, moves_max=moves_max))
        return replace(question, means=means, among_all=self.among_all), self.change(snapshot)

    def helps(self, question: Question, snapshot: Snapshot) -> bool:
        """Whether a plan that the verifier passed places the pods then."""
        asked, changed = self.tried(question, snapshot)
        return asked.ask(changed) is Answer.YES
