"""InterPodAffinity: the pod's own required terms, and required anti-affinity towards it.

An existing pod counts for affinity only where it matches all the terms of the incoming one.
Terminating pods count. Anti-affinity works both ways; nodes without a term's key are free of it.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from batchsched.feasibility.columns import BoolArray, IntArray
from batchsched.feasibility.problem import PodClass
from batchsched.feasibility.scene import Scene, Verdict, refusal, stacked
from batchsched.feasibility.selection import PodSelector, of_term
from batchsched.snapshot.labels import LabelSelector, selects
from batchsched.snapshot.pod import PodAffinityTerm

AFFINITY = "node(s) didn't match pod affinity rules"
ANTI_AFFINITY = "node(s) didn't match pod anti-affinity rules"
EXISTING_ANTI_AFFINITY = "node(s) didn't satisfy existing pods anti-affinity rules"

Terms = tuple[tuple[str, PodSelector], ...]
"""Resolved terms: (topology key, who is meant)."""


def resolved(terms: Iterable[PodAffinityTerm], namespace: str) -> Terms:
    """Terms with the owner's namespace filled in, without repeats."""
    return tuple(dict.fromkeys((term.topology_key, of_term(term, namespace)) for term in terms))


def incoming(terms: Terms) -> Terms:
    """Terms of the pod being placed, as kube-scheduler 1.36 reads them.

    Besides finding namespaces by their labels, it asks the namespace selector of no labels at all;
    where those satisfy it, every namespace is in. The terms of pods that are there are read
    properly, and rules about final states read all terms properly.
    """
    return tuple((key, _widened(who)) for key, who in terms)


def _widened(who: PodSelector) -> PodSelector:
    if who.namespace_selector is not None and selects(who.namespace_selector, {}):
        return replace(who, namespace_selector=LabelSelector())
    return who


def inter_pod_affinity(scene: Scene) -> tuple[Verdict, ...]:
    """InterPodAffinity, its three parts in the order in which kube-scheduler asks them."""
    return (pod_affinity(scene), _anti_affinity(scene, incoming), existing_anti_affinity(scene))


def pod_affinity(scene: Scene) -> Verdict:
    """Required affinity: each domain holds a pod that matches all terms, or the pod is first."""
    keys = [_affinity_key(scene, i, c) for i, c in enumerate(scene.classes)]
    _, kind = scene.kinds(keys)
    masks = [~_near(scene, *key) if key else scene.none() for key in dict.fromkeys(keys)]
    return refusal(stacked(masks, len(scene.nodes)), kind, AFFINITY)


def _affinity_key(scene: Scene, index: int, pod_class: PodClass) -> tuple[Terms, bool] | tuple[()]:
    """The resolved terms of a class and whether it matches them itself; empty without terms."""
    terms = incoming(resolved(pod_class.spec.affinity, pod_class.namespace))
    if not terms:
        return ()
    return terms, all(bool(scene.selections.classes(who)[index]) for _, who in terms)


def _near(scene: Scene, terms: Terms, itself: bool) -> BoolArray:  # noqa: FBT001 -- part of a key
    """[N] whether the node meets the terms."""
    matching = scene.fixed_node >= 0
    for _, who in terms:
        matching = matching & scene.selections.fixed(who)
    carrying, met = keys_present(scene, terms), np.ones(len(scene.nodes), dtype=np.bool_)
    somewhere = False
    for key, _ in terms:
        there = same_domain(scene, key, scene.fixed_node[matching])
        somewhere = somewhere or bool(there.any())
        met &= there
    return carrying & (met | (itself and not somewhere))


def keys_present(scene: Scene, terms: Terms) -> BoolArray:
    """[N] whether the node carries the key of every term."""
    mask = np.ones(len(scene.nodes), dtype=np.bool_)
    for key, _ in terms:
        mask &= scene.topology.domains(key).has_key
    return mask


def affinity_keys(scene: Scene) -> Verdict:
    """The part of required affinity that no other pod can change: the node carries every key."""
    keys = [tuple(sorted({t.topology_key for t in c.spec.affinity})) for c in scene.classes]
    _, kind = scene.kinds(keys)
    masks = []
    for each in dict.fromkeys(keys):
        lacking = scene.none()
        for key in each:
            lacking |= ~scene.topology.domains(key).has_key
        masks.append(lacking)
    return refusal(stacked(masks, len(scene.nodes)), kind, AFFINITY)


def pod_anti_affinity(scene: Scene) -> Verdict:
    """Required anti-affinity of the pending pods towards the fixed ones, each term by itself."""
    return _anti_affinity(scene, tuple)


def _anti_affinity(scene: Scene, read: Callable[[Terms], Terms]) -> Verdict:
    keys = [read(resolved(c.spec.anti_affinity, c.namespace)) for c in scene.classes]
    _, kind = scene.kinds(keys)
    masks = []
    for terms in dict.fromkeys(keys):
        mask = scene.none()
        for key, who in terms:
            matching = scene.selections.fixed(who) & (scene.fixed_node >= 0)
            mask |= same_domain(scene, key, scene.fixed_node[matching])
        masks.append(mask)
    return refusal(stacked(masks, len(scene.nodes)), kind, ANTI_AFFINITY)


def same_domain(scene: Scene, key: str, nodes: IntArray) -> BoolArray:
    """[N] whether the node shares its domain of the key with one of some nodes."""
    domains = scene.topology.domains(key)
    found = np.zeros(len(domains) + 1, dtype=np.bool_)
    found[domains.of_node[nodes]] = True
    found[-1] = False  # where nodes without the key ended up
    return found[domains.of_node]


def existing_anti_affinity(scene: Scene) -> Verdict:
    """Required anti-affinity of the fixed pods towards the incoming one."""
    owners: dict[tuple[str, PodSelector], list[int]] = {}
    for pod, node in scene.holding(lambda spec: spec.anti_affinity):
        for term in pod.spec.anti_affinity:
            owners.setdefault((term.topology_key, of_term(term, pod.namespace)), []).append(node)
    shunned: dict[int, BoolArray] = {}
    for (key, who), nodes in owners.items():
        meant = np.flatnonzero(scene.selections.classes(who))
        if len(meant):
            mask = same_domain(scene, key, np.array(nodes, dtype=np.int64))
            for c in meant.tolist():
                shunned[c] = shunned[c] | mask if c in shunned else mask
    kind = np.zeros(len(scene.classes), dtype=np.int64)
    kind[list(shunned)] = np.arange(1, len(shunned) + 1)
    masks = stacked([scene.none(), *shunned.values()], len(scene.nodes))
    return refusal(masks, kind, EXISTING_ANTI_AFFINITY)
