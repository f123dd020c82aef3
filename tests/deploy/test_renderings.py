"""What kustomize and Helm make of deploy/: the same thing, whole, and as safe as it can be."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from batchsched import __version__
from batchsched.daemon.configuration import parse_configuration
from tests.deploy.fixtures import Render, RenderChart
from tests.deploy.rights import Right, given, of_rules
from tests.deploy.tools import CHART, DEPLOY, Manifest, RefusedError, manifests, run

OVERLAYS = ("ha", "preemption", "dedicated-pool", "monitoring", "production")
FOLDERS = ("kustomize/base", *(f"kustomize/overlays/{name}" for name in OVERLAYS), "cronjob")
PREEMPTS = "configuration.profiles[0].preemption=LowerPriority"
BASE = "kustomize/base"
Objects = list[Manifest]


def of_kind(objects: Objects, kind: str) -> Objects:
    """The objects of a kind."""
    return [found for found in objects if found["kind"] == kind]


def one(objects: Objects, kind: str) -> Manifest:
    """The one object of a kind."""
    [found] = of_kind(objects, kind)
    return found


def pod_specs(objects: Objects) -> Iterator[Manifest]:
    """The specs of the pods that will be made."""
    for found in of_kind(objects, "Deployment"):
        yield found["spec"]["template"]["spec"]
    for found in of_kind(objects, "CronJob"):
        yield found["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def configurations(objects: Objects) -> list[tuple[str, str]]:
    """Name and text of each configuration."""
    return [
        (found["metadata"]["name"], found["data"]["config.yaml"])
        for found in of_kind(objects, "ConfigMap")
        if "config.yaml" in found["data"]
    ]


def rights_of(objects: Objects) -> frozenset[Right]:
    """The rights that the account of the scheduler gets by bindings."""
    rules = {(role["kind"], role["metadata"]["name"]): role["rules"] for role in objects
             if role["kind"] in {"Role", "ClusterRole"}}  # fmt: skip
    bound = [found for found in objects if found["kind"] in {"RoleBinding", "ClusterRoleBinding"}]
    account = one(objects, "ServiceAccount")["metadata"]
    for binding in bound:
        [subject] = binding["subjects"]
        assert subject == {
            "kind": "ServiceAccount",
            "name": account["name"],
            "namespace": account["namespace"],
        }
    keys = [(binding["roleRef"]["kind"], binding["roleRef"]["name"]) for binding in bound]
    return frozenset(right for key in keys for right in of_rules(rules[key]))


def plain(objects: Objects, kind: str) -> Manifest:
    """The spec of an object, without what only one of the tools writes: labels, hashes in names."""
    found = one(objects, kind)
    text = re.sub(r"name: (batchsched-config)-[a-z0-9]{10}\b", r"name: \1", yaml.safe_dump(found))
    spec: Manifest = without_labels(yaml.safe_load(text))["spec"]
    return spec


def without_labels(value: Any) -> Any:
    """A copy without the labels that only one of the two writes, and without annotations."""
    if isinstance(value, dict):
        dropped = {"annotations", "app.kubernetes.io/instance", "app.kubernetes.io/part-of"}
        kept = {key: without_labels(each) for key, each in value.items() if key not in dropped}
        return {key: each for key, each in kept.items() if key != "imagePullPolicy"}
    if isinstance(value, list):
        return [without_labels(each) for each in value]
    return value


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_object_is_there_once(kustomize: Render, folder: str) -> None:
    keys = [
        (found["kind"], found["metadata"].get("namespace"), found["metadata"]["name"])
        for found in kustomize(folder)
    ]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_configuration_is_read_by_the_program_and_mounted(
    kustomize: Render, folder: str
) -> None:
    objects = kustomize(folder)
    [(name, text)] = configurations(objects)
    assert parse_configuration(text.encode(), folder).leader_election.leader_elect
    [spec] = pod_specs(objects)
    assert name in [volume.get("configMap", {}).get("name") for volume in spec["volumes"]]
    assert "--config=/etc/batchsched/config.yaml" in spec["containers"][0]["args"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_pod_asks_for_nothing_of_its_node_and_not_for_itself_as_scheduler(
    kustomize: Render, folder: str
) -> None:
    [spec] = pod_specs(kustomize(folder))
    [container] = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["runAsUser"] == 65532
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["image"] == f"ghcr.io/batchsched/batchsched:{__version__}"
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert "memory" in container["resources"]["limits"]
    assert spec["schedulerName"] == "default-scheduler"


@pytest.mark.parametrize("folder", FOLDERS)
def test_solves_use_as_many_cores_as_the_pod_asks_for(kustomize: Render, folder: str) -> None:
    objects = kustomize(folder)
    [spec] = pod_specs(objects)
    [(_, text)] = configurations(objects)
    workers = parse_configuration(text.encode(), folder).solve.workers
    assert spec["containers"][0]["resources"]["requests"]["cpu"] == str(workers)


@pytest.mark.parametrize("folder", FOLDERS)
def test_rights_follow_what_is_switched_on(kustomize: Render, folder: str) -> None:
    objects = kustomize(folder)
    expected = given(
        "batchsched", "batchsched-lease", "batchsched-volumes", "batchsched-gang-release"
    )
    if folder.endswith("preemption"):
        expected |= given("batchsched-preemption")
    assert rights_of(objects) == expected


def test_the_chart_gives_the_rights_that_kustomize_gives(
    kustomize: Render, chart: RenderChart
) -> None:
    assert rights_of(chart()) == rights_of(kustomize(BASE))
    assert rights_of(chart(PREEMPTS)) == rights_of(kustomize("kustomize/overlays/preemption"))


@pytest.mark.parametrize("kind", ["Deployment", "Service", "NetworkPolicy", "ResourceQuota"])
def test_the_chart_installs_what_kustomize_installs(
    kustomize: Render, chart: RenderChart, kind: str
) -> None:
    assert plain(chart(), kind) == plain(kustomize(BASE), kind)


@pytest.mark.parametrize("kind", ["Deployment", "PodDisruptionBudget"])
def test_with_two_replicas_too(kustomize: Render, chart: RenderChart, kind: str) -> None:
    assert plain(chart("replicaCount=2"), kind) == plain(kustomize("kustomize/overlays/ha"), kind)


@pytest.mark.parametrize("kind", ["ValidatingAdmissionPolicyBinding", "PrometheusRule"])
def test_and_the_same_policy_and_alerts(kustomize: Render, chart: RenderChart, kind: str) -> None:
    rendered = chart("monitoring.enabled=true", "dedicatedPool.enabled=true")
    assert plain(rendered, kind) == plain(kustomize("kustomize/overlays/production"), kind)


def test_the_configurations_of_both_mean_the_same(kustomize: Render, chart: RenderChart) -> None:
    for settings, folder in (((), BASE), ((PREEMPTS,), "kustomize/overlays/preemption")):
        [(_, ours)], [(_, theirs)] = (
            configurations(chart(*settings)),
            configurations(kustomize(folder)),
        )
        assert parse_configuration(ours.encode(), "") == parse_configuration(theirs.encode(), "")


def test_what_is_never_done_is_not_allowed(chart: RenderChart) -> None:
    settings = (
        "configuration.gang.onPartial=Complete",
        "configuration.leaderElection.leaderElect=false",
        "rbac.volumes=false",
    )
    assert rights_of(chart(*settings)) == given("batchsched")


def test_without_a_lease_two_never_run_at_once(chart: RenderChart) -> None:
    off = "configuration.leaderElection.leaderElect=false"
    assert one(chart(off), "Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    with pytest.raises(RefusedError, match="each replica would decide for the same pods"):
        chart(off, "replicaCount=2")


def test_the_right_to_a_lease_is_about_the_lease_of_the_configuration(chart: RenderChart) -> None:
    settings = ("resourceName=nights", "resourceNamespace=kube-system")
    objects = chart(*(f"configuration.leaderElection.{setting}" for setting in settings))
    role = one(objects, "Role")
    assert role["metadata"]["namespace"] == "kube-system"
    assert one(objects, "RoleBinding")["metadata"]["namespace"] == "kube-system"
    assert [rule.get("resourceNames") for rule in role["rules"]] == [None, ["nights"]]


def test_a_release_of_another_name_has_that_name_everywhere(chart: RenderChart) -> None:
    settings = ("monitoring.enabled=true", "dedicatedPool.enabled=true", "replicaCount=2", PREEMPTS)
    objects = chart(*settings, release="nights", namespace="jobs")
    names = {found["metadata"]["name"] for found in objects}
    assert not [name for name in names if not name.startswith("nights-batchsched")]
    assert {found["metadata"].get("namespace", "jobs") for found in objects} == {"jobs"}
    assert rights_of(objects) == rights_of(chart(PREEMPTS))
    # A binding that named another release's policy would do nothing.
    policy = one(objects, "ValidatingAdmissionPolicy")["metadata"]["name"]
    assert one(objects, "ValidatingAdmissionPolicyBinding")["spec"]["policyName"] == policy
    selector = one(objects, "ServiceMonitor")["spec"]["selector"]["matchLabels"]
    assert selector.items() <= one(objects, "Service")["metadata"]["labels"].items()


def test_the_pool_lets_in_every_scheduler_of_the_configuration(chart: RenderChart) -> None:
    names = [f"configuration.profiles[{at}].schedulerName={name}" for at, name in enumerate("ab")]
    policy = one(chart("dedicatedPool.enabled=true", *names), "ValidatingAdmissionPolicy")
    [ours] = [each for each in policy["spec"]["variables"] if each["name"] == "ours"]
    assert ours["expression"].endswith('object.spec.schedulerName in ["a","b"]')


@pytest.mark.parametrize(
    "setting",
    [
        "replicas=2",
        "image.tags=x",
        "replicaCount=two",
        "configuration.profiles[0].preemption=Always",
        "configuration.kind=SchedulerConfiguration",
        "monitoring=true",
    ],
)
def test_the_chart_refuses_a_value_that_it_does_not_know(chart: RenderChart, setting: str) -> None:
    with pytest.raises(RefusedError, match="values don't meet the specifications of the schema"):
        chart(setting)


def test_the_chart_is_of_the_version_that_is_here() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert chart["appVersion"] == __version__
    assert chart["version"] == re.sub(r"\.dev(\d+)$", r"-dev.\1", __version__)


def test_another_namespace_is_another_namespace_everywhere(
    tools_home: Path, tmp_path: Path
) -> None:
    # An overlay as a user writes it, in a folder of his own.
    base = os.path.relpath(DEPLOY / "kustomize" / "overlays" / "production", tmp_path)
    overlay = {"resources": [base], "namespace": "jobs"}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")
    objects = manifests(run("kustomize", ["build", tmp_path], tools_home))
    assert {found["metadata"].get("namespace", "jobs") for found in objects} == {"jobs"}
    assert one(objects, "Namespace")["metadata"]["name"] == "jobs"
    assert rights_of(objects)
