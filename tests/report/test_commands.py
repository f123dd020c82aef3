"""`batchsched simulate` and `batchsched report`, as one types them."""

import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from batchsched.cli.files import load
from batchsched.plan.plan import Binding, Plan
from batchsched.profile import default_profile
from batchsched.snapshot.encode_cluster import written

WORKLOAD = """
apiVersion: batchsched.io/v1alpha1
kind: Simulation
metadata: {name: tiny}
spec: {duration: 10m}
---
apiVersion: v1
kind: Node
metadata: {name: node}
status: {allocatable: {cpu: "4", memory: 8Gi, pods: "110"}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: tick}
spec:
  schedule: "*/5 * * * *"
  jobTemplate:
    spec:
      template:
        metadata: {annotations: {batchsched.io/expected-duration: 30s}}
        spec: {containers: [{name: main, resources: {requests: {cpu: "1"}}}]}
"""


def batchsched(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "batchsched", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def workload(tmp_path: Path) -> Path:
    path = tmp_path / "workload.yaml"
    path.write_text(WORKLOAD, encoding="utf-8")
    return path


@pytest.mark.slow
def test_a_run_prints_its_windows_and_leaves_a_folder(workload: Path, tmp_path: Path) -> None:
    done = batchsched("simulate", workload, "--policy", "all", "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "tiny: 1 nodes, 10m 00s, policy solver" in lines[0]
    assert [line.split()[:4] for line in lines[2:4]] == [
        ["1", "00:00:00", "1", "1"],
        ["2", "00:05:00", "1", "1"],
    ]
    assert max(map(len, lines[:4])) <= 80
    page = tmp_path / "again.html"
    assert batchsched("report", tmp_path / "out", "-o", page).returncode == 0
    assert page.read_text(encoding="utf-8") == (tmp_path / "out" / "report.html").read_text(
        encoding="utf-8"
    )
    plan = tmp_path / "out" / "plans" / "solver" / "window-00001.json"
    assert batchsched("report", plan, "-o", page).returncode == 0


@pytest.mark.slow
def test_a_plan_and_its_snapshot_are_a_page_that_says_why(repository: Path, tmp_path: Path) -> None:
    night, plan = repository / "docs" / "examples" / "night", tmp_path / "plan.json"
    assert batchsched("solve", night, "-o", plan, "--quiet").returncode == 0
    page = tmp_path / "plan.html"
    done = batchsched("report", plan, "--snapshot", night, "-o", page)
    assert done.returncode == 0, done.stderr
    text = page.read_text(encoding="utf-8")
    for words in ("needs 1 nvidia.com/gpu", "do without nvidia.com/gpu", 'id="map-canvas"'):
        assert words in text
    assert "not to the byte" not in text


@pytest.mark.slow
def test_a_recorded_run_is_a_page_with_the_map_of_its_last_window(
    repository: Path, tmp_path: Path
) -> None:
    night, record = repository / "docs" / "examples" / "night", tmp_path / "records" / "one"
    record.mkdir(parents=True)
    snapshot = record / "snapshot.json.gz"
    objects = load([str(night)])[0]
    snapshot.write_bytes(gzip.compress(written(objects)))
    assert batchsched("solve", snapshot, "-o", record / "plan.json", "--quiet").returncode == 0
    profile = default_profile().model_dump_json(by_alias=True)
    (record / "profile.json").write_text(profile, encoding="utf-8")
    (record / "window.json").write_text('{"pods": ["night/train"]}', encoding="utf-8")
    done = batchsched("report", record.parent, "-o", tmp_path / "run.html")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "run.html").read_text(encoding="utf-8")
    for words in ("Recorded run records", "1 window was recorded", 'id="map-canvas"'):
        assert words in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["simulate", "nothing.yaml"], "nothing.yaml: No such file"),
        (["simulate", "WORKLOAD", "--policy", "luck"], "--policy"),
        (["simulate", "FOLDER"], "holds no .yaml"),
        (["report", "WORKLOAD", "-o", "x.html"], "not valid JSON"),
        (["report", "FOLDER", "-o", "x.html"], "is not a folder that"),
        (["report", "FOLDER", "--snapshot", "WORKLOAD", "-o", "x.html"], "is for a plan"),
        (["report", "PLAN", "--snapshot", "WORKLOAD", "-o", "x.html"], "it is not the plan's"),
        (["report", "PLAN", "-o", "nowhere/x.html"], "cannot be written"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    workload: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "empty").mkdir()
    bound = Binding(namespace="a", name="b", uid="", node="c")
    plan = tmp_path / "plan.json"
    plan.write_bytes(Plan(status="Optimal", bindings=(bound,)).to_json())
    names = {"WORKLOAD": str(workload), "FOLDER": str(tmp_path / "empty"), "PLAN": str(plan)}
    done = batchsched(*(names.get(argument, argument) for argument in arguments))
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
