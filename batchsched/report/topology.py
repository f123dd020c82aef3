"""Where a node stands: its pool, and its domain, as its labels say.

No label is right everywhere, so the well-known ones are tried in order. What gangs ask to share
goes first: that is the key that whoever reads the map wants to see.
"""

from collections import Counter
from collections.abc import Sequence

from batchsched.snapshot.node import Node
from batchsched.snapshot.snapshot import Snapshot

HOSTNAME = "kubernetes.io/hostname"
POOLS = (
    "karpenter.sh/nodepool",
    "cloud.google.com/gke-nodepool",
    "eks.amazonaws.com/nodegroup",
    "alpha.eksctl.io/nodegroup-name",
    "kubernetes.azure.com/agentpool",
    "kops.k8s.io/instancegroup",
    "node-pool",
    "nodepool",
    "pool",
    "node.kubernetes.io/instance-type",
)
RACKS = ("rack", "block", "superpod", "pod", "row")
"""Last parts of label keys (topology.example.com/rack) that name a domain smaller than a zone."""
ZONES = ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone")


def places(snapshot: Snapshot) -> list[tuple[str, str]]:
    """Pool and domain of each node, in the order of the snapshot; empty where nothing says."""
    key = domain_key(snapshot)
    return [place(node, key) for node in snapshot.nodes]


def place(node: Node, key: str | None) -> tuple[str, str]:
    """Pool and domain of one node, the domain with the name of its key: ``rack a``."""
    labels = dict(node.labels)
    pool = next((labels[name] for name in POOLS if name in labels), "")
    domain = f"{_short(key)} {labels[key]}" if key is not None and key in labels else ""
    return pool, domain


def domain_key(snapshot: Snapshot) -> str | None:
    """The label by which nodes are told apart: what gangs ask for, else racks, else zones."""
    there = Counter(key for node in snapshot.nodes for key, _ in node.labels)
    asked = Counter(group.required_topology for group in snapshot.groups)
    wanted = sorted(
        (-count, key)
        for key, count in asked.items()
        if key is not None and key in there and key != HOSTNAME
    )
    if wanted:
        return wanted[0][1]
    return next(iter([*_ending(sorted(there)), *(key for key in ZONES if key in there)]), None)


def _ending(keys: Sequence[str]) -> list[str]:
    """Keys that name racks and their like, the first kind first."""
    return [key for word in RACKS for key in keys if _short(key) == word]


def _short(key: str) -> str:
    return key.rpartition("/")[2]
