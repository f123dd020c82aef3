"""Scenarios drawn from seeds, and what must hold whatever goes wrong in them."""

import os
from random import Random

import pytest

from batchsched.sim.controllers import CronTemplate, JobTemplate
from batchsched.sim.scenario import JobArrival, PodArrival, Scenario
from batchsched.snapshot.pod import Pod
from tests.builders import ZONE, make_node, make_pod, make_snapshot

SEEDS_BY_DEFAULT = 25
OURS = "batchsched"
FAULTS_UNTIL_S, QUIET_S = 180.0, 420.0


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """As many seeds as SEEDS says; `make sim` says a thousand."""
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(int(os.environ.get("SEEDS", SEEDS_BY_DEFAULT))))


def drawn_scenario(seed: int) -> Scenario:
    """A small cluster and more work than fits at once: single pods, gangs, a CronJob."""
    random = Random(f"scenario {seed}")
    nodes = [
        make_node(f"n{i}", cpu=8000, labels={ZONE: f"z{i % 2}"})
        for i in range(random.randint(3, 6))
    ]
    pods = [
        PodArrival(random.uniform(0, 90), _pod(f"p{i:02}", random), random.uniform(5, 40))
        for i in range(random.randint(5, 25))
    ]
    jobs = [
        JobArrival(random.uniform(0, 90), _gang(f"gang-{i}", random))
        for i in range(random.randint(1, 5))
    ]
    cron = JobTemplate("default", "tick", _pod("tick", random), 2, 2, random.uniform(5, 30))
    return Scenario(
        name=f"seed {seed}",
        base=make_snapshot(nodes),
        duration_s=FAULTS_UNTIL_S + QUIET_S,
        pods=pods,
        jobs=jobs,
        crons=[CronTemplate(cron, "*/2 * * * *", "Forbid")],
    )


def _pod(name: str, random: Random) -> Pod:
    return make_pod(name, cpu=random.choice([500, 1000, 2000, 3000]), scheduler_name=OURS)


def _gang(name: str, random: Random) -> JobTemplate:
    size = random.randint(2, 6)
    notes = [("batchsched.io/gang", "owner")]
    if random.random() < 0.3:
        notes.append(("batchsched.io/required-topology", ZONE))
    cpu = random.choice([1000, 2000, 4000])
    pod = make_pod(name, cpu=cpu, scheduler_name=OURS, pod={"annotations": tuple(notes)})
    return JobTemplate("default", name, pod, size, size, random.uniform(5, 40))
