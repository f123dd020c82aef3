"""Backlogs that fit exactly, and that no scheduler places whole which decides pod by pod.

Each can be filled by hand in a minute; what is difficult about it is that the pods that come first
have a choice, and only one that looks at the others chooses right. Pods are named in the order in
which they come.
"""

from dataclasses import dataclass

from tests.controlplane.api import Object
from tests.controlplane.definitions import KUBERNETES
from tests.controlplane.objects import make_node, make_pod

GPU = "nvidia.com/gpu"


@dataclass(frozen=True)
class Backlog:
    """Nodes, pods, and the pod groups that they belong to."""

    name: str
    nodes: list[Object]
    pods: list[Object]
    groups: list[Object]


@dataclass(frozen=True)
class Job:
    """Pods of one kind that come one after the other; with ``gang`` so many start together."""

    name: str
    pods: int
    gpus: int
    gang: int = 0


def fragmentation(times: int) -> Backlog:
    """Small jobs come first, and are welcome on large nodes (kubernetes/kubernetes #68036)."""
    nodes = _nodes("small", times, 2, "16") + _nodes("large", 2 * times, 4, "64")
    jobs = [Job("a-small", times, 2), Job("b-large", 2 * times, 4)]
    return _backlog("fragmentation", nodes, jobs)


def mixed(times: int) -> Backlog:
    """Jobs of three and five GPUs share nodes of eight, or others of eight find none."""
    jobs = [Job("a-three", times, 3), Job("b-five", times, 5), Job("c-whole", times, 8)]
    return _backlog("mixed GPU jobs", _nodes("node", 2 * times, 8, "64"), jobs)


def gangs(times: int) -> Backlog:
    """As before, but those of five and of eight start in pairs or not at all."""
    jobs = [Job("a-three", times, 3), Job("b-five", times, 5, 2), Job("c-whole", times, 8, 2)]
    return _backlog("gangs", _nodes("node", 2 * times, 8, "64"), jobs)


def _nodes(name: str, count: int, gpus: int, cpu: str) -> list[Object]:
    room = {"cpu": cpu, "memory": "256Gi", GPU: str(gpus)}
    return [make_node(f"{name}-{i:03}", room) for i in range(count)]


def _backlog(name: str, nodes: list[Object], jobs: list[Job]) -> Backlog:
    pods, groups = [], dict[str, Object]()
    for job in jobs:
        for i in range(job.pods):
            asked = {"cpu": "2", "memory": "16Gi", GPU: str(job.gpus)}
            spec: dict[str, Object] = {}
            if job.gang:
                group = f"{job.name}-{i // job.gang:03}"
                groups[group] = _group(group, job.gang)
                spec = {"schedulingGroup": {"podGroupName": group}}
            pods.append(make_pod(f"{job.name}-{i:03}", asked, None, **spec))
    return Backlog(name, nodes, pods, list(groups.values()))


def _group(name: str, size: int) -> Object:
    policy = {"gang": {"minCount": size}}
    spec = {"schedulingPolicy": policy}
    return {
        "apiVersion": KUBERNETES,
        "kind": "PodGroup",
        "metadata": {"name": name},
        "spec": spec,
    }
