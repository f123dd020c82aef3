"""Small builders of nouns, so that a test of a rule says only what it is about.

Amounts are in the units of the nouns: cpu in milli-cores, all else in units or bytes.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod, PodSpec
from batchsched.snapshot.snapshot import Snapshot

HOSTNAME = "kubernetes.io/hostname"


def make_node(
    name: str = "n1",
    *,
    labels: Mapping[str, str] | None = None,
    allocatable: Mapping[str, int] | None = None,
    **fields: Any,  # noqa: ANN401 -- any field of Node
) -> Node:
    """A node with its hostname label, 4 cores (in milli-cores), 16 GiB and room for 110 pods.

    Args:
        name: Its name.
        labels: More labels.
        allocatable: Resource to amount, in place of those above where named.
        **fields: Other fields of ``Node``.
    """
    room = {"cpu": 4000, "memory": 16 * 1024**3, "pods": 110, **(allocatable or {})}
    return Node(
        name=name,
        uid=f"uid-{name}",
        labels=tuple(sorted({HOSTNAME: name, **(labels or {})}.items())),
        allocatable=tuple(sorted(room.items())),
        **fields,
    )


def make_pod(
    name: str = "p1",
    *,
    namespace: str = "default",
    labels: Mapping[str, str] | None = None,
    requests: Mapping[str, int] | None = None,
    node: str | None = None,
    pod: Mapping[str, Any] | None = None,
    **spec: Any,  # noqa: ANN401 -- any field of PodSpec
) -> Pod:
    """A pending pod, or a running one where ``node`` is given.

    Args:
        name: Its name.
        namespace: Its namespace.
        labels: Its labels.
        requests: Resource to amount; cpu in milli-cores, all else in units or bytes.
        node: Where it runs.
        pod: Other fields of ``Pod``.
        **spec: Other fields of ``PodSpec``.
    """
    amounts = tuple(sorted((requests or {}).items()))
    fields: dict[str, Any] = {"phase": "Running" if node else "Pending", **(pod or {})}
    return Pod(
        namespace=namespace,
        name=name,
        uid=f"uid-{namespace}-{name}",
        labels=tuple(sorted((labels or {}).items())),
        spec=PodSpec(requests=amounts, **spec),
        node=node,
        requests=amounts,
        **fields,
    )


def snapshot_of(
    *objects: Node | Pod,
    groups: Mapping[PodGroup, Iterable[Pod]] | None = None,
    **fields: Any,  # noqa: ANN401 -- any field of Snapshot
) -> Snapshot:
    """A snapshot of nodes and pods, in any order.

    Args:
        *objects: Nodes and pods.
        groups: Each pod group with its members.
        **fields: Other fields of ``Snapshot``.
    """
    ordered = sorted(groups or {}, key=lambda group: group.key)
    members = {
        pod.key: ordered.index(group) for group, pods in (groups or {}).items() for pod in pods
    }
    return Snapshot(
        nodes=tuple(sorted((o for o in objects if isinstance(o, Node)), key=lambda n: n.name)),
        pods=tuple(sorted((o for o in objects if isinstance(o, Pod)), key=lambda p: p.key)),
        groups=tuple(ordered),
        group_of=tuple(sorted(members.items())),
        **fields,
    )
