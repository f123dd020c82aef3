"""The loop: performs what the cycle says, through the ports, and tells it what came of it.

It decides nothing about when or where. What it adds is care: a plan is verified on the snapshot it
was made from before anything of it is bound, and held against the newest state before that and
while it is bound; what was written but not yet shown by a watch is not given away again.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from batchsched.cycle import (
    Announce,
    Bind,
    BindFailed,
    Binding,
    Bound,
    Cycle,
    Dump,
    Event,
    Instruction,
    LostLease,
    PodGone,
    PodKey,
    Preempt,
    Release,
    Solve,
    SolveFailed,
    State,
    Tick,
    Withdraw,
    WonLease,
    together,
)
from batchsched.daemon.assumed import Assumed
from batchsched.daemon.binder import NO_VOLUMES, Binder, Volumes, deletions
from batchsched.daemon.ports import (
    Cluster,
    DatedClock,
    NominateWrite,
    Planner,
    Recorder,
    Solved,
    WindowRecord,
)
from batchsched.daemon.recheck import Room, matters, outdated
from batchsched.daemon.translation import (
    SOLVE_ID,
    bindings_of,
    notes_of,
    plan_ready,
    volumes_by_pod,
)
from batchsched.daemon.victims import departed
from batchsched.daemon.watch import events_of, is_pending, left_nominated, listed
from batchsched.plan.verify import Check, verify
from batchsched.snapshot.labels import Pairs
from batchsched.snapshot.snapshot import Snapshot, Window

Rules = Callable[[str], Sequence[Check]]
"""The rules of the profile of a scheduler name."""

RECHECK_EVERY_S = 0.5
"""While a plan is bound and the cluster changes, it is held against all rules no more often."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything outside."""

    cluster: Cluster
    clock: DatedClock
    planner: Planner
    recorder: Recorder
    rules: Rules


@dataclass(slots=True)
class _Open:
    """The window that is solved or bound now."""

    solve: Solve
    closed_s: float
    snapshot: Snapshot
    pods: Window
    solved: Solved | None = None
    solved_s: float = 0.0
    failure: str = ""
    notes: Pairs = ()
    volumes: Volumes = field(default_factory=dict)
    bound: int = 0
    refused: int = 0


class Loop:
    """One scheduler process.

    Args:
        cycle: The machine that decides when.
        ports: The world.
        schedulers: Whose pods are ours; none named means everybody's.
    """

    def __init__(self, cycle: Cycle, ports: Ports, schedulers: tuple[str, ...] = ()) -> None:
        """Do nothing yet."""
        self.cycle, self._ports, self._schedulers = cycle, ports, schedulers
        self._assumed = Assumed()
        self._binder = Binder(ports.cluster, self._assumed, self._room_now, ports.recorder.announce)
        self._open: _Open | None = None
        self._room: Room | None = None
        self._kept: dict[str, tuple[str, Pairs, Volumes]] = {}
        """Of each pod whose node is kept, by its uid: profile, annotations, volumes."""
        self._changed = False
        self._recheck_at_s = 0.0
        self._queue: deque[Event] = deque()
        self._telling = False

    def start(self) -> None:
        """Read the cluster: all state is there."""
        self._ports.cluster.changes()
        self.tell(*listed(self._snapshot(), self._schedulers))
        if self.cycle.state is not State.STANDBY:
            self.tell(*self._nominated_before())

    def step(self, *events: Event) -> None:
        """Take in what watches, elections, solves and time brought, and carry on with writing."""
        self._watch()
        self.tell(*events)
        for solved in self._ports.planner.finished():
            self.tell(self._judged(solved))
        self.tell(Tick())
        while written := self._written():
            self.tell(*written)

    def idle(self) -> bool:
        """Whether nothing is solved, and all that was to be written is answered."""
        return self._open is None and self._binder.idle()

    def tell(self, *events: Event) -> None:
        """Tell the cycle, perform its answers, and tell it what came of them, to the end."""
        self._queue.extend(events)
        if self._telling:
            return
        self._telling = True
        while self._queue:
            event = self._queue.popleft()
            for instruction in self.cycle.handle(event, self._ports.clock.now_s()):
                self._perform(instruction)
            self._note(event)
            if self._open is not None and self.cycle.state in {State.COLLECTING, State.STANDBY}:
                self._close()
        self._telling = False

    def _note(self, event: Event) -> None:
        """What the loop itself makes of an event."""
        match event:
            case LostLease():
                self._binder.drop()
                self._assumed.keep_nothing()
                self._kept.clear()
                self._room = None
            case PodGone(uid=uid):
                self._kept.pop(uid, None)
            case WonLease():
                self._queue.extend(self._nominated_before())
            case Bound() if self._open is not None:
                self._open.bound += 1
            case BindFailed() if self._open is not None:
                self._open.refused += 1
                self._changed = True  # others of the plan may have relied on it
            case _:
                pass

    def _nominated_before(self) -> Iterator[Event]:
        """What a process before this one kept nodes for; checked like what we keep them for."""
        entries = self.cycle.queue.entries
        for event in left_nominated(self._snapshot(), self._schedulers):
            first = event.bindings[0].pod
            if first in entries:
                self._keep(event.bindings, (entries[first].profile, (), NO_VOLUMES))
                yield event

    def _keep(self, unit: tuple[Binding, ...], terms: tuple[str, Pairs, Volumes]) -> None:
        """Remember how a unit is to be bound when its victims have left."""
        self._kept |= dict.fromkeys((binding.uid for binding in unit), terms)

    def _keep_no_more(self, unit: tuple[Binding, ...]) -> tuple[str, Pairs, Volumes] | None:
        """Forget, and give, how a unit was to be bound; None if its nodes were not kept."""
        found = [self._kept.pop(binding.uid, None) for binding in unit]
        return found[0]

    def _watch(self) -> None:
        for change in self._ports.cluster.changes():
            as_assumed = self._assumed.shows(change)
            if self._room is not None:
                self._room.note(self._assumed.known(change))
            self._changed = self._changed or (not as_assumed and matters(change))
            self.tell(*events_of(change, self._schedulers))

    def _snapshot(self) -> Snapshot:
        return self._assumed.over(self._ports.cluster.snapshot())

    def _room_now(self) -> Room:
        """The room, with all that the watches have shown by now."""
        self._watch()
        if self._room is None:
            deciding = self._open.solve.pods if self._open is not None else ()
            self._room = Room(self._snapshot(), deciding)
        return self._room

    def _perform(self, instruction: Instruction) -> None:
        match instruction:
            case Solve():
                self._solve(instruction)
            case Bind():
                self._bind(instruction.bindings)
            case Preempt(bindings=unit, victims=victims):
                if self._open is not None:
                    now = self._open
                    self._keep(unit, (now.solve.profile, now.notes, now.volumes))
                self._binder.preempt(unit, victims)
            case Withdraw(bindings=unit):
                self._keep_no_more(unit)
                self._binder.withdraw(unit)
            case Release():
                self._release(instruction)
            case Announce():
                self._ports.recorder.announce(instruction)
            case Dump(window=window, reason=reason):
                if self._open is not None and self._open.solve.window == window:
                    now = self._open
                    self._ports.recorder.dump(window, now.snapshot, now.pods, reason)
            case _:
                pass

    def _solve(self, solve: Solve) -> None:
        if self._open is not None:
            self._close()
        snapshot, wanted = self._snapshot(), set(solve.pods)
        waiting = tuple(p for p in snapshot.pods if p.key in wanted and is_pending(p, ()))
        pods = Window(waiting, solve.overdue, self._ports.clock.wall_s())
        self._open = _Open(solve, self._ports.clock.now_s(), snapshot, pods)
        self._ports.planner.start(solve.window, solve.profile, snapshot, pods)

    def _bind(self, unit: tuple[Binding, ...]) -> None:
        """Bind a unit of the plan, or one whose victims have left: that is checked once more."""
        kept = self._keep_no_more(unit)
        if kept is None:
            now = self._open
            notes, volumes = (now.notes, now.volumes) if now is not None else ((), {})
            self._binder.bind(unit, notes, volumes)
            return
        profile, notes, volumes = kept
        late = outdated([unit], None, self._snapshot(), self._ports.rules(profile))
        if late:
            self._queue.append(BindFailed(*next(iter(late.items()))))
        else:
            self._binder.bind(unit, notes, volumes)

    def _judged(self, solved: Solved) -> Event:
        """Verify a plan on the snapshot that it was made from, and then on the newest."""
        now = self._open
        if now is None or now.solve.window != solved.window:
            return SolveFailed(solved.window, "late")
        now.solved, now.solved_s = solved, self._ports.clock.now_s()
        if solved.plan is None:
            now.failure = solved.failure or "no plan"
            return SolveFailed(solved.window, now.failure)
        if solved.plan.reservation is not None:
            now.snapshot = replace(now.snapshot, reservation=solved.plan.reservation.meant())
        rules = self._ports.rules(now.solve.profile)
        violations = verify(solved.plan, now.snapshot, now.pods, rules)
        if violations:
            first = violations[0]
            now.failure = f"not verified: {first.rule}: {first.pod}: {first.message}"
            return SolveFailed(solved.window, now.failure)
        now.notes = notes_of(solved.window, solved.plan)
        bindings = bindings_of(solved.plan, now.snapshot)
        now.volumes = volumes_by_pod({b.pod: b.node for b in bindings}, now.snapshot)
        late = self._outdated(together(bindings), now, rules)
        now.refused += len(late)
        gone = departed(solved.plan, self._snapshot())
        ready = plan_ready(solved.window, solved.plan, now.snapshot, late, gone)
        staying = {key for key, _ in (*ready.unplaced, *ready.outdated)}
        promised = [p for p in now.pods.pods if p.nominated_node and p.key in staying]
        self._binder.write([NominateWrite(pod.key, pod.uid, None) for pod in promised])
        return ready

    def _outdated(
        self, units: Iterable[tuple[Binding, ...]], now: _Open, rules: Sequence[Check]
    ) -> dict[PodKey, str]:
        """Which pods of these units may not be bound any more, on the newest snapshot."""
        newest, began_s = self._snapshot(), self._ports.clock.now_s()
        self._changed = False
        plan = now.solved.plan if now.solved is not None else None
        if plan is None or newest is now.snapshot:
            return {}
        newest = replace(newest, reservation=now.snapshot.reservation)
        found = outdated(units, plan, newest, rules)
        ended_s = self._ports.clock.now_s()
        self._recheck_at_s = ended_s + max(RECHECK_EVERY_S, 4 * (ended_s - began_s))
        return found

    def _written(self) -> list[Event]:
        """Carry on with what is to be written; first see whether it may be still."""
        now, events = self._open, list[Event]()
        due = self._changed and self._ports.clock.now_s() >= self._recheck_at_s
        if now is not None and due and (left := self._binder.left()):
            rules = self._ports.rules(now.solve.profile)
            events = self._binder.refuse(self._outdated(left, now, rules))
        return events + self._binder.step()

    def _release(self, release: Release) -> None:
        """Delete the members of a gang that do not run; those that run are left in peace."""
        running = {pod.key for pod in self._snapshot().pods if pod.phase == "Running"}
        reason = f"gang {release.group[0]}/{release.group[1]} could not be completed"
        self._binder.write(deletions((p for p in release.pods if p[0] not in running), reason))

    def _close(self) -> None:
        """The window is over: keep a record of it."""
        now, self._open, self._room = self._open, None, None
        assert now is not None
        plan = now.solved.plan if now.solved is not None and not now.failure else None
        window = WindowRecord(
            window=now.solve.window,
            profile=now.solve.profile,
            closed_by=now.solve.closed_by,
            closed_s=now.closed_s,
            solved_s=now.solved_s,
            ended_s=self._ports.clock.now_s(),
            pods=len(now.pods.pods),
            plan=plan,
            failure=now.failure,
            solve_id=dict(now.notes).get(SOLVE_ID, ""),
            bound=now.bound,
            refused=now.refused,
            waiting=self.cycle.waiting(),
        )
        self._ports.recorder.record(window, now.snapshot, now.pods)
