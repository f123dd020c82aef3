"""A real API server takes every manifest of deploy/, and does with it what is meant.

Applied as kubectl does it: server-side, as a dry run and then for real, unknown fields refused.
"""

import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.controlplane.api import Api, ApiError, collection
from tests.controlplane.objects import make_pod
from tests.controlplane.plane import ControlPlane
from tests.deploy import tools
from tests.deploy.audit import ACCOUNT, NAMESPACE
from tests.deploy.fixtures import Render, RenderChart
from tests.deploy.test_renderings import FOLDERS, one, pod_specs
from tests.deploy.tools import CHART, Manifest

HERE = Path(__file__).resolve().parent
APPLY = "application/apply-patch+yaml"
PATIENCE_S = 60
QUERY = "fieldManager=tests&force=true&fieldValidation=Strict"
PRODUCTION = "kustomize/overlays/production"
POOL = [{"key": "batchsched.io/pool", "operator": "Exists", "effect": "NoSchedule"}]
DAEMON = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "uid": "1", "controller": True}
# What has to be there before what is in it.
FIRST = ("Namespace", "CustomResourceDefinition")
CLUSTER_WIDE = {"Namespace", "CustomResourceDefinition"}


class Applied:
    """Applies manifests, and takes them away again at the end."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self._paths: list[str] = []

    def apply(self, objects: list[Manifest], *, dry_run: bool = False) -> list[Manifest]:
        """Apply in kubectl's order; the answers of the server."""
        ordered = sorted(objects, key=lambda found: found["kind"] not in FIRST)
        suffix = f"?{QUERY}" + ("&dryRun=All" if dry_run else "")
        answers = []
        for found in ordered:
            path = path_of_manifest(found)
            answers.append(self.api.patch(path + suffix, found, APPLY))
            if not dry_run:
                self._paths.append(path)
        return answers

    def remove(self) -> None:
        """Remove what was applied, the latest first."""
        for path in reversed(dict.fromkeys(self._paths)):
            self.api.delete(path)
            if "/namespaces/" in path and path.count("/") == 4:
                finish_namespace(self.api, path.rpartition("/")[2])


def finish_namespace(api: Api, name: str) -> None:
    """Do what the namespace controller would: empty it, and let it go."""
    for kind in ("pods", "configmaps", "secrets"):
        api.delete(collection(kind, name), {"gracePeriodSeconds": 0})
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "spec": {}}
    api.update(f"{collection('namespaces')}/{name}/finalize", body)


def path_of_manifest(found: Manifest) -> str:
    """Where an object is served."""
    kind, meta = found["kind"], found["metadata"]
    plural = re.sub("ys$", "ies", kind.lower() + "s")
    namespace = None if kind in CLUSTER_WIDE else meta.get("namespace")
    return f"{collection(plural, namespace, found['apiVersion'])}/{meta['name']}"


def crds() -> list[Manifest]:
    """The kinds of the Prometheus operator, as far as we use them."""
    text = (HERE / "prometheus-operator.yaml").read_text(encoding="utf-8")
    return list(yaml.safe_load_all(text))


@pytest.fixture(scope="module")
def operator(control_plane: ControlPlane) -> ControlPlane:
    """The server with the kinds of the Prometheus operator, which stay."""
    api, group = control_plane.api(), "monitoring.coreos.com/v1"
    Applied(api).apply(crds())
    for plural in ("servicemonitors", "prometheusrules"):
        until_done(partial(api.get, collection(plural, None, group)))
    return control_plane


@pytest.fixture
def applied(operator: ControlPlane) -> Iterator[Applied]:
    """What is applied to the server, and taken away afterwards."""
    found = Applied(operator.api())
    yield found
    found.remove()


def until_done(call: Callable[[], object]) -> None:
    """Call until it is done: what the server has taken it serves a moment later."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            call()
        except (ApiError, pytest.fail.Exception):
            assert time.monotonic() < until
            time.sleep(0.05)
        else:
            return


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_server_takes_every_manifest(applied: Applied, kustomize: Render, folder: str) -> None:
    objects = kustomize(folder)
    applied.apply([one(objects, "Namespace")])
    applied.apply(objects, dry_run=True)
    answers = applied.apply(objects)
    assert len(answers) == len(objects)


def test_and_every_manifest_of_the_chart_with_all_of_it_switched_on(
    applied: Applied, chart: RenderChart
) -> None:
    settings = (
        *("replicaCount=2", "monitoring.enabled=true", "dedicatedPool.enabled=true"),
        "configuration.profiles[0].preemption=LowerPriority",
    )
    objects = [own_namespace(), *chart(*settings)]
    applied.apply(objects[:1])
    applied.apply(objects, dry_run=True)
    assert len(applied.apply(objects)) == len(objects)


@pytest.mark.slow
def test_helm_installs_upgrades_and_removes_the_chart(
    control_plane: ControlPlane, tools_home: Path
) -> None:
    api, release = control_plane.api(), (NAMESPACE, "--namespace", NAMESPACE)
    reach: tuple[str | Path, ...] = ("--kubeconfig", control_plane.admin)
    tools.run("helm", ("install", *release, CHART, "--create-namespace", *reach), tools_home)
    path = f"{collection('deployments', NAMESPACE, 'apps/v1')}/batchsched"
    before = api.get(path)["spec"]["template"]["metadata"]["annotations"]
    longer = ("--set", "configuration.solve.timeLimit=20s")
    tools.run("helm", ("upgrade", *release, CHART, *longer, *reach), tools_home)
    after = api.get(path)["spec"]["template"]["metadata"]["annotations"]
    # What makes the Deployment replace its pods when only the configuration is another.
    assert before["batchsched.io/configuration"] != after["batchsched.io/configuration"]
    tools.run("helm", ("uninstall", *release, *reach), tools_home)
    left = api.get(collection("clusterroles", None, "rbac.authorization.k8s.io/v1"))["items"]
    assert not [role for role in left if "batchsched" in role["metadata"]["name"]]
    api.delete(f"{collection('namespaces')}/{NAMESPACE}")
    finish_namespace(api, NAMESPACE)


@pytest.mark.parametrize("folder", [PRODUCTION, "cronjob"])
def test_the_pod_is_let_in_where_the_strictest_pod_security_is_enforced(
    applied: Applied, kustomize: Render, folder: str
) -> None:
    objects = kustomize(folder)
    applied.apply(objects)
    admit_critical_pods(applied.api, one(objects, "ResourceQuota"))
    [spec] = pod_specs(objects)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
    made = applied.api.create(collection("pods", NAMESPACE), pod)
    assert made["spec"]["priority"] == 2_000_000_000
    root = {**spec, "securityContext": {}}
    with pytest.raises(ApiError, match='violates PodSecurity "restricted'):
        applied.api.create(
            collection("pods", NAMESPACE), {**pod, "metadata": {"name": "q"}, "spec": root}
        )


def admit_critical_pods(api: Api, quota: Manifest) -> None:
    """Do what the quota controller would: count what is there, nothing."""
    path = f"{collection('resourcequotas', NAMESPACE)}/{quota['metadata']['name']}"
    api.patch(f"{path}/status", {"status": {"hard": quota["spec"]["hard"], "used": {"pods": "0"}}})


def test_the_account_may_do_what_it_must_and_nothing_else(
    applied: Applied, control_plane: ControlPlane, kustomize: Render
) -> None:
    applied.apply(kustomize("kustomize/base"))
    leases = collection("leases", NAMESPACE, "coordination.k8s.io/v1")
    account = control_plane.api(ACCOUNT, ("system:serviceaccounts",))
    assert account.get(collection("pods"))["kind"] == "PodList"
    for path in (
        collection("secrets"),
        collection("configmaps", NAMESPACE),
        f"{leases}/another",
        f"{collection('serviceaccounts', NAMESPACE)}/batchsched",
    ):
        with pytest.raises(ApiError, match="is forbidden"):
            account.get(path)
    with pytest.raises(ApiError, match="is forbidden"):
        account.create(collection("pods", NAMESPACE), make_pod("p"))
    with pytest.raises(ApiError, match='cannot create resource "pods/eviction"'):
        account.create(f"{collection('pods', NAMESPACE)}/p/eviction", {})


def test_who_enters_the_dedicated_pool_names_batchsched_or_is_of_a_daemon_set(
    applied: Applied, kustomize: Render, namespace: str
) -> None:
    applied.apply(kustomize("kustomize/overlays/dedicated-pool"))
    until_done(lambda: see_it_refused(applied.api, namespace))
    see_it_refused(applied.api, namespace, schedulerName="other")
    everywhere = [{"operator": "Exists"}]
    for pod in (
        make_pod("p", tolerations=POOL, schedulerName="batchsched"),
        make_pod("p", tolerations=POOL, schedulerName="batchsched-night"),
        make_pod("p", metadata={"ownerReferences": [DAEMON]}, tolerations=POOL),
        make_pod("p", tolerations=everywhere),
        make_pod("p"),
    ):
        applied.api.create(f"{collection('pods', namespace)}?dryRun=All", pod)


def see_it_refused(api: Api, namespace: str, **fields: Any) -> None:
    """See that a pod does not get into the pool."""
    pod = make_pod("p", tolerations=POOL, **fields)
    with pytest.raises(ApiError, match="placed on by batchsched alone"):
        api.create(f"{collection('pods', namespace)}?dryRun=All", pod)


def own_namespace() -> Manifest:
    """The namespace, which a chart does not create."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
