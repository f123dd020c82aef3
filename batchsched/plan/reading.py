"""Reading: what selectors, tolerations and node terms mean, in plain Python, for the checker.

The filters of ``feasibility`` say the same over arrays; it is said again here on purpose, so that
one misreading of Kubernetes cannot hide in both. Knows nouns, no final state.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from batchsched.snapshot.labels import Labels, LabelSelector, NodeSelectorTerm, satisfies, selects
from batchsched.snapshot.node import Node, Taint
from batchsched.snapshot.pod import Pod, PodAffinityTerm, PodSpec, Toleration

ENDED = frozenset({"Succeeded", "Failed"})
"""Phases of pods that hold nothing any more."""
_KEEPS_OUT = ("NoSchedule", "NoExecute")
_CORDON = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")
_DECIMAL = re.compile(r"0|-?[1-9][0-9]*", re.ASCII)
_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class Company:
    """Whom a term means: pods of some namespaces, by labels; ``key`` says how near.

    ``namespaces`` are names; ``namespace_selector`` adds those that it selects.
    """

    key: str
    namespaces: tuple[str, ...]
    namespace_selector: LabelSelector | None
    selector: LabelSelector | None


def company(term: PodAffinityTerm, namespace: str) -> Company:
    """A term of a pod in ``namespace``, which is meant where the term names none in any way."""
    names = term.namespaces
    if not names and term.namespace_selector is None:
        names = (namespace,)
    return Company(term.topology_key, names, term.namespace_selector, term.selector)


def seat(pod: Pod) -> str:
    """The node where a pod that stays is, or is nominated to be."""
    return pod.node if pod.node is not None else pod.nominated_node or ""


def runs(pod: Pod) -> bool:
    """Whether a pod is a running member of its group: bound, not ended, not on its way out."""
    return pod.node is not None and not pod.terminal and not pod.deleting


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    """Whether a toleration is for this taint (``Toleration.ToleratesTaint``)."""
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    if toleration.operator == "Exists":
        return True
    if toleration.operator in ("Gt", "Lt"):
        asked, given = _decimal(toleration.value), _decimal(taint.value)
        if asked is None or given is None:
            return False
        return asked < given if toleration.operator == "Gt" else given < asked
    return toleration.value == taint.value


def _decimal(text: str) -> int | None:
    """A canonical decimal number of 64 bits."""
    if not _DECIMAL.fullmatch(text) or int(text) not in _INT64:
        return None
    return int(text)


def untolerated(
    taints: Iterable[Taint],
    tolerations: tuple[Toleration, ...],
    effects: Iterable[str] = _KEEPS_OUT,
) -> Taint | None:
    """The first taint of these effects that nothing tolerates."""
    for taint in taints:
        if taint.effect in effects and not any(tolerates(each, taint) for each in tolerations):
            return taint
    return None


def cordoned_for(node: Node, tolerations: tuple[Toleration, ...]) -> bool:
    """Whether the node is cordoned, and the pod does not tolerate the cordon."""
    return node.unschedulable and untolerated((_CORDON,), tolerations) is not None


def meets_term(term: NodeSelectorTerm, name: str, labels: Labels) -> bool:
    """Whether a node meets a term: all its expressions and fields, and there must be some."""
    if not term.expressions and not term.fields:
        return False
    for field in term.fields:
        if len(field.values) != 1 or not satisfies(field, {"metadata.name": name}):
            return False
    return all(satisfies(each, labels) for each in term.expressions)


def meets_terms(terms: tuple[NodeSelectorTerm, ...] | None, name: str, labels: Labels) -> bool:
    """Whether a node meets one of the terms; ``None`` asks nothing, no terms are met by nobody."""
    return terms is None or any(meets_term(term, name, labels) for term in terms)


def wanted_by(spec: PodSpec, name: str, labels: Labels) -> bool:
    """Whether a node has what the pod's node selector and required node affinity ask for."""
    for key, value in spec.node_selector:
        if labels.get(key) != value:
            return False
    return meets_terms(spec.node_affinity, name, labels)


def in_namespace(who: Company, namespace: str, labels: Labels) -> bool:
    """Whether a term looks at a namespace, given the namespace's labels."""
    return namespace in who.namespaces or selects(who.namespace_selector, labels)
