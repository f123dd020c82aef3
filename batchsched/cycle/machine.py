"""The machine: what it answers to each event; ``table`` says when it does which."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from math import inf

from batchsched.cycle.ageing import with_overdue
from batchsched.cycle.events import (
    BindFailed,
    Bound,
    ClusterChanged,
    Event,
    Listed,
    LostLease,
    Nominated,
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
    Instruction,
    Preempt,
    Release,
    Requeue,
    Solve,
    Victim,
    Withdraw,
    together,
    victims_by_pod,
)
from batchsched.cycle.kept import Kept
from batchsched.cycle.members import GroupKey, PodKey
from batchsched.cycle.queue import Place, Queue
from batchsched.cycle.story import Stories
from batchsched.cycle.table import TABLE, State
from batchsched.cycle.timing import Timing


class Cycle:
    """One scheduler's cycle: tell it, do what it answers, wake it when it says.

    Args:
        timing: Its limits.
        leading: Whether it may decide from the start; else it waits for ``WonLease``.
        profiles: Schedulers whose pods are solved by a profile of their own, in windows of their
            own.
    """

    def __init__(
        self,
        timing: Timing | None = None,
        *,
        leading: bool = True,
        profiles: Collection[str] = (),
    ) -> None:
        """Start with an empty queue."""
        self.timing = timing or Timing()
        self.state = State.COLLECTING if leading else State.STANDBY
        self.queue = Queue(self.timing, profiles)
        self.window = 0
        self._units: dict[PodKey, tuple[PodKey, ...]] = {}
        """While binding: each pod without an answer yet, and the pods it is written with."""
        self._kept = Kept()
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
        due = [self.queue.next_rest_s(), self._kept.next_s()]
        if (short_s := self.queue.next_short_s()) is not None:
            due.append(short_s + self.timing.window_max_s)
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
        instructions: list[Instruction] = []
        if known is not None and known != event.pod.uid:
            instructions = self._leave(PodGone(key, known), now_s)
        if self.queue.pend(event.pod, event.group, now_s) and known != event.pod.uid:
            self._tell(key, now_s, "pending")
        return instructions

    def _pod_held(self, event: PodHeld, now_s: float) -> list[Instruction]:
        known = self.queue.uid(event.pod)
        instructions = self._parted(event.pod, now_s)
        if event.pod in self.queue.entries:
            self._tell(event.pod, now_s, "has a node")
        if known is not None and known != event.uid:
            self._kept.left(event.pod, known)
        self.queue.hold(event.pod, event.uid, event.group, now_s)
        return instructions

    def _pod_gone(self, event: PodGone, now_s: float) -> list[Instruction]:
        if self.queue.uid(event.pod) not in {None, event.uid}:
            return []
        self._tell(event.pod, now_s, "succeeded" if event.succeeded else "gone")
        return self._leave(event, now_s)

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
        instructions: list[Instruction] = []
        needs = victims_by_pod(event.victims)
        for unit in together(event.bindings):
            victims = tuple(dict.fromkeys(v for b in unit for v in needs.get(b.pod, ())))
            instructions += self._start(unit, victims, now_s)
        for key, message in event.unplaced:
            if self._is_at(key):
                instructions += self._rest(key, message, now_s, helped=self._helped)
                instructions += self._announce(key, "FailedScheduling", message)
        for key, how in event.outdated:
            if self._is_at(key):
                instructions += self._rest(key, how, now_s, helped=True)
        for key in window:
            if self._is_at(key):
                instructions += self._rest(key, "the plan does not name it", now_s)
        self.state = State.BINDING if self._units else State.COLLECTING
        return instructions

    def _solve_failed(self, event: SolveFailed, now_s: float) -> list[Instruction]:
        if event.window != self.window:
            return []
        window, self._solving = self._solving, ()
        instructions: list[Instruction] = [Dump(event.window, event.reason)]
        for key in window:
            if self._is_at(key):
                instructions += self._rest(key, event.reason, now_s)
        self.state = State.COLLECTING
        return instructions

    def _bound(self, event: Bound, now_s: float) -> list[Instruction]:
        self._answered(event.pod)
        if self.queue.uid(event.pod) not in {None, event.uid}:
            return []
        instructions = self._parted(event.pod, now_s)
        self.queue.hold(event.pod, event.uid, None, now_s)
        self._tell(event.pod, now_s, f"bound to {event.node}")
        message = f"Successfully assigned {'/'.join(event.pod)} to {event.node}"
        return [*instructions, Announce(event.pod, event.uid, "Scheduled", message)]

    def _bind_failed(self, event: BindFailed, now_s: float) -> list[Instruction]:
        instructions = self._go_back(event.pod, event.reason, now_s)
        for key in self._unit_of(event.pod):
            if self._units.pop(key, None) is not None and key in self.queue.entries:
                reason = event.reason if key == event.pod else f"with {'/'.join(event.pod)}"
                # A half-started gang tries again at once, the first time: others want its room.
                first = self.queue.is_partial(key) and not self.queue.entries[key].attempts
                instructions += self._rest(key, f"not bound: {reason}", now_s, helped=first)
        self._answered(event.pod)
        return instructions

    def _nominated_before(self, event: Nominated, now_s: float) -> list[Instruction]:
        entries = self.queue.entries
        known = all(b.pod in entries and entries[b.pod].uid == b.uid for b in event.bindings)
        if known and all(self._is_at(b.pod, Place.READY) for b in event.bindings):
            self._keep(event.bindings, event.victims, now_s)
        return []

    def _listed(self, event: Listed, now_s: float) -> list[Instruction]:
        self.queue.last_s = -inf
        return []

    def _lost_lease(self, event: LostLease, now_s: float) -> list[Instruction]:
        self._units, self._solving, self._kept = {}, (), Kept()
        for key, entry in self.queue.entries.items():
            if entry.place in {Place.SOLVING, Place.BINDING, Place.NOMINATED}:
                self.queue.send_back(key, now_s, helped=True)
                self._tell(key, now_s, "back in the queue: another process leads")
        self.state = State.STANDBY
        return []

    def _won_lease(self, event: WonLease, now_s: float) -> list[Instruction]:
        self.state = State.COLLECTING
        return []

    # Windows.

    def _close(self, now_s: float) -> list[Instruction]:
        """Bind who waited for victims, finish partial gangs, else close a window if due.

        Before that, give up on what took too long.
        """
        self.queue.wake_due(now_s)
        instructions = self._bind_kept(now_s) + self._tell_of_short_gangs(now_s)
        if self._units:
            self.state = State.BINDING
            return instructions
        for group in self.queue.partial_groups():
            if self.timing.gang_release and now_s >= self._release_s(group):
                instructions += self._release(group, now_s)
            elif members := self.queue.ready_members(group):
                return [*instructions, self._solve(members, "partial", now_s)]
        if reason := self._closed_by(now_s):
            pods, late = with_overdue(self.queue, self.queue.take(self.timing.window_pods_max))
            instructions.append(replace(self._solve(pods, reason, now_s), overdue=late))
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
        queue, timing = self.queue, self.timing
        return min(queue.opened_s + timing.window_max_s, queue.last_s + timing.window_idle_s)

    def _solve(self, pods: Iterable[PodKey], closed_by: str, now_s: float) -> Solve:
        self.window += 1
        self._helped = False
        self._solving = tuple(sorted(pods))
        for key in self._solving:
            self.queue.move(key, Place.SOLVING, now_s)
            self._tell(key, now_s, f"in window {self.window}")
        self.state = State.SOLVING
        return Solve(self.window, self._solving, closed_by, self.queue.profile(self._solving))

    def _release_s(self, group: GroupKey) -> float:
        since_s = self.queue.groups[group].partial_since_s or 0.0
        return since_s + self.timing.gang_complete_within_s

    def _release(self, group: GroupKey, now_s: float) -> list[Instruction]:
        """Give a half-started gang up; of a union, those that have not their own minimum."""
        members = self.queue.groups[group]
        members.released = True
        given_up = tuple((key, self.queue.held[key][0]) for key in members.unfinished)
        for key, _ in given_up:
            self._tell(key, now_s, "released: its gang could not be completed")
        return [Release(group, given_up)] if given_up else []

    # Bindings.

    def _start(
        self, unit: tuple[Binding, ...], victims: tuple[Victim, ...], now_s: float
    ) -> list[Instruction]:
        """Bind a unit, at once or when its victims left; if one of it left, the others go back."""
        if all(self._is_at(b.pod) and self.queue.entries[b.pod].uid == b.uid for b in unit):
            if not victims:
                return [self._bind(unit, now_s)]
            self._keep(unit, victims, now_s)
            return [Preempt(unit, victims)]
        left: list[Instruction] = []
        for binding in unit:
            if self._is_at(binding.pod):
                left += self._rest(binding.pod, "a member of its gang left", now_s, helped=True)
        return left

    def _bind(self, unit: tuple[Binding, ...], now_s: float) -> Bind:
        keys = tuple(binding.pod for binding in unit)
        for key in keys:
            self.queue.move(key, Place.BINDING, now_s)
            self._units[key] = keys
        return Bind(unit)

    # Units that wait for their victims to leave.

    def _keep(self, unit: tuple[Binding, ...], victims: tuple[Victim, ...], now_s: float) -> None:
        """Let a unit wait, its nodes kept for it."""
        self._kept.keep(unit, victims, now_s + self.timing.victims_leave_within_s)
        for binding in unit:
            self.queue.move(binding.pod, Place.NOMINATED, now_s)
            self._tell(binding.pod, now_s, f"waits for pods to leave {binding.node}")

    def _bind_kept(self, now_s: float) -> list[Instruction]:
        """Bind the units whose victims are gone; send back those whose victims stay too long."""
        instructions: list[Instruction] = [self._bind(unit, now_s) for unit in self._kept.due()]
        for key in self._kept.overdue(now_s):
            instructions += self._go_back(key, "its victims did not leave in time", now_s)
        return instructions

    def _parted(self, key: PodKey, now_s: float) -> list[Instruction]:
        """A pod whose node was kept waits no longer: nor does its unit."""
        rest = tuple(b for b in self._kept.take(key) if b.pod != key)
        instructions: list[Instruction] = [Withdraw(rest)] if rest else []
        for binding in rest:
            instructions += self._rest(binding.pod, f"with {'/'.join(key)}", now_s, helped=True)
        return instructions

    def _go_back(self, key: PodKey, reason: str, now_s: float) -> list[Instruction]:
        """A unit whose nodes were kept goes back to the queue, if the pod is of one."""
        unit = self._kept.take(key)
        instructions: list[Instruction] = [Withdraw(unit)] if unit else []
        for binding in unit:
            instructions += self._rest(binding.pod, reason, now_s)
        return instructions

    # Who leaves, and who goes back.

    def _unit_of(self, pod: PodKey) -> tuple[PodKey, ...]:
        """The unit of a pod, of which others are without an answer; it may have left itself."""
        found = self._units.get(pod)
        return found or next((unit for unit in self._units.values() if pod in unit), ())

    def _answered(self, key: PodKey) -> None:
        """Wait for a pod no more; the last answer ends the binding."""
        self._units.pop(key, None)
        if self.state is State.BINDING and not self._units:
            self.state = State.COLLECTING

    def _leave(self, gone: PodGone, now_s: float) -> list[Instruction]:
        """Let a pod leave; if it was being bound, nobody waits for the answer."""
        instructions = self._parted(gone.pod, now_s)
        self.queue.drop(gone.pod, now_s, gone.group)
        self._kept.left(gone.pod, gone.uid)
        self._answered(gone.pod)
        return instructions

    def _rest(
        self, key: PodKey, reason: str, now_s: float, *, helped: bool = False
    ) -> list[Instruction]:
        not_before_s = self.queue.send_back(key, now_s, helped=helped)
        self._tell(key, now_s, f"back in the queue: {reason}")
        return [Requeue(key, not_before_s, reason)]

    def _announce(self, key: PodKey, reason: str, message: str) -> list[Instruction]:
        """Tell people why a pod waits, but only when that changed."""
        entry = self.queue.entries[key]
        if entry.message == message:
            return []
        entry.message = message
        return [Announce(key, entry.uid, reason, message)]

    def _tell_of_short_gangs(self, now_s: float) -> list[Instruction]:
        """Tell people which gangs wait for members, once nobody is making them any more."""
        gangs = self.queue.take_short(now_s - self.timing.window_max_s)
        told = [(key, gang.lacks) for gang in gangs for key in sorted(gang.pending)]
        return [each for key, why in told for each in self._announce(key, "GangWaiting", why)]

    def _is_at(self, key: PodKey, place: Place = Place.SOLVING) -> bool:
        entry = self.queue.entries.get(key)
        return entry is not None and entry.place is place

    def _tell(self, key: PodKey, now_s: float, what: str) -> None:
        self._stories.tell(key, now_s, what)

    def validate(self) -> None:
        """Assert what must hold between any two events; tests call it after each."""
        self.queue.validate()
        entries = self.queue.entries.items()
        at = {place: {key for key, each in entries if each.place is place} for place in Place}
        assert self.state is State.SOLVING or not at[Place.SOLVING], "solving in another state"
        assert self.state is State.BINDING or not at[Place.BINDING], "binding in another state"
        assert (self.state is State.BINDING) == bool(self._units), "binding, and nothing to answer"
        assert at[Place.SOLVING] <= set(self._solving), "solving, but in no window"
        assert at[Place.BINDING] <= set(self._units), "binding, and nobody writes it"
        assert at[Place.NOMINATED] == set(self._kept), "nominated, and kept for nobody"
        assert len(self._stories) <= self.timing.story_pods_max
