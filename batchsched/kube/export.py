"""A live cluster as a List: what ``kubectl get`` would print of the kinds that are read.

A kind that may not be listed is left out and named, since whoever asks for a plan often has fewer
rights than a scheduler; without nodes and pods there is nothing to plan, and that is an error.
"""

from collections.abc import Callable, Iterator
from typing import Any

from batchsched.kube.connection import Connection
from batchsched.kube.discovery import RESOURCES, Resource, served
from batchsched.kube.errors import RefusedError
from batchsched.kube.listing import pages
from batchsched.snapshot.kinds import GroupKind

FORBIDDEN, GONE = 403, 410
TRIES_MAX = 3
"""Of a list whose version was forgotten while it was read."""
_NEEDED: frozenset[GroupKind] = frozenset({("", "Node"), ("", "Pod")})

Found = tuple[GroupKind, dict[str, Any]]


def exported(
    connection: Connection,
    left_out: Callable[[str], None],
    progress: Callable[[str, int], None] = lambda _label, _count: None,
) -> Iterator[Found]:
    """Read every object of every kind that is read, with its kind and version written in.

    Args:
        connection: To the cluster.
        left_out: Told of a kind that may not be listed.
        progress: Told how many objects of a kind there are.

    Raises:
        ClusterError: The cluster cannot be read.
    """
    for resource in RESOURCES:
        try:
            found = _objects(connection, resource)
        except RefusedError as error:
            if error.status != FORBIDDEN or resource.kind in _NEEDED:
                raise
            left_out(str(error))
            continue
        progress(resource.label, len(found))
        for raw in found:
            yield resource.kind, raw


def _objects(connection: Connection, resource: Resource) -> list[dict[str, Any]]:
    """All objects of one kind; none where it is not served."""
    at = served(connection, resource)
    if at is None:
        return []
    group, name = resource.kind
    named = {"apiVersion": f"{group}/{at.version}" if group else at.version, "kind": name}
    for attempt in range(1, TRIES_MAX + 1):
        try:
            return [
                {**named, **raw} for page in pages(connection, resource, at) for raw in page.items
            ]
        except RefusedError as error:
            if error.status != GONE or attempt == TRIES_MAX:
                raise
    raise AssertionError("the last attempt returns or raises")
