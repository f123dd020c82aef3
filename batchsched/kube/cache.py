"""The reading half of the port: a reflector for each kind, and one store that takes their news in.

Reflectors' threads append to a queue (a ``deque``, whose ends are atomic) and wake the loop; the
loop's thread takes everything out when it asks for changes or for a snapshot. So the store has one
thread and no lock, what the loop sees does not change under its hands, and no reflector ever waits
for a solve.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, TypeAlias

from batchsched.kube.discovery import RESOURCES
from batchsched.kube.reflector import Pace, Reflector
from batchsched.kube.store import POD, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from random import Random

    from batchsched.daemon.ports import Change
    from batchsched.kube.connection import Connection
    from batchsched.kube.discovery import Resource
    from batchsched.snapshot.kinds import GroupKind, Key
    from batchsched.snapshot.snapshot import Snapshot

QUEUE_NEWS_MAX = 500_000
"""News that wait to be taken in. Above this reflectors pause, and the server ends their watches."""
PAUSE_S = 0.1

_News: TypeAlias = "tuple[GroupKind, Key | None, Any]"
"""A kind, and one object of it; without a key all of them."""


class Cache:
    """What the watches of a cluster have shown.

    Args:
        connection: To the API server.
        random: For jitter.
        wake: Called, from any thread, when there is something new.
        resources: What is read.
        pace: How patient the reflectors are.
    """

    def __init__(
        self,
        connection: Connection,
        random: Random,
        wake: Callable[[], None] = lambda: None,
        *,
        resources: Iterable[Resource] = RESOURCES,
        pace: Pace | None = None,
    ) -> None:
        """Do nothing yet."""
        self._wake = wake
        self._news: deque[_News] = deque()
        self._store = Store()
        self._error: Exception | None = None
        self._stopped = threading.Event()
        self._listed: set[GroupKind] = set()
        self._reflectors = [
            Reflector(connection, resource, self, random, pace) for resource in resources
        ]

    # What the loop asks.

    def start(self) -> None:
        """Begin to read."""
        for reflector in self._reflectors:
            reflector.start()

    def stop(self) -> None:
        """Read no more."""
        self._stopped.set()
        for reflector in self._reflectors:
            reflector.stop()

    def running(self) -> bool:
        """Whether a reflector has not ended yet."""
        return any(reflector.running() for reflector in self._reflectors)

    def synced(self) -> bool:
        """Whether every kind was read once: before that the cluster looks emptier than it is.

        Raises:
            Exception: What ended a reflector.
        """
        self._raise()
        return len(self._listed) == len(self._reflectors)

    def changes(self) -> Sequence[Change]:
        """What the watches showed since the last call, in order; never waits.

        Raises:
            Exception: What ended a reflector: what is known would grow old unnoticed.
        """
        self._take_in()
        return self._store.changes()

    def snapshot(self) -> Snapshot:
        """The newest state that the watches showed; the same object while nothing changed.

        Raises:
            Exception: What ended a reflector.
        """
        self._take_in()
        return self._store.snapshot()

    # What people ask.

    def problems(self) -> dict[str, str]:
        """What keeps kinds from being up to date, by kind."""
        return {r.resource.label: r.problem for r in self._reflectors if r.problem}

    def unreadable(self) -> dict[str, dict[Key, str]]:
        """The objects that could not be read, and why, by kind."""
        found = {r.resource.label: dict(r.reader.unreadable) for r in self._reflectors}
        return {label: objects for label, objects in found.items() if objects}

    def generation(self, pod: Key) -> int | None:
        """Which spec of a pod without a node is known, as the API server counts them."""
        found = (r.reader.generations.get(pod) for r in self._reflectors if r.resource.kind == POD)
        return next(found, None)

    def waiting(self) -> list[str]:
        """The kinds that were not read yet."""
        return [r.resource.label for r in self._reflectors if r.resource.kind not in self._listed]

    def restarts(self) -> dict[str, int]:
        """How often each kind had to be listed anew, after it was listed first."""
        return {r.resource.label: max(r.lists - 1, 0) for r in self._reflectors}

    def sizes(self) -> dict[str, int]:
        """How many objects of each kind are known."""
        return self._store.sizes()

    # What reflectors say, from their threads.

    def listed(self, kind: GroupKind, nouns: Mapping[Key, Any]) -> None:
        """Take note of all objects of a kind."""
        self._append((kind, None, nouns))
        self._listed.add(kind)

    def put(self, kind: GroupKind, key: Key, noun: Any) -> None:
        """Take note of one object."""
        self._append((kind, key, noun))

    def failed(self, error: Exception) -> None:
        """Take note that a reflector ended."""
        self._error = error
        self._wake()

    def _append(self, news: _News) -> None:
        while len(self._news) >= QUEUE_NEWS_MAX and not self._stopped.wait(PAUSE_S):
            pass
        self._news.append(news)
        self._wake()

    def _take_in(self) -> None:
        """Empty the queue; what comes meanwhile is for the next time."""
        self._raise()
        for _ in range(len(self._news)):
            kind, key, noun = self._news.popleft()
            if key is None:
                self._store.listed(kind, noun)
            else:
                self._store.put(kind, key, noun)

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error
