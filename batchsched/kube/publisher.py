"""What people and autoscalers read: events, conditions of pods, status of pod groups.

Published in the background, behind bindings: threads of its own, a queue with a limit, and nothing
sent for as long as bindings are on their way (up to a limit of time, too). What is newer replaces
what was not sent yet: a pod has one condition, a group one status. What cannot be published is
dropped and counted, and never lost in silence. What is said is in ``announcements``.

A condition must not arrive after the binding of its pod, or a bound pod would be unschedulable to
all who read it: ``withdraw`` takes it back, and waits for one that is on its way.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from batchsched.cycle import Announce
from batchsched.daemon.ports import Clock
from batchsched.kube.announcements import (
    GroupState,
    Reporter,
    event_name,
    group_states,
    group_status,
    new_event,
    repeated,
    unschedulable,
)
from batchsched.kube.answers import DONE, NO_ANSWER, Caller, Outcome, kind_of, outcome
from batchsched.kube.errors import ClusterError
from batchsched.kube.steps import Call
from batchsched.plan.plan import Plan
from batchsched.snapshot.group import PodGroup

Kind: TypeAlias = Literal["condition", "group", "event"]

QUEUE_MAX = 50_000
"""Items that wait to be published; the oldest event is dropped for a newer one."""
KNOWN_MAX = 50_000
"""Pods whose last condition is remembered, and events that a repetition would be counted in."""
DEFER_S_MAX: Mapping[Kind, float] = {"condition": 5.0, "group": 5.0, "event": 30.0}
"""How long bindings may hold back what autoscalers act on, and what only people read: an event
takes the API server as long as a binding, and there is one for each."""
DEFER_POLL_S = 0.05
TRIES_MAX = 4
BACKOFF_S = 0.5
CALL_TIMEOUT_S = 5.0
SERIES_S = 360.0
"""Within this time the same event is a repetition, as in client-go."""
THREADS = 4


@dataclass(slots=True)
class _Item:
    """One call to be made; ``key`` is what a newer one replaces."""

    kind: Kind
    key: str
    said: Call | GroupState
    since_s: float
    tries: int = 0


@dataclass(slots=True)
class _Queue:
    """What waits, by kind, oldest first; guarded by ``changed``."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    items: Mapping[Kind, OrderedDict[str, _Item]] = field(
        default_factory=lambda: {
            "condition": OrderedDict(),
            "group": OrderedDict(),
            "event": OrderedDict(),
        }
    )
    sending: set[str] = field(default_factory=set)
    withdrawn: set[str] = field(default_factory=set)
    stopping: bool = False
    until_s: float = 0.0

    def waiting(self) -> int:
        """How many items wait."""
        return sum(len(items) for items in self.items.values())


class Publisher:
    """Publishes; every method returns at once, but ``withdraw`` and ``stop``.

    Args:
        connection: Where to.
        clock: The time.
        reporter: Who we are, to those who read it.
        busy: Whether bindings are on their way, which go first.
        dropped: Told of what could not be published: its kind, and why (for a metric).
        may_write: Whether we lead.
        version_of: The served version of a pod group API (see ``group_versions``); may ask.
    """

    def __init__(  # noqa: PLR0913 -- the world
        self,
        connection: Caller,
        clock: Clock,
        reporter: Reporter,
        *,
        busy: Callable[[], bool] = lambda: False,
        dropped: Callable[[str, str], None] = lambda _kind, _why: None,
        may_write: Callable[[], bool] = lambda: True,
        version_of: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        """Publish nothing yet; see ``start``."""
        self._connection, self._clock, self._reporter = connection, clock, reporter
        self._busy, self._dropped, self._may_write = busy, dropped, may_write
        self._version_of = version_of
        self._queue = _Queue()
        self._said: OrderedDict[str, str] = OrderedDict()
        self._scheduled: set[str] = set()
        self._events: OrderedDict[tuple[str, ...], tuple[str, int, float]] = OrderedDict()
        self._made = 0
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the threads."""
        for number in range(THREADS):
            thread = threading.Thread(target=self._run, name=f"publish-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Publish what is left, for so long; what is left then is dropped, and counted."""
        queue = self._queue
        with queue.changed:
            queue.stopping, queue.until_s = True, self._clock.now_s() + timeout_s
            queue.changed.notify_all()
        for thread in self._threads:
            thread.join(max(0.0, queue.until_s - self._clock.now_s()) + CALL_TIMEOUT_S)
        with queue.changed:
            for items in queue.items.values():
                for item in items.values():
                    self._dropped(item.kind, "stopped")
                items.clear()

    def announce(self, event: Announce) -> None:
        """Publish an event about a pod, and its condition where it was not placed."""
        if event.reason == "FailedScheduling":
            self._condition(event)
        elif event.reason == "Scheduled":
            self._said.pop(event.uid, None)
            self._scheduled.add(event.uid)
        self._event(event)

    def groups(self, plan: Plan, groups: Collection[PodGroup]) -> None:
        """Publish what became of a plan's pod groups, when all its bindings were announced."""
        for state in group_states(plan, groups, self._scheduled):
            key = "group {} {} {}".format(*state.group.key)
            if self._remember(key, f"{state.scheduled} {state.message}"):
                self._put(_Item("group", key, state, self._clock.now_s()))
        self._scheduled.clear()

    def withdraw(self, uid: str) -> None:
        """Take back what a pod that is bound now must not be told any more; waits for a call."""
        queue, until_s = self._queue, self._clock.now_s() + CALL_TIMEOUT_S
        with queue.changed:
            queue.items["condition"].pop(uid, None)
            queue.withdrawn.add(uid)
            while uid in queue.sending and self._clock.now_s() < until_s:
                queue.changed.wait(0.1)
            queue.withdrawn.discard(uid)

    def waiting(self) -> int:
        """How many items wait to be published."""
        with self._queue.changed:
            return self._queue.waiting()

    def _condition(self, event: Announce) -> None:
        known, generation = event.uid in self._said, self._reporter.generation_of(event.pod)
        if self._remember(event.uid, f"{generation} {event.message}"):
            # It says since when; a new message is no new state.
            call = unschedulable(event, None if known else self._reporter.wall(), generation)
            self._put(_Item("condition", event.uid, call, self._clock.now_s()))

    def _event(self, event: Announce) -> None:
        now_s, key = self._clock.now_s(), (event.uid, event.reason, event.message)
        name, count, at_s = self._events.pop(key, ("", 0, 0.0))
        if count and now_s < at_s + SERIES_S:
            call = repeated(event.pod, name, count + 1, self._reporter.wall())
        else:
            self._made, count = self._made + 1, 0
            name = event_name(event.pod[1], self._reporter.instance, self._made)
            call = new_event(event, name, self._reporter)
        _put_last(self._events, key, (name, count + 1, now_s))
        self._put(_Item("event", name, call, now_s))

    def _remember(self, key: str, said: str) -> bool:
        """Remember what was said last of a pod or a group; whether it is new."""
        if self._said.get(key) == said:
            return False
        _put_last(self._said, key, said)
        return True

    def _put(self, item: _Item) -> None:
        queue = self._queue
        with queue.changed:
            if queue.stopping:
                self._dropped(item.kind, "stopped")
                return
            items = queue.items[item.kind]
            if item.key in items:
                item.since_s = items[item.key].since_s
            elif queue.waiting() >= QUEUE_MAX and not self._make_room(item.kind):
                self._drop(item, "full")
                return
            items[item.key] = item
            queue.changed.notify()

    def _make_room(self, kind: Kind) -> bool:
        """Drop the oldest of the least important there is; False if all is more important."""
        kinds: list[Kind] = ["event", "group", "condition"]
        for less in kinds[: kinds.index(kind) + 1]:
            if items := self._queue.items[less]:
                self._drop(items.popitem(last=False)[1], "full")
                return True
        return False

    def _run(self) -> None:
        while self.turn(wait=True):
            pass

    def turn(self, *, wait: bool = False) -> bool:
        """Publish one item; False when there is none (and, if we wait, we stop)."""
        item = self._next(wait=wait)
        if item is None:
            return False
        again_after_s = None
        try:
            again_after_s = self._send(item)
        finally:
            with self._queue.changed:
                self._queue.sending.discard(item.key)
                self._queue.changed.notify_all()
        if again_after_s is not None:
            self._wait(again_after_s)
            self._again(item)
        return True

    def _next(self, *, wait: bool) -> _Item | None:
        """Take what is most important and oldest, once bindings let us."""
        queue = self._queue
        with queue.changed:
            while True:
                now_s = self._clock.now_s()
                if queue.stopping and now_s >= queue.until_s:
                    return None
                item = next((next(iter(i.values())) for i in queue.items.values() if i), None)
                held = (
                    item is not None
                    and self._busy()
                    and now_s < item.since_s + DEFER_S_MAX[item.kind]
                )
                if item is not None and (queue.stopping or not held):
                    del queue.items[item.kind][item.key]
                    queue.sending.add(item.key)
                    return item
                if not wait or queue.stopping:
                    return None
                queue.changed.wait(DEFER_POLL_S if held else None)

    def _send(self, item: _Item) -> float | None:
        """Send an item; after how long it is to be sent again, None: it need not."""
        if not self._may_write():
            self._drop(item, "lease")
            return None
        item.tries += 1
        try:
            found = self._called(item.said)
        except ClusterError:  # 401 too: the writer ends the process for it
            found = NO_ANSWER
        if found.done:
            return None
        if found.retry_after_s is None or item.tries >= TRIES_MAX:
            self._drop(item, kind_of(found.refusal))
            return None
        return max(found.retry_after_s, BACKOFF_S * 2.0 ** (item.tries - 1))

    def _called(self, said: Call | GroupState) -> Outcome:
        """Make a call; the path of a group's depends on the version that is served."""
        if isinstance(said, GroupState):
            version = self._version_of(said.group.api)
            call = group_status(said, version, self._reporter.wall()) if version else None
            if call is None:
                return DONE  # its API has no status of ours
            said = call
        return outcome(
            self._connection.call(
                said.method,
                said.path,
                body=said.body,
                content_type=said.content_type,
                timeout_s=CALL_TIMEOUT_S,
            )
        )

    def _drop(self, item: _Item, why: str) -> None:
        """Count what was not published, and do not take it for published."""
        if item.kind != "event":
            self._said.pop(item.key, None)
        self._dropped(item.kind, why)

    def _wait(self, seconds_s: float) -> None:
        with self._queue.changed:
            until_s = self._clock.now_s() + seconds_s
            while not self._queue.stopping and (left_s := until_s - self._clock.now_s()) > 0:
                self._queue.changed.wait(left_s)

    def _again(self, item: _Item) -> None:
        """Queue an item again, unless there is a newer one or it was taken back."""
        queue = self._queue
        with queue.changed:
            items = queue.items[item.kind]
            if item.key not in items and item.key not in queue.withdrawn:
                items[item.key] = item
                items.move_to_end(item.key, last=False)
                queue.changed.notify()


def _put_last(known: OrderedDict[Any, Any], key: object, value: object) -> None:
    """Remember something as the newest, and forget the oldest beyond the limit."""
    known[key] = value
    known.move_to_end(key)
    while len(known) > KNOWN_MAX:
        known.popitem(last=False)
