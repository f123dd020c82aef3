"""The process: turns the loop until it is told to stop, and sees to a clean end.

It waits, asks who leads, turns the loop, and tells health and metrics how things are. What cluster
it runs on, and how leaders are elected, it does not know: the same process is run in tests on the
embedded cluster.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from batchsched.cycle import (
    ClusterChanged,
    Cycle,
    Listed,
    LostLease,
    Place,
    PodKey,
    State,
    WonLease,
)
from batchsched.daemon.health import Health
from batchsched.daemon.loop import Loop
from batchsched.daemon.metrics import Gauges, Metrics, queue_gauges
from batchsched.daemon.ports import Clock
from batchsched.daemon.wake import Wake

SLEEP_S_MAX = 5.0
"""With nothing to do, the loop turns so seldom, to show that it is alive..."""
BUSY_SLEEP_S_MAX = 0.5
"""... and so often while something is solved or written, whoever forgot to wake it."""
SAMPLE_S = 1.0
END_S_MAX = 20.0
"""How long calls in flight may take to be answered when the process ends."""
STORIES_MAX = 200
"""Waiting pods whose stories are told when the state is asked for."""
_SETTLED = frozenset({Place.RESTING, Place.WAITING})
log = logging.getLogger(__name__)


class Adapter(Protocol):
    """What a process asks of a live cluster besides the port."""

    def synced(self) -> bool:
        """Whether all of the cluster was read once; raises where that will never be."""
        ...

    def sizes(self) -> Mapping[str, int]:
        """How many objects of each kind are known."""
        ...

    def watch_restarts(self) -> Mapping[str, int]:
        """How often each watch began anew, since the start."""
        ...


class Election(Protocol):
    """Who leads."""

    def start(self) -> None:
        """Begin to compete: from here on we may win."""
        ...

    def events(self) -> Sequence[WonLease | LostLease]:
        """Give what was won and lost since the last call."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What a process is made of."""

    loop: Loop
    adapter: Adapter
    clock: Clock
    wake: Wake
    metrics: Metrics
    health: Health
    election: Election | None = None
    """None: we lead, and nobody is asked."""


class Process:
    """One scheduler, from the filling of its caches to its end.

    Args:
        parts: What it is made of.
        once: Whether to end when nothing more can be placed.
        on_state: Called with the state of the process, as a JSON value, when that was asked for.
    """

    def __init__(
        self, parts: Parts, *, once: bool = False, on_state: Callable[[Any], None] | None = None
    ) -> None:
        """Do nothing yet."""
        self._parts, self._once, self._on_state = parts, once, on_state
        self._stopping = False
        self._state_wanted = False
        self._sampled_s = float("-inf")
        self._wanted: frozenset[PodKey] = frozenset()
        self._left: frozenset[PodKey] = frozenset()

    @property
    def cycle(self) -> Cycle:
        """The cycle."""
        return self._parts.loop.cycle

    # Called from signals: they only leave word.

    def stop(self) -> None:
        """Ask for a clean end."""
        self._stopping = True
        self._parts.wake()

    def tell_state(self) -> None:
        """Ask for the state of the process."""
        self._state_wanted = True
        self._parts.wake()

    def run(self) -> int:
        """Run to the end; give how many of the pods that waited at the start still do."""
        if self._sync():
            self._parts.loop.start()
            if self._parts.election is not None:
                self._parts.election.start()  # who leads can do so at once
            self._parts.loop.tell(Listed())
            self._wanted = self._left = frozenset(self.cycle.queue.entries)
            log.info("the cluster is read", extra={"waiting": len(self._wanted)})
            while not self._stopping and not (self._once and self._is_done()):
                self._turn()
                self._parts.wake.wait(self._sleep_s())
            self._end()
        return len(self._wanted & self.cycle.queue.entries.keys())

    def _sync(self) -> bool:
        """Wait until the cluster was read; False if the end comes first."""
        while not self._parts.adapter.synced():
            self._alive()
            if self._stopping:
                return False
            self._parts.wake.wait(BUSY_SLEEP_S_MAX)
        self._parts.health.synced = True
        return True

    def _turn(self) -> None:
        election = self._parts.election
        events = election.events() if election is not None else ()
        for event in events:
            log.info("leading" if isinstance(event, WonLease) else "another process may lead")
        self._parts.loop.step(*events)
        self._alive()

    def _alive(self) -> None:
        """Tell health, metrics and who asked how things are."""
        self._parts.health.turned()
        now_s = self._parts.clock.now_s()
        if now_s >= self._sampled_s + SAMPLE_S:
            self._sampled_s = now_s
            self._parts.metrics.set(self._gauges())
        if self._state_wanted:
            self._state_wanted = False
            if self._on_state is not None:
                self._on_state(self.state())

    def _sleep_s(self) -> float:
        most_s = SLEEP_S_MAX if self._parts.loop.idle() else BUSY_SLEEP_S_MAX
        at_s = self.cycle.wakes_at_s()
        return most_s if at_s is None else min(most_s, at_s - self._parts.clock.now_s())

    def _is_done(self) -> bool:
        """Whether each pod that waited at the start was tried after the last of them was bound."""
        queue = self.cycle.queue
        left = self._wanted & queue.entries.keys()
        settled = all(queue.entries[key].place in _SETTLED for key in left)
        partial = self.cycle.timing.gang_release and queue.partial_groups()
        if self.cycle.state is not State.COLLECTING or not self._parts.loop.idle():
            return False
        if partial or not settled:
            return False
        if not left or left == self._left:
            return True
        self._left = left
        self._parts.loop.tell(ClusterChanged("pods were bound: try the others once more"))
        return False

    def _end(self) -> None:
        """Begin no write any more, and wait for those in flight."""
        self._alive()  # who asked for the state just before gets it
        log.info("stopping")
        self._parts.loop.step(LostLease())
        until_s = self._parts.clock.now_s() + END_S_MAX
        while not self._parts.loop.idle() and self._parts.clock.now_s() < until_s:
            self._parts.wake.wait(BUSY_SLEEP_S_MAX)
            self._parts.loop.step()

    def _gauges(self) -> Gauges:
        adapter, cycle = self._parts.adapter, self.cycle
        return Gauges(
            leading=cycle.state is not State.STANDBY,
            pending=queue_gauges(cycle),
            partial_gangs=len(cycle.queue.partial_groups()),
            cache=dict(adapter.sizes()),
            watch_restarts=dict(adapter.watch_restarts()),
        )

    def state(self) -> Any:  # noqa: ANN401 -- any JSON value
        """What a person wants to know who asks what the process is doing."""
        cycle, gauges = self.cycle, self._gauges()
        waiting = sorted(cycle.queue.entries.items(), key=lambda each: (each[1].since_s, each[0]))
        return {
            "state": cycle.state,
            "window": cycle.window,
            "idle": self._parts.loop.idle(),
            "queues": gauges.pending,
            "partialGangs": ["/".join(group) for group in cycle.queue.partial_groups()],
            "cache": gauges.cache,
            "watchRestarts": gauges.watch_restarts,
            "waiting": [
                {
                    "pod": "/".join(key),
                    "place": entry.place,
                    "attempts": entry.attempts,
                    "story": [f"{at_s:.3f} {what}" for at_s, what in cycle.story(key)],
                }
                for key, entry in waiting[:STORIES_MAX]
            ],
            "waitingMore": max(len(waiting) - STORIES_MAX, 0),
        }
