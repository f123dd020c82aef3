"""Selection: which classes and which fixed pods a pod selector selects, each asked once.

A ``PodSelector`` is a label selector with the namespaces it looks at, as pod affinity, spread and
budgets use it (kube-scheduler's ``AffinityTerm.Matches``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

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
        self._labels = {name: {NAMESPACE_NAME_LABEL: name, **dict(labels)} for name, labels in namespaces}

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
        self, classes: Sequence["PodClass"], fixed: Sequence[Pod], namespaces: NamespaceLabels
    ) -> None:
        """Group pods by (namespace, labels), so that a selector is asked once per kind of pod."""
        self._namespaces = namespaces
        self._class_kinds, self._class_of = _kinds([c.pods[0] for c in classes])
        self._fixed_kinds, self._fixed_of = _kinds(fixed)
        self._classes: dict[PodSelector, npt.NDArray[np.bool_]] = {}
        self._fixed: dict[PodSelector, npt.NDArray[np.bool_]] = {}

    def classes(self, selector: PodSelector) -> npt.NDArray[np.bool_]:
        """[C] whether the pods of a class are selected."""
        if selector not in self._classes:
            self._classes[selector] = self._ask(selector, self._class_kinds)[self._class_of]
        return self._classes[selector]

    def fixed(self, selector: PodSelector) -> npt.NDArray[np.bool_]:
        """[F] whether a fixed pod is selected."""
        if selector not in self._fixed:
            self._fixed[selector] = self._ask(selector, self._fixed_kinds)[self._fixed_of]
        return self._fixed[selector]

    def _ask(self, selector: PodSelector, kinds: list[Pod]) -> npt.NDArray[np.bool_]:
        answers = [selects_pod(selector, pod, self._namespaces) for pod in kinds]
        return np.array(answers, dtype=np.bool_)


def _kinds(pods: Sequence[Pod]) -> tuple[list[Pod], npt.NDArray[np.int64]]:
    """One pod per distinct (namespace, labels), and for each pod the index of its kind."""
    index: dict[tuple[str, Pairs], int] = {}
    kinds: list[Pod] = []
    of_pod = np.zeros(len(pods), dtype=np.int64)
    for i, pod in enumerate(pods):
        at = index.setdefault((pod.namespace, pod.labels), len(kinds))
        if at == len(kinds):
            kinds.append(pod)
        of_pod[i] = at
    return kinds, of_pod
