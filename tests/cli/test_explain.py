"""`batchsched explain` as people and scripts use it: a name and files in, an explanation out."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from batchsched.cli import main
from batchsched.cli.explain import printed
from batchsched.explain.explanation import Explanation, SaidFact

RACKS = Path(__file__).resolve().parents[2] / "docs" / "examples" / "racks.yaml"


def run(*arguments: object, command: str = "explain") -> Result:
    """The command, with its output caught."""
    return CliRunner().invoke(main, [command, *map(str, arguments)])


def test_json_and_yaml_say_the_same() -> None:
    as_json = run("ml/notebook", RACKS, "--format", "json")
    as_yaml = run("ml/notebook", RACKS, "--format", "yaml", command="why")
    said = json.loads(as_json.stdout)
    assert said == yaml.safe_load(as_yaml.stdout)
    assert (said["kind"], said["status"], said["proven"]) == ("Explanation", "Unplaced", True)
    assert [fact["kind"] for fact in said["facts"]] == ["node-selector", "cordon"]


def test_a_pod_of_a_gang_is_explained_with_its_gang() -> None:
    said = json.loads(run("ml/llm-0", RACKS, "--format", "json").stdout)
    assert said["pods"] == ["ml/llm-0", "ml/llm-1"]
    assert "gang-topology" in {fact["kind"] for fact in said["facts"]}


def test_a_pod_that_runs_is_told_where() -> None:
    assert "it runs on a-2" in run("ml/tuning", RACKS).stdout


def test_time_that_is_too_short_ends_with_what_is_known() -> None:
    result = run("ml/notebook", RACKS, "--time-limit", "0.000001")
    assert result.exit_code == 0
    assert "ml/notebook: U" in result.stdout


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("notebook", "give namespace/name"),
        ("ml/nobody", "no pod of this name is in the snapshot"),
        ("ml/llm", "give --kind podgroup"),
    ],
)
def test_a_name_that_nobody_has_is_one_line(name: str, said: str) -> None:
    result = run(name, RACKS)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_wide_names_all_nodes_and_pods_that_a_fact_concerns() -> None:
    lines = run("ml/notebook", RACKS, "-o", "wide").stdout.splitlines()
    at = lines.index("  NodeUnschedulable: cordoned nodes take no pods; 5 of 6 nodes pass")
    assert lines[at + 1 : at + 3] == ["      kind: cordon", "      nodes: a-1, a-2, b-1, b-2, c-1"]
    assert set(run("ml/notebook", RACKS).stdout.splitlines()) < set(lines)


def test_files_and_a_cluster_are_not_asked_at_once() -> None:
    result = run("ml/notebook", RACKS, "--context", "prod")
    assert result.exit_code == 2
    assert "not both" in result.stderr


def test_a_pod_that_nothing_helps_is_told_so_and_one_without_time_for_it_as_well() -> None:
    facts = [SaidFact(rule="VolumeBinding", kind="volume-claim", message="mounts the claim d")]
    fields = {
        "subject": "a/b",
        "status": "Unplaced",
        "proven": True,
        "message": "0/1",
        "facts": facts,
    }
    nothing = printed(Explanation(**fields, all_remedies=True), "table")
    assert nothing.endswith("\n\nNothing that was tried would help.\n")
    assert printed(Explanation(**fields), "table").endswith("more may help (--time-limit).\n")
