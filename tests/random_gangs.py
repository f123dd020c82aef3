"""Gangs for random clusters: of annotations, of Kubernetes, and of Volcano with parts."""

import random
from typing import Any

Object = dict[str, Any]
NAMESPACES = ("blue", "green", "red")
ZONE, RACK = "topology.kubernetes.io/zone", "example.com/rack"


def join_gangs(rng: random.Random, rules: frozenset[str], pods: list[Object]) -> list[Object]:
    """Make some of the pods members of gangs; give the groups that need an object of their own."""
    groups: list[Object] = []
    if "gangs" not in rules:
        return groups
    for space in NAMESPACES:
        members = [p for p in pods if p["metadata"]["namespace"] == space and rng.random() < 0.6]
        if not members:
            continue
        minimum = rng.randint(1, len(members) + (rng.random() < 0.1))
        key = rng.choice([None, None, ZONE, RACK])
        if rng.random() < 0.4:
            groups.append(declared_gang(space, minimum, key))
            for pod in members:
                pod["spec"]["schedulingGroup"] = {"podGroupName": "gang"}
            continue
        if rng.random() < 0.3:
            groups.append(gang_of_parts(rng, space, minimum))
            for pod in members:
                notes = {"scheduling.k8s.io/group-name": "gang"}
                notes["volcano.sh/task-spec"] = rng.choice(["leader", "worker", "worker"])
                pod["metadata"]["annotations"] = notes
            continue
        notes = noted_gang(rng, minimum, key)
        for pod in members:
            pod["metadata"]["annotations"] = dict(notes)
    return groups


def noted_gang(rng: random.Random, minimum: int, key: str | None) -> dict[str, str]:
    """A gang of annotations alone."""
    notes = {"batchsched.io/gang": "gang", "batchsched.io/min-available": str(minimum)}
    if key:
        notes[f"batchsched.io/{rng.choice(['required', 'preferred'])}-topology"] = key
    if rng.random() < 0.25:
        notes["batchsched.io/slice-topology"] = rng.choice([ZONE, RACK])
        notes["batchsched.io/slice-size"] = str(rng.randint(1, 3))
    return notes


def gang_of_parts(rng: random.Random, space: str, minimum: int) -> Object:
    """A PodGroup of Volcano: a leader, and some workers."""
    tasks = {"leader": 1, "worker": rng.randint(0, minimum)}
    spec = {"minMember": minimum, "minTaskMember": tasks}
    return pod_group("scheduling.volcano.sh", space, spec)


def declared_gang(space: str, minimum: int, key: str | None) -> Object:
    """A PodGroup as Kubernetes itself has it."""
    spec: Object = {"schedulingPolicy": {"gang": {"minCount": minimum}}}
    if key:
        spec["schedulingConstraints"] = {"topology": [{"key": key}]}
    return pod_group("scheduling.k8s.io", space, spec)


def pod_group(api: str, space: str, spec: Object) -> Object:
    meta = {"name": "gang", "namespace": space}
    return {"apiVersion": f"{api}/v1beta1", "kind": "PodGroup", "metadata": meta, "spec": spec}
