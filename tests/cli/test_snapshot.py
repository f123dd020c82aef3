"""`batchsched snapshot`: what it writes is what `solve` reads, and nothing else leaves."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from batchsched.cli import main
from batchsched.cli.files import load
from tests.kube.api_server import FakeApi, status
from tests.kube.manifests import GROUPS, NODES, PODS, gang, node, pod
from tests.kube.served import serving


@pytest.fixture
def api() -> FakeApi:
    made = FakeApi()
    made.put(NODES, node("n1", zone="payroll"))
    made.put(PODS, pod("web", spec={"schedulingGroup": {"podGroupName": "g"}}))
    made.put(PODS, pod("ended", node="n1", phase="Succeeded"))
    made.put(GROUPS, gang("g", 1))
    return made


@pytest.fixture
def kubeconfig(api: FakeApi, tmp_path: Path) -> Iterator[str]:
    """A kubeconfig of a server that is this API."""
    with serving(api.answer) as host:
        path = tmp_path / "kubeconfig"
        config = {
            "clusters": [{"name": "c", "cluster": {"server": host}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        yield str(path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["snapshot", *arguments])


def test_a_cluster_is_written_as_a_list_that_can_be_read(kubeconfig: str, tmp_path: Path) -> None:
    file = str(tmp_path / "cluster.json")
    result = run("--kubeconfig", kubeconfig, "-o", file)
    assert (result.exit_code, result.output) == (0, "")
    snapshot, _ = load([file])
    assert [found.name for found in snapshot.nodes] == ["n1"]
    assert [found.name for found in snapshot.pods] == ["ended", "web"]
    assert [group.min_count for group in snapshot.groups] == [1]
    assert snapshot.others == ()
    (group,) = [raw for raw in items(Path(file).read_bytes()) if raw["kind"] == "PodGroup"]
    assert group["apiVersion"] == "scheduling.k8s.io/v1beta1"


def items(content: bytes) -> list[dict[str, str]]:
    found = json.loads(content)
    assert (found["apiVersion"], found["kind"]) == ("v1", "List")
    listed: list[dict[str, str]] = found["items"]
    return listed


def test_a_name_in_gz_is_packed_and_the_same_cluster_is_the_same_bytes(
    kubeconfig: str, tmp_path: Path
) -> None:
    first, second = tmp_path / "a.json.gz", tmp_path / "b.json.gz"
    for file in (first, second):
        assert run("--kubeconfig", kubeconfig, "-o", str(file)).exit_code == 0
    assert first.read_bytes() == second.read_bytes()
    assert len(items(gzip.decompress(first.read_bytes()))) == 4


def test_redacted_nobody_is_named(kubeconfig: str, tmp_path: Path) -> None:
    file = tmp_path / "cluster.json"
    assert run("--kubeconfig", kubeconfig, "--redact", "-o", str(file)).exit_code == 0
    text = file.read_text(encoding="utf-8")
    assert not [word for word in ("payroll", '"web"', '"n1"', "uid-web") if word in text]
    snapshot, _ = load([str(file)])
    assert len(snapshot.pods) == 2
    assert snapshot.pods[0].spec.scheduler_name == "batchsched"


def test_a_kind_that_may_not_be_listed_is_left_out_and_named(
    api: FakeApi, kubeconfig: str, tmp_path: Path
) -> None:
    api.failures["/api/v1/services"] = [status(403, "services is forbidden: no right")]
    result = run("--kubeconfig", kubeconfig, "-o", str(tmp_path / "f.json"))
    assert result.exit_code == 0
    assert result.output == "Left out: list services: 403 services is forbidden: no right\n"


@pytest.mark.parametrize(
    ("path", "code", "says"),
    [
        (NODES, 403, "Error: list nodes: 403 no\n"),
        ("/api/v1/services", 500, "Error: list services: 500 no\n"),
        ("/apis/apps", 401, "Error: GET /apis/apps: 401 no; the credentials are not accepted"),
    ],
)
def test_what_keeps_a_cluster_from_being_read_is_exit_code_4_and_one_line(
    api: FakeApi, kubeconfig: str, tmp_path: Path, path: str, code: int, says: str
) -> None:
    api.failures[path] = [status(code, "no")]
    file = tmp_path / "f.json"
    result = run("--kubeconfig", kubeconfig, "-o", str(file))
    assert result.exit_code == 4
    assert result.output.startswith(says)
    assert not file.exists()


def test_a_server_that_is_not_there_is_exit_code_4(tmp_path: Path, kubeconfig: str) -> None:
    config = yaml.safe_load(Path(kubeconfig).read_text(encoding="utf-8"))
    config["clusters"][0]["cluster"]["server"] = "http://127.0.0.1:1"
    other = tmp_path / "other"
    other.write_text(yaml.safe_dump(config), encoding="utf-8")
    result = run("--kubeconfig", str(other))
    assert result.exit_code == 4
    assert result.output.count("\n") == 1


def test_no_kubeconfig_is_bad_usage(tmp_path: Path) -> None:
    result = run("--kubeconfig", str(tmp_path / "absent"))
    assert result.exit_code == 2


def test_a_list_that_grew_old_while_it_was_read_is_read_again(
    api: FakeApi, kubeconfig: str, tmp_path: Path
) -> None:
    api.failures[PODS] = [status(410, "too old")]
    file = tmp_path / "f.json"
    assert run("--kubeconfig", kubeconfig, "-o", str(file)).exit_code == 0
    assert len(items(file.read_bytes())) == 4
