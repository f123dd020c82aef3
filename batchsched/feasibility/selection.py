"""Selection: which classes and which fixed pods a pod selector selects, each asked once.

A ``PodSelector`` is a label selector with the namespaces it looks at, as pod affinity, spread and
budgets use it (kube-scheduler's ``AffinityTerm.Matches``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from batchsched.feasibility.columns import LabelColumns, distinct
from batchsched.feasibility.crowd import Crowd
from batchsched.snapshot.labels import LabelSelector, Pairs, selects
from batchsched.snapshot.pod import Pod, PodAffinityTerm

if TYPE_CHECKING:
    from batchsched.feasibility.problem import PodClass

NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"


@dataclass(frozen=True, slots=True, order=True)
class PodSelector:
    """Pods of the named namespaces, or of those that ``namespace_selector`` selects, by labels."""

    namespaces: tuple[str, ...]
    namespace_selector: LabelSelector | None
    selector: LabelSelector | None


def of_term(term: PodAffinityTerm, namespace: str) -> PodSelector:
    """The selector of an affinity term of a pod in ``namespace`` (both absent: its own)."""
    if not term.namespaces and term.namespace_selector is None:
        return PodSelector((namespace,), None, term.selector)
    return PodSelector(tuple(sorted(term.namespaces)), term.namespace_selector, term.selector)


class NamespaceLabels:
    """Labels of namespaces; one that was not given carries its name, as all do."""

    def __init__(self, namespaces: tuple[tuple[str, Pairs], ...]) -> None:
        """Index the given ones."""
        self._labels = {
            name: {NAMESPACE_NAME_LABEL: name, **dict(labels)} for name, labels in namespaces
        }

    def of(self, namespace: str) -> dict[str, str]:
        """The labels of one namespace."""
        return self._labels.get(namespace, {NAMESPACE_NAME_LABEL: namespace})


def selects_pod(selector: PodSelector, pod: Pod, namespaces: NamespaceLabels) -> bool:
    """Whether the selector selects the pod."""
    inside = pod.namespace in selector.namespaces or selects(
        selector.namespace_selector, namespaces.of(pod.namespace)
    )
    return inside and selects(selector.selector, dict(pod.labels))


class Selections:
    """Answers per selector, as masks over classes and fixed pods, each computed once."""

    def __init__(
        self, classes: Sequence["PodClass"], fixed: Crowd, namespaces: NamespaceLabels
    ) -> None:
        """Group pods by (namespace, labels), so that a selector is asked once per kind of pod."""
        self._of_class = _Kinds(Crowd([c.pods[0] for c in classes]), namespaces)
        self._of_fixed = _Kinds(fixed, namespaces)
        self._classes: dict[PodSelector, npt.NDArray[np.bool_]] = {}
        self._fixed: dict[PodSelector, npt.NDArray[np.bool_]] = {}

    def classes(self, selector: PodSelector) -> npt.NDArray[np.bool_]:
        """[C] whether the pods of a class are selected."""
        if selector not in self._classes:
            self._classes[selector] = self._of_class.selected(selector)
        return self._classes[selector]

    def fixed(self, selector: PodSelector) -> npt.NDArray[np.bool_]:
        """[F] whether a fixed pod is selected."""
        if selector not in self._fixed:
            self._fixed[selector] = self._of_fixed.selected(selector)
        return self._fixed[selector]


class _Kinds:
    """Pods by namespace and by labels, the labels as columns."""

    def __init__(self, pods: Crowd, namespaces: NamespaceLabels) -> None:
        self._namespaces, self._namespace = pods.namespaces
        labels, of = pods.labels
        kinds, kind = distinct(labels)
        self._kind = kind[of]
        self._labels = LabelColumns(kinds)
        self._namespace_labels = namespaces

    def selected(self, selector: PodSelector) -> npt.NDArray[np.bool_]:
        """[pods] whether the selector selects each."""
        inside = [self._inside(selector, namespace) for namespace in self._namespaces]
        there = np.array(inside, dtype=np.bool_)[self._namespace]
        mask: npt.NDArray[np.bool_] = there & self._labels.selected(selector.selector)[self._kind]
        return mask

    def _inside(self, selector: PodSelector, namespace: str) -> bool:
        return namespace in selector.namespaces or selects(
            selector.namespace_selector, self._namespace_labels.of(namespace)
        )
