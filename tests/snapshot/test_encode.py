"""Encoding: what is written is read as what it was, for every noun that there is."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from batchsched.snapshot.encode_cluster import written
from batchsched.snapshot.read import read
from batchsched.snapshot.snapshot import Snapshot
from tests.snapshot.manifests import container, node, obj, pod, snapshot_of
from tests.strategies import clusters
from tests.strategies import snapshot_of as cluster_of

CASES = sorted((Path(__file__).resolve().parents[2] / "models" / "cases").iterdir())


def again(snapshot: Snapshot) -> Snapshot:
    return read([("written.json", written(snapshot))])


def known(snapshot: Snapshot) -> Snapshot:
    """Without the kinds that nobody reads: they are counted, not kept."""
    return replace(snapshot, others=())


@given(clusters())
def test_a_cluster_that_uses_every_rule_is_read_as_it_was(objects: list[dict[str, Any]]) -> None:
    snapshot = cluster_of(objects)
    assert again(snapshot) == known(snapshot)


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_every_case_is_read_as_it_was(case: Path) -> None:
    snapshot = read([("snapshot.yaml", (case / "snapshot.yaml").read_bytes())])
    assert again(snapshot) == known(snapshot)


def owned(kind: str, name: str, api: str) -> dict[str, Any]:
    """``metadata`` of something that is controlled."""
    owner = {"apiVersion": api, "kind": kind, "name": name, "uid": "u", "controller": True}
    return {"ownerReferences": [owner]}


def member(name: str, owner: dict[str, Any] | None = None, **annotations: str) -> dict[str, Any]:
    notes = {f"batchsched.io/{key.replace('_', '-')}": each for key, each in annotations.items()}
    return pod(name, metadata={"uid": name, "annotations": notes, **(owner or {})})


SCHEDULING, VOLCANO = "scheduling.k8s.io/v1beta1", "scheduling.volcano.sh/v1beta1"
JOB_OF = owned("Job", "job", "batch/v1")
GROUPS: dict[str, list[dict[str, Any]]] = {
    "a gang of Kubernetes with its topology": [
        pod("a", schedulingGroup={"podGroupName": "g"}),
        obj(
            "PodGroup",
            "g",
            api=SCHEDULING,
            namespace="default",
            spec={
                "schedulingPolicy": {"gang": {"minCount": 2}},
                "schedulingConstraints": {"topology": [{"key": "rack"}]},
            },
        ),
    ],
    "a group whose pods come one by one": [
        pod("a", schedulingGroup={"podGroupName": "g"}),
        obj(
            "PodGroup",
            "g",
            api=SCHEDULING,
            namespace="default",
            spec={"schedulingPolicy": {"basic": {}}},
        ),
    ],
    "a group that does not exist": [pod("a", schedulingGroup={"podGroupName": "g"})],
    "a gang of Volcano": [
        pod("a", metadata={"annotations": {"scheduling.k8s.io/group-name": "g"}}),
        obj("PodGroup", "g", api=VOLCANO, namespace="default", spec={"minMember": 3}),
    ],
    "a gang whose label is of one API and whose object of the other": [
        pod("a", metadata={"labels": {"scheduling.x-k8s.io/pod-group": "g"}}),
        obj(
            "PodGroup",
            "g",
            api="scheduling.sigs.k8s.io/v1alpha1",
            namespace="default",
            spec={"minMember": 3},
        ),
    ],
    "a gang of annotations": [
        member("a", gang="g", min_available="2", required_topology="rack"),
        member("b", gang="g", min_available="2", preferred_topology="zone"),
    ],
    "a gang whose pods disagree": [
        member("a", gang="g", min_available="2"),
        member("b", gang="g", min_available="3"),
    ],
    "a group with a priority that goes whole": [
        pod("a", schedulingGroup={"podGroupName": "g"}),
        obj(
            "PodGroup",
            "g",
            api=SCHEDULING,
            namespace="default",
            spec={
                "schedulingPolicy": {"gang": {"minCount": 1}},
                "priority": 7,
                "preemptionPolicy": "Never",
                "disruptionMode": {"all": {}},
            },
        ),
    ],
    "tasks of Volcano whose pods are not there yet": [
        obj(
            "PodGroup",
            "g",
            api=VOLCANO,
            namespace="default",
            spec={"minMember": 3, "minTaskMember": {"ps": 1, "worker": 2}},
        ),
    ],
    "subgroups of KAI, and their topology": [
        pod("a", metadata={"annotations": {"pod-group-name": "g"}}),
        *(
            obj(
                "PodGroup",
                name,
                api="scheduling.run.ai/v2alpha2",
                namespace="default",
                spec={
                    "subGroups": [{"name": "w", "minMember": 2}],
                    "topologyConstraint": {"requiredTopologyLevel": "rack"},
                },
            )
            for name in "gh"
        ),
    ],
    "groups that wait for what their objects say": [
        pod("a", schedulingGroup={"podGroupName": "g"}),
        obj(
            "PodGroup",
            "g",
            api=SCHEDULING,
            namespace="default",
            spec={
                "schedulingPolicy": {"gang": {"minCount": 1}},
                "parentCompositePodGroupName": "all",
            },
        ),
        obj(
            "PodGroup",
            "g",
            api="scheduling.run.ai/v2alpha2",
            namespace="default",
            spec={"subGroups": [{"name": "a", "minSubGroup": 1}]},
        ),
    ],
    "groups in composites": [
        pod("a", schedulingGroup={"podGroupName": "g"}),
        *(
            obj(
                "PodGroup",
                name,
                api=SCHEDULING,
                namespace="default",
                spec={
                    "schedulingPolicy": {"gang": {"minCount": 1}},
                    "parentCompositePodGroupName": above,
                },
            )
            for name, above in (("g", "low"), ("h", "low"), ("i", "high"), ("j", "gone"))
        ),
        *(
            obj(
                "CompositePodGroup",
                name,
                api="scheduling.k8s.io/v1alpha3",
                namespace="default",
                spec={
                    "schedulingPolicy": policy,
                    "priority": 3,
                    "preemptionPolicy": "Never",
                    "disruptionMode": {"all": {}},
                    "schedulingConstraints": {"topology": topology},
                    **({"parentCompositePodGroupName": "high"} if name == "low" else {}),
                },
            )
            for name, policy, topology in (
                ("low", {"gang": {"minGroupCount": 2}}, []),
                ("high", {"basic": {}}, [{"key": "zone"}]),
            )
        ),
    ],
    "a gang of Koordinator's labels": [
        pod(
            "a",
            metadata={
                "labels": {
                    "pod-group.scheduling.sigs.k8s.io/name": "g",
                    "pod-group.scheduling.sigs.k8s.io/min-available": "2",
                }
            },
        ),
    ],
    "the gang of a Job": [
        member("a", JOB_OF, gang="owner"),
        obj("Job", "job", api="batch/v1", namespace="default", spec={"parallelism": 5}),
    ],
    "the gang of a Job that is not there": [member("a", JOB_OF, gang="owner")],
    "the gang of a JobSet": [
        member("a", JOB_OF, gang="owner"),
        obj(
            "Job",
            "job",
            api="batch/v1",
            namespace="default",
            metadata=owned("JobSet", "set", "jobset.x-k8s.io/v1alpha2"),
        ),
        obj(
            "JobSet",
            "set",
            api="jobset.x-k8s.io/v1alpha2",
            namespace="default",
            spec={"replicatedJobs": [{"replicas": 3}]},
        ),
    ],
}


@pytest.mark.parametrize("objects", GROUPS.values(), ids=GROUPS)
def test_groups_are_declared_as_they_were(objects: list[dict[str, Any]]) -> None:
    snapshot = snapshot_of(*objects)
    assert snapshot.groups
    assert again(snapshot) == snapshot


def volumes_of_every_kind() -> list[dict[str, Any]]:
    sources: list[dict[str, Any]] = [
        {"persistentVolumeClaim": {"claimName": "second"}},
        {"persistentVolumeClaim": {"claimName": "first"}},
        {"ephemeral": {}},
        {"gcePersistentDisk": {"pdName": "d", "readOnly": True}},
        {"awsElasticBlockStore": {"volumeID": "aws://z/vol"}},
        {"iscsi": {"iqn": "q", "targetPortal": "t", "lun": 1}},
        {"rbd": {"monitors": ["b", "a"], "image": "i", "pool": "p"}},
        {"azureDisk": {"diskURI": "/d"}},
        {"azureFile": {"shareName": "s"}},
        {"cinder": {"volumeID": "c"}},
        {"vsphereVolume": {"volumePath": "v"}},
        {"portworxVolume": {"volumeID": "x"}},
        {"image": {"reference": "model:v1"}},
        {"emptyDir": {}},
    ]
    return [{"name": f"vol-{at}", **source} for at, source in enumerate(sources)]


def test_volumes_of_every_kind_are_read_as_they_were() -> None:
    zone = {"labels": {"topology.kubernetes.io/zone": "a__b"}}
    found = snapshot_of(
        pod("mounts", volumes=volumes_of_every_kind()),
        obj(
            "PersistentVolume",
            "in-tree",
            metadata=zone,
            spec={"gcePersistentDisk": {"pdName": "d"}},
        ),
        obj("PersistentVolume", "csi", spec={"csi": {"driver": "d", "volumeHandle": "h"}}),
        obj("PersistentVolumeClaim", "none", namespace="default", spec={"storageClassName": ""}),
        obj("PersistentVolumeClaim", "unsaid", namespace="default", spec={"selector": {}}),
    )
    assert len(found.pods[0].spec.inline_volumes) == 7
    assert again(found) == found


def test_containers_ports_features_and_devices_are_read_as_they_were() -> None:
    ports = [{"containerPort": 80}, {"containerPort": 81, "hostPort": 81, "hostIP": "10.0.0.1"}]
    found = snapshot_of(
        pod(
            "busy",
            containers=[
                {**container("a", cpu="250m", memory="1.5Gi"), "image": "x:v1", "ports": ports},
                {
                    **container("b", cpu="0.1"),
                    "restartPolicyRules": [{"action": "RestartAllContainers"}],
                },
            ],
            initContainers=[{**container("c", cpu="3"), "image": "y"}],
            overhead={"memory": "1"},
            hostNetwork=True,
            hostUsers=False,
            priority=-5,
            preemptionPolicy="Never",
            schedulingGates=[{"name": "later"}],
            resourceClaims=[{"name": "gpu", "resourceClaimTemplateName": "t"}],
            status={"resourceClaimStatuses": [{"name": "gpu", "resourceClaimName": "c"}]},
        ),
        node(declaredFeatures=["f"], images=[{"names": ["x:v1", "x@sha256:0"], "sizeBytes": 5}]),
    )
    assert again(found) == found


@pytest.mark.parametrize("held", ["500m", "4"])
def test_a_pod_in_the_middle_of_a_resize_holds_what_it_held(held: str) -> None:
    status = {
        "phase": "Running",
        "conditions": [{"type": "PodResizePending", "reason": "Infeasible"}],
        "containerStatuses": [{"name": "main", "resources": {"requests": {"cpu": held}}}],
    }
    resized = pod("r", nodeName="n1", containers=[container(cpu="1")], status=status)
    found = snapshot_of(resized, node())
    assert found.pods[0].requests != found.pods[0].spec.requests
    assert again(found) == found
