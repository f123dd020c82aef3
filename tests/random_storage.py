"""Random claims, volumes and classes for whole random clusters (tests/strategies.py)."""

import random
from typing import Any

Object = dict[str, Any]
NAMESPACES = ("blue", "green", "red")
DRIVER = "csi.example.com"
HOSTNAME, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"


def random_storage(rng: random.Random, nodes: list[str]) -> list[Object]:
    """Local and provisioned classes, a few volumes and claims, attach limits on some nodes."""
    found = [
        storage_class("local", "kubernetes.io/no-provisioner"),
        storage_class("cloud", DRIVER, zones=["z1", "z2"] if rng.random() < 0.5 else None),
    ]
    found += [csi_node(name, rng.randint(1, 3)) for name in nodes if rng.random() < 0.6]
    for i in range(rng.randint(0, 3)):
        found.append(volume(f"local-{i}", "local", rng.choice([5, 10]), rng.choice(nodes)))
    for i in range(rng.randint(1, 4)):
        space, name = rng.choice(NAMESPACES), f"claim-{i}"
        modes = [rng.choice(["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"])]
        draw = rng.random()
        if draw < 0.35:
            found.append(claim(space, name, "local", modes, rng.choice([5, 10])))
        elif draw < 0.6:
            found.append(claim(space, name, "cloud", modes, 5))
        else:
            found.append(claim(space, name, "cloud", modes, 5, volume_name=f"cloud-{i}"))
            found.append(bound_volume(rng, f"cloud-{i}", space, name, modes))
    return found


def storage_class(name: str, provisioner: str, zones: list[str] | None = None) -> Object:
    """A class that waits for its first consumer."""
    found: Object = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": provisioner,
        "volumeBindingMode": "WaitForFirstConsumer",
    }
    if zones:
        expressions = [{"key": ZONE, "values": zones}]
        found["allowedTopologies"] = [{"matchLabelExpressions": expressions}]
    return found


def csi_node(name: str, limit: int) -> Object:
    """How many volumes the driver can attach to a node."""
    drivers = [{"name": DRIVER, "nodeID": name, "allocatable": {"count": limit}}]
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "CSINode",
        "metadata": {"name": name},
        "spec": {"drivers": drivers},
    }


def at_node(key: str, value: str) -> Object:
    """Node affinity of a volume."""
    expression = {"key": key, "operator": "In", "values": [value]}
    return {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}


def volume(name: str, storage_class: str, size: int, node: str) -> Object:
    """A local volume that waits for a claim."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "storageClassName": storage_class,
            "capacity": {"storage": f"{size}Gi"},
            "accessModes": ["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"],
            "local": {"path": f"/mnt/{name}"},
            "nodeAffinity": at_node(HOSTNAME, node),
        },
        "status": {"phase": "Available"},
    }


def bound_volume(
    rng: random.Random, name: str, space: str, claim_name: str, modes: list[str]
) -> Object:
    """A CSI volume that has its claim; in one zone, or anywhere."""
    spec: Object = {
        "storageClassName": "cloud",
        "capacity": {"storage": "5Gi"},
        "accessModes": modes,
        "csi": {"driver": DRIVER, "volumeHandle": name},
        "claimRef": {"namespace": space, "name": claim_name, "uid": f"{space}-{claim_name}"},
    }
    if rng.random() < 0.5:
        spec["nodeAffinity"] = at_node(ZONE, rng.choice(["z1", "z2"]))
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "labels": {ZONE: "z1"} if rng.random() < 0.2 else {}},
        "spec": spec,
        "status": {"phase": "Bound"},
    }


def claim(
    space: str,
    name: str,
    storage_class: str,
    modes: list[str],
    size: int,
    volume_name: str | None = None,
) -> Object:
    """A claim; bound where a volume is named."""
    spec: Object = {
        "storageClassName": storage_class,
        "accessModes": modes,
        "resources": {"requests": {"storage": f"{size}Gi"}},
    }
    metadata: Object = {"namespace": space, "name": name, "uid": f"{space}-{name}"}
    if volume_name:
        spec["volumeName"] = volume_name
        metadata["annotations"] = {"pv.kubernetes.io/bind-completed": "yes"}
    status = {"phase": "Bound" if volume_name else "Pending"}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": spec,
        "status": status,
    }
