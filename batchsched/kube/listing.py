"""All objects of one kind, page by page and all of one version.

No ``resourceVersion`` is asked for: the server then answers with its newest state, and not with
what some cache of its own happens to hold, so a process that restarts never sees less than before.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from batchsched.kube.connection import OK, Connection
from batchsched.kube.discovery import Resource, Served
from batchsched.kube.errors import UnreachableError

PAGE_OBJECTS_MAX = 500
"""kubectl's too."""
LIST_TIMEOUT_S = 60.0
"""As long as the API server gives a request."""


class Page(NamedTuple):
    """Some objects, and the version that the whole list is of."""

    items: list[dict[str, Any]]
    version: str


def pages(connection: Connection, resource: Resource, at: Served) -> Iterator[Page]:
    """Read a list.

    Raises:
        ClusterError: It cannot be read; 410 where its version is forgotten before its last page.
    """
    query = {"limit": str(PAGE_OBJECTS_MAX)}
    while True:
        reply = connection.call("GET", at.path, query=query, timeout_s=LIST_TIMEOUT_S)
        if reply.status != OK:
            raise reply.refusal(f"list {resource.label}")
        found = reply.json()
        if not isinstance(found, dict):
            raise UnreachableError(f"list {resource.label}", "the answer is not JSON")
        meta = found.get("metadata") or {}
        yield Page(found.get("items") or [], str(meta.get("resourceVersion") or ""))
        if not meta.get("continue"):
            return
        query["continue"] = meta["continue"]
