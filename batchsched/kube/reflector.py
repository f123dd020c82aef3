"""One kind of object, mirrored: a list, then a watch that goes on from it, for ever.

Why not the client's own: its watch (37.0) ends with a ``KeyError`` where the server says that a
version is too old, and with objects left raw it never moves on from the version that it began with;
its informer has neither backoff nor bookmarks, and asked a closing server 1,285 times in a second.
And both decode strictly, see ``connection``.

The rules are those of the API ("efficient detection of changes"). A list comes in pages that are
all of one version. A watch begins there; bookmarks move the version on where nothing changes. The
plain end of a stream is nothing special: servers end watches after ``timeoutSeconds``, and slow
ones sooner. 410, as a status or as an event, means that the version is forgotten: all is listed
again, and what is not in the list is gone. So does any other error that a stream ends with, and a
line that is no event: we do not know what we missed. Where the kind is not served (any more) it has
no objects, and is looked for again later.

No field selector, although ended pods are of no interest: with one, the server shows an end as a
deletion of the pod as it was *before*, and a gang could not count its members that succeeded.

Each kind has a thread of its own, which decodes as well, and hands nouns over. It waits for nobody
but the server, so nothing here can keep a lease from being renewed.
"""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from time import monotonic
from typing import Any, Protocol

import orjson

from batchsched.daemon.collection import uncollected
from batchsched.kube.connection import Connection
from batchsched.kube.discovery import Resource, Served, served
from batchsched.kube.errors import RefusedError, UnreachableError
from batchsched.kube.listing import pages
from batchsched.kube.reading import Reader
from batchsched.snapshot.kinds import GroupKind, Key

BUSY = frozenset({429, 500, 502, 503, 504})
"""What a server answers that can do it later; a version that it knew it knows still."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient a reflector is; client-go's figures."""

    backoff_s: float = 0.8
    """After a first failure; doubled by each that follows."""
    backoff_max_s: float = 30.0
    watch_s: float = 300.0
    """A watch is asked to last so long, and up to twice as long: not all end at once."""
    idle_s: float = 30.0
    """How much longer it may be silent. Bookmarks come once a minute, but nobody has to send them;
    a path that is dead is noticed by TCP keep-alive before that."""
    absent_s: float = 30.0
    """A kind that is not served is looked for again after so long."""
    short_s: float = 1.0
    """A watch that ended sooner and brought nothing counts as a failure."""


class Sink(Protocol):
    """Who takes in what a reflector found; called from its thread."""

    def listed(self, kind: GroupKind, nouns: Mapping[Key, Any]) -> None:
        """Take in all objects of a kind."""
        ...

    def put(self, kind: GroupKind, key: Key, noun: Any) -> None:
        """Take in what an object is now; ``None`` where it is gone."""
        ...

    def failed(self, error: Exception) -> None:
        """Take in that the reflector has ended: by 401, or by a defect."""
        ...


class _StaleError(Exception):
    """The version that we know is forgotten, or something was missed: list again."""


class Reflector:
    """Mirrors one kind.

    Args:
        connection: To the API server.
        resource: Which kind.
        sink: Who takes it in.
        random: For jitter.
        pace: How patient it is.
    """

    def __init__(
        self,
        connection: Connection,
        resource: Resource,
        sink: Sink,
        random: Random,
        pace: Pace | None = None,
    ) -> None:
        """Do nothing yet."""
        self.resource = resource
        self.reader = Reader(resource.kind)
        self.problem = ""
        """Why it does not mirror now, if it does not."""
        self.lists = 0
        """How often all was listed; a kind that is not served is not."""
        self._connection, self._sink, self._random = connection, sink, random
        self._pace = pace or Pace()
        self._failures = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"watch {resource.label}", daemon=True
        )

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, as soon as the server lets go; does not wait."""
        self._stopped.set()

    def running(self) -> bool:
        """Whether it has not ended."""
        return self._thread.is_alive()

    def join(self, timeout_s: float) -> None:
        """Wait for the end."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        """Mirror until stopped. What ends it otherwise ends the process, and not silently."""
        try:
            while not self._stopped.is_set():
                self._mirror()
        except Exception as error:  # noqa: BLE001 -- the outermost place of the thread
            self._sink.failed(error)

    def _mirror(self) -> None:
        """List once, then watch for as long as that goes well."""
        try:
            found = served(self._connection, self.resource)
            if found is None:
                self._absent()
                return
            with uncollected(lasting=True):
                version = self._list(found)
            while not self._stopped.is_set():
                version = self._watch(found, version)
        except RefusedError as error:
            self._failed(error, error.retry_after_s)
        except (_StaleError, UnreachableError) as error:
            self._failed(error)

    def _absent(self) -> None:
        """The kind is not served: there is none of it."""
        self._taken({})
        self._stopped.wait(self._pace.absent_s)

    # List.

    def _list(self, at: Served) -> str:
        """Take in all objects, and give the version that they are of."""
        nouns: dict[Key, Any] = {}
        version = ""
        self.reader.relisted()
        for page in pages(self._connection, self.resource, at):
            version = page.version
            for raw in page.items:
                read = self.reader.read(at.version, raw)
                if read is not None and read[1] is not None:
                    nouns[read[0]] = read[1]
        self.lists += 1
        self._taken(nouns)
        return version

    def _taken(self, nouns: Mapping[Key, Any]) -> None:
        self.problem = ""
        self._sink.listed(self.resource.kind, nouns)

    # Watch.

    def _watch(self, at: Served, version: str) -> str:
        """Follow one stream to its end, and give the version that it came to."""
        last_s = self._pace.watch_s * (1 + self._random.random())
        query = {
            "watch": "1",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(max(1, round(last_s))),
        }
        began_s, came_to = monotonic(), version
        try:
            for line in self._connection.lines(at.path, query, idle_s=last_s + self._pace.idle_s):
                came_to = self._event(at.version, line)
                self._failures, self.problem = 0, ""
                if self._stopped.is_set():
                    return came_to
        except UnreachableError as error:
            self._failed(error)
        except RefusedError as error:
            if error.status not in BUSY:
                raise
            self._failed(error, error.retry_after_s)
        else:
            if came_to == version and monotonic() - began_s < self._pace.short_s:
                self._failed(UnreachableError(f"watch {at.path}", "it ended at once"))
            else:
                self._failures = 0
        return came_to

    def _event(self, version: str, line: bytes) -> str:
        """Take in one event, and give its version."""
        try:
            event = orjson.loads(line)
            kind, raw = event["type"], event["object"]
            came_to = raw["metadata"].get("resourceVersion") or "" if kind != "ERROR" else ""
        except (ValueError, KeyError, TypeError, AttributeError):
            raise _StaleError(f"a line of the watch is no event: {line[:200]!r}") from None
        if kind == "ERROR":
            raise _StaleError(f"the server ended the watch: {raw}")
        if kind == "DELETED":
            self._deleted(raw)
        elif kind in {"ADDED", "MODIFIED"}:
            read = self.reader.read(version, raw)
            if read is not None:
                self._sink.put(self.resource.kind, *read)
        return str(came_to)

    def _deleted(self, raw: dict[str, Any]) -> None:
        key = self.reader.gone(raw)
        if key is not None:
            self._sink.put(self.resource.kind, key, None)

    # Patience.

    def _failed(self, error: Exception, retry_after_s: float | None = None) -> None:
        """Note what failed, and wait: longer each time, and not all at the same moment."""
        if str(error) != self.problem:
            _LOG.warning("%s is not up to date: %s", self.resource.label, error)
        self.problem = str(error)
        doubled_s = self._pace.backoff_s * 2 ** min(self._failures, 30)
        self._failures += 1
        wait_s = min(doubled_s, self._pace.backoff_max_s) * (0.5 + self._random.random())
        self._stopped.wait(max(wait_s, retry_after_s or 0.0))
