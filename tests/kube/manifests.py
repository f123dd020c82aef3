"""Small objects as the API server serves them."""

from typing import Any

Raw = dict[str, Any]

NODES, PODS, SERVICES = "/api/v1/nodes", "/api/v1/pods", "/api/v1/services"
JOBS, GROUPS = "/apis/batch/v1/jobs", "/apis/scheduling.k8s.io/v1beta1/podgroups"
OTHER_GROUPS = "/apis/scheduling.x-k8s.io/v1alpha1/podgroups"


def node(name: str, cpu: str = "4", **labels: str) -> Raw:
    return {
        "metadata": {"name": name, "uid": f"uid-{name}", "labels": labels},
        "status": {"allocatable": {"cpu": cpu, "memory": "8Gi", "pods": "110"}},
    }


def pod(  # noqa: PLR0913 -- each is a field
    name: str,
    *,
    node: str | None = None,
    phase: str = "Pending",
    uid: str | None = None,
    cpu: str = "1",
    meta: Raw | None = None,
    spec: Raw | None = None,
) -> Raw:
    return {
        "metadata": {
            "namespace": "default",
            "name": name,
            "uid": uid or f"uid-{name}",
            **(meta or {}),
        },
        "spec": {
            "containers": [{"name": "c", "resources": {"requests": {"cpu": cpu}}}],
            "priority": 0,
            "schedulerName": "batchsched",
            **({"nodeName": node} if node else {}),
            **(spec or {}),
        },
        "status": {"phase": phase},
    }


def gang(name: str, least: int) -> Raw:
    """A scheduling.k8s.io PodGroup."""
    return {
        "metadata": {"namespace": "default", "name": name},
        "spec": {"schedulingPolicy": {"gang": {"minCount": least}}},
    }


def gang_in(above: str, name: str, least: int) -> Raw:
    """A scheduling.k8s.io PodGroup in a composite."""
    raw = gang(name, least)
    return {**raw, "spec": {**raw["spec"], "parentCompositePodGroupName": above}}


def composite(name: str, least: int, above: str | None = None) -> Raw:
    """A CompositePodGroup."""
    spec: Raw = {"schedulingPolicy": {"gang": {"minGroupCount": least}}}
    spec |= {"parentCompositePodGroupName": above} if above else {}
    return {"metadata": {"namespace": "default", "name": name}, "spec": spec}


def other_gang(name: str, least: int) -> Raw:
    """A scheduling.x-k8s.io PodGroup."""
    return {"metadata": {"namespace": "default", "name": name}, "spec": {"minMember": least}}


def ranked_gang(name: str, least: int) -> Raw:
    """A scheduling.k8s.io PodGroup with a priority of its own."""
    raw = gang(name, least)
    return {**raw, "spec": {**raw["spec"], "priority": least}}


def kai_gang(name: str, least: int) -> Raw:
    """A scheduling.run.ai PodGroup with a subgroup."""
    subgroups = [{"name": "a", "minMember": least}]
    return {"metadata": {"namespace": "default", "name": name}, "spec": {"subGroups": subgroups}}


def job(name: str, parallelism: int, owner: str | None = None) -> Raw:
    owners = (
        [
            {
                "apiVersion": "jobset.x-k8s.io/v1alpha2",
                "kind": "JobSet",
                "name": owner,
                "uid": "u",
                "controller": True,
            }
        ]
        if owner
        else []
    )
    return {
        "metadata": {"namespace": "default", "name": name, "ownerReferences": owners},
        "spec": {"parallelism": parallelism},
    }


def service(name: str, **selector: str) -> Raw:
    return {"metadata": {"namespace": "default", "name": name}, "spec": {"selector": selector}}
