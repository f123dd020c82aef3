"""What is asked of nodes again and again, each distinct question once: selector terms, taints.

The rules of kube-scheduler's NodeAffinity, which node affinity of pods and of volumes, storage
classes and device allocations share: terms are ORed, what stands in a term is ANDed, an empty term
matches no node, and a field is ``metadata.name`` with one value.
"""

from collections.abc import Iterable

import numpy as np

from batchsched.feasibility.columns import BoolArray, IntArray, LabelColumns, distinct
from batchsched.feasibility.taints import intolerable
from batchsched.snapshot.labels import IN, LabelSelector, NodeSelectorTerm, Pairs, Requirement
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Toleration

NAME_FIELD = "metadata.name"


class NodeTerms:
    """Answers per term, as masks over the nodes [N]."""

    def __init__(self, nodes: tuple[Node, ...]) -> None:
        """Index labels and names."""
        self.labels = LabelColumns([node.labels for node in nodes])
        self._names = LabelColumns([((NAME_FIELD, node.name),) for node in nodes])
        self._size = len(nodes)
        self._terms: dict[NodeSelectorTerm, BoolArray] = {}
        self._taints = distinct(node.taints for node in nodes)
        self._intolerable: dict[tuple[tuple[Toleration, ...], frozenset[str]], IntArray] = {}
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

    def intolerable(self, tolerations: tuple[Toleration, ...], effects: frozenset[str]) -> IntArray:
        """[N] how many of the node's taints of these effects are not tolerated."""
        if (tolerations, effects) not in self._intolerable:
            taints, kind = self._taints
            counts = [intolerable(tolerations, each, effects) for each in taints]
            self._intolerable[tolerations, effects] = np.array(counts, dtype=np.int64)[kind]
        return self._intolerable[tolerations, effects]

    def _field(self, requirement: Requirement) -> BoolArray:
        """A field takes exactly one value; with another number its term cannot match."""
        if len(requirement.values) != 1:
            return np.zeros(self._size, dtype=np.bool_)
        return self._names.satisfying(requirement)
