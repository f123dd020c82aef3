"""The reservation: room that is kept for pods that have waited long, until they can have it.

A noun like the others: a decision depends on it, so it is in the snapshot and in what is written of
it, and whoever decides again from there keeps the same room. Who makes it is ``ageing``'s business.
"""

from dataclasses import dataclass

from batchsched.snapshot.pod import Quantities


@dataclass(frozen=True, slots=True)
class Reservation:
    """Room on some nodes, for pods that are still pending. Times are seconds since 1970."""

    pods: tuple[tuple[str, str], ...]
    """Keys of the pods that it is kept for, sorted."""
    priority: int
    """Theirs; pods of a higher one are not held back."""
    at_s: float
    """When it was made: whoever is placed now starts soon after."""
    until_s: float | None
    """When they will have the room; ``None`` where nobody knows."""
    nodes: tuple[tuple[str, Quantities], ...]
    """Sorted: what is kept of each node; ``pods`` is how many come there."""
