"""Crowded clusters: small ones in which pods run that may have to go, for those that wait.

Drawn like ``strategies.random_cluster``, and then narrowed: nodes have little more room than their
pods take, running pods have owners and mostly a low priority, waiting ones mostly a high one, and
there are budgets.
"""

import random

from batchsched.snapshot.snapshot import holding
from tests.strategies import (
    APPS,
    NAMESPACES,
    Object,
    Size,
    made,
    random_cluster,
    random_node,
    random_template,
    snapshot_of,
)

SIZE = Size(nodes_max=3, pending_max=3, running_max=4)
DRAWS_MAX = 40


def crowded_cluster(rng: random.Random, draws_max: int = DRAWS_MAX) -> list[Object]:
    """Draw one cluster, with somebody to place and somebody in the way if that can be had."""
    objects: list[Object] = []
    for _ in range(draws_max):
        objects = random_cluster(rng, SIZE)
        pods = [o for o in objects if o["kind"] == "Pod"]
        running = [pod for pod in pods if "nodeName" in pod["spec"]]
        if len(running) > 1 and len(pods) > len(running):
            break
    for each in objects:
        if each["kind"] == "Pod" and "nodeName" in each["spec"]:
            settle(rng, each)
        elif each["kind"] == "Pod" and rng.random() < 0.6:
            each["spec"]["priority"] = rng.choice([100, 1000])
        if each["kind"] == "Pod" and rng.random() < 0.12:
            each["spec"]["preemptionPolicy"] = "Never"
    narrow(rng, objects)
    return [*objects, *(budget(rng, i) for i in range(rng.choice([0, 0, 1, 2])))]


def narrow(rng: random.Random, objects: list[Object]) -> None:
    """Give nodes what their pods take and little more, sometimes less; keep few pods from them."""
    running = holding(snapshot_of(objects))
    for node in (o for o in objects if o["kind"] == "Node"):
        here = [pod for pod in running if pod.node == node["metadata"]["name"]]
        taken = sum(dict(pod.requests).get("cpu", 0) for pod in here)
        more = rng.choice([-500, 0, 0, 500, 1000, 1500])
        allocatable = node["status"]["allocatable"]
        allocatable["cpu"] = f"{max(taken + more, 1000)}m"
        allocatable["pods"] = str(len(here) + rng.choice([0, 1, 2, 5]))
        if rng.random() < 0.7:
            node["spec"] = {}


def settle(rng: random.Random, pod: Object) -> None:
    """Let a pod run, mostly for an owner, mostly with little to say."""
    kind = rng.choice(["ReplicaSet"] * 14 + ["DaemonSet"] + [""] * 5)
    if kind:
        owner = {"apiVersion": "apps/v1", "kind": kind, "name": "o", "uid": "o"}
        pod["metadata"]["ownerReferences"] = [owner | {"controller": True}]
    if rng.random() < 0.7:
        pod["spec"]["priority"] = 0
    if rng.random() < 0.8:
        pod["status"]["phase"] = "Running"
        pod["metadata"].pop("deletionTimestamp", None)


def budget(rng: random.Random, number: int) -> Object:
    """A PodDisruptionBudget over the pods of an app, or over everybody."""
    labels = {"matchLabels": {"app": rng.choice(APPS)}}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"namespace": rng.choice(NAMESPACES), "name": f"budget-{number}"},
        "spec": {"selector": {} if rng.random() < 0.2 else labels},
        "status": {"disruptionsAllowed": rng.choice([0, 0, 1])},
    }


def scattered_cluster(rng: random.Random) -> list[Object]:
    """Draw nodes with a little room on each, and pods that need more of it in one place."""
    rules = frozenset(rule for rule in ("anti_affinity", "ports", "spread") if rng.random() < 0.3)
    nodes = [random_node(rng, i, frozenset()) for i in range(3)]
    objects = list(nodes)
    for node in nodes:
        node["spec"] = {}
        node["status"]["allocatable"] |= {"cpu": "3", "pods": rng.choice(["2", "3", "3"])}
    templates = [random_template(rng, rules, []) for _ in range(3)]
    for template in templates:
        template["spec"]["containers"][0]["resources"]["requests"] = {"cpu": "1"}
    for i in range(rng.randint(2, 4)):
        pod = made(rng.choice(templates), f"r{i}")
        pod["spec"]["nodeName"] = rng.choice(nodes)["metadata"]["name"]
        settle(rng, pod)
        objects.append(pod)
    for i in range(rng.randint(1, 2)):
        pod = made(rng.choice(templates), f"p{i}")
        requests = {"cpu": rng.choice(["1", "2", "3", "3"])}
        pod["spec"]["containers"][0]["resources"]["requests"] = requests
        objects.append(pod)
    return [*objects, *(budget(rng, i) for i in range(rng.choice([0, 1])))]


def roomy_cluster(rng: random.Random) -> list[Object]:
    """Draw nodes that have room for more than runs on them, so that some could be emptied."""
    rules = frozenset(
        rule
        for rule in ("affinity", "anti_affinity", "ports", "spread", "taints", "node_rules")
        if rng.random() < 0.3
    )
    nodes = [random_node(rng, i, rules) for i in range(rng.choice([2, 3, 3, 4]))]
    objects = list(nodes)
    for node in nodes:
        node["status"]["allocatable"]["pods"] = rng.choice(["3", "5", "9"])
        if rng.random() < 0.8:
            node["spec"] = {}
    templates = [random_template(rng, rules, []) for _ in range(3)]
    for i in range(rng.randint(1, 5)):
        pod = made(rng.choice(templates), f"r{i}")
        pod["spec"]["nodeName"] = rng.choice(nodes)["metadata"]["name"]
        settle(rng, pod)
        if rng.random() < 0.8:
            owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "o", "uid": "o"}
            pod["metadata"]["ownerReferences"] = [owner | {"controller": True}]
        objects.append(pod)
    objects += [made(rng.choice(templates), f"p{i}") for i in range(rng.choice([0, 0, 1, 2]))]
    budgets = [budget(rng, i) for i in range(rng.choice([0, 1, 2]))]
    for each in budgets:
        each["status"]["disruptionsAllowed"] = rng.choice([0, 1, 1, 1, 2])
    return [*objects, *budgets]


def garrisoned_cluster(rng: random.Random) -> list[Object]:
    """Draw nodes that two gangs and a few others fill, and pods for which some would have to go."""
    nodes = [random_node(rng, i, frozenset()) for i in range(3)]
    room = {node["metadata"]["name"]: rng.choice([1, 2, 2, 3]) for node in nodes}
    for node in nodes:
        node["spec"] = {}
        cpu = str(room[node["metadata"]["name"]])
        node["status"]["allocatable"] |= {"cpu": cpu, "pods": rng.choice(["3", "9"])}
    groups = [garrison(rng, name) for name in ("red", "blue")]
    priority = {name: rng.choice([0, 0, 0, 10]) for name in ("red", "blue", "")}
    objects = [*nodes, *groups]
    for i in range(6):
        pod = made(random_template(rng, frozenset(), []), f"r{i}")
        free = sorted(name for name, left in room.items() if left > 0)
        if not free:
            break
        pod["spec"]["nodeName"] = rng.choice(free)
        room[pod["spec"]["nodeName"]] -= 1
        settle(rng, pod)
        enlist(rng, pod, priority)
        objects.append(pod)
    for i in range(rng.randint(1, 2)):
        pod = made(random_template(rng, frozenset(), []), f"p{i}")
        enlist(rng, pod, priority)
        if rng.random() < 0.7:
            pod["spec"].pop("schedulingGroup", None)
        pod["spec"]["priority"] = rng.choice([10, 100, 1000])
        pod["spec"]["containers"][0]["resources"]["requests"] = {"cpu": rng.choice(["1", "2"])}
        objects.append(pod)
    return [*objects, *(budget(rng, i) for i in range(rng.choice([0, 0, 1])))]


def garrison(rng: random.Random, name: str) -> Object:
    """A PodGroup whose members go one by one, or all."""
    spec: Object = {"schedulingPolicy": {"gang": {"minCount": rng.choice([1, 1, 2])}}}
    spec["disruptionMode"] = rng.choice([{"all": {}}, {"all": {}}, {"single": {}}])
    return {
        "apiVersion": "scheduling.k8s.io/v1alpha3",
        "kind": "PodGroup",
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }


def enlist(rng: random.Random, pod: Object, priority: dict[str, int]) -> None:
    """Make a pod a member of a gang or of none, of the priority that they have, mostly."""
    name = rng.choice(["red", "red", "blue", "blue", ""])
    pod["metadata"]["namespace"] = "default"
    pod["spec"]["priority"] = priority[name] if rng.random() < 0.9 else 10
    pod["spec"]["containers"][0]["resources"]["requests"] = {"cpu": "1"}
    if name:
        pod["spec"]["schedulingGroup"] = {"podGroupName": name}
