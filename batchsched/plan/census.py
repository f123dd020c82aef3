"""Census: the pods of a final state, counted by kind, node and domain.

A kind is a namespace and a set of labels: all that a pod selector can tell apart. Selectors are
asked once per kind, counts are added up per domain; so that rules between pods stay linear in the
number of pods.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from batchsched.plan.reading import Company, in_namespace
from batchsched.snapshot.labels import Labels, Pairs, selects

if TYPE_CHECKING:
    from batchsched.plan.state import FinalState, Placed

_NAME_LABEL = "kubernetes.io/metadata.name"


class Kind:
    """The pods of one namespace with the same labels."""

    def __init__(self, namespace: str, labels: Pairs) -> None:
        """Start without any pod."""
        self.namespace = namespace
        self.labels: Labels = dict(labels)
        self.placed: list[Placed] = []
        """Those that the plan places."""
        self.on: dict[str, int] = {}
        """How many are on each node, terminating ones too."""
        self.kept: dict[str, int] = {}
        """How many of them were there before."""
        self.leaving: dict[str, int] = {}
        """How many of them are terminating."""

    def add(self, placed: "Placed") -> None:
        """Count one more."""
        node = placed.node.name
        if placed.new:
            self.placed.append(placed)
        else:
            self.kept[node] = self.kept.get(node, 0) + 1
        self.on[node] = self.on.get(node, 0) + 1
        if placed.pod.deleting:
            self.leaving[node] = self.leaving.get(node, 0) + 1


class Census:
    """Kinds, and where they are."""

    def __init__(self, state: "FinalState") -> None:
        """Count everyone in the final state."""
        self.labels: Mapping[str, Labels] = {
            n: dict(node.labels) for n, node in state.nodes.items()
        }
        self._namespaces = dict(state.snapshot.namespaces)
        self._kinds: dict[tuple[str, Pairs], Kind] = {}
        for placed in state.pods:
            key = (placed.pod.namespace, placed.pod.labels)
            kind = self._kinds.get(key)
            if kind is None:
                kind = self._kinds[key] = Kind(*key)
            kind.add(placed)
        self._in: dict[str, list[Kind]] = {}
        for kind in self._kinds.values():
            self._in.setdefault(kind.namespace, []).append(kind)
        self._selected: dict[Company, frozenset[Kind]] = {}
        self._values: dict[str, dict[str, str]] = {}

    def kind(self, placed: "Placed") -> Kind:
        """The kind of a pod of the final state."""
        return self._kinds[(placed.pod.namespace, placed.pod.labels)]

    def selected(self, who: Company) -> frozenset[Kind]:
        """The kinds that a term means."""
        if who not in self._selected:
            self._selected[who] = frozenset(
                kind
                for namespace, kinds in self._in.items()
                if in_namespace(who, namespace, self._labels_of(namespace))
                for kind in kinds
                if selects(who.selector, kind.labels)
            )
        return self._selected[who]

    def values(self, key: str) -> Mapping[str, str]:
        """The domain of each node that carries a topology key."""
        if key not in self._values:
            self._values[key] = {
                name: labels[key] for name, labels in self.labels.items() if key in labels
            }
        return self._values[key]

    def per_domain(self, kinds: Iterable[Kind], key: str) -> dict[str, int]:
        """How many pods of some kinds are in each domain of a key that holds one."""
        domain_of, counts = self.values(key), dict[str, int]()
        for kind in kinds:
            for node, count in kind.on.items():
                domain = domain_of.get(node)
                if domain is not None:
                    counts[domain] = counts.get(domain, 0) + count
        return counts

    def _labels_of(self, namespace: str) -> Labels:
        """Labels of a namespace; one of which nothing is known carries its name."""
        return {_NAME_LABEL: namespace, **dict(self._namespaces.get(namespace, ()))}
