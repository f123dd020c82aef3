"""A finished simulation's folder, and a plan, for the tests of the report."""

from dataclasses import replace
from pathlib import Path

import pytest

from batchsched.report.folder import write_folder
from batchsched.sim.controllers import JobTemplate
from batchsched.sim.outcome import Outcome, outcome
from batchsched.sim.policies import greedy
from batchsched.sim.scenario import JobArrival, PodArrival, Scenario
from batchsched.sim.simulation import Simulation
from tests.builders import make_node, make_pod, make_snapshot

GPU = "nvidia.com/gpu"
HOSTILE = '<script>alert("x")</script>'


def scenario() -> Scenario:
    """Two nodes with GPUs; a gang, small pods, and one that fits nowhere."""
    nodes = [make_node(f"n{i}", cpu=8000, resources={GPU: 4}) for i in range(2)]
    member = make_pod("m", cpu=1000, requests={GPU: 4, "cpu": 1000})
    notes = (("batchsched.io/gang", "owner"),)
    gang = JobTemplate("team", "gang", replace(member, annotations=notes), 2, 2, 40.0)
    huge = make_pod("huge", cpu=99_000)
    pods = [PodArrival(5.0 * i, make_pod(f"p{i}", cpu=1000), 30.0) for i in range(6)]
    return Scenario(
        name=HOSTILE,
        base=make_snapshot(nodes),
        duration_s=120.0,
        pods=[*pods, PodArrival(1.0, huge)],
        jobs=[JobArrival(10.0, gang)],
        notes=("one note",),
    )


@pytest.fixture(scope="session")
def runs() -> dict[str, Simulation]:
    return {
        name: Simulation(scenario(), greedy(name)).run() for name in ("best-fit", "least-allocated")
    }


@pytest.fixture(scope="session")
def outcomes(runs: dict[str, Simulation]) -> list[Outcome]:
    return [outcome(name, run, 0.5) for name, run in runs.items()]


@pytest.fixture(scope="session")
def folder(
    tmp_path_factory: pytest.TempPathFactory,
    runs: dict[str, Simulation],
    outcomes: list[Outcome],
) -> Path:
    path = tmp_path_factory.mktemp("run") / "out"
    write_folder(path, scenario(), 7, runs, outcomes)
    return path
