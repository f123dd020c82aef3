"""For a pod that is placed: why there, and what the other nodes would have cost.

All others stay where the plan puts them, those of its gang too. The nodes that are told already are
forbidden and the pod is decided on again, so the next best one comes next, until no node is left
that would take it. The first tier that is then worth less says the price.
"""

from dataclasses import dataclass, replace

from batchsched.explain.explanation import Alternative
from batchsched.explain.facts import on_pods
from batchsched.explain.question import Answer, PodKey, Question
from batchsched.feasibility.explain import explain as available
from batchsched.plan.plan import Plan
from batchsched.snapshot.labels import IN, NOT_IN, NodeSelectorTerm, Requirement
from batchsched.snapshot.pod import PodSpec
from batchsched.snapshot.snapshot import Snapshot

ALTERNATIVES_MAX = 5
AS_GOOD = "as good"
NAME, EMPTY = "metadata.name", NodeSelectorTerm()
"""The field of a node that is its name; the term that matches no node, and would with a field."""


@dataclass(frozen=True, slots=True)
class Place:
    """What is said of a place.

    Attributes:
        nodes: In kube-scheduler's words, how many nodes would take the pod, and why others do not.
        alternatives: The other nodes, the next best first.
        complete: Whether no other node than these would do.
    """

    nodes: str
    alternatives: tuple[Alternative, ...]
    complete: bool


def place_of(snapshot: Snapshot, question: Question, pod: PodKey, node: str) -> Place:
    """Why a pod is on a node.

    Args:
        snapshot: The cluster, with everybody else where the plan puts them.
        question: About that pod alone.
        pod: The pod.
        node: Where the plan puts it.
    """
    (waiting,) = question.window(snapshot).pods
    nodes = available(snapshot, {}, [waiting])[pod]
    found: list[Alternative] = []
    chosen = question.plan(_kept_to(snapshot, question, Requirement(NAME, IN, (node,))), whole=True)
    while len(found) < ALTERNATIVES_MAX:
        if question.means.left_s <= 0:
            return Place(nodes, tuple(found), complete=False)
        told = [Requirement(NAME, NOT_IN, (each,)) for each in (node, *(f.node for f in found))]
        elsewhere = _kept_to(snapshot, question, *told)
        plan = question.plan(elsewhere, whole=True)
        answer = question.answered(elsewhere, plan)
        if answer is not Answer.YES:
            return Place(nodes, tuple(found), complete=answer is Answer.NO)
        there = next(b.node for b in plan.bindings if (b.namespace, b.name) == pod)
        found.append(Alternative(node=there, message=_price(chosen, plan)))
    return Place(nodes, tuple(found), complete=False)


def _kept_to(snapshot: Snapshot, question: Question, *fields: Requirement) -> Snapshot:
    """The snapshot in which the pods may only go to nodes with these fields."""

    def edit(spec: PodSpec) -> PodSpec:
        asked = spec.node_affinity
        terms = [NodeSelectorTerm()] if asked is None else [t for t in asked if t != EMPTY]
        only = tuple(replace(t, fields=tuple(sorted((*t.fields, *fields)))) for t in terms)
        return replace(spec, node_affinity=only)

    return on_pods(question.unit, edit)(snapshot)


def _price(chosen: Plan, plan: Plan) -> str:
    """What a plan is worth less than the chosen one, in the first tier that differs."""
    values = {tier.name: tier.value for tier in plan.tiers}
    for tier in chosen.tiers:
        there = values.get(tier.name, tier.value)
        if there != tier.value:
            return f"{tier.name} would be {there:,} instead of {tier.value:,}"
    return AS_GOOD
