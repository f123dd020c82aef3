"""Census: the pods of a final state, counted by kind, node and domain.

A kind is a namespace and a set of labels: all that a pod selector can tell apart. Selectors are
asked once per kind, counts are added up per domain; so that rules between pods stay linear in the
number of pods. Most kinds of a large cluster nobody asks for: theirs are never counted.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from batchsched.plan.reading import Company, in_namespace, seat
from batchsched.snapshot.labels import IN, Labels, LabelSelector, Pairs, selects
from batchsched.snapshot.pod import Pod

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
        self.stay: list[Pod] = []
        """Those that were there before, terminating ones too."""

    @cached_property
    def on(self) -> Mapping[str, int]:
        """How many are on each node in the end."""
        counts = Counter(self.kept)
        counts.update(placed.node.name for placed in self.placed)
        return counts

    @cached_property
    def kept(self) -> Mapping[str, int]:
        """How many of them were there before."""
        return Counter(map(seat, self.stay))

    @cached_property
    def leaving(self) -> Mapping[str, int]:
        """How many of them are terminating."""
        return Counter(seat(pod) for pod in self.stay if pod.deleting)


class Census:
    """Kinds, and where they are."""

    def __init__(self, state: "FinalState") -> None:
        """Count nobody yet."""
        self._state = state
        self._namespaces = dict(state.snapshot.namespaces)
        self._selected: dict[Company, frozenset[Kind]] = {}
        self._values: dict[str, dict[str, str]] = {}

    @cached_property
    def labels(self) -> Mapping[str, Labels]:
        """The labels of each node."""
        return {name: dict(node.labels) for name, node in self._state.nodes.items()}

    @cached_property
    def _kinds(self) -> dict[tuple[str, Pairs], Kind]:
        """Everyone by kind. Replicas share their labels, and hashing those is slow."""
        alike: dict[tuple[str, int], list[Pod]] = {}
        for pod in self._state.kept:
            at = (pod.namespace, id(pod.labels))
            if at in alike:
                alike[at].append(pod)
            else:
                alike[at] = [pod]
        kinds: dict[tuple[str, Pairs], Kind] = {}
        for pods in alike.values():
            _kind(kinds, pods[0]).stay += pods
        for placed in self._state.placed:
            _kind(kinds, placed.pod).placed.append(placed)
        return kinds

    @cached_property
    def _carrying(self) -> Mapping[tuple[str, str], list[Kind]]:
        """The kinds that carry each label."""
        found: dict[tuple[str, str], list[Kind]] = {}
        for kind in self._kinds.values():
            for label in kind.labels.items():
                found.setdefault(label, []).append(kind)
        return found

    def kind(self, placed: "Placed") -> Kind:
        """The kind of a pod of the final state."""
        return self._kinds[(placed.pod.namespace, placed.pod.labels)]

    def selected(self, who: Company) -> frozenset[Kind]:
        """The kinds that a term means."""
        if who not in self._selected:
            self._selected[who] = frozenset(
                kind
                for kind in self._perhaps(who.selector)
                if selects(who.selector, kind.labels)
                and in_namespace(who, kind.namespace, self._labels_of(kind.namespace))
            )
        return self._selected[who]

    def _perhaps(self, selector: LabelSelector | None) -> Iterator[Kind]:
        """The kinds that a selector may select: by the values of a label that it names, if any."""
        for each in selector.requirements if selector is not None else ():
            if each.operator == IN:
                for value in each.values:
                    yield from self._carrying.get((each.key, value), ())
                return
        if selector is not None:
            yield from self._kinds.values()

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


def _kind(kinds: dict[tuple[str, Pairs], Kind], pod: Pod) -> Kind:
    """The kind of a pod, new where it is the first."""
    at = (pod.namespace, pod.labels)
    if at not in kinds:
        kinds[at] = Kind(*at)
    return kinds[at]
