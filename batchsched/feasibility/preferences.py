"""What pods would rather have of a node, as far as the node alone decides it (FORMULATION.md §O3).

Source plugins: NodeAffinity, TaintToleration and ImageLocality, their scores before normalising.
"""

import numpy as np

from batchsched.feasibility.columns import IntArray, distinct
from batchsched.feasibility.problem import Problem
from batchsched.snapshot.pod import PREFER_NO_SCHEDULE

_MIB = 1024 * 1024
_IMAGES_BYTES_MIN = 23 * _MIB
_IMAGES_BYTES_MAX = 1000 * _MIB


def preferred_nodes(problem: Problem) -> IntArray:
    """[C, N] the sum of the weights of the preferred node terms that the node matches."""
    asked, kind = distinct(c.spec.preferred_nodes for c in problem.classes)
    scores = np.zeros((len(asked), len(problem.nodes)), dtype=np.int64)
    for i, terms in enumerate(asked):
        for weight, term in terms:
            scores[i] += weight * problem.topology.terms.term(term)
    return scores[kind]


def intolerable_taints(problem: Problem) -> IntArray:
    """[C, N] how many PreferNoSchedule taints of the node the pods do not tolerate."""
    asked, kind = distinct(c.spec.tolerations for c in problem.classes)
    effects = frozenset({PREFER_NO_SCHEDULE})
    counts = [problem.topology.terms.intolerable(tolerations, effects) for tolerations in asked]
    return np.array(counts, dtype=np.int64).reshape(len(asked), len(problem.nodes))[kind]


def image_locality(problem: Problem) -> IntArray:
    """[C, N] 0 to 100: how much of the pods' images is on the node already.

    An image counts with its size, scaled by the share of nodes that have it, so that pods are not
    drawn to the few nodes that happen to hold it.
    """
    wanted = {image for c in problem.classes for image in c.spec.images}
    bytes_on = _image_bytes(problem, wanted)
    asked, kind = distinct((c.spec.images, c.spec.containers) for c in problem.classes)
    scores = np.zeros((len(asked), len(problem.nodes)), dtype=np.int64)
    for i, (images, containers) in enumerate(asked):
        held = np.zeros(len(problem.nodes), dtype=np.int64)
        for image in images:
            if image in bytes_on:
                held += bytes_on[image]
        most = _IMAGES_BYTES_MAX * max(containers, 1)
        held = np.clip(held, _IMAGES_BYTES_MIN, most)
        scores[i] = 100 * (held - _IMAGES_BYTES_MIN) // (most - _IMAGES_BYTES_MIN)
    return scores[kind]


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
