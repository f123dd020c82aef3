"""Whom a question is about: a pod or a group of the snapshot, and what it means to place it."""

from dataclasses import dataclass, replace
from typing import Literal

from batchsched.explain.facts import on_group
from batchsched.explain.question import Means, PodKey, Question
from batchsched.snapshot.errors import InputError
from batchsched.snapshot.parts import lack
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot, holding, pending

Kind = Literal["pod", "podgroup"]


@dataclass(frozen=True, slots=True)
class Subject:
    """A pod or a group, by name."""

    kind: Kind
    namespace: str
    name: str

    @property
    def full_name(self) -> str:
        """``namespace/name``, as people write it."""
        return f"{self.namespace}/{self.name}"


def pod_of(snapshot: Snapshot, subject: Subject) -> Pod:
    """The pod.

    Raises:
        InputError: There is none of that name.
    """
    key = (subject.namespace, subject.name)
    for pod in snapshot.pods:
        if pod.key == key:
            return pod
    raise InputError(_missing(snapshot, subject), source=subject.full_name)


def _missing(snapshot: Snapshot, subject: Subject) -> str:
    """What is wrong with the name of a pod; people give that of a group."""
    if any((g.namespace, g.name) == (subject.namespace, subject.name) for g in snapshot.groups):
        return "no pod of this name, but a group: give --kind podgroup"
    return "no pod of this name is in the snapshot"


def group_index(snapshot: Snapshot, subject: Subject) -> int:
    """The group, as index into ``Snapshot.groups``.

    Raises:
        InputError: There is none of that name.
    """
    for index, group in enumerate(snapshot.groups):
        if (group.namespace, group.name) == (subject.namespace, subject.name):
            return index
    raise InputError("no pod group of this name is in the snapshot", source=subject.full_name)


def question_about_group(
    snapshot: Snapshot, index: int, means: Means
) -> tuple[Snapshot, Question] | None:
    """Whether a group reaches its minimum; or all of it, where that is reached already.

    Returns:
        The snapshot to ask it of, and the question; ``None`` where no member is pending.
    """
    members = _members(snapshot, index)
    waits = frozenset(pod.key for pod in pending(snapshot).pods)
    own = waits & members
    if not own:
        return None
    running = [p for p in holding(snapshot) if p.key in members and not p.deleting]
    if lack(snapshot.groups[index], running) is None:
        snapshot = on_group(index, min_count=len(running) + len(own))(snapshot)
    return snapshot, Question(waits & _unit(snapshot, index), index, None, means)


def question_about_pod(snapshot: Snapshot, pod: Pod, means: Means) -> Question:
    """Whether a pod is placed: with its gang, where that has not reached its minimum."""
    index = dict(snapshot.group_of).get(pod.key)
    if index is not None:
        members = _members(snapshot, index)
        running = [p for p in holding(snapshot) if p.key in members and not p.deleting]
        group = snapshot.groups[index]
        if lack(group, running) is not None or group.problem is not None:
            waiting = frozenset(p.key for p in pending(snapshot).pods) & _unit(snapshot, index)
            return Question(waiting, index, pod.key, means)
    return Question(frozenset({pod.key}), None, pod.key, means)


def of_pod_alone(question: Question) -> Question:
    """The same of the pod alone, once its gang has its minimum."""
    assert question.pod is not None
    return replace(question, unit=frozenset({question.pod}), group=None)


def _unit(snapshot: Snapshot, index: int) -> frozenset[PodKey]:
    """The members of a group, and of those that start together with it."""
    union = snapshot.groups[index].union
    others = [i for i, group in enumerate(snapshot.groups) if group.key in union]
    return frozenset().union(*(_members(snapshot, i) for i in {index, *others}))


def _members(snapshot: Snapshot, index: int) -> frozenset[PodKey]:
    return frozenset(key for key, group in snapshot.group_of if group == index)
