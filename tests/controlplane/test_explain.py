"""`batchsched explain` of a live cluster: the answer that its export would give."""

from pathlib import Path

from click.testing import CliRunner, Result

from batchsched.cli import main
from tests.controlplane.objects import create_nodes, create_pods, make_node, make_pod
from tests.controlplane.plane import ControlPlane


def run(*arguments: object) -> Result:
    """The command, with its output caught."""
    return CliRunner().invoke(main, [*map(str, arguments)])


def test_a_pod_of_a_live_cluster_is_explained_as_its_export_is(
    clean_control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    api, kubeconfig = clean_control_plane.api(), clean_control_plane.admin
    create_nodes(api, [make_node("n1", labels={"disk": "hdd"}), make_node("n2")])
    create_pods(api, namespace, [make_pod("stuck", {"cpu": "1"}, nodeSelector={"disk": "ssd"})])
    file = tmp_path / "cluster.json"
    assert run("snapshot", "--kubeconfig", kubeconfig, "-o", file).exit_code == 0
    exported = run("explain", f"{namespace}/stuck", file)
    live = run("explain", f"{namespace}/stuck", "--kubeconfig", kubeconfig)
    assert (live.exit_code, live.output) == (0, exported.output)
    assert "NodeAffinity: only nodes with disk=ssd; 0 of 2 nodes pass" in live.output
    assert "drop this rule: only nodes with disk=ssd" in live.output


def test_a_cluster_that_cannot_be_reached_is_exit_code_4(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\nusers: []\n"
        "clusters: [{name: k, cluster: {server: 'http://127.0.0.1:9'}}]\n"
        "contexts: [{name: c, context: {cluster: k, user: ''}}]\n"
    )
    result = run("explain", "x/y", "--kubeconfig", kubeconfig)
    assert (result.exit_code, result.stdout) == (4, "")
    assert len(result.stderr.splitlines()) == 1
