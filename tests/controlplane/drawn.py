"""Small random clusters that an API server accepts: nodes, pods on them, and pods that wait.

Tight on purpose: few shapes, few labels, so that every filter refuses something and few refuse all.
"""

from random import Random
from typing import NamedTuple

from tests.controlplane.api import Object
from tests.controlplane.objects import make_node, make_pod

ZONE, HOSTNAME = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
APPS = ("web", "db", "cache")
GPU = "example.com/gpu"


class Drawn(NamedTuple):
    """A cluster, as manifests."""

    nodes: list[Object]
    running: list[Object]
    """With their nodes."""
    waiting: list[Object]


def draw(seed: int) -> Drawn:
    """Draw a cluster of three to six nodes."""
    random = Random(f"cluster {seed}")
    nodes = [_node(random, f"n{number}") for number in range(random.randint(3, 6))]
    names = [node["metadata"]["name"] for node in nodes]
    running = [_pod(random, f"run-{number}", nodeName=random.choice(names)) for number in range(8)]
    return Drawn(nodes, running, [_pod(random, f"new-{number}") for number in range(6)])


def _node(random: Random, name: str) -> Object:
    room = {
        "cpu": random.choice(["2", "4", "3500m"]),
        "memory": random.choice(["4Gi", "8Gi"]),
        "pods": random.choice(["3", "110"]),
    }
    if random.random() < 0.5:
        room[GPU] = str(random.randint(1, 4))
    labels = {"disk": random.choice(["ssd", "hdd"]), "gen": str(random.randint(1, 3))}
    if random.random() < 0.9:
        labels[ZONE] = random.choice("ab")
    taints = [{"key": "pool", "value": random.choice("xy"), "effect": "NoSchedule"}]
    spec: Object = {"taints": taints} if random.random() < 0.3 else {}
    return make_node(name, room, labels, **spec, unschedulable=random.random() < 0.1)


def _pod(random: Random, name: str, **spec: object) -> Object:
    requests = {"cpu": random.choice(["100m", "500m", "1", "1500m"])}
    if random.random() < 0.5:
        requests["memory"] = random.choice(["512Mi", "1Gi", "3G"])
    if random.random() < 0.2:
        requests[GPU] = str(random.randint(1, 2))
    asked: Object = {}
    for rule in (_on_nodes, _tolerating, _spread, _near, _apart):
        if random.random() < 0.3:
            _merge(asked, rule(random))
    pod = make_pod(name, requests, {"labels": {"app": random.choice(APPS)}}, **asked, **spec)
    if random.random() < 0.2:
        port = {"containerPort": 80, "hostPort": random.choice([8080, 9090])}
        pod["spec"]["containers"][0]["ports"] = [port]
    return pod


def _merge(into: Object, more: Object) -> None:
    """Affinities of several kinds stand beside each other."""
    for key, value in more.items():
        into[key] = {**into.get(key, {}), **value} if isinstance(value, dict) else value


def _on_nodes(random: Random) -> Object:
    if random.random() < 0.5:
        return {"nodeSelector": {"disk": random.choice(["ssd", "hdd"])}}
    newer = {"key": "gen", "operator": random.choice(["Gt", "Lt"]), "values": ["2"]}
    other = {"key": ZONE, "operator": random.choice(["Exists", "DoesNotExist"])}
    terms = [{"matchExpressions": [random.choice([newer, other])]}]
    wanted = {"nodeSelectorTerms": terms}
    return {
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": wanted}}
    }


def _tolerating(random: Random) -> Object:
    return {"tolerations": [{"key": "pool", "value": random.choice("xy"), "effect": ""}]}


def _spread(random: Random) -> Object:
    rule = {
        "maxSkew": random.randint(1, 2),
        "topologyKey": random.choice([ZONE, HOSTNAME]),
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": _of_app(random),
    }
    return {"topologySpreadConstraints": [rule]}


def _near(random: Random) -> Object:
    return {"affinity": {"podAffinity": _required(random)}}


def _apart(random: Random) -> Object:
    return {"affinity": {"podAntiAffinity": _required(random)}}


def _required(random: Random) -> Object:
    term = {"topologyKey": random.choice([ZONE, HOSTNAME]), "labelSelector": _of_app(random)}
    return {"requiredDuringSchedulingIgnoredDuringExecution": [term]}


def _of_app(random: Random) -> Object:
    return {"matchLabels": {"app": random.choice(APPS)}}
