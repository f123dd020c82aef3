"""The simulation: one scenario, one policy, from the first second to the last.

The cycle and the loop are those of production; cluster, clock, planner and recorder are the
embedded ones. The same scenario, policy and faults give the same run.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from batchsched.constraints import default_constraints
from batchsched.cycle import Announce, Cycle
from batchsched.daemon.grouping import Grouping
from batchsched.daemon.loop import Loop, Ports
from batchsched.daemon.ports import Cluster, Solved, WindowRecord
from batchsched.plan.plan import Plan  # noqa: TC001 -- beside its siblings
from batchsched.plan.verify import Check
from batchsched.sim.clock import VirtualClock
from batchsched.sim.cluster import SimCluster
from batchsched.sim.controllers import Controllers
from batchsched.sim.faults import Crashed, Faults, FaultyCluster
from batchsched.sim.meter import Meter
from batchsched.sim.policies import Policy
from batchsched.sim.scenario import PodArrival, Scenario
from batchsched.snapshot.groups import Declared
from batchsched.snapshot.snapshot import Snapshot, Window

Watcher = Callable[[WindowRecord, "Simulation"], None]


class SimPlanner:
    """Solves at once, and answers when the simulation says that a solve takes so long.

    Each window starts from the plan of the one before; a new process starts from nothing.
    """

    def __init__(self, policy: Policy, clock: VirtualClock, faults: Faults | None = None) -> None:
        """Solve by a policy."""
        self._policy, self._clock, self._faults = policy, clock, faults
        self._solved: list[tuple[float, Solved]] = []
        self._last: Plan | None = None

    def start(self, window: int, profile: str, snapshot: Snapshot, pods: Window) -> None:
        """Solve, and keep the answer until its time."""
        takes_s, fails = self._faults.solve() if self._faults is not None else (0.0, False)
        plan = None if fails else self._policy(snapshot, pods, self._last)
        self._last = plan or self._last
        solved = Solved(window, plan, "" if plan is not None else "a fault of the simulation")
        self._solved.append((self._clock.now_s() + takes_s, solved))

    def finished(self) -> list[Solved]:
        """Give the answers whose time has come."""
        now_s = self._clock.now_s()
        done = [solved for at_s, solved in self._solved if at_s <= now_s]
        self._solved = [each for each in self._solved if each[0] > now_s]
        return done

    def next_s(self) -> float | None:
        """When the next answer comes."""
        return min((at_s for at_s, _ in self._solved), default=None)


@dataclass(slots=True)
class SimRecorder:
    """Keeps what a run left behind."""

    windows: list[WindowRecord] = field(default_factory=list)
    announced: dict[str, int] = field(default_factory=dict)
    dumps: int = 0
    on_window: Callable[[WindowRecord], None] = lambda _: None

    def announce(self, event: Announce) -> None:
        """Count an event by its reason."""
        self.announced[event.reason] = self.announced.get(event.reason, 0) + 1

    def record(self, window: WindowRecord, snapshot: Snapshot, pods: Window) -> None:
        """Keep a window."""
        self.windows.append(window)
        self.on_window(window)

    def dump(self, window: int, snapshot: Snapshot, pods: Window, reason: str) -> None:
        """Count a dump; a simulation can be run again instead."""
        self.dumps += 1


class Simulation:
    """One run.

    Args:
        scenario: What happens.
        policy: Who decides.
        faults: What goes wrong, None: nothing.
        watcher: Called after each window.
        rules: Every plan is held against them before anything of it is bound.
    """

    def __init__(
        self,
        scenario: Scenario,
        policy: Policy,
        *,
        faults: Faults | None = None,
        watcher: Watcher | None = None,
        rules: Sequence[Check] = default_constraints(),
    ) -> None:
        """Set the stage; nothing has happened yet."""
        self.scenario, self.faults, self._policy, self._rules = scenario, faults, policy, rules
        self.clock = VirtualClock(scenario.start.timestamp())
        declared = scenario.declared
        grouping = Grouping(
            Declared(
                dict(declared.groups),
                dict(declared.jobs),
                dict(declared.job_sets),
                dict(declared.job_owners),
                dict(declared.composites),
            )
        )
        delay_s = faults.watch_delay_s if faults is not None else lambda: 0.0
        self.cluster = SimCluster(scenario.base, grouping, self.clock, delay_s)
        self.meter = Meter(self.cluster)
        self.controllers = Controllers(self.cluster, scenario.start)
        self.recorder = SimRecorder(on_window=self._after)
        self.crashes = 0
        self._watcher = watcher
        self._planner, self._loop = self._process()
        self._schedule()

    @property
    def cycle(self) -> Cycle:
        """The cycle of the process that runs now."""
        return self._loop.cycle

    def run(self, until_s: float | None = None) -> "Simulation":
        """Run to the end of the scenario, or further."""
        end_s = self.scenario.duration_s if until_s is None else until_s
        self._guarded(self._loop.start)
        while True:
            self._guarded(self._step)
            coming = (
                self.clock.next_s(),
                self.cycle.wakes_at_s(),
                self._planner.next_s(),
                self.cluster.next_watch_s(),
            )
            next_s = min((at_s for at_s in coming if at_s is not None), default=None)
            if next_s is None or next_s > end_s:
                break
            self.clock.advance(next_s)
        self.clock.advance(end_s)
        self.meter.sample()
        return self

    def _step(self) -> None:
        """One step of the process that runs now, which may be another one each time."""
        self._loop.step()

    def _process(self) -> tuple[SimPlanner, Loop]:
        """Start a scheduler process: it knows nothing but the ports."""
        planner = SimPlanner(self._policy, self.clock, self.faults)
        cluster: Cluster = self.cluster
        if self.faults is not None:
            cluster = FaultyCluster(self.cluster, self.faults)
        ports = Ports(cluster, self.clock, planner, self.recorder, lambda _: self._rules)
        return planner, Loop(Cycle(self.scenario.timing), ports)

    def _guarded(self, action: Callable[[], None]) -> None:
        """Do something; where the process crashes, start another from the cluster alone."""
        while True:
            try:
                return action()
            except Crashed:
                self.crashes += 1
                self.cluster.restart_watches()
                self._planner, self._loop = self._process()
                action = self._loop.start

    def _schedule(self) -> None:
        clock, cluster, scenario = self.clock, self.cluster, self.scenario
        for pod in scenario.pods:
            clock.at(pod.at_s, partial(_create, cluster, pod))
        for job in scenario.jobs:
            clock.at(job.at_s, partial(self.controllers.start_job, job.job))
        for cron in scenario.crons:
            self.controllers.start_cron(cron, scenario.duration_s)
        for node in scenario.nodes:
            clock.at(node.at_s, partial(cluster.add_node, node.node))
            if node.until_s is not None:
                clock.at(node.until_s, partial(cluster.lose_node, node.node.name))
        if self.faults is not None:
            self.faults.schedule(cluster)
        clock.advance(0.0)

    def _after(self, window: WindowRecord) -> None:
        self.meter.sample()
        if self._watcher is not None:
            self._watcher(window, self)


def _create(cluster: SimCluster, arrival: PodArrival) -> None:
    cluster.create(arrival.pod, arrival.duration_s)


def with_timing(scenario: Scenario, *, window_s: float | None, ageing_windows: int = 0) -> Scenario:
    """The scenario with other limits.

    Args:
        scenario: What happens.
        window_s: How long windows are open, whether the queue is quiet or not; ``None``: as it is.
        ageing_windows: After how many windows room is kept for who was passed over.
    """
    timing = replace(scenario.timing, ageing_windows=ageing_windows)
    if window_s is not None:
        timing = replace(timing, window_idle_s=window_s, window_max_s=window_s)
    return replace(scenario, timing=timing)
