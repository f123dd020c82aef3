"""Reservations in files: an object of our own kind, which no API server serves.

It stands in the records of windows, so that ``batchsched solve`` keeps the same room again.
"""

from typing import Annotated

from pydantic import Field

from batchsched.snapshot.api import Api, Int32, Name, Object
from batchsched.snapshot.encode import Object as Written
from batchsched.snapshot.encode import api_object, metadata
from batchsched.snapshot.reservation import Reservation

GROUP, KIND = "batchsched.io", "Reservation"
Amount = Annotated[int, Field(ge=0, lt=2**63)]
"""As the nouns have it: milli-cores, bytes, units."""


class ReservedPodModel(Api):
    """A pod that room is kept for."""

    namespace: Name
    name: Name


class ReservedNodeModel(Api):
    """What is kept of a node."""

    name: Name
    amounts: dict[str, Amount]


class ReservationSpecModel(Api):
    """``spec``."""

    pods: list[ReservedPodModel]
    priority: Int32 = 0
    at_seconds: float
    until_seconds: float | None = None
    nodes: list[ReservedNodeModel]


class ReservationModel(Object):
    """A reservation."""

    spec: ReservationSpecModel


def reservation(model: ReservationModel) -> Reservation:
    """What a file says."""
    spec = model.spec
    return Reservation(
        pods=tuple(sorted((pod.namespace, pod.name) for pod in spec.pods)),
        priority=spec.priority,
        at_s=spec.at_seconds,
        until_s=spec.until_seconds,
        nodes=tuple(
            sorted((node.name, tuple(sorted(node.amounts.items()))) for node in spec.nodes)
        ),
    )


def reservation_object(found: Reservation) -> Written:
    """A reservation as its file says it."""
    spec = {
        "pods": [{"namespace": namespace, "name": name} for namespace, name in found.pods],
        "priority": found.priority or None,
        "atSeconds": found.at_s,
        "untilSeconds": found.until_s,
        "nodes": [{"name": name, "amounts": dict(kept)} for name, kept in found.nodes],
    }
    return api_object(f"{GROUP}/v1alpha1", KIND, metadata("oldest"), spec=spec)
