"""Cases by the hundred: is the planted cause named, nothing superfluous, and does each help help?

Believes nothing that the explanation says of itself: every fact and every remedy is decided on once
more, from the snapshot, with a seed of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf
from random import Random

from batchsched.explain.explaining import Finding, find_out
from batchsched.explain.facts import facts_of, without
from batchsched.explain.question import Answer, Means, Question
from batchsched.snapshot.snapshot import Snapshot
from tests.explain.planted import CAUSES, Plant, subject_of
from tests.explain.world import World

SEED = 11
"""Other than those that an explanation uses."""


@dataclass(frozen=True, slots=True)
class Case:
    """One planted snapshot; ``kinds`` are those of its cause."""

    name: str
    snapshot: Snapshot
    kinds: tuple[str, ...]


def cases(count: int, size: int, loads: int) -> Iterator[Case]:
    """Plant after plant, each time on another world of so many nodes."""
    plants: list[Plant] = list(CAUSES)
    for seed in range(count):
        plant = plants[seed % len(plants)]
        world = World(Random(seed), size, loads)
        yield Case(f"{plant.__name__} {seed}", plant(world), CAUSES[plant])


def explained(case: Case, means: Means) -> Finding:
    """What is found out about whom the case is about."""
    return find_out(case.snapshot, subject_of(case.snapshot), means)


def faults(case: Case, found: Finding) -> Iterator[str]:
    """What is wrong with a finding; nothing, if all is well."""
    said = found.explanation
    if (said.status, said.proven) != ("Unplaced", True):
        yield f"{said.status}, {'proven' if said.proven else 'not proven'}"
        return
    if tuple(sorted(fact.kind for fact in found.facts)) != case.kinds:
        yield f"the cause is {case.kinds}: {[(f.kind, f.message) for f in said.facts]}"
    assert found.question is not None
    endless = replace(found.question.means, end_s=inf)
    question = replace(found.question, means=endless)
    yield from _spare(found, question)
    yield from _useless(found, question)


def _spare(found: Finding, question: Question) -> Iterator[str]:
    """The facts that could be spared; and where all together are not enough."""
    others = [
        fact
        for fact in facts_of(found.snapshot, question.unit, question.group)
        if fact not in found.facts
    ]
    alone = without(found.snapshot, others)
    if question.ask(alone, seed=SEED) is not Answer.NO:
        yield "the facts are not enough"
    for fact in found.facts:
        if question.ask(fact.dropped(alone), seed=SEED) is not Answer.YES:
            yield f"{fact.kind} could be spared"


def _useless(found: Finding, question: Question) -> Iterator[str]:
    """The remedies that place nobody."""
    if not found.remedies:
        yield "nothing would help"
    for remedy in found.remedies:
        tried, snapshot = remedy.tried(question, found.snapshot)
        if tried.ask(snapshot, seed=SEED) is not Answer.YES:
            yield f"does not help: {remedy.message}"
