"""Real exports: each loads, or is refused with an error that is right (skipped without them)."""

from pathlib import Path

import pytest

from batchsched.cli.files import load
from batchsched.snapshot.errors import InputError
from batchsched.snapshot.snapshot import pending
from tests.snapshot.manifests import EXPORTS

pytestmark = pytest.mark.skipif(not EXPORTS.is_dir(), reason=f"no exports in {EXPORTS}")


@pytest.mark.parametrize(
    ("folder", "nodes", "pods", "waiting"),
    [
        ("02-kurl-sbctl", 3, 58, 0),
        ("03-trainticket-vgpu", 4, 56, 0),
        ("06-openshift/insights-testdata", 6, 0, 0),
        ("06-openshift/insights-archive", 2, 30, 1),
        ("06-openshift/must-gather", 2, 2, 0),
        ("07-minikube-wey", 1, 30, 0),
        ("08-troubleshoot", 7, 2, 2),
        ("12-minikube135-nri", 1, 25, 1),
    ],
)
def test_an_export_loads_whole(folder: str, nodes: int, pods: int, waiting: int) -> None:
    found, digest = load([str(EXPORTS / folder)])
    assert (len(found.nodes), len(found.pods)) == (nodes, pods)
    assert len(pending(found).pods) == waiting
    assert found.others == ()
    assert len(digest) == 64


def test_versions_of_one_node_are_duplicates() -> None:
    with pytest.raises(InputError, match=r"Node \S+: is there twice, the first time in .*\.yaml"):
        load([str(EXPORTS / "09-runai-mig")])


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("k8s-schedperf-gang-podgroup", "line 8: .*render it first"),
        ("k8s-schedperf-composite-podgroup", "line 6: .*render it first"),
        ("k8s-schedperf-tas-node", "Node node-.*: metadata.name: .* looks like a template"),
        ("k8s-schedperf-gang-pod", "metadata.name: .* looks like a template"),
        ("kueue-pod-group", "metadata.name: .* only generateName"),
        ("volcano-mpi-dependson", r"no Node \(1 Job\.batch\.volcano\.sh\)"),
        ("coscheduling-readme-demo", r"no Node \(1 PodGroup\.scheduling\.x-k8s\.io, 1 ReplicaSet"),
        ("jobset-was-preemption-high", "no Node .*1 PodGroup.scheduling.k8s.io"),
    ],
)
def test_a_gang_example_alone_is_refused_with_the_reason(name: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        load([str(EXPORTS / "gang" / f"{name}.yaml")])


def refusal(*paths: str) -> str | None:
    """The line that the user gets, if these files are refused."""
    try:
        load(paths)
    except InputError as error:
        return str(error)
    return None


def test_every_gang_example_is_read_or_refused_when_a_node_is_there(tmp_path: Path) -> None:
    node = tmp_path / "node.yaml"
    node.write_text("{apiVersion: v1, kind: Node, metadata: {name: n1}}")
    read = 0
    for path in sorted((EXPORTS / "gang").glob("*.yaml")):
        refused = refusal(str(node), str(path))
        assert refused is None or str(path) in refused
        read += refused is None
    assert read >= 20


def test_pod_level_resources_of_the_newest_export_count() -> None:
    found, _ = load([str(EXPORTS / "12-minikube135-nri")])
    amounts = {entry.spec.requests for entry in found.pods}
    assert (("cpu", 50), ("memory", 20 * 2**20)) in amounts


def test_old_in_tree_disks_are_translated() -> None:
    found, _ = load([str(EXPORTS / "06-openshift" / "insights-archive")])
    handles = {(entry.driver, entry.handle) for entry in found.volumes}
    assert ("ebs.csi.aws.com", "vol-07ecf570b7adfedda") in handles
