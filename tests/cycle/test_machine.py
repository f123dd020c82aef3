"""The cycle under random events: it keeps its invariants and loses no pod.

The test plays the shell: it performs instructions late, out of order between units, or badly, and
keeps its own account of which pods are pending, to compare with the cycle's.
"""

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from batchsched.cycle import (
    Bind,
    BindFailed,
    Binding,
    Bound,
    ClusterChanged,
    Cycle,
    Event,
    LostLease,
    Nominated,
    Place,
    PlanReady,
    PodGone,
    PodHeld,
    PodKey,
    PodPending,
    Release,
    Solve,
    SolveFailed,
    State,
    Tick,
    Timing,
    Victim,
    WonLease,
)
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.pod import Pod  # noqa: TC001 -- beside its siblings
from tests.builders import make_pod

GANGS = [PodGroup("scheduling.x-k8s.io", "default", f"g{i}", min_count=i) for i in range(4)]
PODS = [(f"p{i:02}", GANGS[i % 6] if i % 6 < len(GANGS) else None) for i in range(18)]


class Shell(RuleBasedStateMachine):
    """A cluster of eighteen names, some in gangs of minimum 0 to 3."""

    def __init__(self) -> None:
        super().__init__()
        self.cycle = Cycle(Timing(window_pods_max=6, gang_complete_within_s=8.0))
        self.now_s, self.births = 0.0, 0
        self.pending: dict[PodKey, tuple[Pod, PodGroup | None]] = {}
        self.held: dict[PodKey, str] = {}
        self.solves: list[Solve] = []
        self.binds: list[list[Binding]] = []

    def tell(self, event: Event) -> None:
        for instruction in self.cycle.handle(event, self.now_s):
            if isinstance(instruction, Solve):
                assert instruction.pods, "no window is empty"
                assert set(instruction.pods) <= set(self.pending), "only pending pods are solved"
                self.solves.append(instruction)
            elif isinstance(instruction, Bind):
                self.binds.append(list(instruction.bindings))
            elif isinstance(instruction, Release):
                assert all(self.held[key] == uid for key, uid in instruction.pods)

    @rule(which=st.sampled_from(PODS), seconds=st.sampled_from([0.0, 0.25, 1.0]))
    def a_pod_comes(self, which: tuple[str, PodGroup | None], seconds: float) -> None:
        name, group = which
        self.now_s += seconds
        key = ("default", name)
        if key in self.pending or key in self.held:
            return
        self.births += 1
        pod = replace(make_pod(name, priority=self.births % 3), uid=f"u{self.births}")
        self.pending[key] = (pod, group)
        self.tell(PodPending(pod, group))

    @rule(which=st.sampled_from(PODS), succeeded=st.booleans())
    def a_pod_goes(self, which: tuple[str, PodGroup | None], *, succeeded: bool) -> None:
        key = ("default", which[0])
        if key in self.pending:
            uid = self.pending.pop(key)[0].uid
            self.tell(PodGone(key, uid))
        elif key in self.held:
            self.tell(PodGone(key, self.held.pop(key), succeeded))

    @rule(which=st.sampled_from(PODS))
    def somebody_else_binds(self, which: tuple[str, PodGroup | None]) -> None:
        key = ("default", which[0])
        if key in self.pending:
            pod, group = self.pending.pop(key)
            self.held[key] = pod.uid
            self.tell(PodHeld(key, pod.uid, group))

    @rule(which=st.sampled_from(PODS))
    def a_watch_repeats_itself(self, which: tuple[str, PodGroup | None]) -> None:
        key = ("default", which[0])
        if key in self.pending:
            self.tell(PodPending(*self.pending[key]))

    @rule()
    def something_changes(self) -> None:
        self.tell(ClusterChanged("a node came"))

    @rule(seconds=st.sampled_from([0.25, 0.5, 3.0, 70.0]))
    def time_passes(self, seconds: float) -> None:
        self.now_s += seconds
        self.tell(Tick())

    @precondition(lambda self: self.solves)
    @rule(data=st.data())
    def a_plan_comes(self, data: st.DataObject) -> None:
        solve = self.solves.pop(0)
        placed = data.draw(st.sets(st.sampled_from(solve.pods)))
        bindings = [
            Binding(key, self.pending[key][0].uid, "n1", group.key if group else None)
            for key in solve.pods
            if key in placed and key in self.pending
            for group in (self.pending[key][1],)
        ]
        unplaced = tuple((key, "no room") for key in solve.pods if key not in placed)
        leaving = data.draw(st.sets(st.sampled_from(sorted(self.held)))) if self.held else set()
        victims = tuple(
            Victim(key, self.held[key], (data.draw(st.sampled_from(bindings)).pod,))
            for key in sorted(leaving)
            if bindings
        )
        self.tell(PlanReady(solve.window, tuple(bindings), unplaced, victims))

    @rule(data=st.data())
    def a_victim_may_not_go(self, data: st.DataObject) -> None:
        kept = sorted(k for k, e in self.cycle.queue.entries.items() if e.place is Place.NOMINATED)
        if kept:
            self.tell(BindFailed(data.draw(st.sampled_from(kept)), "a budget forbids it"))

    @rule(data=st.data())
    def a_process_before_this_one_kept_a_node(self, data: st.DataObject) -> None:
        if self.pending and self.held:
            key = data.draw(st.sampled_from(sorted(self.pending)))
            victim = data.draw(st.sampled_from(sorted(self.held.items())))
            binding = Binding(key, self.pending[key][0].uid, "n1")
            self.tell(Nominated((binding,), (Victim(*victim),)))

    @precondition(lambda self: self.solves)
    @rule()
    def a_solve_fails(self) -> None:
        self.tell(SolveFailed(self.solves.pop(0).window, "out of time"))

    @precondition(lambda self: self.binds)
    @rule(at=st.integers(0, 9), refused=st.booleans())
    def a_binding_is_answered(self, at: int, *, refused: bool) -> None:
        unit = self.binds[at % len(self.binds)]
        binding = unit.pop(0)
        known = self.pending.get(binding.pod)
        if refused or known is None or known[0].uid != binding.uid:
            unit.clear()
            self.binds = [u for u in self.binds if u]
            self.tell(BindFailed(binding.pod, "409 Conflict"))
            return
        self.binds = [u for u in self.binds if u]
        del self.pending[binding.pod]
        self.held[binding.pod] = binding.uid
        self.tell(Bound(binding.pod, binding.uid, binding.node))

    @rule()
    def the_lease_moves(self) -> None:
        led = self.cycle.state is not State.STANDBY
        if led:
            self.binds.clear()
        self.tell(LostLease() if led else WonLease())

    @invariant()
    def it_holds_together(self) -> None:
        self.cycle.validate()
        assert set(self.cycle.queue.entries) == set(self.pending), "no pod is lost, none invented"
        assert {k: uid for k, (uid, _) in self.cycle.queue.held.items()} == self.held
        if self.cycle.state is State.COLLECTING and self.cycle.queue.ready:
            assert self.cycle.wakes_at_s() is not None, "ready pods, and nothing will happen"
        places = {entry.place for entry in self.cycle.queue.entries.values()}
        if self.cycle.state is State.COLLECTING and Place.NOMINATED in places:
            assert self.cycle.wakes_at_s() is not None, "kept nodes, for ever"


TestShell = Shell.TestCase
TestShell.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
