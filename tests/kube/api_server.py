"""An API server in memory: lists in pages, watches that go on from a version; forgets on demand.

The truth is plain: objects by path, one counter of versions, and the events of each path. What can
go wrong is told to it (`failures`, `cut`, `forget`), so that a test says what happens and when.
"""

import json
import threading
from collections.abc import Iterator
from typing import Any

from tests.kube.served import Answer, Request

Raw = dict[str, Any]

APIS = {
    "apps/v1": ["replicasets", "statefulsets"],
    "batch/v1": ["jobs"],
    "policy/v1": ["poddisruptionbudgets"],
    "resource.k8s.io/v1": ["resourceclaims"],
    "scheduling.k8s.io/v1": ["priorityclasses"],
    "scheduling.k8s.io/v1beta1": ["podgroups", "workloads"],
    "scheduling.x-k8s.io/v1alpha1": ["podgroups"],
    "storage.k8s.io/v1": [
        "storageclasses",
        "csinodes",
        "csidrivers",
        "csistoragecapacities",
        "volumeattachments",
    ],
}


class FakeApi:
    """The server: give `answer` to `served.connected`."""

    def __init__(self) -> None:
        self.apis = {place: list(kinds) for place, kinds in APIS.items()}
        self.requests: list[Request] = []
        self.failures: dict[str, list[Answer]] = {}
        """Path to answers that are given instead, once each."""
        self.page_objects_max: int | None = None
        self.garbage: list[bytes] = []
        """Lines that the next watches bring before anything else."""
        self._objects: dict[str, dict[tuple[str, str], Raw]] = {}
        self._events: dict[str, list[tuple[int, Raw]]] = {}
        self._forgotten: dict[str, int] = {}
        self._version = 1
        self._cuts = 0
        self._news = threading.Condition()

    # The truth.

    def put(self, path: str, raw: Raw) -> None:
        """Create an object or change it."""
        key = _key(raw)
        with self._news:
            known = key in self._objects.setdefault(path, {})
            stored = self._stamped(raw)
            self._objects[path][key] = stored
            self._tell(path, "MODIFIED" if known else "ADDED", stored)

    def delete(self, path: str, namespace: str, name: str) -> None:
        """Delete an object."""
        with self._news:
            raw = self._objects[path].pop((namespace, name))
            self._tell(path, "DELETED", self._stamped(raw))

    def objects(self, path: str) -> list[Raw]:
        """Every object of a path."""
        with self._news:
            return list(self._objects.get(path, {}).values())

    def bookmark(self, path: str) -> None:
        """Move the version on where nothing changes."""
        with self._news:
            self._version += 1
            self._tell(path, "BOOKMARK", {"metadata": {"resourceVersion": str(self._version)}})

    # What goes wrong.

    def forget(self) -> None:
        """Forget all versions before the newest: watches from there are answered 410."""
        with self._news:
            self._forgotten = dict.fromkeys({*self._events, *self._objects}, self._version)
            self._events = {}

    def cut(self) -> None:
        """End all watches that are under way."""
        with self._news:
            self._cuts += 1
            self._news.notify_all()

    def tell(self, path: str, event: str, raw: Raw) -> None:
        """Put any event into the stream of a path."""
        with self._news:
            self._version += 1
            self._tell(path, event, raw)

    # The wire.

    def answer(self, request: Request) -> Answer:
        """Answer a request."""
        with self._news:
            self.requests.append(request)
            failures = self.failures.get(request.path)
            if failures:
                return failures.pop(0)
        if request.query.get("watch"):
            return self._watch(request)
        if (discovered := self._discovered(request.path)) is not None:
            return discovered
        return self._list(request)

    def _list(self, request: Request) -> Answer:
        with self._news:
            found = sorted(self._objects.get(request.path, {}).items())
            version = self._version
        limit = self.page_objects_max or int(request.query["limit"])
        begin = int(request.query.get("continue") or 0)
        meta: Raw = {"resourceVersion": str(version)}
        if begin + limit < len(found):
            meta["continue"] = str(begin + limit)
        items = [raw for _, raw in found[begin : begin + limit]]
        return Answer(body=json.dumps({"metadata": meta, "items": items}).encode())

    def _watch(self, request: Request) -> Answer:
        since = int(request.query["resourceVersion"])
        with self._news:
            if since < self._forgotten.get(request.path, 0):
                return status(410, "too old resource version")
            cuts = self._cuts
            garbage, self.garbage = self.garbage, []
        return Answer(chunks=self._stream(request.path, since, cuts, garbage))

    def _stream(self, path: str, since: int, cuts: int, garbage: list[bytes]) -> Iterator[bytes]:
        yield from garbage
        while True:
            with self._news:
                if self._cuts != cuts:
                    return
                new = [e for version, e in self._events.get(path, []) if version > since]
                since = max(since, self._version)
                if not new:
                    self._news.wait(5)
            for event in new:
                yield json.dumps(event).encode() + b"\n"

    def _discovered(self, path: str) -> Answer | None:
        parts = path.strip("/").split("/")
        if parts[0] != "apis" or len(parts) > 3:
            return None
        if len(parts) == 2:
            versions = [p.split("/")[1] for p in self.apis if p.split("/")[0] == parts[1]]
            found = {"versions": [{"version": v} for v in versions]}
            return Answer(body=json.dumps(found).encode()) if versions else status(404, "no")
        kinds = self.apis.get("/".join(parts[1:]))
        if kinds is None:
            return status(404, "no")
        return Answer(body=json.dumps({"resources": [{"name": k} for k in kinds]}).encode())

    def _stamped(self, raw: Raw) -> Raw:
        self._version += 1
        meta = {**raw["metadata"], "resourceVersion": str(self._version)}
        return {**raw, "metadata": meta}

    def _tell(self, path: str, event: str, raw: Raw) -> None:
        entry = (self._version, {"type": event, "object": raw})
        self._events.setdefault(path, []).append(entry)
        self._news.notify_all()


def status(code: int, message: str, headers: dict[str, str] | None = None) -> Answer:
    """A refusal as the API server writes it."""
    body = {"kind": "Status", "code": code, "message": message}
    return Answer(code, json.dumps(body).encode(), headers or {})


def _key(raw: Raw) -> tuple[str, str]:
    meta = raw["metadata"]
    return (meta.get("namespace") or "", meta["name"])
