"""What pods would rather have of a node, as far as the node alone decides it (FORMULATION.md §O3).

Source plugins: NodeAffinity, TaintToleration and ImageLocality, their scores before normalising.
"""

from collections.abc import Sequence

import numpy as np

from batchsched.feasibility.columns import IntArray
from batchsched.feasibility.problem import Problem
from batchsched.snapshot.pod import PREFER_NO_SCHEDULE, PodSpec

_MIB = 1024 * 1024
_IMAGES_BYTES_MIN = 23 * _MIB
_IMAGES_BYTES_MAX = 1000 * _MIB


def preferred_nodes(problem: Problem, specs: Sequence[PodSpec]) -> IntArray:
    """[S, N] for each spec the weights of its preferred terms that the node matches, added up."""
    scores = np.zeros((len(specs), len(problem.nodes)), dtype=np.int64)
    for i, spec in enumerate(specs):
        for weight, term in spec.preferred_nodes:
            scores[i] += weight * problem.topology.terms.term(term)
    return scores


def intolerable_taints(problem: Problem, specs: Sequence[PodSpec]) -> IntArray:
    """[S, N] for each spec how many PreferNoSchedule taints of the node it does not tolerate."""
    effects, terms = frozenset({PREFER_NO_SCHEDULE}), problem.topology.terms
    counts = [terms.intolerable(spec.tolerations, effects) for spec in specs]
    return np.array(counts, dtype=np.int64).reshape(len(specs), len(problem.nodes))


def image_locality(problem: Problem, specs: Sequence[PodSpec]) -> IntArray:
    """[S, N] for each spec 0 to 100: how much of the pods' images is on the node already.

    An image counts with its size, scaled by the share of nodes that have it, so that pods are not
    drawn to the few nodes that happen to hold it.
    """
    bytes_on = _image_bytes(problem, {image for spec in specs for image in spec.images})
    scores = np.zeros((len(specs), len(problem.nodes)), dtype=np.int64)
    for i, spec in enumerate(specs):
        held = np.zeros(len(problem.nodes), dtype=np.int64)
        for image in spec.images:
            if image in bytes_on:
                held += bytes_on[image]
        most = _IMAGES_BYTES_MAX * max(spec.containers, 1)
        held = np.clip(held, _IMAGES_BYTES_MIN, most)
        scores[i] = 100 * (held - _IMAGES_BYTES_MIN) // (most - _IMAGES_BYTES_MIN)
    return scores


def _image_bytes(problem: Problem, wanted: set[str]) -> dict[str, IntArray]:
    """[N] for each wanted image: its size on each node, scaled by the share of nodes with it."""
    found: dict[str, IntArray] = {}
    for n, node in enumerate(problem.nodes):
        for image, size in node.images:
            if image in wanted:
                sizes = found.setdefault(image, np.zeros(len(problem.nodes), dtype=np.int64))
                sizes[n] = size
    return {
        image: sizes * np.count_nonzero(sizes) // len(problem.nodes)
        for image, sizes in found.items()
    }
