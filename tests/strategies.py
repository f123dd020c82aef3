"""Whole random clusters, as the Kubernetes objects that an API server would serve.

``random_cluster`` draws a cluster that uses every rule together from a seeded generator;
``clusters`` is the same for Hypothesis. Small on purpose: what can go wrong between rules goes
wrong on six nodes. Pods are drawn from a few templates, so that there are classes to count.
"""

import json
import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from batchsched.snapshot.read import read
from batchsched.snapshot.snapshot import Snapshot
from tests.random_gangs import join_gangs
from tests.random_storage import random_storage

Object = dict[str, Any]
ZONE, HOSTNAME, RACK = "topology.kubernetes.io/zone", "kubernetes.io/hostname", "example.com/rack"
GPU = "example.com/gpu"
NAMESPACES = ("blue", "green", "red")
APPS = ("api", "batch", "cache")


@dataclass(frozen=True)
class Size:
    """How large a cluster may be."""

    nodes_max: int = 6
    pending_max: int = 10
    running_max: int = 12


def random_cluster(rng: random.Random, size: Size = Size()) -> list[Object]:
    """Draw one cluster.

    Args:
        rng: Where the draws come from; the same state gives the same cluster.
        size: How large it may be.
    """
    rules = frozenset(rule for rule in RULES if rng.random() < (0.15 if rule == "devices" else 0.4))
    nodes = [random_node(rng, i, rules) for i in range(rng.randint(1, size.nodes_max))]
    names = [node["metadata"]["name"] for node in nodes]
    storage = random_storage(rng, names) if "storage" in rules else []
    storage += device_claims(rng) if "devices" in rules else []
    claims = [o for o in storage if o["kind"] == "PersistentVolumeClaim"]
    templates = [random_template(rng, rules, claims) for _ in range(rng.randint(1, 4))]
    running = [
        running_pod(rng, f"r{i:02}", rng.choice(templates), rng.choice([*names, *names, "gone"]))
        for i in range(rng.randint(0, rng.choice([2, 5, size.running_max])))
    ]
    waiting = [
        made(rng.choice(templates), f"p{i:02}") for i in range(rng.randint(0, size.pending_max))
    ]
    groups = join_gangs(rng, rules, [*waiting, *rng.sample(running, len(running) // 3)])
    spaces = [namespace(name, rng) for name in NAMESPACES if rng.random() < 0.8]
    return [*spaces, *nodes, *storage, *groups, *running, *waiting]


def snapshot_of(objects: Iterable[Object]) -> Snapshot:
    """Read objects as the scheduler would."""
    return read([("cluster.json", json.dumps({"kind": "List", "items": [*objects]}).encode())])


def clusters(size: Size = Size()) -> st.SearchStrategy[list[Object]]:
    """Whole clusters, for Hypothesis."""
    return st.randoms(use_true_random=False).map(lambda rng: random_cluster(rng, size))


def namespace(name: str, rng: random.Random) -> Object:
    labels = {"team": rng.choice(["x", "y"])}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def random_node(rng: random.Random, i: int, rules: frozenset[str]) -> Object:
    """A node of 2 to 8 cores, in one of three zones or in none."""
    name = f"n{i}"
    labels = {HOSTNAME: name, "disk": rng.choice(["ssd", "hdd"]), "gen": str(rng.randint(1, 3))}
    if rng.random() < 0.05:
        del labels[HOSTNAME]
    if rng.random() < 0.9:
        labels[ZONE] = rng.choice(["z1", "z2", "z3"])
    if rng.random() < 0.7:
        labels[RACK] = rng.choice(["k1", "k2"])
    allocatable = {
        "cpu": rng.choice(["2", "4", "5500m", "8"]),
        "memory": rng.choice(["4Gi", "8Gi", "6000Mi"]),
        "pods": str(rng.choice([3, 6, 20, 110])),
    }
    if "extended" in rules and rng.random() < 0.6:
        allocatable[GPU] = str(rng.choice([1, 2, 4, 8]))
    spec: Object = {}
    if "taints" in rules and rng.random() < 0.5:
        effects = ["NoSchedule", "NoExecute", "PreferNoSchedule", "PreferNoSchedule"]
        spec["taints"] = [
            {"key": rng.choice(["dedicated", "spot"]), "value": "v", "effect": rng.choice(effects)}
        ]
    if rng.random() < 0.06:
        spec["unschedulable"] = True
    images = [{"names": ["registry.example/app:v1"], "sizeBytes": rng.choice([1, 4]) * 10**9}]
    status = {"allocatable": allocatable, "images": images if rng.random() < 0.3 else []}
    metadata = {"name": name, "labels": labels}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": metadata,
        "spec": spec,
        "status": status,
    }


def random_template(rng: random.Random, rules: frozenset[str], claims: list[Object]) -> Object:
    """A pod without a name: requests, labels, and some of the rules in play."""
    requests: Object = {"cpu": rng.choice(["500m", "1", "1500m", "2"])}
    if rng.random() < 0.7:
        requests["memory"] = rng.choice(["256Mi", "1Gi", "2Gi"])
    if rng.random() < 0.08:
        requests = {}
    if "extended" in rules and rng.random() < 0.6:
        requests[GPU] = str(rng.choice([1, 2, 4]))
    container: Object = {"name": "main", "resources": {"requests": requests}}
    container["image"] = rng.choice(["registry.example/app:v1", "registry.example/other"])
    spec: Object = {"containers": [container], "priority": rng.choice([0, 0, 0, 100, 1000])}
    if rng.random() < 0.1:
        spec["initContainers"] = [random_init_container(rng)]
    if rng.random() < 0.1:
        spec["overhead"] = {"cpu": "250m"}
    labels = {"app": rng.choice(APPS), "tier": rng.choice(["front", "back"])}
    pod: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": rng.choice(NAMESPACES), "labels": labels},
        "spec": spec,
        "status": {"phase": "Pending"},
    }
    for rule in sorted(rules & RULES.keys()):
        if rng.random() < 0.55:
            RULES[rule](rng, pod)
    own = [c for c in claims if c["metadata"]["namespace"] == pod["metadata"]["namespace"]]
    if own and rng.random() < 0.7:
        name = rng.choice(own)["metadata"]["name"]
        spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": name}}]
    return pod


def random_init_container(rng: random.Random) -> Object:
    """One that ends, or a sidecar."""
    found: Object = {"name": "first", "resources": {"requests": {"cpu": rng.choice(["1", "2"])}}}
    return found | ({"restartPolicy": "Always"} if rng.random() < 0.5 else {})


def made(template: Object, name: str) -> Object:
    """A pod from a template."""
    pod: Object = json.loads(json.dumps(template))
    namespace = pod["metadata"]["namespace"]
    pod["metadata"] |= {"name": name, "uid": f"{namespace}-{name}"}
    return pod


def running_pod(rng: random.Random, name: str, template: Object, node: str) -> Object:
    """A pod that has a place: running mostly, else terminating, ended or only nominated."""
    pod = made(template, name)
    pod["spec"]["nodeName"] = node
    pod["status"]["phase"] = rng.choice(["Running"] * 6 + ["Succeeded", "Failed", "Pending"])
    if rng.random() < 0.12:
        pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return pod


def any_selector(rng: random.Random) -> Object:
    """A label selector over the labels that pods have; sometimes empty."""
    draw = rng.random()
    if draw < 0.06:
        return {}
    if draw < 0.7:
        return {"matchLabels": {"app": rng.choice(APPS)}}
    operator = rng.choice(["In", "NotIn", "Exists", "DoesNotExist"])
    values = {"values": ["front"]} if operator in {"In", "NotIn"} else {}
    return {"matchExpressions": [{"key": "tier", "operator": operator, **values}]}


def any_term(rng: random.Random) -> Object:
    """A pod affinity term."""
    term: Object = {"topologyKey": rng.choice([HOSTNAME, ZONE, RACK])}
    if rng.random() < 0.96:
        term["labelSelector"] = any_selector(rng)
        if rng.random() < 0.15:
            term[rng.choice(["matchLabelKeys", "mismatchLabelKeys"])] = ["tier"]
    draw = rng.random()
    if draw < 0.15:
        term["namespaces"] = rng.sample(NAMESPACES, rng.randint(1, 2))
    elif draw < 0.25:
        term["namespaceSelector"] = {}
    elif draw < 0.4:
        term["namespaceSelector"] = {"matchLabels": {"team": rng.choice(["x", "y"])}}
    return term


def any_node_term(rng: random.Random) -> Object:
    """A node selector term."""
    operator = rng.choice(["In", "NotIn", "Exists", "Gt", "Lt"])
    if operator in {"Gt", "Lt"}:
        return {"matchExpressions": [{"key": "gen", "operator": operator, "values": ["2"]}]}
    values = {} if operator == "Exists" else {"values": rng.choice([["z1"], ["z1", "z2"]])}
    return {"matchExpressions": [{"key": ZONE, "operator": operator, **values}]}


def use_ports(rng: random.Random, pod: Object) -> None:
    port: Object = {"containerPort": 80, "hostPort": rng.choice([8080, 9090])}
    if rng.random() < 0.5:
        port["hostIP"] = rng.choice(["10.0.0.1", "10.0.0.2", "0.0.0.0"])  # noqa: S104 -- wildcard
    if rng.random() < 0.3:
        port["protocol"] = "UDP"
    pod["spec"]["containers"][0]["ports"] = [port]


def use_disks(rng: random.Random, pod: Object) -> None:
    disk = rng.choice(
        [
            {"gcePersistentDisk": {"pdName": "d1", "readOnly": rng.random() < 0.5}},
            {"awsElasticBlockStore": {"volumeID": "v1", "readOnly": True}},
            {
                "rbd": {
                    "monitors": rng.sample(["m1", "m2", "m3"], 2),
                    "image": "i1",
                    "readOnly": rng.random() < 0.5,
                }
            },
        ]
    )
    pod["spec"].setdefault("volumes", []).append({"name": "disk", **disk})


def use_tolerations(rng: random.Random, pod: Object) -> None:
    pod["spec"]["tolerations"] = [
        rng.choice(
            [
                {"operator": "Exists"},
                {"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"},
                {"key": "spot", "operator": "Equal", "value": "v"},
            ]
        )
    ]


def affinity_of(pod: Object) -> Object:
    found: Object = pod["spec"].setdefault("affinity", {})
    return found


def use_node_affinity(rng: random.Random, pod: Object) -> None:
    if rng.random() < 0.3:
        pod["spec"]["nodeSelector"] = {"disk": "ssd"}
    rules: Object = {}
    if rng.random() < 0.6:
        terms = [any_node_term(rng) for _ in range(rng.randint(1, 2))]
        rules["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": terms}
    if rng.random() < 0.6:
        rules["preferredDuringSchedulingIgnoredDuringExecution"] = [
            {"weight": rng.randint(1, 10), "preference": any_node_term(rng)}
        ]
    affinity_of(pod)["nodeAffinity"] = rules


def use_pod_rules(rng: random.Random, pod: Object, kind: str) -> None:
    rules: Object = {}
    if rng.random() < 0.7:
        terms = [any_term(rng) for _ in range(rng.choice([1, 1, 1, 2]))]
        rules["requiredDuringSchedulingIgnoredDuringExecution"] = terms
    if rng.random() < 0.4:
        rules["preferredDuringSchedulingIgnoredDuringExecution"] = [
            {"weight": rng.randint(1, 10), "podAffinityTerm": any_term(rng)}
        ]
    affinity_of(pod)[kind] = rules


def use_affinity(rng: random.Random, pod: Object) -> None:
    use_pod_rules(rng, pod, "podAffinity")


def use_anti_affinity(rng: random.Random, pod: Object) -> None:
    use_pod_rules(rng, pod, "podAntiAffinity")


def use_spread(rng: random.Random, pod: Object) -> None:
    constraints = []
    for key in rng.sample([HOSTNAME, ZONE, RACK], rng.choice([1, 1, 2])):
        hard = rng.random() < 0.7
        constraint: Object = {
            "topologyKey": key,
            "maxSkew": rng.randint(1, 2),
            "whenUnsatisfiable": "DoNotSchedule" if hard else "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"app": pod["metadata"]["labels"]["app"]}},
        }
        if rng.random() < 0.4:
            constraint["labelSelector"] = any_selector(rng)
        elif rng.random() < 0.2:
            constraint["matchLabelKeys"] = ["tier"]
        if hard and rng.random() < 0.3:
            constraint["minDomains"] = rng.randint(1, 4)
        if rng.random() < 0.3:
            constraint["nodeAffinityPolicy"] = rng.choice(["Honor", "Ignore"])
        if rng.random() < 0.4:
            constraint["nodeTaintsPolicy"] = rng.choice(["Honor", "Ignore"])
        constraints.append(constraint)
    pod["spec"]["topologySpreadConstraints"] = constraints


def use_devices(rng: random.Random, pod: Object) -> None:
    claim = rng.choice(["claim-z1", "claim-z1", "claim-none"])
    pod["spec"]["resourceClaims"] = [{"name": "device", "resourceClaimName": claim}]


def device_claims(rng: random.Random) -> list[Object]:
    """In every namespace a claim for devices that is allocated in one zone, and one that is not."""
    terms = [{"matchExpressions": [{"key": ZONE, "operator": "In", "values": ["z1"]}]}]
    statuses: dict[str, Object] = {
        "claim-z1": {"allocation": {"nodeSelector": {"nodeSelectorTerms": terms}}},
        "claim-none": {},
    }
    return [
        {
            "apiVersion": "resource.k8s.io/v1",
            "kind": "ResourceClaim",
            "metadata": {"namespace": space, "name": name},
            "spec": {},
            "status": status,
        }
        for space in NAMESPACES
        for name, status in statuses.items()
        if rng.random() < 0.9
    ]


RULES = {
    "affinity": use_affinity,
    "anti_affinity": use_anti_affinity,
    "devices": use_devices,
    "disks": use_disks,
    "extended": lambda _rng, _pod: None,
    "gangs": lambda _rng, _pod: None,
    "node_affinity": use_node_affinity,
    "ports": use_ports,
    "spread": use_spread,
    "storage": lambda _rng, _pod: None,
    "taints": use_tolerations,
}
