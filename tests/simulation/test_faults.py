"""Safety and liveness under faults drawn from seeds.

Safety, at every moment: no node is over-committed, no pod is bound twice, nothing is bound that no
verified plan names. Liveness: when the faults stop, no gang stays half-started, and what fits is
bound within a few windows. SEEDS sets how many seeds; a failing one can be run alone with -k.
"""

from collections import Counter
from collections.abc import Callable
from time import monotonic

import pytest

from batchsched.constraints import default_constraints
from batchsched.cycle import PodKey  # noqa: TC001 -- beside its siblings
from batchsched.daemon.ports import PodChange
from batchsched.plan.plan import Plan
from batchsched.plan.verify import verify
from batchsched.profile import default_profile
from batchsched.scheduler import Limits
from batchsched.sim.faults import Faults
from batchsched.sim.policies import Policy, greedy, solver
from batchsched.sim.simulation import Simulation
from batchsched.snapshot.snapshot import Snapshot, Window, pending
from tests.simulation.conftest import FAULTS_UNTIL_S, drawn_scenario

WINDOWS_TO_SETTLE = 12


class Guard:
    """Watches the truth of a simulation and remembers what was verified."""

    def __init__(self) -> None:
        self.approved: set[tuple[PodKey, str, str]] = set()
        self.run: Simulation | None = None
        self.used: dict[str, Counter[str]] = {}

    def watching(self, policy: Policy) -> Policy:
        def watched(snapshot: Snapshot, window: Window, before: Plan | None = None) -> Plan:
            plan = policy(snapshot, window, before)
            if not verify(plan, snapshot, window, default_constraints()):
                self.approved |= {((b.namespace, b.name), b.uid, b.node) for b in plan.bindings}
            return plan

        return watched

    def note(self, change: PodChange) -> None:
        old, new = change.old, change.new
        was_there = old is not None and old.node is not None and not old.terminal
        is_there = new is not None and new.node is not None and not new.terminal
        if is_there and not was_there:
            assert new is not None
            assert new.node is not None
            foreign = new.spec.scheduler_name == "default-scheduler"
            known = (new.key, new.uid, new.node) in self.approved
            assert foreign or known, "bound, and never verified"
            self._add(new.node, new.requests, 1)
            self._check(new.node)
        elif was_there and not is_there:
            assert old is not None
            assert old.node is not None
            self._add(old.node, old.requests, -1)

    def _add(self, node: str, requests: tuple[tuple[str, int], ...], sign: int) -> None:
        used = self.used.setdefault(node, Counter())
        for resource, amount in (*requests, ("pods", 1)):
            used[resource] += sign * amount

    def _check(self, name: str) -> None:
        assert self.run is not None
        node = self.run.cluster.nodes.get(name)
        if node is None:
            return  # bound to a node that left meanwhile: its pods are deleted
        room = dict(node.allocatable)
        over = {r: n for r, n in self.used[name].items() if n > room.get(r, 0)}
        assert not over, f"{name} is over-committed: {over}"


def run_with_faults(seed: int, policy: Policy) -> tuple[Simulation, Guard]:
    guard = Guard()
    scenario = drawn_scenario(seed)
    faults = Faults(seed, FAULTS_UNTIL_S)
    run = Simulation(scenario, guard.watching(policy), faults=faults)
    guard.run = run
    run.cluster.listeners.append(guard.note)
    run.run()
    run.cycle.validate()
    return run, guard


def half_started(run: Simulation) -> list[str]:
    """Gangs with some members on nodes and fewer than they need, ended ones counted."""
    held: Counter[str] = Counter()
    least: dict[str, int] = {}
    for pod in run.cluster.pods.values():
        group = run.cluster.grouping.of(pod)
        if group is not None and pod.node is not None and not pod.terminal:
            held[group.name] += 1
            least[group.name] = group.min_count
    return [name for name in held if held[name] < least[name]]


def fits_still(run: Simulation) -> int:
    """How many of the waiting pods a greedy policy could place now."""
    snapshot = run.cluster.snapshot()
    return len(greedy("best-fit")(snapshot, pending(snapshot)).bindings)


@pytest.mark.slow
def test_a_scheduler_survives_what_goes_wrong(seed: int) -> None:
    run, _ = run_with_faults(seed, greedy("best-fit"))
    assert not half_started(run)
    assert not fits_still(run), "pods wait although they fit"
    quiet = [w for w in run.recorder.windows if w.closed_s > FAULTS_UNTIL_S + 60]
    assert not [w for w in quiet if w.failure], "solves fail without a fault"
    assert not [w for w in quiet if w.refused], "bindings are refused without a fault"
    alone = [life for life in run.meter.lives.values() if life.group is None]
    late = [x for x in alone if x.bound_s is None and x.ended_s is None]
    assert not late or fits_still(run) == 0


def made(name: str) -> Callable[[], Policy]:
    if name == "solver":
        limits = Limits(time_limit_s=5.0, workers=1, deterministic=True)
        return lambda: solver(default_profile(), limits, monotonic)
    return lambda: greedy(name)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["solver", "least-allocated", "most-allocated"])
@pytest.mark.parametrize("which", range(3))
def test_every_policy_is_as_safe(policy: str, which: int) -> None:
    run, _ = run_with_faults(1000 + which, made(policy)())
    assert not half_started(run)
    assert not fits_still(run)


def test_the_same_seed_is_the_same_run() -> None:
    first, second = (run_with_faults(7, greedy("best-fit"))[0] for _ in range(2))
    assert first.cluster.bound == second.cluster.bound
    assert [(w.closed_s, w.bound) for w in first.recorder.windows] == [
        (w.closed_s, w.bound) for w in second.recorder.windows
    ]


def test_without_faults_everything_is_settled_in_a_few_windows() -> None:
    run = Simulation(drawn_scenario(3), greedy("best-fit")).run()
    assert not run.crashes
    assert not [w for w in run.recorder.windows if w.failure or w.refused]
    waits = [w.window for w in run.recorder.windows if w.closed_s > FAULTS_UNTIL_S]
    assert len(waits) <= WINDOWS_TO_SETTLE
    assert not fits_still(run)
