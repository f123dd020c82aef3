"""`batchsched audit`: what a solve gains, of a file and of a live cluster."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from batchsched.cli import main
from tests.kube.api_server import FakeApi
from tests.kube.manifests import NODES, PODS, node, pod
from tests.kube.served import serving

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
DRAIN, EVICTIONS = EXAMPLES / "what-if" / "drain.yaml", EXAMPLES / "rules" / "evictions.yaml"


def run(*arguments: object) -> Result:
    """The command, with its output caught."""
    return CliRunner().invoke(main, ["audit", *map(str, arguments)])


def test_what_is_placed_and_what_that_takes_is_told_with_its_proof() -> None:
    allowed = ("--preemption", "lower-priority", "--moves", "1")
    result = run(EVICTIONS, *allowed, "--format", "json")
    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    assert (answer["kind"], answer["status"]) == ("Audit", "Optimal")
    assert (answer["placed"], answer["evicted"], answer["moved"]) == (2, 1, 1)
    assert "with 1 evicted and 1 moved. No plan places more." in run(EVICTIONS, *allowed).stdout


def test_moves_that_are_left_empty_nodes() -> None:
    answer = json.loads(run(DRAIN, "--moves", "unlimited", "--format", "json").stdout)
    assert (answer["inUseNow"], answer["inUseThen"], len(answer["emptied"])) == (5, 3, 2)
    few = json.loads(run(DRAIN, "--moves", "1", "--format", "json").stdout)
    assert (few["moved"], len(few["emptied"])) == (1, 1)
    assert (
        "empty 1 node, with 1 moved. No way empties more then." in run(DRAIN, "--moves", "1").stdout
    )


def test_a_cluster_in_which_nothing_waits_and_nobody_may_move_has_nothing_to_gain() -> None:
    assert run(DRAIN).stdout.startswith("Nothing to gain")


def test_a_live_cluster_is_read_where_no_file_is_named(tmp_path: Path) -> None:
    api = FakeApi()
    api.put(NODES, node("n1"))
    api.put(PODS, pod("web"))
    with serving(api.answer) as host:
        config = {
            "clusters": [{"name": "c", "cluster": {"server": host}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        path = tmp_path / "kubeconfig"
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        result = run("--kubeconfig", path)
    assert result.exit_code == 0, result.stderr
    assert "place 1 of 1 pending pods" in result.stdout


@pytest.mark.parametrize("arguments", [("none.json",), (DRAIN, "--moves", "-1")])
def test_what_cannot_be_read_is_refused(arguments: tuple[object, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_without_a_file_and_a_cluster_there_is_nothing_to_audit(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("{}", encoding="utf-8")
    result = run("--kubeconfig", path)
    assert result.exit_code == 2
    assert "current-context" in result.stderr
