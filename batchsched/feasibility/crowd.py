"""A crowd: many pods, read through what they share.

A cluster runs a hundred thousand pods of a few hundred kinds: replicas hold the same objects (the
loader sees to that). So whatever is asked of all of them is asked once for each distinct object,
and the answer spread by an index array. Where objects are not shared it is slower, never different.
Knows pods and arrays; must not know what is asked.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from operator import attrgetter
from typing import TypeAlias, TypeVar

import numpy as np

from batchsched.feasibility.columns import BoolArray, IntArray, distinct
from batchsched.snapshot.labels import Pairs
from batchsched.snapshot.pod import OwnerRef, Pod, PodSpec, Quantities

Part = TypeVar("Part")
Told: TypeAlias = tuple[list[Part], IntArray]
"""Distinct things, and which of them each pod [P] has."""


class Crowd:
    """Pods in a given order [P]; each of their parts is indexed when it is first asked for."""

    def __init__(self, pods: Sequence[Pod]) -> None:
        """Index nothing yet."""
        self.pods = tuple(pods)

    def __len__(self) -> int:
        """How many pods there are."""
        return len(self.pods)

    def __iter__(self) -> Iterator[Pod]:
        """The pods, in order."""
        return iter(self.pods)

    @cached_property
    def specs(self) -> Told[PodSpec]:
        """Specs, told apart by identity, as all parts are."""
        return told_apart([pod.spec for pod in self.pods])

    @cached_property
    def requests(self) -> Told[Quantities]:
        """What pods hold where they run."""
        return told_apart([pod.requests for pod in self.pods])

    @cached_property
    def owners(self) -> Told[OwnerRef | None]:
        """Controllers."""
        return told_apart([pod.owner for pod in self.pods])

    @cached_property
    def namespaces(self) -> Told[str]:
        """Namespaces, by name."""
        return distinct([pod.namespace for pod in self.pods])

    @cached_property
    def labels(self) -> Told[Pairs]:
        """Sets of labels."""
        return told_apart([pod.labels for pod in self.pods])

    @cached_property
    def staying(self) -> BoolArray:
        """[P] whether the pod is not on its way out."""
        leaving = map(attrgetter("deleting"), self.pods)
        return ~np.fromiter(leaving, dtype=np.bool_, count=len(self))

    def having(self, asked: Callable[[PodSpec], object]) -> IntArray:
        """The pods of whose spec something is true, as ascending indices."""
        specs, of = self.specs
        return np.flatnonzero(np.array([bool(asked(spec)) for spec in specs], dtype=np.bool_)[of])


def told_apart(parts: Sequence[Part]) -> Told[Part]:
    """The distinct objects in order of appearance, and which of them each place holds.

    Objects are told apart by identity, so equal ones may be listed twice.
    """
    identities = np.fromiter(map(id, parts), dtype=np.int64, count=len(parts))
    _, first, of = np.unique(identities, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return [parts[i] for i in first[order].tolist()], rank[of]
