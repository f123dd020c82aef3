"""Nodes: allocatable (never capacity), labels, taints, images, declared features."""

from dataclasses import dataclass

from batchsched.snapshot.labels import Pairs
from batchsched.snapshot.pod import Quantities


@dataclass(frozen=True, slots=True, order=True)
class Taint:
    """``effect`` is NoSchedule, NoExecute or PreferNoSchedule."""

    key: str
    value: str
    effect: str


@dataclass(frozen=True, slots=True)
class Node:
    """One node. Conditions are not read: the node lifecycle controller makes taints of them."""

    name: str
    uid: str = ""
    labels: Pairs = ()
    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()
    allocatable: Quantities = ()
    """``pods`` among them."""
    images: tuple[tuple[str, int], ...] = ()
    """``(name, bytes)`` of every name of every image on the node, sorted."""
    features: tuple[str, ...] = ()
