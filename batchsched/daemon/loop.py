"""The loop: performs what the cycle says, through the ports, and tells it what came of it.

It decides nothing about when or where. What it adds is care: a plan is verified on the snapshot it
was made from before anything of it is bound, each unit is re-checked on the newest state, a gang is
tried by dry-run first, and what was written but not yet shown by a watch is not given away again.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from batchsched.cycle import (
    Announce,
    Bind,
    BindFailed,
    Binding,
    Bound,
    Cycle,
    Dump,
    Event,
    Evict,
    Instruction,
    PlanReady,
    Release,
    Solve,
    SolveFailed,
    State,
    Tick,
)
from batchsched.daemon.assumed import Assumed
from batchsched.daemon.ports import (
    Clock,
    Cluster,
    Planner,
    Recorder,
    Solved,
    WindowRecord,
)
from batchsched.daemon.recheck import Room, moves_room
from batchsched.daemon.watch import events_of, listed
from batchsched.plan.plan import Plan
from batchsched.plan.state import Violation
from batchsched.snapshot.snapshot import Snapshot, Window

Verify = Callable[[Plan, Snapshot, Window], Sequence[Violation]]


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything outside."""

    cluster: Cluster
    clock: Clock
    planner: Planner
    recorder: Recorder
    verify: Verify


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
        self._open: _Open | None = None
        self._room: Room | None = None
        self._queue: deque[Event] = deque()
        self._telling = False

    def start(self) -> None:
        """Read the cluster: all state is there."""
        self._ports.cluster.changes()
        self.tell(*listed(self._snapshot(), self._schedulers))

    def step(self) -> None:
        """Take in what watches and solves brought, then let the cycle know the time."""
        self._watch()
        for solved in self._ports.planner.finished():
            self.tell(self._judged(solved))
        self.tell(Tick())

    def tell(self, *events: Event) -> None:
        """Tell the cycle, perform its answers, and tell it what came of them, to the end."""
        self._queue.extend(events)
        if self._telling:
            return
        self._telling = True
        while self._queue:
            for instruction in self.cycle.handle(self._queue.popleft(), self._ports.clock.now_s()):
                self._queue.extend(self._perform(instruction))
            if self._open is not None and self.cycle.state in {State.COLLECTING, State.STANDBY}:
                self._close()
        self._telling = False

    def _watch(self) -> None:
        for change in self._ports.cluster.changes():
            if not self._assumed.shows(change) and moves_room(change):
                self._room = None
            self.tell(*events_of(change, self._schedulers))

    def _snapshot(self) -> Snapshot:
        return self._assumed.over(self._ports.cluster.snapshot())

    def _perform(self, instruction: Instruction) -> Iterable[Event]:
        match instruction:
            case Solve():
                self._solve(instruction)
            case Bind():
                return self._bind(instruction.bindings)
            case Evict(pod=pod, uid=uid, reason=reason):
                self._ports.cluster.delete(pod, uid, reason)
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
        return ()

    def _solve(self, solve: Solve) -> None:
        if self._open is not None:
            self._close()
        snapshot, wanted = self._snapshot(), set(solve.pods)
        pods = Window(tuple(p for p in snapshot.pods if p.key in wanted and p.node is None))
        self._open = _Open(solve, self._ports.clock.now_s(), snapshot, pods)
        self._ports.planner.start(solve.window, snapshot, pods)

    def _judged(self, solved: Solved) -> Event:
        """Verify a plan on the snapshot that it was made from: nothing is bound unverified."""
        now = self._open
        if now is None or now.solve.window != solved.window:
            return SolveFailed(solved.window, "late")
        now.solved, now.solved_s = solved, self._ports.clock.now_s()
        if solved.plan is None:
            now.failure = solved.failure or "no plan"
            return SolveFailed(solved.window, now.failure)
        violations = self._ports.verify(solved.plan, now.snapshot, now.pods)
        if violations:
            first = violations[0]
            now.failure = f"not verified: {first.rule}: {first.pod}: {first.message}"
            return SolveFailed(solved.window, now.failure)
        return plan_ready(solved.window, solved.plan, now.snapshot)

    def _bind(self, unit: tuple[Binding, ...]) -> list[Event]:
        """Re-check a unit on the newest state, write it, and stop at the first refusal."""
        assert self._open is not None
        self._watch()
        if refused := self._checked(unit):
            self._open.refused += 1
            return [refused]
        events: list[Event] = []
        for binding in unit:
            why = self._ports.cluster.bind(binding)
            if why is not None:
                self._open.refused += 1
                return [*events, BindFailed(binding.pod, why)]
            self._assumed.bound(binding)
            self._open.bound += 1
            if self._room is not None:
                self._room.take(self._room.pods[binding.pod], binding.node)
            events.append(Bound(binding.pod, binding.uid, binding.node))
        return events

    def _checked(self, unit: tuple[Binding, ...]) -> BindFailed | None:
        """Hold a unit against the newest state; try a gang by dry-run before its first write."""
        if self._room is None:
            self._room = Room(self._snapshot())
        for binding, why in self._room.refusals(unit):
            return BindFailed(binding.pod, why)
        for binding in unit if len(unit) > 1 else ():
            refused = self._ports.cluster.bind(binding, dry_run=True)
            if refused is not None:
                return BindFailed(binding.pod, refused)
        return None

    def _release(self, release: Release) -> None:
        """Delete the members of a gang that do not run; those that run are left in peace."""
        running = {pod.key for pod in self._snapshot().pods if pod.phase == "Running"}
        for key, uid in release.pods:
            if key not in running:
                reason = f"gang {release.group[0]}/{release.group[1]} could not be completed"
                self._ports.cluster.delete(key, uid, reason)

    def _close(self) -> None:
        """The window is over: keep a record of it."""
        now, self._open, self._room = self._open, None, None
        assert now is not None
        plan = now.solved.plan if now.solved is not None and not now.failure else None
        self._ports.recorder.record(
            WindowRecord(
                window=now.solve.window,
                closed_by=now.solve.closed_by,
                closed_s=now.closed_s,
                solved_s=now.solved_s,
                pods=len(now.pods.pods),
                plan=plan,
                failure=now.failure,
                bound=now.bound,
                refused=now.refused,
                waiting=self.cycle.waiting(),
            )
        )


def plan_ready(window: int, plan: Plan, snapshot: Snapshot) -> PlanReady:
    """Put a plan into the words of the cycle."""
    group_of = {key: snapshot.groups[index] for key, index in snapshot.group_of}
    bindings = []
    for b in plan.bindings:
        group = group_of.get((b.namespace, b.name))
        together = group.key if group is not None and group.min_count > 0 else None
        bindings.append(Binding((b.namespace, b.name), b.uid, b.node, together))
    unplaced = tuple(((u.namespace, u.name), u.message) for u in plan.unplaced)
    evictions = tuple(((e.namespace, e.name), e.uid, e.reason) for e in plan.evictions)
    return PlanReady(window, tuple(bindings), unplaced, evictions)
