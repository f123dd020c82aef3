"""Tallies: who counts for a pod's required affinity and hard spread, by domain.

Asked of the final state by the rules' checks, and of every state on the way there by the binding
order, which adds one pod after the other.
"""

from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING

from batchsched.plan.reading import Company, company, untolerated, wanted_by
from batchsched.snapshot.pod import Pod, PodSpec, TopologySpread

if TYPE_CHECKING:
    from batchsched.plan.census import Kind
    from batchsched.plan.state import FinalState


class CompanyTally:
    """The pods that match *all* of some affinity terms, by domain of each of their keys."""

    def __init__(self, state: "FinalState", whom: tuple[Company, ...], *, kept: bool) -> None:
        """Count everyone in the final state, or only the ``kept`` pods."""
        census, first = state.census, state.census.selected(whom[0])
        self.kinds = first.intersection(*(census.selected(who) for who in whom[1:]))
        self._domain_of = {who.key: census.values(who.key) for who in whom}
        self._near: dict[str, dict[str, int]] = {key: {} for key in self._domain_of}
        self.anywhere = 0
        """How many there are on nodes that carry one of the keys at least."""
        for kind in self.kinds:
            for node, count in (kind.kept if kept else kind.on).items():
                self.add(node, count)

    def add(self, node: str, count: int = 1) -> list[tuple[str, str]]:
        """Count more on a node; give the (key, domain) where these are the first."""
        carried = self.domains(node)
        firsts = [(key, domain) for key, domain in carried if domain not in self._near[key]]
        for key, domain in carried:
            self._near[key][domain] = self._near[key].get(domain, 0) + count
        self.anywhere += count if carried else 0
        return firsts

    def domains(self, node: str) -> list[tuple[str, str]]:
        """The (key, domain) of a node for each key that it carries."""
        near = ((key, domain_of.get(node)) for key, domain_of in self._domain_of.items())
        return [(key, domain) for key, domain in near if domain is not None]

    def lacking(self, node: str, itself: int) -> tuple[str, str | None] | None:
        """The first (key, domain) where a pod on the node has no company, ``None`` if all is well.

        Args:
            node: Where the pod is.
            itself: How many of those counted are the pod itself.
        """
        domains = [(key, domain_of.get(node)) for key, domain_of in self._domain_of.items()]
        for key, domain in domains:
            if domain is None:
                return key, None
        for key, domain in domains:
            if domain is not None and self._near[key].get(domain, 0) <= itself:
                return key, domain
        return None


class SpreadTally:
    """The pods that count for a hard spread constraint, by domain, and the least count."""

    def __init__(
        self,
        state: "FinalState",
        namespace: str,
        spread: TopologySpread,
        eligible: frozenset[str],
        *,
        kept: bool,
    ) -> None:
        """Count everyone in the final state, or only the ``kept`` pods."""
        self.spread, self.eligible = spread, eligible
        self.domain_of = state.census.values(spread.topology_key)
        self.counts = dict.fromkeys((self.domain_of[name] for name in eligible), 0)
        self.kinds: frozenset[Kind] = frozenset()
        self.itself = frozenset(
            state.census.selected(Company(spread.topology_key, (namespace,), None, spread.selector))
        )
        """The kinds that the selector matches: an empty one matches, though it counts nobody."""
        if spread.selector is not None and spread.selector.requirements:
            self.kinds = self.itself
        for kind in self.kinds:
            for node, count in (kind.kept if kept else kind.on).items():
                if node in eligible:
                    self.counts[self.domain_of[node]] += count - kind.leaving.get(node, 0)
        self._enough = len(self.counts) >= spread.min_domains
        self._domains_at: dict[int, int] = {}
        for count in self.counts.values():
            self._domains_at[count] = self._domains_at.get(count, 0) + 1
        self.least = min(self.counts.values()) if self._enough and self.counts else 0

    def add(self, node: str) -> bool:
        """Count one more on an eligible node; say whether the least count rose."""
        domain = self.domain_of[node]
        count = self.counts[domain]
        self.counts[domain] = count + 1
        self._domains_at[count] -= 1
        self._domains_at[count + 1] = self._domains_at.get(count + 1, 0) + 1
        rose = self._enough and count == self.least and not self._domains_at[count]
        self.least += rose
        return rose

    def excess(self, domain: str, arriving: int = 0) -> int:
        """By how much a domain is too full, if some more arrive; 0 or less is well."""
        return self.counts.get(domain, 0) + arriving - self.least - self.spread.max_skew


def whom(pod: Pod) -> tuple[Company, ...]:
    """The required affinity terms of a pod, resolved."""
    return tuple(company(term, pod.namespace) for term in pod.spec.affinity)


class Spreads:
    """The tallies of hard spread constraints, each made once for all pods that share it."""

    def __init__(self, state: "FinalState", *, kept: bool) -> None:
        """Start with none."""
        self._state, self._kept = state, kept
        self._tallies: dict[Hashable, SpreadTally] = {}
        self._eligible: dict[Hashable, frozenset[str]] = {}
        self._of: dict[tuple[int, str], list[SpreadTally]] = {}

    def of(self, pod: Pod) -> list[SpreadTally]:
        """The tallies of a pod's hard constraints, in order."""
        at = (id(pod.spec), pod.namespace)  # replicas share their spec, and hashing one is slow
        if at not in self._of:
            self._of[at] = [self._tally(pod, each) for each in hard(pod.spec)]
        return self._of[at]

    def __iter__(self) -> Iterator[SpreadTally]:
        """All tallies so far."""
        return iter(self._tallies.values())

    def _tally(self, pod: Pod, spread: TopologySpread) -> SpreadTally:
        spec = pod.spec
        keys = frozenset(each.topology_key for each in hard(spec))
        asked = (
            keys,
            (spec.node_selector, spec.node_affinity) if spread.honor_node_affinity else None,
            spec.tolerations if spread.honor_node_taints else None,
        )
        at = (spread, pod.namespace, asked)
        if at not in self._tallies:
            if asked not in self._eligible:
                self._eligible[asked] = eligible(self._state, spec, keys, spread)
            self._tallies[at] = SpreadTally(
                self._state, pod.namespace, spread, self._eligible[asked], kept=self._kept
            )
        return self._tallies[at]


def hard(spec: PodSpec) -> list[TopologySpread]:
    """The hard spread constraints of a pod."""
    return [each for each in spec.spread if each.hard]


def eligible(
    state: "FinalState", spec: PodSpec, keys: frozenset[str], spread: TopologySpread
) -> frozenset[str]:
    """The nodes that count: with all keys, and let in by the constraint's policies."""
    return frozenset(
        name
        for name, labels in state.census.labels.items()
        if all(key in labels for key in keys)
        and (not spread.honor_node_affinity or wanted_by(spec, name, labels))
        and (
            not spread.honor_node_taints
            or untolerated(state.nodes[name].taints, spec.tolerations) is None
        )
    )
