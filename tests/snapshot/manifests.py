"""API objects as plain dicts, so that a test writes only the field that it is about."""

import json
import os
from pathlib import Path
from typing import Any

from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.read import read
from batchsched.snapshot.snapshot import Snapshot

SHARED = Path(os.environ.get("BATCHSCHED_SHARED") or Path(__file__).resolve().parents[3] / "shared")
EXPORTS = SHARED / "data" / "exports"


def obj(
    kind: str, name: str, *, api: str = "v1", namespace: str | None = None, **fields: Any
) -> dict[str, Any]:
    """Any object; ``metadata`` of the fields adds to the name."""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    metadata |= fields.pop("metadata", {})
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **fields}


def node(name: str = "n1", **status: Any) -> dict[str, Any]:
    """A node with room."""
    room = {"cpu": "4", "memory": "16Gi", "pods": "110"}
    return obj("Node", name, status={"allocatable": room, **status})


def pod(name: str = "p", **spec: Any) -> dict[str, Any]:
    """A pod of one container; ``metadata`` and ``status`` may be among the fields."""
    extra = {key: spec.pop(key) for key in ("metadata", "status") if key in spec}
    spec.setdefault("containers", [container()])
    return obj("Pod", name, namespace="default", spec=spec, **extra)


def container(name: str = "main", **requests: Any) -> dict[str, Any]:
    """A container; requests by resource."""
    return {"name": name, "resources": {"requests": requests}} if requests else {"name": name}


def snapshot_of(*objects: dict[str, Any], nodes: bool = True) -> Snapshot:
    """Read these objects, and a node unless one is among them."""
    every = list(objects)
    if nodes and not any(entry.get("kind") == "Node" for entry in every):
        every.append(node())
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": every})
    return read([("test.json", text.encode())])


def read_pod(*objects: dict[str, Any], **spec: Any) -> Pod:
    """The first pod of a snapshot of these objects, or of a pod with this spec."""
    every = objects if any(entry["kind"] == "Pod" for entry in objects) else (pod(**spec), *objects)
    return snapshot_of(*every).pods[0]


def read_node(raw: dict[str, Any]) -> Node:
    """The node of a snapshot that holds it alone."""
    return snapshot_of(raw).nodes[0]
