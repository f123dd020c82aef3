"""`batchsched filter` as people and scripts use it: files in, reasons out, exit codes."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from batchsched.cli import main

UNSCHEDULABLE = "node(s) were unschedulable"


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """Two nodes, one of them cordoned, and pods of two schedulers."""
    nodes = [
        {"kind": "Node", "metadata": {"name": name}, "status": {"allocatable": {"pods": "9"}}}
        for name in "ba"
    ]
    nodes[0]["spec"] = {"unschedulable": True}
    pods = [
        {
            "kind": "Pod",
            "metadata": {"namespace": space, "name": "p", "uid": space},
            "spec": {"schedulerName": name, "containers": [{"name": "c"}]},
        }
        for space, name in [("x", "one"), ("x-y", "other")]
    ]
    path = tmp_path / "cluster.json"
    path.write_text(json.dumps({"kind": "List", "items": [*nodes, *pods]}))
    return path


def run(*arguments: object) -> Result:
    """The command, with its output caught."""
    return CliRunner().invoke(main, ["filter", *map(str, arguments)])


def test_every_pending_pod_is_told_about_every_node_in_sorted_order(snapshot: Path) -> None:
    result = run(snapshot)
    assert result.exit_code == 0
    said = '{"a":[],"b":["' + UNSCHEDULABLE + '"]}'
    assert result.stdout == f'{{"x-y/p":{said},"x/p":{said}}}\n'


def test_a_file_is_written_instead_where_one_is_named(snapshot: Path, tmp_path: Path) -> None:
    result = run(snapshot, "-o", tmp_path / "said.json", "--scheduler-name", "one")
    assert (result.exit_code, result.stdout) == (0, "")
    assert list(json.loads((tmp_path / "said.json").read_text())) == ["x/p"]


def test_nobody_pending_is_nobody_told(snapshot: Path) -> None:
    result = run(snapshot, "--scheduler-name", "nobody")
    assert (result.exit_code, result.stdout) == (0, "{}\n")


def test_what_cannot_be_read_is_one_line_and_writes_nothing(tmp_path: Path) -> None:
    result = run(tmp_path / "missing.json", "-o", tmp_path / "said.json")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "said.json").exists()
