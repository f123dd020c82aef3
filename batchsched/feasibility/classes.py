"""Pod classes: pending pods that no rule and no tier can tell apart.

Two pods are of one class when their specs are equal and every selector that the cluster knows
answers the same for both. A spec is hashed once however many pods hold it; labels and namespaces
are cut down to what some selector looks at, so that the index of a Job's pod or the hash of its
template does not make it one of a kind.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from batchsched.feasibility.crowd import Crowd
from batchsched.feasibility.problem import PodClass
from batchsched.feasibility.reserved import HeldBack
from batchsched.feasibility.selection import NamespaceLabels
from batchsched.snapshot.labels import IN, NOT_IN, LabelSelector, Pairs, selects
from batchsched.snapshot.pod import Pod, PodAffinityTerm, PodSpec
from batchsched.snapshot.snapshot import Snapshot

ENDED = frozenset({"Succeeded", "Failed"})
NO_PARTS: Mapping[tuple[str, str], str] = {}
_ANY = "*"
"""Stands for a label value that no selector names; no label value can be it."""


@dataclass(frozen=True)
class _Lookout:
    """What selectors look at: label values, namespaces by name, namespaces by their labels."""

    values: Mapping[str, frozenset[str]]
    namespaces: frozenset[str]
    namespace_selectors: tuple[LabelSelector, ...]

    def labels(self, labels: Pairs) -> Pairs:
        """The labels as far as anybody looks; a value that nobody names is as good as another."""
        return tuple(
            (key, value if value in self.values[key] else _ANY)
            for key, value in labels
            if key in self.values
        )


def pod_classes(
    snapshot: Snapshot,
    pods: Iterable[Pod],
    group_of: Mapping[tuple[str, str], int],
    part_of: Mapping[tuple[str, str], str] = NO_PARTS,
    *,
    whole: bool = False,
    preemption: bool = False,
) -> tuple[PodClass, ...]:
    """Group pods into classes, in the order of their first pod.

    Args:
        snapshot: The cluster, whose selectors decide what can be told apart.
        pods: The pods, sorted by key.
        group_of: The gang of each pod that has one, as index into ``Problem.gangs``.
        part_of: The part of its gang that a pod is in, if that has a minimum of its own.
        whole: Whether namespace, labels and annotations tell pods apart though no selector does.
        preemption: Whether it matters which pods preempt others.
    """
    ordered = tuple(pods)
    grouped: dict[object, list[Pod]] = {}
    key_of = _Keys(snapshot, ordered)
    held_back = HeldBack(snapshot.reservation)
    for pod in ordered:
        group = group_of.get((pod.namespace, pod.name))
        more = (pod.namespace, pod.labels, pod.annotations) if whole else ()
        more = (*more, pod.spec.preemption_never) if preemption else more
        more = (*more, held_back(pod)) if held_back else more
        part = part_of.get((pod.namespace, pod.name)) if part_of else None
        grouped.setdefault((key_of(pod), group, part, more), []).append(pod)
    return tuple(
        PodClass(tuple(pods), group_of.get(pods[0].key), part=part_of.get(pods[0].key))
        for pods in grouped.values()
    )


class _Keys:
    """The class key of a pod; each distinct spec, set of labels and namespace is looked at once."""

    def __init__(self, snapshot: Snapshot, pods: tuple[Pod, ...]) -> None:
        self._lookout = _look_out(snapshot, pods)
        self._namespaces = NamespaceLabels(snapshot.namespaces)
        self._spec_of: dict[int, tuple[int, bool]] = {}
        self._specs: dict[PodSpec, int] = {}
        self._labels: dict[Pairs, Pairs] = {}
        self._seen_from: dict[str, tuple[bool, ...]] = {}

    def __call__(self, pod: Pod) -> object:
        """Everything that matters of the pod, hashable."""
        known = self._spec_of.get(id(pod.spec))
        if known is None:
            plain = replace(
                pod.spec,
                scheduler_name="",
                pod_group=None,
                preemption_never=False,
                deadline_s=None,
            )
            spec = self._specs.setdefault(plain, len(self._specs))
            known = self._spec_of[id(pod.spec)] = (spec, _is_one_of_a_kind(pod.spec))
        labels = self._labels.get(pod.labels)
        if labels is None:
            labels = self._labels[pod.labels] = self._lookout.labels(pod.labels)
        kind = pod.owner.kind if pod.owner is not None and pod.owner.kind == "DaemonSet" else None
        own = pod.key if known[1] else None
        return (known[0], labels, self._namespace(pod), kind, own, pod.claim_names)

    def _namespace(self, pod: Pod) -> object:
        """The namespace, or what selectors say of it where that is all that matters."""
        if pod.namespace in self._lookout.namespaces or _is_bound_to_namespace(pod.spec):
            return pod.namespace
        seen = self._seen_from.get(pod.namespace)
        if seen is None:
            labels = self._namespaces.of(pod.namespace)
            selectors = self._lookout.namespace_selectors
            seen = tuple(selects(selector, labels) for selector in selectors)
            self._seen_from[pod.namespace] = seen
        return seen


def _is_bound_to_namespace(spec: PodSpec) -> bool:
    """Whether the spec speaks of its own namespace: claims, or terms about pods."""
    return bool(spec.claims or spec.resource_claims or _pod_terms(spec) or spec.spread)


def _is_one_of_a_kind(spec: PodSpec) -> bool:
    """Whether pods have claims of their own: of ephemeral volumes, or made from templates."""
    return any(ref.ephemeral for ref in spec.claims) or any(
        template is not None for _, _, template in spec.resource_claims
    )


def _pod_terms(spec: PodSpec) -> list[PodAffinityTerm]:
    preferred = [term for _, term in spec.preferred_affinity]
    return [*spec.affinity, *spec.anti_affinity, *preferred]


def _look_out(snapshot: Snapshot, pods: tuple[Pod, ...]) -> _Lookout:
    """Collect what any selector of the cluster looks at."""
    selectors: set[LabelSelector] = set()
    namespaces: set[str] = set()
    namespace_selectors: set[LabelSelector] = set()
    for spec, homes in _specs(snapshot, pods):
        for term in _pod_terms(spec):
            selectors.update([term.selector] if term.selector is not None else [])
            namespaces.update(term.namespaces)
            if term.namespace_selector is not None:
                namespace_selectors.add(term.namespace_selector)
            if not term.namespaces and term.namespace_selector is None:
                namespaces |= homes
        for constraint in spec.spread:
            selectors.update([constraint.selector] if constraint.selector is not None else [])
            namespaces |= homes
    for budget in snapshot.budgets:
        selectors.update([budget.selector] if budget.selector is not None else [])
        namespaces.add(budget.namespace)
    return _Lookout(
        _named_values(selectors), frozenset(namespaces), tuple(sorted(namespace_selectors))
    )


def _specs(snapshot: Snapshot, pods: tuple[Pod, ...]) -> list[tuple[PodSpec, set[str]]]:
    """The specs with terms about pods, of everyone who has not ended, and where they live."""
    crowd = Crowd([*snapshot.pods, *pods])
    found: dict[int, tuple[PodSpec, set[str]]] = {}
    for i in crowd.having(lambda spec: spec.spread or _pod_terms(spec)).tolist():
        pod = crowd.pods[i]
        if pod.phase not in ENDED:
            found.setdefault(id(pod.spec), (pod.spec, set()))[1].add(pod.namespace)
    return list(found.values())


def _named_values(selectors: set[LabelSelector]) -> dict[str, frozenset[str]]:
    """The label keys that selectors look at, and the values that they name."""
    values: dict[str, set[str]] = {}
    for selector in selectors:
        for requirement in selector.requirements:
            named = values.setdefault(requirement.key, set())
            if requirement.operator in {IN, NOT_IN}:
                named.update(requirement.values)
    return {key: frozenset(named) for key, named in values.items()}
