"""`batchsched what-if` as people and scripts use it: edits in, what changes out, exit codes."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from batchsched.cli import main

ROOT = Path(__file__).resolve().parents[2]
NIGHT = ROOT / "docs" / "examples" / "night"
DRAIN = ROOT / "docs" / "examples" / "what-if" / "drain.yaml"
SHAPES = ROOT / "docs" / "examples" / "what-if" / "shapes.yaml"


def run(*arguments: object) -> Result:
    """The command, with its output caught."""
    return CliRunner().invoke(main, ["what-if", *map(str, arguments)])


def test_what_changes_is_told_in_words_and_as_json() -> None:
    result = run(NIGHT, "--cordon", "node-3", "--cordon", "node-4", "--format", "json")
    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    assert answer["noLongerPlaced"] == ["night/warehouse-0", "night/warehouse-1"]
    assert (answer["now"]["gangsPlaced"], answer["then"]["gangsPlaced"]) == (1, 0)
    assert "No longer placed: 2" in run(NIGHT, "--cordon", "node-3", "--cordon", "node-4").stdout


def test_who_gets_a_place_by_new_nodes_of_a_file_is_named(tmp_path: Path) -> None:
    node = {
        "kind": "Node",
        "metadata": {"name": "gpu"},
        "status": {"allocatable": {"cpu": "4", "nvidia.com/gpu": 1, "pods": 9}},
    }
    file = tmp_path / "node.yaml"
    file.write_text(yaml.safe_dump(node))
    answer = json.loads(run(NIGHT, "--add-nodes", f"{file}=1", "--format", "json").stdout)
    assert answer["newlyPlaced"] == ["night/train"]
    assert answer["unplaced"] == []


def test_workloads_change_by_requests_count_and_priority() -> None:
    edits = ("--set-requests", "train:nvidia.com/gpu=0", "--scale", "warehouse=0")
    result = run(NIGHT, *edits, "--priority", "train=5", "--format", "yaml", "--fail-on-unplaced")
    assert result.exit_code == 0, result.stderr
    answer = yaml.safe_load(result.stdout)
    assert [each["priority"] for each in answer["priorities"]] == [5, 0]
    assert answer["newlyPlaced"] == ["night/train"]


def test_the_cheapest_nodes_are_named_with_their_proof() -> None:
    result = run(NIGHT, "--fit-all", "--shapes", SHAPES, "--format", "json")
    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    assert answer["nodes"] == [{"shape": "gpu-1", "count": 1, "price": 2.5}]
    assert (answer["cost"], answer["bound"], answer["status"]) == (2.5, 2.5, "Optimal")
    assert "No set costs less" in run(NIGHT, "--fit-all", "--shapes", SHAPES).stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "nothing to change"),
        (("--fit-all",), "go together"),
        (("--shapes", SHAPES), "go together"),
        (("--fit-all", "--shapes", NIGHT / "none.yaml"), "No such file"),
        (("--add-nodes", "node-1"), "NAME=N"),
        (("--add-nodes", "node-1=0"), "give 1 to"),
        (("--add-nodes", f"{NIGHT / 'nodes.yaml'}=1"), "holds 4 nodes"),
        (("--remove-node", "node-9"), "no node 'node-9'"),
        (("--scale", "nobody=2"), "no pending pod"),
        (("--drain-nodes", "--fit-all", "--shapes", SHAPES), "give one of them"),
        (("--drain-nodes", "--preemption", "lower-priority"), "leave out --preemption"),
        (("--fit-all", "--shapes", SHAPES, "--moves", "1"), "leave out --preemption and --moves"),
        (("--drain-nodes", "--moves", "few"), "give a number, or unlimited"),
        (("--set-requests", "train:cpu=x"), "not a quantity"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(
    arguments: tuple[object, ...], said: str
) -> None:
    result = run(NIGHT, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_whoever_stays_unplaced_is_an_exit_code_where_asked() -> None:
    assert run(NIGHT, "--cordon", "node-1", "--fail-on-unplaced").exit_code == 3


def test_the_nodes_that_can_be_drained_are_told_in_steps_with_their_proof() -> None:
    result = run(DRAIN, "--drain-nodes", "--format", "json")
    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    assert (answer["kind"], answer["status"], answer["emptyNow"]) == (
        "DrainNodes",
        "Optimal",
        ["node-6"],
    )
    assert min(answer["drained"]) in {"node-1", "node-2"}
    assert [step["node"] for step in answer["steps"]].count("node-1") in {0, 2}
    assert {pin["node"] for pin in answer["pinned"]} == {"node-3", "node-5"}
    assert "No way empties more" in run(DRAIN, "--drain-nodes").stdout


def test_pending_pods_of_other_schedulers_are_not_asked_about() -> None:
    edits = ("--cordon", "node-3", "--scheduler-name", "another", "--format", "json")
    answer = json.loads(run(NIGHT, *edits).stdout)
    assert (answer["then"]["pending"], answer["unplaced"]) == (0, [])


def test_running_pods_move_or_are_evicted_where_that_is_allowed() -> None:
    cluster = ROOT / "docs" / "examples" / "rules" / "evictions.yaml"
    allowed = ("--preemption", "lower-priority", "--moves", "1")
    result = run(cluster, "--priority", "model=501", *allowed, "--format", "json")
    tiers = [tier["name"] for tier in json.loads(result.stdout)["now"]["tiers"]]
    assert "disruption/budgets" in tiers
