"""Gangs as people have written them: recognised as what they are, and placed whole where they fit.

Most files hold what a controller makes pods of, so the pods are made here, as that controller does.
Where a file says nowhere that its pods are a gang, they get the one line that does so. What cannot
be read stands in docs/gangs.md.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from batchsched.profile import default_profile
from batchsched.scheduler import schedule
from batchsched.snapshot.read import read
from batchsched.snapshot.snapshot import pending
from batchsched.solver.solve import Limits
from tests.snapshot.manifests import EXPORTS, node

Raw = dict[str, Any]
FOLDER = EXPORTS / "gang"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no exports in {FOLDER}")
OWNER = "batchsched.io/gang"
TOPOLOGY = "topology.example.com/rack"
WORKERS = "js-abc-workers-def"
GANGS: list[tuple[tuple[str, ...], str, dict[str, tuple[str, int, int]]]] = [
    (("coscheduling-old-lammps-mpijob",), "", {"lammps": ("Placed", 4, 24)}),
    (("coscheduling-readme-demo",), "", {"nginx": ("Placed", 3, 6)}),
    (("fluence-indexed-job",), OWNER, {"job-1": ("Placed", 5, 5)}),
    (("jobset-exclusive-placement",), OWNER, {"exclusive-placement": ("Placed", 9, 9)}),
    (
        ("jobset-was-jobset", "jobset-was-workload", "jobset-was-podgroup"),
        "",
        {WORKERS: ("Placed", 6, 6)},
    ),
    (
        ("jobset-was-tas-jobset", "jobset-was-tas-workload", "jobset-was-tas-podgroup"),
        "",
        {WORKERS: ("Placed", 4, 4)},
    ),
    (("jobset-was-preemption-high",), "", {"hp-abc-workers-def": ("Placed", 4, 4)}),
    (("jobset-was-preemption-low",), "", {"lp-abc-workers-def": ("Placed", 4, 4)}),
    (("kai-external-podgroup-job",), "", {"external-batch-job": ("Placed", 2, 2)}),
    (("kueue-jobset-tas-required",), OWNER, {"jobset-tas-required": ("Placed", 4, 4)}),
    (("kueue-pod-group",), "", {"sample-group": ("Placed", 2, 2)}),
    (("kueue-tas-job-required",), OWNER, {"tas-sample-required0": ("Placed", 10, 10)}),
    (
        ("lws-volcano",),
        OWNER,
        {f"lws-sample-volcano-{replica}": ("Placed", 4, 4) for replica in range(2)},
    ),
    (("volcano-job",), "", {"test-job": ("Placed", 3, 6)}),
    (("volcano-mpi-dependson",), "", {"lm-mpi-job": ("Placed", 3, 11)}),
]
"""Files that are read together, whether pods get a line of ours, and their gangs: status, minimum,
placed."""
NO_GANGS = {
    "godel-pod-1": "a dialect that is not read",
    "godel-pod-2": "a dialect that is not read",
    "godel-podgroup": "a dialect that is not read",
    "k8s-schedperf-composite-podgroup": "a template",
    "k8s-schedperf-gang-pod": "a template",
    "k8s-schedperf-gang-podgroup": "a template",
    "k8s-schedperf-tas-node": "a template",
    "k8s-schedperf-tas-podgroup": "a template",
    "kai-multi-topology-jobs": "subgroups with topologies of their own",
    "kueue-single-clusterqueue-setup": "no pods",
    "volcano-podgroup": "no pods",
}
"""Files that hold no gang which could be placed, and why."""


def owned(kind: Raw, name: str, template: Raw, **more: Raw) -> Raw:
    """A pod that a controller makes of its template; ``more`` labels or annotations."""
    given = template.get("metadata") or {}
    meta: Raw = {"name": name, "namespace": "default"}
    for field in ("labels", "annotations"):
        meta[field] = {**(given.get(field) or {}), **more.get(field, {})}
    controller = {"apiVersion": kind["apiVersion"], "kind": kind["kind"], "uid": "u"}
    meta["ownerReferences"] = [{**controller, "name": kind["metadata"]["name"], "controller": True}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}


def pods_of_job(job: Raw, **more: Raw) -> Iterator[Raw]:
    """The pods of a Job that run at once."""
    for i in range(job["spec"].get("parallelism", 1)):
        yield owned(job, f"{job['metadata']['name']}-{i}", job["spec"]["template"], **more)


def pods_of_job_set(whole: Raw) -> Iterator[Raw]:
    """The Jobs of a JobSet and their pods."""
    name = whole["metadata"]["name"]
    for each in whole["spec"]["replicatedJobs"]:
        for i in range(each.get("replicas", 1)):
            meta = {"name": f"{name}-{each['name']}-{i}", "namespace": "default"}
            job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, **each["template"]}
            labels = {"jobset.sigs.k8s.io/jobset-name": name}
            yield from pods_of_job({**job, "metadata": meta}, labels=labels)


def pods_of_volcano(job: Raw) -> Iterator[Raw]:
    """The PodGroup and the pods that Volcano makes of its Job."""
    meta, spec = {"name": job["metadata"]["name"], "namespace": "default"}, job["spec"]
    least = {task["name"]: task["minAvailable"] for task in spec["tasks"] if "minAvailable" in task}
    about = {"minMember": spec["minAvailable"], "minTaskMember": least}
    api = "scheduling.volcano.sh/v1beta1"
    yield {"apiVersion": api, "kind": "PodGroup", "metadata": meta, "spec": about}
    for task in spec["tasks"]:
        notes = {"scheduling.k8s.io/group-name": meta["name"], "volcano.sh/task-spec": task["name"]}
        for i in range(task["replicas"]):
            name = f"{meta['name']}-{task['name']}-{i}"
            yield owned(job, name, task["template"], annotations=notes)


def pods_of_leaders(lws: Raw) -> Iterator[Raw]:
    """The pods of a LeaderWorkerSet."""
    spec, key = lws["spec"], "leaderworkerset.sigs.k8s.io"
    size = spec["leaderWorkerTemplate"]["size"]
    for group in range(spec["replicas"]):
        for worker in range(size):
            name = f"{lws['metadata']['name']}-{group}-{worker}"
            labels = {f"{key}/name": lws["metadata"]["name"], f"{key}/group-index": str(group)}
            template = spec["leaderWorkerTemplate"]["workerTemplate"]
            yield owned(lws, name, template, labels=labels, annotations={f"{key}/size": str(size)})


def pods_of_mpi(job: Raw) -> Iterator[Raw]:
    """The launcher and the workers of an MPIJob."""
    for role, each in job["spec"]["mpiReplicaSpecs"].items():
        for i in range(each["replicas"]):
            yield owned(job, f"{job['metadata']['name']}-{role.lower()}-{i}", each["template"])


def pods_of_set(found: Raw) -> Iterator[Raw]:
    """The pods of a ReplicaSet."""
    for i in range(found["spec"]["replicas"]):
        yield owned(found, f"{found['metadata']['name']}-{i}", found["spec"]["template"])


CONTROLLERS = {
    "batch/v1 Job": pods_of_job,
    "batch.volcano.sh/v1alpha1 Job": pods_of_volcano,
    "jobset.x-k8s.io/v1alpha2 JobSet": pods_of_job_set,
    "leaderworkerset.x-k8s.io/v1 LeaderWorkerSet": pods_of_leaders,
    "apps/v1 ReplicaSet": pods_of_set,
    "kubeflow.org/v2beta1 MPIJob": pods_of_mpi,
}


def made(*files: str) -> list[Raw]:
    """The objects of some files, and the pods that controllers make of them."""
    objects: list[Raw] = []
    for file in files:
        text = (FOLDER / f"{file}.yaml").read_text(encoding="utf-8")
        for raw in yaml.safe_load_all(text):
            meta = {"namespace": "default", **raw["metadata"]} if raw else {}
            meta.setdefault("name", meta.pop("generateName", "") + "0")
            objects += [{**raw, "metadata": meta}] if raw else []
    for each in objects.copy():
        controller = CONTROLLERS.get(f"{each['apiVersion']} {each['kind']}")
        objects += controller(each) if controller is not None else []
    return objects


def marked(objects: list[Raw]) -> list[Raw]:
    """The same, each pod with the line that says: all of my controller are a gang."""
    for each in objects:
        if each["kind"] == "Pod":
            each["metadata"]["annotations"][OWNER] = "owner"
    return objects


def cluster() -> list[Raw]:
    """Nodes with room for any of them, all in one of each topology."""
    room = {"cpu": "64", "memory": "256Gi", "nvidia.com/gpu": "8", "pods": "110"}
    nodes = [node(f"n{i}", allocatable=room) for i in range(8)]
    return [{**n, "metadata": {**n["metadata"], "labels": {TOPOLOGY: "one"}}} for n in nodes]


def placed(objects: list[Raw]) -> dict[str, tuple[str, int, int]]:
    """Each gang: its status, its minimum, and how many of it are placed."""
    text = yaml.safe_dump_all([*cluster(), *objects]).encode()
    snapshot = read([("gang.yaml", text)])
    limits = Limits(time_limit_s=10, workers=1, deterministic=True)
    plan = schedule(snapshot, pending(snapshot), default_profile(), limits, lambda: 0.0)
    return {g.name: (g.status, g.min_count, g.placed) for g in plan.pod_groups}


def test_every_file_is_accounted_for() -> None:
    read_here = {file for files, _, _ in GANGS for file in files}
    assert {path.stem for path in FOLDER.glob("*.yaml")} == read_here | NO_GANGS.keys()


@pytest.mark.parametrize(("files", "mark", "found"), GANGS, ids=lambda value: str(value)[:40])
def test_a_gang_as_people_wrote_it_is_placed_whole(
    files: tuple[str, ...], mark: str, found: dict[str, tuple[str, int, int]]
) -> None:
    objects = made(*files)
    assert placed(marked(objects) if mark else objects) == found


def test_subgroups_with_topologies_of_their_own_wait_and_say_so() -> None:
    text = yaml.safe_dump_all([*cluster(), *made("kai-multi-topology-jobs")]).encode()
    (group,) = read([("gang.yaml", text)]).groups
    assert "have topologies of their own" in str(group.problem)
