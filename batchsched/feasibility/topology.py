"""Topology: the domains that the values of a node label make."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from batchsched.feasibility.node_terms import NodeTerms
from batchsched.snapshot.node import Node

ALONE = -2
"""Stands for the domain of a node that shares it with nobody."""


@dataclass(frozen=True, eq=False)
class Domains:
    """The domains of one topology key over the nodes of a problem.

    ``of_node`` [N] is the index of a node's domain, -1 where the node lacks the key; ``values`` are
    the sorted label values.
    """

    key: str
    values: tuple[str, ...]
    of_node: npt.NDArray[np.int64]

    @property
    def has_key(self) -> npt.NDArray[np.bool_]:
        """[N] whether the node carries the key."""
        return self.of_node >= 0

    @cached_property
    def shared(self) -> npt.NDArray[np.int64]:
        """[N] the node's domain where it has other nodes too, ``ALONE`` where it has not."""
        sizes = np.bincount(self.of_node + 1, minlength=len(self) + 1)
        alone = self.has_key & (sizes[self.of_node + 1] == 1)
        return np.where(alone, ALONE, self.of_node)

    def own(self, nodes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """[N] how often a node that is a domain of its own is among some nodes; else 0."""
        counts = np.bincount(nodes, minlength=len(self.of_node))
        return np.where(self.shared == ALONE, counts, 0)

    def __len__(self) -> int:
        """How many domains there are."""
        return len(self.values)


class Topology:
    """Domains by key, made when first asked for."""

    def __init__(self, nodes: tuple[Node, ...]) -> None:
        """Index the nodes' labels."""
        self.terms = NodeTerms(nodes)
        """Node selector terms and tolerations over the same nodes."""
        self._domains: dict[str, Domains] = {}

    def domains(self, key: str) -> Domains:
        """The domains of one key."""
        if key not in self._domains:
            codes, of_node = self.terms.labels.column(key)
            values = tuple(sorted(codes))
            rank = np.full(len(codes) + 1, -1, dtype=np.int64)
            rank[[codes[value] for value in values]] = np.arange(len(values))
            self._domains[key] = Domains(key, values, rank[of_node])
        return self._domains[key]
