"""Help by asking for less: the most of one resource with which the pods are placed; or of time."""

from dataclasses import replace

from batchsched.explain.facts import asking, on_pods
from batchsched.explain.question import PodKey, Question
from batchsched.explain.remedy import Remedy
from batchsched.explain.words import Words, amount
from batchsched.snapshot.ends import EXPECTED_DURATION
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot

SLOTS_MAX = 16
"""Pods of the unit on one node, up to which lower requests are looked for."""


def in_time(unit: frozenset[PodKey], most_s: int) -> Remedy:
    """To say that the pods run for so long at most."""
    said = (EXPECTED_DURATION, f"{most_s}s")

    def shorter(pod: Pod) -> Pod:
        others = (note for note in pod.annotations if note[0] != EXPECTED_DURATION)
        return replace(pod, annotations=tuple(sorted((*others, said))))

    def change(snapshot: Snapshot) -> Snapshot:
        pods = tuple(shorter(pod) if pod.key in unit else pod for pod in snapshot.pods)
        return replace(snapshot, pods=pods)

    what = f"run for at most {most_s:,} s, and say so ({EXPECTED_DURATION}: {most_s}s)"
    return Remedy("duration", what, change)


def lowered(snapshot: Snapshot, question: Question, words: Words, resource: str) -> Remedy | None:
    """The most that could be asked for, of what nodes have free for one pod or for several.

    Args:
        snapshot: The cluster to try it on.
        question: Whom it is about.
        words: What is asked for now, and what is free.
        resource: Which of them.
    """
    now, slots = words.asked(resource), range(1, min(len(question.unit), SLOTS_MAX) + 1)
    shares = {room.get(resource, 0) // k for room in words.free.values() for k in slots}
    amounts = sorted(each for each in shares if 0 < each < now)

    def asked(most: int) -> Remedy:
        what = f"ask for {amount(resource, most)} instead of {amount(resource, now)}"
        what = what if most else f"do without {resource}"
        return Remedy("request", what, on_pods(question.unit, asking(resource, most)))

    if not amounts or not asked(amounts[0]).helps(question, snapshot):
        return asked(0) if asked(0).helps(question, snapshot) else None
    low, high = 0, len(amounts)  # the one helps; the other does not, or is not there
    while high - low > 1:
        middle = (low + high) // 2
        helps = asked(amounts[middle]).helps(question, snapshot)
        low, high = (middle, high) if helps else (low, middle)
    return asked(amounts[low])
