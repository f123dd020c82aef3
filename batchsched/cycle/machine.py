"""The machine: its states, its table, and what it answers to each event.

``ROWS`` is the whole of it at a glance; docs/cycle.md shows the same table, and a test compares
the two.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from batchsched.cycle.events import (
    BindFailed,
    Bound,
    ClusterChanged,
    Event,
    LostLease,
    PlanReady,
    PodGone,
    PodHeld,
    PodPending,
    SolveFailed,
    Tick,
    WonLease,
)
from batchsched.cycle.instructions import (
    Announce,
    Bind,
    Binding,
    Dump,
    Evict,
    Instruction,
    Release,
    Requeue,
    Solve,
)
from batchsched.cycle.queue import GroupKey, Place, PodKey, Queue
from batchsched.cycle.story import Stories
from batchsched.cycle.timing import Timing


class State(StrEnum):
    """What the process is at."""

    COLLECTING = "Collecting"
    SOLVING = "Solving"
    BINDING = "Binding"
    STANDBY = "Standby"
    """Another process leads: pods are watched, nothing is decided."""


class Row(NamedTuple):
    """In any of ``states`` the event is answered by a method and may lead to other states."""

    event: type
    states: tuple[State, ...]
    answer: str
    leads_to: tuple[State, ...]
    says: str


C, S, B, O = State.COLLECTING, State.SOLVING, State.BINDING, State.STANDBY  # noqa: E741 -- see ROWS
ROWS = (
    Row(PodPending, (C,), "_pod_pending", (S,), "queue it; solve if the window is full"),
    Row(PodPending, (S, B, O), "_pod_pending", (), "queue it for a later window"),
    Row(PodHeld, (C,), "_pod_held", (S,), "out of the queue; finish its gang if that is partial"),
    Row(PodHeld, (S, O), "_pod_held", (), "out of the queue"),
    Row(PodHeld, (B,), "_pod_held", (C, S), "out of the queue; the last answer ends the cycle"),
    Row(PodGone, (C,), "_pod_gone", (S,), "forget it; its gang may have to wait"),
    Row(PodGone, (S, O), "_pod_gone", (), "forget it; its gang is not bound by this plan"),
    Row(PodGone, (B,), "_pod_gone", (C, S), "forget it; the last answer ends the cycle"),
    Row(ClusterChanged, (C,), "_cluster_changed", (S,), "wake the resting pods"),
    Row(ClusterChanged, (S, B), "_cluster_changed", (), "wake them; this window's need not rest"),
    Row(ClusterChanged, (O,), "_cluster_changed", (), "wake the resting pods"),
    Row(Tick, (C,), "_tick", (S,), "wake pods; close the window; give up on partial gangs"),
    Row(Tick, (S, B, O), "_tick", (), "wake pods whose rest is over"),
    Row(PlanReady, (S,), "_plan_ready", (B, C), "bind what is placed; the others rest"),
    Row(PlanReady, (C,), "_ignored", (S,), "late: ignored"),
    Row(PlanReady, (B, O), "_ignored", (), "late: ignored"),
    Row(SolveFailed, (S,), "_solve_failed", (C,), "dump the input; the window's pods rest"),
    Row(SolveFailed, (C,), "_ignored", (S,), "late: ignored"),
    Row(SolveFailed, (B, O), "_ignored", (), "late: ignored"),
    Row(Bound, (B,), "_bound", (C, S), "it has its place; the last answer ends the cycle"),
    Row(Bound, (C,), "_bound", (S,), "late: it has its place all the same"),
    Row(Bound, (S, O), "_bound", (), "late: it has its place all the same"),
    Row(BindFailed, (B,), "_bind_failed", (C, S), "its whole gang goes back and rests"),
    Row(BindFailed, (C,), "_ignored", (S,), "late: it went back already"),
    Row(BindFailed, (S, O), "_ignored", (), "late: it went back already"),
    Row(LostLease, (C, S, B, O), "_lost_lease", (O,), "everybody goes back; bind nothing more"),
    Row(WonLease, (O,), "_won_lease", (C, S), "go on"),
    Row(WonLease, (C,), "_ignored", (S,), "we lead already"),
    Row(WonLease, (S, B), "_ignored", (), "we lead already"),
)
"""``leads_to`` names the states besides the present one. Whatever is told while collecting may come
when a window is due, which then closes: so every row of ``C`` leads to ``S``."""
TABLE = {(state, row.event): row for row in ROWS for state in row.states}


class Cycle:
    """One scheduler's cycle: tell it, do what it answers, wake it when it says."""

    def __init__(self, timing: Timing | None = None, *, leading: bool = True) -> None:
        """Start with an empty queue."""
        self.timing = timing or Timing()
        self.state = State.COLLECTING if leading else State.STANDBY
        self.queue = Queue(self.timing)
        self.window = 0
        self._units: dict[PodKey, tuple[PodKey, ...]] = {}
        """While binding: each pod without an answer yet, and the pods it is written with."""
        self._solving: tuple[PodKey, ...] = ()
        self._helped = False
        self._stories = Stories(self.timing.story_entries_max, self.timing.story_pods_max)

    def handle(self, event: Event, now_s: float) -> list[Instruction]:
        """Answer an event with what the shell is to do, in order."""
        row = TABLE[self.state, type(event)]
        before = self.state
        instructions: list[Instruction] = getattr(self, row.answer)(event, now_s)
        if self.state is State.COLLECTING:
            instructions += self._close(now_s)
        assert self.state in {before, *row.leads_to}, (row, before, self.state)
        return instructions

    def wakes_at_s(self) -> float | None:
        """When to send the next ``Tick``, or None: only an event can change anything."""
        if self.state is not State.COLLECTING:
            return None
        due = [self.queue.next_rest_s()]
        if self.queue.ready:
            due.append(self._closes_s())
        if self.timing.gang_release:
            due += [self._release_s(group) for group in self.queue.partial_groups()]
        return min((at for at in due if at is not None), default=None)

    def story(self, pod: PodKey) -> tuple[tuple[float, str], ...]:
        """What happened to a pod, oldest first; bounded by ``Timing``."""
        return self._stories.of(pod)

    def waiting(self) -> int:
        """How many pods wait for a node."""
        return len(self.queue.entries)

    # Answers. Each is named for its event.

    def _ignored(self, event: Event, now_s: float) -> list[Instruction]:
        return []

    def _pod_pending(self, event: PodPending, now_s: float) -> list[Instruction]:
        key = event.pod.key
        known = self.queue.uid(key)
        if known is not None and known != event.pod.uid:
            self._leave(key, now_s)
        if self.queue.pend(event.pod, event.group, now_s) and known != event.pod.uid:
            self._tell(key, now_s, "pending")
        return []

    def _pod_held(self, event: PodHeld, now_s: float) -> list[Instruction]:
        if event.pod in self.queue.entries:
            self._tell(event.pod, now_s, "has a node")
        self.queue.hold(event.pod, event.uid, event.group, now_s)
        self._answered(event.pod)
        return []

    def _pod_gone(self, event: PodGone, now_s: float) -> list[Instruction]:
        if self.queue.uid(event.pod) in {None, event.uid}:
            self._tell(event.pod, now_s, "succeeded" if event.succeeded else "gone")
            self._leave(event.pod, now_s, succeeded=event.succeeded)
        return []

    def _cluster_changed(self, event: ClusterChanged, now_s: float) -> list[Instruction]:
        self._helped = True
        self.queue.wake_all(now_s)
        return []

    def _tick(self, event: Tick, now_s: float) -> list[Instruction]:
        self.queue.wake_due(now_s)
        return []

    def _plan_ready(self, event: PlanReady, now_s: float) -> list[Instruction]:
        if event.window != self.window:
            return []
        window, self._solving = self._solving, ()
        instructions: list[Instruction] = [Evict(*eviction) for eviction in event.evictions]
        for unit in _together(event.bindings):
            instructions += self._start(unit, now_s)
        for key, message in event.unplaced:
            if self._is_solving(key):
                instructions += self._rest(key, message, now_s, helped=self._helped)
                instructions += self._announce_failed(key, message)
        for key in window:
            if self._is_solving(key):
                instructions += self._rest(key, "the plan does not name it", now_s)
        self.state = State.BINDING if self._units else State.COLLECTING
        return instructions

    def _solve_failed(self, event: SolveFailed, now_s: float) -> list[Instruction]:
        if event.window != self.window:
            return []
        window, self._solving = self._solving, ()
        instructions: list[Instruction] = [Dump(event.window, event.reason)]
        for key in window:
            if self._is_solving(key):
                instructions += self._rest(key, event.reason, now_s)
        self.state = State.COLLECTING
        return instructions

    def _bound(self, event: Bound, now_s: float) -> list[Instruction]:
        self._answered(event.pod)
        if self.queue.uid(event.pod) not in {None, event.uid}:
            return []
        self.queue.hold(event.pod, event.uid, None, now_s)
        self._tell(event.pod, now_s, f"bound to {event.node}")
        message = f"Successfully assigned {'/'.join(event.pod)} to {event.node}"
        return [Announce(event.pod, event.uid, "Scheduled", message)]

    def _bind_failed(self, event: BindFailed, now_s: float) -> list[Instruction]:
        instructions: list[Instruction] = []
        for key in self._units.get(event.pod, ()):
            if self._units.pop(key, None) is not None:
                reason = event.reason if key == event.pod else f"with {'/'.join(event.pod)}"
                # A half-started gang tries again at once, the first time: others want its room.
                first = self.queue.is_partial(key) and not self.queue.entries[key].attempts
                instructions += self._rest(key, f"not bound: {reason}", now_s, helped=first)
        self._end_of_binding()
        return instructions

    def _lost_lease(self, event: LostLease, now_s: float) -> list[Instruction]:
        self._units, self._solving = {}, ()
        for key, entry in self.queue.entries.items():
            if entry.place in {Place.SOLVING, Place.BINDING}:
                self.queue.send_back(key, now_s, helped=True)
                self._tell(key, now_s, "back in the queue: another process leads")
        self.state = State.STANDBY
        return []

    def _won_lease(self, event: WonLease, now_s: float) -> list[Instruction]:
        self.state = State.COLLECTING
        return []

    # Windows.

    def _close(self, now_s: float) -> list[Instruction]:
        """Give up on gangs that took too long, finish partial ones, else close a window if due."""
        self.queue.wake_due(now_s)
        instructions: list[Instruction] = []
        for group in self.queue.partial_groups():
            if self.timing.gang_release and now_s >= self._release_s(group):
                instructions.append(self._release(group, now_s))
            elif members := self.queue.ready_members(group):
                return [*instructions, self._solve(members, "partial", now_s)]
        if reason := self._closed_by(now_s):
            pods = self.queue.take(self.timing.window_pods_max)
            instructions.append(self._solve(pods, reason, now_s))
        return instructions

    def _closed_by(self, now_s: float) -> str | None:
        queue, timing = self.queue, self.timing
        if not queue.ready:
            return None
        if len(queue.ready) >= timing.window_pods_max:
            return "pods"
        if now_s >= queue.opened_s + timing.window_max_s:
            return "max"
        return "idle" if now_s >= queue.last_s + timing.window_idle_s else None

    def _closes_s(self) -> float:
        return min(
            self.queue.opened_s + self.timing.window_max_s,
            self.queue.last_s + self.timing.window_idle_s,
        )

    def _solve(self, pods: Iterable[PodKey], closed_by: str, now_s: float) -> Solve:
        self.window += 1
        self._helped = False
        self._solving = tuple(sorted(pods))
        for key in self._solving:
            self.queue.move(key, Place.SOLVING, now_s)
            self._tell(key, now_s, f"in window {self.window}")
        self.state = State.SOLVING
        return Solve(self.window, self._solving, closed_by)

    def _release_s(self, group: GroupKey) -> float:
        since_s = self.queue.groups[group].partial_since_s
        assert since_s is not None
        return since_s + self.timing.gang_complete_within_s

    def _release(self, group: GroupKey, now_s: float) -> Release:
        members = self.queue.groups[group]
        members.released = True
        for key in sorted(members.held):
            self._tell(key, now_s, "released: its gang could not be completed")
        return Release(group, tuple((k, self.queue.held[k][0]) for k in sorted(members.held)))

    # Bindings.

    def _start(self, unit: tuple[Binding, ...], now_s: float) -> list[Instruction]:
        """Bind a unit, unless one of it left meanwhile: then the others go back."""
        keys = tuple(binding.pod for binding in unit)
        if all(self._is_solving(b.pod) and self.queue.entries[b.pod].uid == b.uid for b in unit):
            for key in keys:
                self.queue.move(key, Place.BINDING, now_s)
                self._units[key] = keys
            return [Bind(unit)]
        left: list[Instruction] = []
        for key in keys:
            if self._is_solving(key):
                left += self._rest(key, "a member of its gang left", now_s, helped=True)
        return left

    def _answered(self, key: PodKey) -> None:
        if self._units.pop(key, None) is not None:
            self._end_of_binding()

    def _end_of_binding(self) -> None:
        if self.state is State.BINDING and not self._units:
            self.state = State.COLLECTING

    def _leave(self, key: PodKey, now_s: float, *, succeeded: bool = False) -> None:
        """Let a pod leave; if it was being bound, nobody waits for the answer."""
        self.queue.drop(key, now_s, succeeded=succeeded)
        self._answered(key)

    def _rest(
        self, key: PodKey, reason: str, now_s: float, *, helped: bool = False
    ) -> list[Instruction]:
        not_before_s = self.queue.send_back(key, now_s, helped=helped)
        self._tell(key, now_s, f"back in the queue: {reason}")
        return [Requeue(key, not_before_s, reason)]

    def _announce_failed(self, key: PodKey, message: str) -> list[Instruction]:
        """Tell people why a pod waits, but only when that changed."""
        entry = self.queue.entries[key]
        if entry.message == message:
            return []
        entry.message = message
        return [Announce(key, entry.uid, "FailedScheduling", message)]

    def _is_solving(self, key: PodKey) -> bool:
        return self._is_at(key, Place.SOLVING)

    def _is_at(self, key: PodKey, place: Place) -> bool:
        entry = self.queue.entries.get(key)
        return entry is not None and entry.place is place

    def _tell(self, key: PodKey, now_s: float, what: str) -> None:
        self._stories.tell(key, now_s, what)

    def validate(self) -> None:
        """Assert what must hold between any two events; tests call it after each."""
        self.queue.validate()
        at = {place: set() for place in Place}  # type: dict[Place, set[PodKey]]
        for key, entry in self.queue.entries.items():
            at[entry.place].add(key)
        assert self.state is State.SOLVING or not at[Place.SOLVING], "solving in another state"
        assert self.state is State.BINDING or not at[Place.BINDING], "binding in another state"
        assert (self.state is State.BINDING) == bool(self._units), "binding, and nothing to answer"
        assert at[Place.SOLVING] <= set(self._solving), "solving, but in no window"
        assert at[Place.BINDING] == set(self._units), "binding, and nobody writes it"
        assert len(self._stories) <= self.timing.story_pods_max


def _together(bindings: Iterable[Binding]) -> list[tuple[Binding, ...]]:
    """What is written together: the bindings of a gang, in the plan's order, or one pod's."""
    units: dict[object, list[Binding]] = {}
    for binding in bindings:
        units.setdefault(binding.group or binding.pod, []).append(binding)
    return [tuple(unit) for unit in units.values()]
