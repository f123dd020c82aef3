"""Workload files become what happens when; what is wrong in them is one line."""

import pytest

from batchsched.sim.durations import written
from batchsched.sim.scenario import Scenario
from batchsched.sim.workload import load
from batchsched.snapshot.durations import seconds
from batchsched.snapshot.errors import InputError

NODE = """
apiVersion: v1
kind: Node
metadata: {name: node, annotations: {batchsched.io/count: "2"}}
status: {allocatable: {cpu: "4", memory: 8Gi, pods: "110"}}
"""
JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: train, annotations: {batchsched.io/arrives-at: 1m}}
spec:
  parallelism: 3
  template:
    metadata: {annotations: {batchsched.io/expected-duration: 90s, batchsched.io/gang: owner}}
    spec: {containers: [{name: main, resources: {requests: {cpu: 500m}}}]}
"""
CRON = """
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: ops}
spec:
  schedule: "0 2 * * *"
  jobTemplate:
    spec:
      template:
        spec: {priorityClassName: high, containers: [{name: main}]}
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: high}
value: 100
"""
HEADER = """
apiVersion: batchsched.io/v1alpha1
kind: Simulation
metadata: {name: test}
spec: {start: "2026-03-01T00:00:00Z", duration: 4h, window: {idle: 1s}}
"""
AGAIN = "arrivals: [{object: Job/x, every: 1, count: 1}]"


def scenario(*texts: str, seed: int = 0) -> Scenario:
    return load([(f"{i}.yaml", text.encode()) for i, text in enumerate(texts)], seed)


@pytest.mark.parametrize(
    ("text", "expected"), [("90", 90), ("90s", 90), ("1h30m", 5400), ("500ms", 0.5), ("2d", 172800)]
)
def test_durations_are_read_as_people_write_them(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "-1s", "1w", "soon", "1h 30m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        seconds(text)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "0s"), (0.5, "< 1s"), (61, "1m 01s"), (3720, "1h 02m"), (90000, "1d 01h")],
)
def test_durations_are_written_as_people_read_them(value: float, expected: str) -> None:
    assert written(value) == expected


def test_objects_become_arrivals() -> None:
    made = scenario(HEADER, NODE, JOB, CRON)
    assert (made.name, made.duration_s, made.timing.window_idle_s) == ("test", 14400.0, 1.0)
    assert [node.name for node in made.base.nodes] == ["node-0", "node-1"]
    (job,) = made.jobs
    assert (job.at_s, job.job.parallelism, job.job.completions) == (60.0, 3, 3)
    assert (job.job.duration_s, dict(job.job.pod.spec.requests)) == (90.0, {"cpu": 500})
    (cron,) = made.crons
    assert (cron.schedule, cron.job.namespace) == ("0 2 * * *", "ops")
    assert cron.job.pod.spec.priority == 100


def test_what_arrives_again_does_so_under_numbered_names() -> None:
    spec = "arrivals: [{object: Job/train, first: 10s, every: 1m, count: 3}]"
    made = scenario(HEADER.replace("duration: 4h", f"duration: 4h, {spec}"), NODE, JOB)
    assert [(job.at_s, job.job.name) for job in made.jobs] == [
        (10.0, "train-0"),
        (70.0, "train-1"),
        (130.0, "train-2"),
    ]


def test_random_gaps_come_from_the_seed() -> None:
    spec = "arrivals: [{object: Job/train, every: 1m, count: 5, spread: poisson}]"
    header = HEADER.replace("duration: 4h", f"duration: 4h, {spec}")
    times = [[j.at_s for j in scenario(header, NODE, JOB, seed=s).jobs] for s in (1, 1, 2)]
    assert times[0] == times[1] != times[2]


def test_a_node_may_come_and_leave() -> None:
    notes = "annotations: {batchsched.io/arrives-at: 5m, batchsched.io/leaves-at: 1h}"
    later = NODE.replace('annotations: {batchsched.io/count: "2"}', notes)
    made = scenario(NODE.replace("name: node,", "name: first,"), later)
    assert [node.name for node in made.base.nodes] == ["first-0", "first-1"]
    assert [(n.node.name, n.at_s, n.until_s) for n in made.nodes] == [("node", 300.0, 3600.0)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER.replace("duration:", "length:"), "length: Extra inputs"),
        (HEADER.replace("4h", "long"), "no duration"),
        (HEADER + "---" + HEADER, "2 of kind Simulation"),
        (JOB.replace("parallelism: 3", "parallelism: 0"), "spec.parallelism"),
        (JOB.replace("500m", "many"), "many"),
        (JOB.replace("90s", "long"), "no duration"),
        (JOB.replace("1m}", "early}"), "batchsched.io/arrives-at"),
        (JOB + "---" + JOB, "is there twice"),
        (CRON.replace("0 2 * * *", "at night"), "no schedule"),
        (HEADER.replace("window: {idle: 1s}", AGAIN), "Job/x"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        scenario(NODE, text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{kind: Pod, metadata: high}", 'metadata: "high" is text'),
        ("{kind: Node, metadata: {name: node-x, labels: x}}", 'metadata.labels: "x" is text'),
        (
            (
                "{kind: Job, apiVersion: batch/v1, metadata: {name: j},"
                " spec: {template: {metadata: x, spec: {containers: [{name: c}]}}}}"
            ),
            "Job j: the metadata of its template must be an object",
        ),
    ],
)
def test_an_object_of_another_form_is_refused_with_its_place(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        scenario(HEADER, NODE, text)
