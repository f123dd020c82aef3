"""`batchsched verify`: valid plans, violations on a line each, and bad input."""

import json
from pathlib import Path
from typing import Any

import pytest

from batchsched.cli import main

SNAPSHOT: dict[str, Any] = {
    "kind": "List",
    "apiVersion": "v1",
    "items": [
        {
            "kind": "Node",
            "metadata": {"name": "n1"},
            "status": {"allocatable": {"cpu": "1", "memory": "1Gi", "pods": "10"}},
        },
        *(
            {
                "kind": "Pod",
                "metadata": {"namespace": "default", "name": name, "uid": f"uid-{name}"},
                "spec": {
                    "schedulerName": "ours",
                    "containers": [{"name": "c", "resources": {"requests": {"cpu": "600m"}}}],
                },
                "status": {"phase": "Pending"},
            }
            for name in ("p1", "p2")
        ),
    ],
}


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main([*arguments])
    return int(ended.value.code or 0)


@pytest.fixture
def files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[str, Path]:
    """A snapshot and its plan."""
    snapshot, plan = tmp_path / "snapshot.json", tmp_path / "plan.json"
    snapshot.write_text(json.dumps(SNAPSHOT))
    assert run("solve", str(snapshot), "-o", str(plan), "--quiet", "--workers", "1") == 0
    capsys.readouterr()
    return str(snapshot), plan


def test_a_plan_of_ours_is_valid(
    files: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    snapshot, plan = files
    assert run("verify", str(plan), snapshot) == 0
    assert capsys.readouterr().out == ("valid: 1 bindings, 0 evictions, 1 unplaced, 0 pod groups\n")


def test_violations_are_one_on_a_line_and_the_exit_code_says_so(
    files: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    snapshot, plan = files
    content = json.loads(plan.read_text())
    left = content["unplaced"].pop()
    content["bindings"].append(
        {"namespace": "default", "name": left["name"], "uid": left["uid"], "node": "n1"}
    )
    plan.write_text(json.dumps(content))
    assert run("verify", str(plan), snapshot) == 3
    lines = capsys.readouterr().out.splitlines()
    wrong = "1200 of cpu requested, 1000 allocatable"
    assert f"capacity: default/p2 on n1: {wrong}" in lines
    assert any(line.startswith("plan: tier placed/priority=0 says 1") for line in lines)


def test_a_plan_for_one_scheduler_is_verified_for_it(
    files: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    snapshot, plan = files
    assert run("verify", str(plan), snapshot, "--scheduler-name", "ours") == 0
    assert run("verify", str(plan), snapshot, "--scheduler-name", "theirs") == 3
    assert "the pod is not pending" in capsys.readouterr().out


def test_other_bytes_of_the_same_cluster_are_noted(
    files: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    snapshot, plan = files
    Path(snapshot).write_text(json.dumps(SNAPSHOT, indent=1))
    assert run("verify", str(plan), snapshot) == 0
    assert "made from other bytes" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, "", "{}", "kind: Plan", '{"kind": "Plan"}'])
def test_what_is_no_plan_is_bad_input(
    content: str | None, files: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    snapshot, plan = files
    plan.unlink()
    if content is not None:
        plan.write_text(content)
    assert run("verify", str(plan), snapshot) == 2
    error = capsys.readouterr().err
    assert "plan.json" in error
    assert "Traceback" not in error
