"""Churn: gangs come, end and are preempted, on nodes that come and go.

Drawn from seeds, and watched change by change: no node is over-committed; no gang that we start or
take from has some members and fewer than it needs for longer than ``completeWithin``; a group that
goes whole does; and nobody is evicted for a pod that does not come then. SEEDS says how many.
"""

from dataclasses import replace
from functools import partial
from random import Random
from time import monotonic

import pytest

from batchsched.daemon.ports import PodChange
from batchsched.plan.reading import runs
from batchsched.profile import Profile
from batchsched.scheduler import Limits
from batchsched.sim.controllers import JobTemplate
from batchsched.sim.faults import Faults
from batchsched.sim.policies import solver
from batchsched.sim.scenario import JobArrival, NodeArrival, PodArrival, Scenario
from batchsched.sim.simulation import Simulation
from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.groups import KUBERNETES, Declared, Key
from batchsched.snapshot.pod import Pod
from tests.builders import make_node, make_pod, make_snapshot
from tests.simulation.conftest import FAULTS_UNTIL_S, OURS
from tests.simulation.test_faults import Guard

LIMITS = Limits(time_limit_s=5.0, workers=1, deterministic=True)
ARRIVALS_S, DURATION_S = 200.0, 480.0
COMPLETE_WITHIN_S = 60.0
SLACK_S = 15.0
"""A window, a retry and a grace period after that."""
COMES_WITHIN_S = 20.0
"""From an eviction to the binding that it was for: a grace period, and bindings before it."""


def drawn_scenario(seed: int) -> Scenario:
    """More gangs than fit, of several priorities, on two to five nodes of which some leave."""
    random = Random(f"churn {seed}")
    names = [f"n{i}" for i in range(random.randint(2, 5))]
    jobs, groups = [], dict[Key, PodGroup]()
    for i in range(random.randint(3, 8)):
        name, size = f"gang-{i}", random.randint(2, 5)
        group = PodGroup(
            KUBERNETES,
            "default",
            name,
            min_count=random.randint(1, size),
            priority=random.choice([0, 0, 10, 100]),
            preemption_never=random.random() < 0.1,
            goes_whole=random.random() < 0.5,
        )
        groups["default", name, KUBERNETES] = group
        pod = _pod(name, random)
        pod = replace(pod, spec=replace(pod.spec, pod_group=name))
        lasts_s = random.choice([None, random.uniform(20, 150)])
        job = JobTemplate("default", name, pod, size, size, lasts_s)
        jobs.append(JobArrival(random.uniform(0, ARRIVALS_S), job))
    singles = [
        PodArrival(random.uniform(0, ARRIVALS_S), _pod(f"p{i}", random), random.uniform(20, 200))
        for i in range(random.randint(2, 8))
    ]
    return Scenario(
        name=f"churn {seed}",
        base=make_snapshot([make_node(name, cpu=4000) for name in names]),
        duration_s=DURATION_S,
        declared=Declared(groups=groups),
        pods=singles,
        jobs=jobs,
        nodes=[each for name in names for each in _leave_and_return(name, random)],
    )


def _pod(name: str, random: Random) -> Pod:
    cpu, priority = random.choice([1000, 1000, 2000, 3000]), random.choice([0, 10, 50, 1000])
    return make_pod(name, cpu=cpu, priority=priority, scheduler_name=OURS)


def _leave_and_return(name: str, random: Random) -> list[NodeArrival]:
    """A node that is lost at some time, and joins again; most stay."""
    if random.random() < 0.7:
        return []
    node, away_s = make_node(name, cpu=4000), random.uniform(60, ARRIVALS_S)
    back_s = away_s + random.uniform(5, 100)
    return [NodeArrival(0.0, node, away_s), NodeArrival(back_s, node)]


def _to_be_survived(scenario: Scenario) -> Scenario:
    """The scenario for runs with faults, which take nodes away themselves.

    All work ends: what a crash between two writes leaves of a gang may run, and is left alone then.
    """
    jobs = [replace(each, job=replace(each.job, duration_s=90.0)) for each in scenario.jobs]
    return replace(scenario, nodes=(), jobs=jobs)


class Watch(Guard):
    """Also watches gangs and evictions; ``calm`` is whether the API does what it is told."""

    def __init__(self, *, calm: bool) -> None:
        super().__init__()
        self.calm = calm
        self.evicted = 0
        self.members: dict[Key, set[str]] = {}
        self.partial_since_s: dict[Key, float] = {}
        self.excused: set[Key] = set()
        """Gangs that ended in part, or lost a node."""
        self.lost_s = [0.0]

    @property
    def simulation(self) -> Simulation:
        assert self.run is not None
        return self.run

    def note(self, change: PodChange) -> None:
        super().note(change)
        old, new = change.old, change.new
        ran, there = old is not None and runs(old), new is not None and runs(new)
        if ran and new is None:
            self.lost_s.append(self.simulation.clock.now_s())
        if ran != there and change.group is not None:
            self._count(change, change.group, there=there)
        if old is not None and new is not None and ran and new.deleting and self.calm:
            self._left(old, change.group)

    def _count(self, change: PodChange, group: PodGroup, *, there: bool) -> None:
        """Note since when a gang runs with some members and fewer than it needs."""
        subject, now_s = change.new or change.old, self.simulation.clock.now_s()
        assert subject is not None
        members = self.members.setdefault(group.key, set())
        (members.add if there else members.discard)(subject.uid)
        if not there and (change.new is None or change.new.terminal):
            self.excused.add(group.key)
        if not members or len(members) >= group.min_count:
            self.excused.discard(group.key)
            self.partial_since_s.pop(group.key, None)
        elif group.key not in self.excused and group.key not in self.partial_since_s:
            self.partial_since_s[group.key] = now_s
            late = partial(self._partial_no_more, group.key, now_s)
            self.simulation.clock.after(COMPLETE_WITHIN_S + SLACK_S, late)

    def _partial_no_more(self, key: Key, since_s: float) -> None:
        still = self.partial_since_s.get(key) == since_s and key not in self.excused
        assert not still or not self.calm, f"{key} is half-started since {since_s}"

    def _left(self, victim: Pod, group: PodGroup | None) -> None:
        """Somebody was evicted, unless it is a member that had not started of a gang released."""
        pods, now_s = self.simulation.cluster.pods.values(), self.simulation.clock.now_s()
        waiting = [p for p in pods if p.node is None and p.nominated_node and not p.terminal]
        stronger = [p for p in waiting if p.spec.priority > victim.spec.priority]
        if victim.phase != "Running" and not stronger:
            return
        self.evicted += 1
        assert stronger, f"{victim.name} left for nobody"
        assert not [p for p in stronger if p.spec.preemption_never and len(stronger) == 1]
        expected = [(p.key, p.uid, p.nominated_node) for p in stronger]
        self.simulation.clock.after(COMES_WITHIN_S, partial(self._have_come, expected, now_s))
        if group is not None and group.goes_whole:
            others = frozenset(self.members[group.key])
            self.simulation.clock.after(SLACK_S, partial(self._went_whole, group.key, others))

    def _have_come(self, expected: list[tuple[tuple[str, str], str, str | None]], s: float) -> None:
        bound = self.simulation.cluster.bound
        missing = [key for key, uid, node in expected if bound.get(uid) != node]
        assert not missing or max(self.lost_s) >= s, f"{missing} did not come: evicted in vain"

    def _went_whole(self, key: Key, others: frozenset[str]) -> None:
        assert not self.members[key] & others, f"of {key} some stayed"


def churned(seed: int, faults: Faults | None = None) -> tuple[Simulation, Watch]:
    watch = Watch(calm=faults is None)
    policy = solver(Profile(objectives=()), LIMITS, monotonic, Allowance(preemption=True))
    scenario = drawn_scenario(seed)
    if faults is not None:
        scenario = _to_be_survived(scenario)
    simulation = Simulation(scenario, watch.watching(policy), faults=faults)
    watch.run = simulation
    simulation.cluster.listeners.append(watch.note)
    simulation.run()
    simulation.cycle.validate()
    return simulation, watch


@pytest.mark.slow
def test_gangs_start_whole_and_nobody_is_evicted_in_vain(seed: int) -> None:
    simulation, _ = churned(seed)
    assert not [w for w in simulation.recorder.windows if w.failure]


@pytest.mark.slow
def test_gangs_survive_what_goes_wrong_while_they_come_and_go(seed: int) -> None:
    simulation, watch = churned(seed, Faults(seed, FAULTS_UNTIL_S))
    late = {key for key in watch.partial_since_s if key not in watch.excused}
    assert not late, "half-started long after the faults stopped"
    quiet = [w for w in simulation.recorder.windows if w.closed_s > FAULTS_UNTIL_S + 60]
    assert not [w for w in quiet if w.failure], "solves fail without a fault"


def test_a_pod_of_a_group_has_the_priority_of_its_group() -> None:
    """Else a gang that may not preempt would, and the window would be filled in another order."""
    simulation, _ = churned(0)
    cluster = simulation.cluster
    grouped = [(pod, cluster.grouping.of(pod)) for pod in cluster.pods.values()]
    ranks = {(pod.spec.priority, group.priority) for pod, group in grouped if group is not None}
    assert ranks
    assert not [rank for rank in ranks if rank[0] != rank[1]]


def test_the_sample_of_seeds_preempts() -> None:
    assert sum(churned(seed)[1].evicted for seed in range(5)) > 10
