"""Who was not placed, why, and what would help: one case for each kind of gang, and of pod.

First the pods alone on the cluster as it is: if they cannot be placed there, nobody else is to
blame. Else on the cluster as the plan leaves it, so what is said is about this plan. Every answer
is proven by solving, and that takes time: there is a limit for all together, the most important are
asked first, and who comes too late has kube-scheduler's message.
"""

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from batchsched.explain.explaining import explain
from batchsched.explain.explanation import Explanation
from batchsched.explain.question import Means, PodKey, settled
from batchsched.explain.subject import Subject
from batchsched.plan.plan import Plan, Unplaced
from batchsched.snapshot.snapshot import Snapshot, pending

CASES_MAX, NAMES_MAX = 12, 3
SHARE_OF_REST, CASE_S_MIN = 0.5, 10.0
"""Of the time left, so much for one case, or so many seconds: a hard one must not take all."""
COMPETITION = "The cluster has room for it, but not with what is placed before it."
AS_PLANNED = "On the cluster as this plan leaves it."


class Case(BaseModel):
    """Pods that are left out for the same reason."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True, populate_by_name=True)

    subject: str
    gang: bool
    alike: int = 1
    """Gangs of this kind, or pods."""
    pods: int
    names: tuple[str, ...]
    """The first of them."""
    message: str
    """As kube-scheduler says it."""
    waiting: bool = False
    """Nobody has decided on them yet."""
    note: str = ""
    """What to know before the explanation."""
    explanation: Explanation | None = None
    """None where there was no time, or no snapshot."""


@dataclass(frozen=True, slots=True)
class _Unit:
    """A gang, or a pod, that is left."""

    subject: Subject
    pods: tuple[Unplaced, ...]
    priority: int
    kind: Hashable
    """The same for units that are left for the same reason."""


def cases(plan: Plan, snapshot: Snapshot | None, means: Means | None) -> list[Case]:
    """What is left out, the most important first: by priority, then gangs, then how many.

    Args:
        plan: The plan.
        snapshot: What it was made from; None: nothing is explained.
        means: With what questions are answered, and until when.
    """
    found = []
    for number, units in enumerate(_kinds(plan, snapshot)):
        note, explanation = "", None
        if snapshot is not None and means is not None and number < CASES_MAX:
            note, explanation = _explained(plan, snapshot, units[0], means)
        found.append(_case(units, note, explanation))
    return found


def reasons(found: Sequence[Case]) -> list[Case]:
    """The backlog by what kube-scheduler would say, the most frequent first."""
    rows: dict[str, Case] = {}
    for case in found:
        row = rows.get(case.message)
        if row is None:
            rows[case.message] = case
        else:
            names = (*row.names, *case.names)[:NAMES_MAX]
            rows[case.message] = row.model_copy(
                update={"pods": row.pods + case.pods, "names": names}
            )
    return sorted(rows.values(), key=lambda row: (-row.pods, row.message))


def summed(found: Sequence[Case]) -> int:
    """How many pods the cases are about."""
    return sum(case.pods for case in found)


def _case(units: Sequence[_Unit], note: str, explanation: Explanation | None) -> Case:
    pods = [each for unit in units for each in unit.pods]
    return Case(
        subject=units[0].subject.full_name,
        gang=units[0].subject.kind == "podgroup",
        alike=len(units),
        pods=len(pods),
        names=tuple(f"{each.namespace}/{each.name}" for each in pods[:NAMES_MAX]),
        message=pods[0].message,
        note=note,
        explanation=explanation,
    )


def _explained(
    plan: Plan, snapshot: Snapshot, unit: _Unit, means: Means
) -> tuple[str, Explanation | None]:
    """Ask about one unit: alone, then on the cluster as the plan leaves it; with a note."""
    if means.left_s <= 0:
        return "", None
    limit_s = max(SHARE_OF_REST * means.left_s, min(CASE_S_MIN, means.left_s))
    share = replace(means, end_s=means.clock() + limit_s)
    half = replace(share, end_s=means.clock() + limit_s / 2)
    own = frozenset((each.namespace, each.name) for each in unit.pods)
    alone = explain(_alone(snapshot, own), unit.subject, half)
    if alone.status == "Unplaced":
        return "", alone
    if share.left_s <= 0:
        return "", None
    beside = explain(settled(snapshot, plan, own), unit.subject, share)
    note = COMPETITION if alone.status == "Placed" else AS_PLANNED
    return note if beside.status == "Unplaced" else "", beside


def _alone(snapshot: Snapshot, own: frozenset[PodKey]) -> Snapshot:
    """The cluster as it is, where nobody else is pending."""
    others = {pod.key for pod in pending(snapshot).pods} - own
    pods = tuple(pod for pod in snapshot.pods if pod.key not in others)
    return replace(snapshot, pods=pods)


def _kinds(plan: Plan, snapshot: Snapshot | None) -> list[list[_Unit]]:
    """Units that are left, those of a kind together, the most important first."""
    kinds: dict[Hashable, list[_Unit]] = {}
    for unit in _units(plan, snapshot):
        kinds.setdefault(unit.kind, []).append(unit)
    return sorted(kinds.values(), key=_rank)


def _units(plan: Plan, snapshot: Snapshot | None) -> Iterator[_Unit]:
    """Every gang and every other pod that is left."""
    specs = {pod.key: pod.spec for pod in snapshot.pods} if snapshot is not None else {}
    states = {(each.namespace, each.name): each for each in plan.pod_groups}
    gangs: dict[PodKey, list[Unplaced]] = {}
    for each in plan.unplaced:
        state = states.get((each.namespace, each.pod_group or ""))
        if state is not None and state.status != "Placed":
            gangs.setdefault((state.namespace, state.name), []).append(each)
            continue
        spec = specs.get((each.namespace, each.name))
        subject = Subject("pod", each.namespace, each.name)
        priority = spec.priority if spec is not None else 0
        yield _Unit(subject, (each,), priority, ("pod", spec, each.message))
    asked = _asked(snapshot)
    for key, pods in gangs.items():
        own = Counter(specs.get((each.namespace, each.name)) for each in pods)
        priority = max((spec.priority for spec in own if spec is not None), default=0)
        kind = (
            "gang",
            frozenset(own.items()),
            states[key].min_count,
            asked.get(key),
            states[key].status,
        )
        alike = kind if snapshot is not None else key
        yield _Unit(Subject("podgroup", *key), tuple(pods), priority, alike)


def _asked(snapshot: Snapshot | None) -> dict[PodKey, str | None]:
    """The topology that each gang has to share."""
    groups = snapshot.groups if snapshot is not None else ()
    return {(group.namespace, group.name): group.required_topology for group in groups}


def _rank(units: Sequence[_Unit]) -> tuple[int, bool, int, str]:
    first = units[0]
    pods = sum(len(unit.pods) for unit in units)
    return (-first.priority, first.subject.kind == "pod", -pods, first.subject.full_name)
