"""`batchsched compare`: policies side by side, each plan held against the rules."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from batchsched.cli import main

NIGHT = Path(__file__).resolve().parents[2] / "docs" / "examples" / "night"


def run(*arguments: object) -> Result:
    """The command, with its output caught."""
    return CliRunner().invoke(main, ["compare", *map(str, arguments)])


def test_each_policy_is_measured_and_the_solver_places_at_least_as_many() -> None:
    result = run(NIGHT, "--format", "json")
    assert result.exit_code == 0, result.stderr
    policies = {each["policy"]: each for each in json.loads(result.stdout)["policies"]}
    assert list(policies) == ["least-allocated", "most-allocated", "best-fit", "solver"]
    placed = {name: each["side"]["placed"] for name, each in policies.items()}
    assert placed["least-allocated"] < placed["solver"] == 6
    assert all(each["violations"] == 0 for each in policies.values())
    assert policies["solver"]["side"]["gangsPlaced"] == 1


def test_the_policies_that_are_named_are_the_columns() -> None:
    lines = run(NIGHT, "--policy", "solver", "--policy", "best-fit").stdout.splitlines()
    assert lines[0] == "7 pending pods on 4 nodes"
    assert lines[2].split() == ["solver", "best-fit"]
    assert lines[-1] == "The solver's plan: no plan places more."


def test_a_table_has_room_on_80_columns() -> None:
    assert max(map(len, run(NIGHT).stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((NIGHT, "--moves", "some"), "unlimited"), ((NIGHT, "--policy", "chance"), "chance")],
)
def test_what_cannot_be_meant_is_refused(arguments: tuple[object, ...], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr
