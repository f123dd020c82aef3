"""Preemption under faults: victims leave, whoever they left for comes, and nothing is over-full.

A cluster is filled with pods of low priority; then gangs and pods of higher ones arrive. Drawn from
seeds are the faults of ``test_faults``: crashes at every call, refusals, late watches, lost nodes.
"""

from random import Random
from time import monotonic

import pytest

from batchsched.profile import Profile
from batchsched.scheduler import Limits
from batchsched.sim.controllers import JobTemplate
from batchsched.sim.faults import Faults
from batchsched.sim.policies import solver
from batchsched.sim.scenario import JobArrival, PodArrival, Scenario
from batchsched.sim.simulation import Simulation
from batchsched.snapshot.allowance import Allowance
from tests.builders import make_node, make_pod, make_snapshot
from tests.simulation.conftest import FAULTS_UNTIL_S, OURS, QUIET_S
from tests.simulation.test_faults import Guard, half_started

LIMITS = Limits(time_limit_s=5.0, workers=1, deterministic=True)


def drawn_scenario(seed: int) -> Scenario:
    """Room for four small pods a node, all taken by low priority before anything else comes."""
    random = Random(f"preemption {seed}")
    count = random.randint(2, 4)
    low = [JobArrival(0.0, _job(f"low-{i}", 1, 1000, 0, gang=False)) for i in range(4 * count)]
    gangs = [
        JobArrival(random.uniform(20, 90), _job(f"gang-{i}", random.randint(2, 3), 2000, 10))
        for i in range(random.randint(1, 2))
    ]
    urgent = make_pod("urgent", cpu=random.choice([1000, 4000]), scheduler_name=OURS, priority=100)
    return Scenario(
        name=f"preemption {seed}",
        base=make_snapshot([make_node(f"n{i}", cpu=4000) for i in range(count)]),
        duration_s=FAULTS_UNTIL_S + QUIET_S,
        pods=[PodArrival(random.uniform(20, 90), urgent)],
        jobs=[*low, *gangs],
    )


def _job(name: str, size: int, cpu: int, priority: int, *, gang: bool = True) -> JobTemplate:
    notes = (("batchsched.io/gang", "owner"),) if gang else ()
    pod = make_pod(
        name, cpu=cpu, scheduler_name=OURS, priority=priority, pod={"annotations": notes}
    )
    return JobTemplate("default", name, pod, size, size, None)


def run(seed: int, faults: Faults | None) -> tuple[Simulation, Guard]:
    guard = Guard()
    policy = solver(Profile(objectives=()), LIMITS, monotonic, Allowance(preemption=True))
    simulation = Simulation(drawn_scenario(seed), guard.watching(policy), faults=faults)
    guard.run = simulation
    simulation.cluster.listeners.append(guard.note)
    simulation.run()
    simulation.cycle.validate()
    return simulation, guard


def check(simulation: Simulation) -> None:
    assert not half_started(simulation)
    pods = simulation.cluster.pods.values()
    waiting = [pod for pod in pods if pod.node is None and not pod.terminal]
    least = min((pod.spec.priority for pod in waiting), default=0)
    assert least == 0, "a pod waits although weaker ones run"
    assert not [pod.name for pod in pods if pod.node is None and pod.nominated_node], (
        "kept for ever"
    )


@pytest.mark.slow
@pytest.mark.parametrize("which", range(4))
def test_who_is_stronger_runs_and_nobody_left_in_vain(which: int) -> None:
    simulation, _ = run(which, None)
    check(simulation)
    stronger = [pod for pod in simulation.cluster.pods.values() if pod.spec.priority > 0]
    asked = sum(dict(pod.requests)["cpu"] for pod in stronger)
    gone = sum(1 for life in simulation.meter.lives.values() if life.ended_s is not None)
    assert 1 <= gone <= asked / 1000, "no more left than those who came needed"


@pytest.mark.slow
def test_preemption_survives_what_goes_wrong(seed: int) -> None:
    check(run(seed, Faults(seed, FAULTS_UNTIL_S))[0])
