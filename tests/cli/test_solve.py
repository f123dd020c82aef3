"""`batchsched solve` as people and scripts use it: files in, plan out, exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from batchsched.cli import main

CPU = "cpu"


def node(name: str, cpu: str = "4") -> dict[str, Any]:
    """A node as the API serves it."""
    allocatable = {CPU: cpu, "memory": "8Gi", "pods": "110"}
    return {"kind": "Node", "metadata": {"name": name}, "status": {"allocatable": allocatable}}


def pod(name: str, cpu: str = "1", **spec: Any) -> dict[str, Any]:
    """A pending pod."""
    containers = [{"name": "main", "image": "busy", "resources": {"requests": {CPU: cpu}}}]
    return {
        "kind": "Pod",
        "metadata": {"namespace": "batch", "name": name, "uid": f"uid-{name}"},
        "spec": {"containers": containers, **spec},
        "status": {"phase": "Pending"},
    }


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """Two nodes of four cores; three pods of three cores, of which one cannot fit."""
    items = [node("a"), node("b"), *(pod(f"p{i}", "3") for i in range(3))]
    path = tmp_path / "cluster.json"
    path.write_text(json.dumps({"kind": "List", "items": items}))
    return path


def run(*arguments: object) -> Result:
    """The command, with its output caught."""
    return CliRunner().invoke(main, ["solve", *map(str, arguments)])


def test_a_plan_is_written_and_a_summary_printed(snapshot: Path, tmp_path: Path) -> None:
    result = run(snapshot, "-o", tmp_path / "plan.json")
    assert result.exit_code == 0, result.stderr
    plan = json.loads((tmp_path / "plan.json").read_text())
    assert (plan["status"], len(plan["bindings"])) == ("Optimal", 2)
    assert plan["unplaced"][0]["message"] == "0/2 nodes are available: 2 Insufficient cpu."
    assert "Placed 2 of 3 pending pods on 2 nodes (of 2). No plan places more." in result.stdout
    assert "0/2 nodes are available: 2 Insufficient cpu." in result.stdout


def test_in_a_pipe_nothing_is_cut_or_wrapped(tmp_path: Path) -> None:
    """So that names can be looked for, and a reason is one line."""
    (tmp_path / "cluster.json").write_text(
        json.dumps([node("n" * 250), *(pod(f"{'p' * 200}-{i}") for i in range(9))])
    )
    lines = run(tmp_path).stdout.splitlines()
    names = ", ".join(f"batch/{'p' * 200}-{i}" for i in range(3))
    assert f"{'n' * 250}     4  {names} and 1 more" in lines
    assert f"  batch/{'p' * 200}-4, batch/{'p' * 200}-5, batch/{'p' * 200}-6 and 2 more" in lines
    assert "    0/1 nodes are available: 1 Insufficient cpu." in lines


def test_where_nothing_is_pending_it_says_what_there_is(tmp_path: Path) -> None:
    path = tmp_path / "cluster.json"
    path.write_text(json.dumps([node("a")]))
    assert "there is no Pod. (Controllers make them:" in run(path).stdout
    path.write_text(json.dumps([node("a"), pod("p", nodeName="a"), pod("q", nodeName="a")]))
    assert "none of 2 pods is pending." in run(path).stdout


def test_the_format_option_prints_the_plan_itself(snapshot: Path) -> None:
    as_json = json.loads(run(snapshot, "--format", "json", "--deterministic").stdout)
    as_yaml = yaml.safe_load(run(snapshot, "--format", "yaml", "--deterministic").stdout)
    assert as_json == as_yaml
    assert as_json["kind"] == "Plan"


def test_quiet_prints_nothing(snapshot: Path, tmp_path: Path) -> None:
    result = run(snapshot, "--quiet", "-o", tmp_path / "plan.json")
    assert (result.exit_code, result.output) == (0, "")


def test_unplaced_pods_fail_only_where_that_is_asked_for(snapshot: Path) -> None:
    assert run(snapshot).exit_code == 0
    assert run(snapshot, "--fail-on-unplaced").exit_code == 3


def test_only_the_named_schedulers_pods_are_placed(tmp_path: Path) -> None:
    ours, theirs = pod("ours", schedulerName="batchsched"), pod("theirs", schedulerName="other")
    path = tmp_path / "cluster.json"
    path.write_text(json.dumps({"kind": "List", "items": [node("a"), ours, theirs]}))
    plan = json.loads(run(path, "--format", "json", "--scheduler-name", "batchsched").stdout)
    assert [b["name"] for b in plan["bindings"]] == ["ours"]
    assert plan["snapshot"]["pending"] == 1
    assert len(json.loads(run(path, "--format", "json").stdout)["bindings"]) == 2


def test_bad_input_says_where_and_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "cluster.json"
    path.write_text(json.dumps({"kind": "List", "items": [node("a"), pod("p", "-1")]}))
    result = run(path, "-o", tmp_path / "plan.json")
    assert result.exit_code == 2
    assert "cluster.json: Pod batch/p: spec.containers[0].resources.requests" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "plan.json").exists()


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--preemption", "always"], "--preemption"),
        (["--moves", "-1"], "--moves"),
        (["--moves", "some"], "--moves"),
        (["--profile", "nonesuch"], "no profile of this name"),
        (["--time-limit", "0"], "--time-limit"),
        (["-o", "/nonexistent/folder/plan.json"], "existing folder"),
    ],
)
def test_bad_usage_is_two_and_one_line(snapshot: Path, arguments: list[str], what: str) -> None:
    result = run(snapshot, *arguments)
    assert result.exit_code == 2
    assert what in result.stderr
    assert "Traceback" not in result.stderr


def test_the_output_folder_is_looked_at_before_the_solve(snapshot: Path) -> None:
    """Ten seconds of solving should not end in a path that was wrong from the start."""
    result = run(snapshot, "-o", "/nonexistent/folder/plan.json")
    assert result.stdout == ""


def test_a_profile_file_with_an_unknown_field_is_refused(snapshot: Path, tmp_path: Path) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text("apiVersion: batchsched.io/v1alpha1\nkind: Profile\nobjektives: []\n")
    result = run(snapshot, "--profile", profile)
    assert result.exit_code == 2
    assert "objektives" in result.stderr


@pytest.mark.parametrize("hash_seed", ["0", "1", "77"])
def test_deterministic_plans_are_the_same_bytes(
    snapshot: Path, tmp_path: Path, hash_seed: str
) -> None:
    """The order of sets and dicts, which the hash seed decides, does not reach the plan."""
    path = tmp_path / "plan.json"
    command = [sys.executable, "-m", "batchsched", "solve", str(snapshot), "--deterministic"]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    subprocess.run([*command, "--quiet", "-o", str(path)], check=True, env=environment)
    assert path.read_bytes() == run(snapshot, "--deterministic", "--format", "json").stdout_bytes


def test_running_pods_leave_only_where_it_is_allowed_and_the_summary_says_who(
    tmp_path: Path,
) -> None:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "r"}
    running = [pod(f"r{i}", "2", nodeName=name) for i, name in enumerate("ab")]
    for each in running:
        each["metadata"]["ownerReferences"] = [owner | {"controller": True}]
    path, plan = tmp_path / "cluster.json", tmp_path / "plan.json"
    items = [node("a"), node("b"), *running, pod("p", "4", priority=10)]
    path.write_text(json.dumps({"kind": "List", "items": items}))
    assert "Placed none of 1 pending pod. No plan places more." in run(path).stdout
    moved = run(path, "--moves", "1", "-o", plan)
    assert "Placed 1 of 1 pending pod on 1 node (of 2), moves 1. No plan" in moved.stdout
    (eviction,) = json.loads(plan.read_text())["evictions"]
    assert (eviction["reason"], eviction["for"]) == ("Moved", "batch/p")
    evicted = run(path, "--preemption", "lower-priority", "-o", plan)
    assert "Placed 1 of 1 pending pod on 1 node (of 2), evicts 1." in evicted.stdout
    verified = CliRunner().invoke(main, ["verify", str(plan), str(path)])
    assert verified.stdout == "valid: 1 bindings, 1 evictions, 0 unplaced, 0 pod groups\n"
