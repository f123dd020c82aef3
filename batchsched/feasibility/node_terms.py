"""Node selector terms over the nodes of a cluster: each distinct one is asked once.

The rules of kube-scheduler's NodeAffinity, which node affinity of pods and of volumes, storage classes
and device allocations share: terms are ORed, what stands in a term is ANDed, an empty term matches no
node, and a field is ``metadata.name`` with one value.
"""

from collections.abc import Iterable

import numpy as np

from batchsched.feasibility.columns import BoolArray, LabelColumns
from batchsched.snapshot.labels import IN, LabelSelector, NodeSelectorTerm, Pairs, Requirement
from batchsched.snapshot.node import Node

NAME_FIELD = "metadata.name"


class NodeTerms:
    """Answers per term, as masks over the nodes [N]."""

    def __init__(self, nodes: tuple[Node, ...]) -> None:
        """Index labels and names."""
        self.labels = LabelColumns([node.labels for node in nodes])
        self._names = LabelColumns([((NAME_FIELD, node.name),) for node in nodes])
        self._size = len(nodes)
        self._terms: dict[NodeSelectorTerm, BoolArray] = {}
        self._lists: dict[tuple[NodeSelectorTerm, ...], BoolArray] = {}

    def term(self, term: NodeSelectorTerm) -> BoolArray:
        """[N] whether one term matches; an empty one matches nothing."""
        if term not in self._terms:
            if term.expressions or term.fields:
                mask = self.labels.all_of(term.expressions)
                for requirement in term.fields:
                    mask = mask & self._field(requirement)
            else:
                mask = np.zeros(self._size, dtype=np.bool_)
            self._terms[term] = mask
        return self._terms[term]

    def any_of(self, terms: tuple[NodeSelectorTerm, ...] | None) -> BoolArray:
        """[N] whether some term matches; no terms at all match nothing, ``None`` every node."""
        if terms is None:
            return np.ones(self._size, dtype=np.bool_)
        if terms not in self._lists:
            mask = np.zeros(self._size, dtype=np.bool_)
            for term in terms:
                mask |= self.term(term)
            self._lists[terms] = mask
        return self._lists[terms]

    def required(self, selector: Pairs, terms: tuple[NodeSelectorTerm, ...] | None) -> BoolArray:
        """[N] whether a pod's nodeSelector and required node affinity both match."""
        mask = self.labels.all_of(Requirement(key, IN, (value,)) for key, value in selector)
        return mask & self.any_of(terms)

    def selected(self, selector: LabelSelector | None) -> BoolArray:
        """[N] whether a label selector matches the node's labels."""
        return self.labels.selected(selector)

    def named(self, names: Iterable[str]) -> BoolArray:
        """[N] whether the node bears one of the names."""
        return self._names.satisfying(Requirement(NAME_FIELD, IN, tuple(names)))

    def _field(self, requirement: Requirement) -> BoolArray:
        """A field takes exactly one value; with another number its term cannot be read, so fails."""
        if len(requirement.values) != 1:
            return np.zeros(self._size, dtype=np.bool_)
        return self._names.satisfying(requirement)
