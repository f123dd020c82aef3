"""The spreading that kube-scheduler gives to pods that ask for none (PodTopologySpread).

A pod without constraints of its own that a Service selects, or that a ReplicaSet, StatefulSet or
ReplicationController owns, prefers to be spread over hosts and zones (the plugin's System
defaults). Jobs get none of that unless a Service selects their pods.
"""

from dataclasses import dataclass, field, replace

from batchsched.snapshot.labels import IN, LabelSelector, Pairs, Requirement
from batchsched.snapshot.pod import OwnerRef, Pod, PodSpec, TopologySpread

KEPT_MAX = 50_000
"""Answers that are kept. A live cluster's pods come with new labels for ever."""
_API_VERSIONS = {"ReplicaSet": "apps/v1", "StatefulSet": "apps/v1", "ReplicationController": "v1"}


def constraints(selector: LabelSelector) -> tuple[TopologySpread, ...]:
    """The two soft constraints of kube-scheduler's defaults."""
    return (
        TopologySpread("kubernetes.io/hostname", 3, hard=False, selector=selector),
        TopologySpread("topology.kubernetes.io/zone", 5, hard=False, selector=selector),
    )


@dataclass(slots=True)
class DefaultSpread:
    """Gives pods their default spreading.

    Args:
        services: Namespace to the selectors of its Services.
        owners: (kind, namespace, name) to the selector of an owner.
    """

    services: dict[str, list[Pairs]] = field(default_factory=dict)
    owners: dict[tuple[str, str, str], LabelSelector] = field(default_factory=dict)
    _selectors: dict[tuple[str, Pairs, OwnerRef | None], LabelSelector | None] = field(
        default_factory=dict
    )
    _specs: dict[tuple[int, LabelSelector], tuple[PodSpec, PodSpec]] = field(default_factory=dict)

    def spread(self, pod: Pod) -> Pod:
        """The pod, with default spreading if it has none and something selects it."""
        if pod.spec.spread or not (self.services or self.owners):
            return pod
        key = (pod.namespace, pod.labels, pod.owner)
        if key not in self._selectors:
            if len(self._selectors) >= KEPT_MAX:
                self._selectors.clear()
                self._specs.clear()
            self._selectors[key] = self._selector(pod)
        selector = self._selectors[key]
        return pod if selector is None else replace(pod, spec=self._spec(pod.spec, selector))

    def _spec(self, spec: PodSpec, selector: LabelSelector) -> PodSpec:
        """One spec with the constraints for one selector, made once."""
        key = (id(spec), selector)
        if key not in self._specs:
            self._specs[key] = (spec, replace(spec, spread=constraints(selector)))
        return self._specs[key][1]

    def _selector(self, pod: Pod) -> LabelSelector | None:
        """What its Services and its owner select, taken together; ``None`` if that is nothing."""
        labels = set(pod.labels)
        found = {
            Requirement(key, IN, (value,))
            for selector in self.services.get(pod.namespace, ())
            if labels.issuperset(selector)
            for key, value in selector
        }
        owner = pod.owner
        if owner is not None and _API_VERSIONS.get(owner.kind) == owner.api_version:
            selector = self.owners.get((owner.kind, pod.namespace, owner.name))
            found.update(selector.requirements if selector else ())
        return LabelSelector(tuple(sorted(found))) if found else None
