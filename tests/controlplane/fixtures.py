"""Fixtures of tests that need a real API server: ``cluster``, ``control_plane``, ``namespace``.

One control plane serves all tests of a pytest process: it is up in three seconds, needs half a
gigabyte, and shares nothing with the next worker's. What a test creates in its ``namespace`` is
gone after it, and so are the nodes of tests; one that needs the whole cluster empty, or looks at
all of it, takes ``clean_control_plane``.

Tests that use them carry the marker ``controlplane`` by themselves.
"""

import http.client
import itertools
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from tests.controlplane import build
from tests.controlplane.api import Api, ApiError, collection
from tests.controlplane.cluster import Cluster, RunningCluster
from tests.controlplane.definitions import POD_GROUPS
from tests.controlplane.objects import OF_TESTS
from tests.controlplane.plane import ControlPlane

PROGRAMS, KUBECONFIG = "BATCHSCHED_CONTROLPLANE", "BATCHSCHED_TEST_KUBECONFIG"
NUMBERS = itertools.count(1)


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Mark what needs a control plane."""
    for item in items:
        if {"cluster", "control_plane"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("controlplane")


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A running control plane of our own, which other tests use before and after."""
    if KUBECONFIG in os.environ:
        pytest.skip(f"needs a control plane of its own, and {KUBECONFIG} names another's")
    with ControlPlane(find_programs(), tmp_path_factory.mktemp("controlplane")) as plane:
        yield plane


@pytest.fixture
def clean_control_plane(control_plane: ControlPlane) -> ControlPlane:
    """The control plane with nothing in it but what it makes itself."""
    control_plane.wipe()
    return control_plane


@pytest.fixture(scope="session")
def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """Any real API server, for tests that do no more than call it."""
    if named := os.environ.get(KUBECONFIG):
        running = RunningCluster(Path(named), tmp_path_factory.mktemp("cluster"))
        yield running
        running.close()
    else:
        yield request.getfixturevalue("control_plane")


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of this test's own."""
    with own_namespace(cluster.api()) as name:
        yield name


@contextmanager
def own_namespace(api: Api) -> Iterator[str]:
    """A namespace that is there meanwhile; nodes of tests are gone after it, too."""
    name = f"test-{os.getpid()}-{next(NUMBERS)}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    api.create(collection("namespaces"), body)
    yield name
    _remove(api, name)


def _remove(api: Api, name: str) -> None:
    """Do what kube-controller-manager would: nobody runs one here."""
    for kind in ("pods", "persistentvolumeclaims"):
        api.delete(collection(kind, name), {"gracePeriodSeconds": 0})
    for group in POD_GROUPS:
        _remove_pod_groups(api, collection("podgroups", name, group))
    api.delete(collection("nodes"), labelSelector=OF_TESTS)
    api.delete(f"{collection('namespaces')}/{name}")
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "spec": {}}
    api.update(f"{collection('namespaces')}/{name}/finalize", body)


def _remove_pod_groups(api: Api, path: str) -> None:
    """Free them of the finalizer that protects them as long as they have pods."""
    try:
        groups = api.get(path)["items"]
    except ApiError as error:
        if error.code != http.client.NOT_FOUND:
            raise
        return  # nobody serves them
    for group in groups:
        api.patch(f"{path}/{group['metadata']['name']}", {"metadata": {"finalizers": None}})
    api.delete(path)


def find_programs() -> Path:
    """Where the programs are."""
    named = os.environ.get(PROGRAMS)
    found = Path(named) if named else build.program()
    if not found.exists():
        _do_without(f"no control plane at {found}: run make controlplane, or set {PROGRAMS}")
    return found


def _do_without(reason: str) -> NoReturn:
    """Skip; but CI is there to run everything."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
