"""For a pod that is placed: the other nodes that would take it, and what each would have cost.

All others stay where the plan puts them. The pod is pinned to a node and decided on again, and the
first tier that is then worth less says the price.
"""

from dataclasses import replace

from batchsched.explain.explanation import Alternative
from batchsched.explain.facts import on_pods
from batchsched.explain.question import Answer, Question
from batchsched.feasibility.compile import compile_problem
from batchsched.plan.plan import Plan
from batchsched.snapshot.labels import IN, NodeSelectorTerm, Requirement
from batchsched.snapshot.pod import PodSpec
from batchsched.snapshot.snapshot import Snapshot

ALTERNATIVES_MAX = 5


def alternatives(
    snapshot: Snapshot, question: Question, nodes: dict[str, str]
) -> tuple[Alternative, ...]:
    """Other nodes for the one pod in question, by name; of gangs none are told.

    Args:
        snapshot: The cluster, with everybody else where the plan puts them.
        question: Whom it is about.
        nodes: Name of the pod to its node.
    """
    if len(question.unit) != 1 or len(nodes) != 1:
        return ()
    (node,) = nodes.values()
    problem = compile_problem(snapshot, question.window(snapshot))
    if not problem.classes:
        return ()
    free = problem.candidates[0].tolist()
    others = [n.name for n, ok in zip(problem.nodes, free, strict=True) if ok and n.name != node]
    chosen = question.plan(pinned(snapshot, question, node), whole=True)
    said = (_said(snapshot, question, chosen, other) for other in others[:ALTERNATIVES_MAX])
    return tuple(each for each in said if each is not None)


def pinned(snapshot: Snapshot, question: Question, node: str) -> Snapshot:
    """The snapshot in which the pods may go to this node alone."""
    field = Requirement("metadata.name", IN, (node,))

    def edit(spec: PodSpec) -> PodSpec:
        terms = spec.node_affinity if spec.node_affinity is not None else (NodeSelectorTerm(),)
        only = tuple(replace(term, fields=(*term.fields, field)) for term in terms)
        return replace(spec, node_affinity=only)

    return on_pods(question.unit, edit)(snapshot)


def _said(snapshot: Snapshot, question: Question, chosen: Plan, node: str) -> Alternative | None:
    """What a node would have cost; none where it would not have done, or time is up."""
    if question.means.left_s <= 0:
        return None
    there = pinned(snapshot, question, node)
    plan = question.plan(there, whole=True)
    if question.answered(there, plan) is not Answer.YES:
        return None
    for ours, theirs in zip(chosen.tiers, plan.tiers, strict=False):
        if ours.value != theirs.value:
            message = f"{ours.name} would be {theirs.value:,} instead of {ours.value:,}"
            return Alternative(node=node, message=message)
    return Alternative(node=node, message="as good")
