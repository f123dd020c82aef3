"""Nodes and pods as the API server takes them, one at a time or by the thousand.

Unlike the manifests of other tests these must pass the API server's validation. Nodes carry a label
by which they are found and removed again.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from tests.controlplane.api import Api, Object, collection

OF_TESTS = "batchsched.io/of-tests"
READY = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is ready"}


def make_node(
    name: str,
    allocatable: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    **spec: Any,
) -> Object:
    """A ready node of 4 cores, 16 GiB, 110 pods, unless said otherwise; spec as ``taints=[…]``."""
    room = {"cpu": "4", "memory": "16Gi", "pods": "110", **(allocatable or {})}
    metadata = {
        "name": name,
        "labels": {"kubernetes.io/hostname": name, OF_TESTS: "", **(labels or {})},
    }
    status = {"capacity": room, "allocatable": room, "conditions": [READY]}
    return {
        "apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": spec, "status": status,
    }  # fmt: skip


def make_pod(
    name: str,
    requests: Mapping[str, str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    **spec: Any,
) -> Object:
    """A pod of one container, for whichever scheduler ``schedulerName`` says."""
    # Extended resources must be limited to what they request; and no less is needed for the others.
    asked = dict(requests or {})
    container = {"name": "main", "image": "none", "resources": {"requests": asked, "limits": asked}}
    whole = {"containers": [container], "terminationGracePeriodSeconds": 1, **spec}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, **(metadata or {})},
        "spec": whole,
    }


def create_nodes(api: Api, nodes: Iterable[Object]) -> list[Object]:
    """Create many nodes; the answers come in order."""
    return api.each(lambda node: api.create(collection("nodes"), node), nodes)


def create_pods(api: Api, namespace: str, pods: Iterable[Object]) -> list[Object]:
    """Create many pods in a namespace; the answers come in order."""
    return api.each(lambda pod: api.create(collection("pods", namespace), pod), pods)
