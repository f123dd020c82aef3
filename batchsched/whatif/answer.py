"""The answer: two verified plans compared, or the cheapest set of nodes.

A pod *has a place* when it runs and stays, or is placed by the plan. What changes is told pod by
pod, and counted by priority, gang and node. The answer is a file as a plan is: strict, camelCase,
sorted.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Literal

import orjson
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from batchsched.plan.plan import API_VERSION, Binding, Plan, PlanTier, Unplaced
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot, holding
from batchsched.whatif.edits import Edited
from batchsched.whatif.fitting import Fit

Key = tuple[str, str]


class Part(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(
        alias_generator=to_camel, frozen=True, populate_by_name=True, strict=True
    )


class Answer(Part):
    """An answer as a file."""

    api_version: Literal["batchsched.io/v1alpha1"] = API_VERSION

    def to_json(self) -> bytes:
        """The answer as JSON."""
        content = self.model_dump(mode="json", by_alias=True)
        return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


class PriorityCount(Part):
    """The pods of one priority: how many wait, and how many of these are placed."""

    priority: int
    pending_now: int
    placed_now: int
    pending_then: int
    placed_then: int


class Side(Part):
    """One of the two: now, or then."""

    nodes: int
    nodes_in_use: int
    pending: int
    placed: int
    gangs: int
    gangs_placed: int
    status: Literal["Optimal", "Feasible"]
    tiers: tuple[PlanTier, ...]


class Change(Answer):
    """What changes. Pods by full name, sorted."""

    kind: Literal["WhatIf"] = "WhatIf"
    edits: tuple[str, ...]
    now: Side
    then: Side
    priorities: tuple[PriorityCount, ...]
    newly_placed: tuple[str, ...]
    """They have a place then, and none now."""
    no_longer_placed: tuple[str, ...]
    """They have a place now, and wait then."""
    returning: tuple[str, ...]
    """They lose their node, and are made anew by their controller."""
    lost: tuple[str, ...]
    """They lose their node, and nobody makes them anew."""
    unplaced: tuple[Unplaced, ...]
    """Who waits then, and why."""


class BoughtNodes(Part):
    """So many nodes of a shape, at what each costs."""

    shape: str
    count: int
    price: float


class Fitted(Answer):
    """The cheapest set of nodes that places the backlog."""

    kind: Literal["FitAll"] = "FitAll"
    edits: tuple[str, ...]
    nodes: tuple[BoughtNodes, ...]
    cost: float
    bound: float
    """No set of the shapes that places everybody costs less."""
    gap: float
    status: Literal["Optimal", "Feasible", "Infeasible"]
    """Infeasible: some have no place on any number of these shapes, and ``unplaced`` says why."""
    pending: int
    placed: int
    bindings: tuple[Binding, ...]
    unplaced: tuple[Unplaced, ...]


def fitted(edited: Edited, fit: Fit) -> Fitted:
    """Write down what was found."""
    return Fitted(
        edits=edited.said,
        nodes=tuple(
            BoughtNodes(shape=each.shape, count=each.count, price=each.price) for each in fit.bought
        ),
        cost=fit.cost,
        bound=fit.bound,
        gap=fit.gap,
        status=fit.status,
        pending=fit.plan.snapshot.pending,
        placed=len(fit.plan.bindings),
        bindings=tuple(fit.plan.bindings),
        unplaced=tuple(fit.plan.unplaced),
    )


def compare(now: Snapshot, now_plan: Plan, edited: Edited, then_plan: Plan) -> Change:
    """Say what changes between two plans."""
    before, after = _in_place(now, now_plan), _in_place(edited.snapshot, then_plan)
    there = {pod.key for pod in edited.snapshot.pods}
    return Change(
        edits=edited.said,
        now=side(now, now_plan),
        then=side(edited.snapshot, then_plan),
        priorities=_priorities(now, now_plan, edited.snapshot, then_plan),
        newly_placed=_names(after - before),
        no_longer_placed=_names((before - after) & there),
        returning=_names(pod.key for pod in edited.returning),
        lost=_names(pod.key for pod in edited.lost),
        unplaced=tuple(then_plan.unplaced),
    )


def side(snapshot: Snapshot, plan: Plan) -> Side:
    """What a plan comes to."""
    leaving = {(each.namespace, each.name) for each in plan.evictions}
    used = {pod.node for pod in holding(snapshot) if pod.key not in leaving and _uses(pod)}
    used |= {each.node for each in plan.bindings}
    used |= {each.to for each in plan.evictions if each.to is not None}
    return Side(
        nodes=len(snapshot.nodes),
        nodes_in_use=len(used),
        pending=plan.snapshot.pending,
        placed=len(plan.bindings),
        gangs=len(plan.pod_groups),
        gangs_placed=sum(group.status == "Placed" for group in plan.pod_groups),
        status=plan.status,
        tiers=tuple(plan.tiers),
    )


def _uses(pod: Pod) -> bool:
    """Whether a pod keeps its node in use, as FORMULATION §O4 counts it."""
    return pod.owner is None or pod.owner.kind not in {"DaemonSet", "Node"}


def _in_place(snapshot: Snapshot, plan: Plan) -> set[Key]:
    evicted = {(each.namespace, each.name) for each in plan.evictions if each.to is None}
    staying = {pod.key for pod in holding(snapshot)} - evicted
    return staying | {(each.namespace, each.name) for each in plan.bindings}


def _priorities(
    now: Snapshot, now_plan: Plan, then: Snapshot, then_plan: Plan
) -> tuple[PriorityCount, ...]:
    sides = [*waiting(now, now_plan), *waiting(then, then_plan)]
    priorities = sorted({priority for side in sides for priority in side}, reverse=True)
    return tuple(
        PriorityCount(
            priority=priority,
            pending_now=sides[0][priority],
            placed_now=sides[1][priority],
            pending_then=sides[2][priority],
            placed_then=sides[3][priority],
        )
        for priority in priorities
    )


def waiting(snapshot: Snapshot, plan: Plan) -> tuple[Counter[int], Counter[int]]:
    """By priority, how many pods the plan decided on, and how many of them it placed."""
    priority = {pod.key: pod.spec.priority for pod in snapshot.pods}
    placed = Counter(priority[each.namespace, each.name] for each in plan.bindings)
    left = Counter(priority[each.namespace, each.name] for each in plan.unplaced)
    return placed + left, placed


def _names(keys: Iterable[Key]) -> tuple[str, ...]:
    return tuple(f"{namespace}/{name}" for namespace, name in sorted(keys))
