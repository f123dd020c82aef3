"""What the shared parts of API objects mean: owners, selectors, amounts. See ``api``.

Decoding is total: what passed the models in ``api*`` always becomes a noun.
"""

from collections.abc import Iterable, Mapping

from batchsched.snapshot.api import (
    LabelSelectorModel,
    NodeSelectorModel,
    NodeTermModel,
    Owner,
)
from batchsched.snapshot.labels import IN, LabelSelector, NodeSelectorTerm, Pairs, Requirement
from batchsched.snapshot.pod import OwnerRef, Quantities
from batchsched.snapshot.quantities import AMOUNT_MAX, amount


def pairs(values: Mapping[str, str] | None) -> Pairs:
    """A map of strings, sorted."""
    return tuple(sorted(values.items())) if values else ()


def quantities(nanos: Mapping[str, int] | None, most: int = AMOUNT_MAX) -> Quantities:
    """Amounts as kube-scheduler counts them but no more than ``most``; sorted, zeros left out."""
    if not nanos:
        return ()
    found = ((name, min(amount(name, value), most)) for name, value in nanos.items() if value)
    return tuple(sorted(found))


def requirement(key: str, operator: str, values: Iterable[str] | None) -> Requirement:
    """One expression, values sorted and without repeats."""
    return Requirement(key, operator, tuple(sorted(set(values or ()))))


def label_selector(model: LabelSelectorModel | None) -> LabelSelector | None:
    """A label selector: absent stays ``None``, ``matchLabels`` become ``In``."""
    if model is None:
        return None
    found = {Requirement(key, IN, (value,)) for key, value in (model.match_labels or {}).items()}
    found |= {requirement(r.key, r.operator, r.values) for r in model.match_expressions or ()}
    return LabelSelector(tuple(sorted(found)))


def map_selector(labels: Mapping[str, str]) -> LabelSelector:
    """The selector that a plain map of labels stands for."""
    return LabelSelector(
        tuple(Requirement(key, IN, (value,)) for key, value in sorted(labels.items()))
    )


def node_term(model: NodeTermModel) -> NodeSelectorTerm:
    """One term of a node selector."""
    expressions = {requirement(r.key, r.operator, r.values) for r in model.match_expressions or ()}
    fields = {requirement(r.key, r.operator, r.values) for r in model.match_fields or ()}
    return NodeSelectorTerm(tuple(sorted(expressions)), tuple(sorted(fields)))


def node_selector(model: NodeSelectorModel | None) -> tuple[NodeSelectorTerm, ...] | None:
    """The terms of a node selector; ``None`` where there is none."""
    return (
        None
        if model is None
        else tuple(node_term(term) for term in model.node_selector_terms or ())
    )


def controller(owners: Iterable[Owner] | None) -> OwnerRef | None:
    """The owner that controls an object, of its ``ownerReferences``."""
    for owner in owners or ():
        if owner.controller:
            return OwnerRef(
                owner.api_version or "", owner.kind or "", owner.name or "", owner.uid or ""
            )
    return None
