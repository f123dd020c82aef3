"""The scene: what every filter reads, indexed once; and the verdict, what every filter answers.

A scene sets classes of pending pods before nodes and the pods that hold their place there. Filters
are functions from a scene to a verdict. Must not know which filters there are.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
import numpy.typing as npt

from batchsched.feasibility.columns import BoolArray, IntArray, distinct
from batchsched.feasibility.crowd import Crowd
from batchsched.feasibility.node_terms import NodeTerms
from batchsched.feasibility.problem import PodClass
from batchsched.feasibility.selection import NamespaceLabels, Selections
from batchsched.feasibility.storage import Storage
from batchsched.feasibility.topology import Topology
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod, PodSpec
from batchsched.snapshot.snapshot import Snapshot

Reasons = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Verdict:
    """What one filter says of C classes on N nodes; classes that it cannot tell apart share a row.

    ``codes`` [K, N] indexes ``reasons``, whose entry 0 is empty: the pod passes. ``kind`` [C] is
    the row of each class.
    """

    codes: npt.NDArray[np.int32]
    kind: IntArray
    reasons: tuple[Reasons, ...]

    @property
    def rejects(self) -> bool:
        """Whether any class is rejected anywhere."""
        return bool(self.codes.any())

    def expanded(self) -> npt.NDArray[np.int32]:
        """[C, N] the code of every class on every node."""
        return self.codes[self.kind]


def refusal(refused: BoolArray, kind: IntArray, reason: str) -> Verdict:
    """The verdict of a filter with one reason: ``refused`` is [K, N]."""
    return Verdict(refused.astype(np.int32), kind, ((), (reason,)))


def verdict_of_all(
    kinds: int, nodes: int, kind: IntArray, parts: Iterable[tuple[str, BoolArray]]
) -> Verdict:
    """The verdict of a filter that gives all its reasons at once.

    Args:
        kinds: K.
        nodes: N.
        kind: [C] the row of each class.
        parts: Each reason, in the order in which kube-scheduler lists them, with where it
            applies: [K, N].
    """
    codes = np.zeros((kinds, nodes), dtype=np.int32)
    table: list[Reasons] = [()]
    for reason, refused in parts:
        before = codes[refused]
        seen = np.flatnonzero(np.bincount(before, minlength=1))
        lookup = np.zeros(len(table), dtype=np.int32)
        lookup[seen] = np.arange(len(table), len(table) + len(seen))
        codes[refused] = lookup[before]
        table += [(*table[code], reason) for code in seen.tolist()] if len(before) else []
    return Verdict(codes, kind, tuple(table))


def stacked(masks: Sequence[BoolArray], size: int) -> BoolArray:
    """[K, N] masks of K kinds, also where there is no kind."""
    return np.array(masks, dtype=np.bool_).reshape(len(masks), size)


@dataclass(frozen=True, eq=False)
class Scene:
    """Classes, nodes and fixed pods, with what filters ask of them indexed.

    ``fixed_node`` [F] is the node index of each fixed pod, -1 where the snapshot lacks the node.
    """

    snapshot: Snapshot
    nodes: tuple[Node, ...]
    classes: tuple[PodClass, ...]
    fixed: Crowd
    fixed_node: IntArray
    topology: Topology
    selections: Selections
    storage: Storage

    @property
    def terms(self) -> NodeTerms:
        """Node selector terms and tolerations over the nodes."""
        return self.topology.terms

    def kinds(self, keys: Iterable[Hashable]) -> tuple[list[PodClass], IntArray]:
        """One class for each distinct key (one key per class), and the kind [C] of every class."""
        found, kind = distinct(keys)
        first = np.full(len(found), len(self.classes), dtype=np.int64)
        np.minimum.at(first, kind, np.arange(len(self.classes)))
        return [self.classes[i] for i in first], kind

    def holding(self, asked: Callable[[PodSpec], object]) -> list[tuple[Pod, int]]:
        """The fixed pods on known nodes whose spec is asked for, and the index of their node."""
        chosen = self.fixed.having(asked)
        chosen = chosen[self.fixed_node[chosen] >= 0]
        nodes = self.fixed_node[chosen].tolist()
        return [(self.fixed.pods[i], n) for i, n in zip(chosen.tolist(), nodes, strict=True)]

    def none(self) -> BoolArray:
        """[N] of False."""
        return np.zeros(len(self.nodes), dtype=np.bool_)


def make_scene(
    snapshot: Snapshot,
    classes: tuple[PodClass, ...],
    fixed: Sequence[Pod],
    places: Sequence[str | None],
) -> Scene:
    """Index a scene.

    Args:
        snapshot: The cluster.
        classes: The pending pods.
        fixed: The pods that hold their place, in order.
        places: The name of the node of each.
    """
    nodes = tuple(sorted(snapshot.nodes, key=lambda node: node.name))
    index: dict[str | None, int] = {node.name: i for i, node in enumerate(nodes)}
    crowd = Crowd(fixed)
    of_node = map(index.get, places, repeat(-1))
    return Scene(
        snapshot=snapshot,
        nodes=nodes,
        classes=classes,
        fixed=crowd,
        fixed_node=np.fromiter(of_node, dtype=np.int64, count=len(crowd)),
        topology=Topology(nodes),
        selections=Selections(classes, crowd, NamespaceLabels(snapshot.namespaces)),
        storage=Storage(snapshot),
    )
