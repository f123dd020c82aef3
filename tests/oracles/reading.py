"""How the oracles read selectors, tolerations and ports: a second reading, on purpose naive.

Shares the nouns of the snapshot with the scheduler and not one line of its logic.
"""

from batchsched.snapshot.labels import LabelSelector, NodeSelectorTerm, Requirement
from batchsched.snapshot.node import Node, Taint
from batchsched.snapshot.pod import Disk, HostPort, Pod, PodAffinityTerm, Toleration
from batchsched.snapshot.snapshot import Snapshot

WILDCARD = "0.0.0.0"  # noqa: S104 -- Kubernetes' wildcard, not an address that we listen on


def number(text: str) -> int | None:
    """A 64-bit integer as Go parses it, or nothing."""
    if not text.isascii() or not text.removeprefix("-").removeprefix("+").isdigit():
        return None
    if text.startswith("-+"):
        return None
    value = int(text)
    return value if -(2**63) <= value <= 2**63 - 1 else None


def requirement_holds(requirement: Requirement, labels: dict[str, str]) -> bool:
    """One expression over one label."""
    present, value = requirement.key in labels, labels.get(requirement.key, "")
    if requirement.operator == "Exists":
        return present
    if requirement.operator == "DoesNotExist":
        return not present
    if requirement.operator == "In":
        return present and value in requirement.values
    if requirement.operator == "NotIn":
        return not (present and value in requirement.values)
    left, right = number(value), number(requirement.values[0])
    if not present or left is None or right is None:
        return False
    return left > right if requirement.operator == "Gt" else left < right


def selected(selector: LabelSelector | None, labels: dict[str, str]) -> bool:
    """Nil selects nobody, empty everybody."""
    if selector is None:
        return False
    return all(requirement_holds(r, labels) for r in selector.requirements)


def term_holds(term: NodeSelectorTerm, node: Node) -> bool:
    """One node selector term; an empty one holds nowhere."""
    if not term.expressions and not term.fields:
        return False
    return all(requirement_holds(r, dict(node.labels)) for r in term.expressions) and all(
        requirement_holds(r, {"metadata.name": node.name}) for r in term.fields
    )


def terms_hold(terms: tuple[NodeSelectorTerm, ...] | None, node: Node) -> bool:
    """Terms are alternatives; no list is no demand, an empty list cannot be met."""
    return terms is None or any(term_holds(term, node) for term in terms)


def wants_node(pod: Pod, node: Node) -> bool:
    """Node selector and required node affinity."""
    labels = dict(node.labels)
    return all(labels.get(key) == value for key, value in pod.spec.node_selector) and terms_hold(
        pod.spec.node_affinity, node
    )


def tolerates_taint(toleration: Toleration, taint: Taint) -> bool:
    """Whether one toleration covers one taint."""
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    if toleration.operator == "Exists":
        return True
    if toleration.operator in {"", "Equal"}:
        return toleration.value == taint.value
    wanted, actual = number(toleration.value), number(taint.value)
    if wanted is None or actual is None:
        return False
    return actual > wanted if toleration.operator == "Gt" else actual < wanted


def tolerates(pod: Pod, taint: Taint) -> bool:
    """Whether some toleration of the pod covers the taint."""
    return any(tolerates_taint(toleration, taint) for toleration in pod.spec.tolerations)


def kept_off(pod: Pod, node: Node) -> bool:
    """Whether a NoSchedule or NoExecute taint keeps the pod off the node."""
    return any(
        taint.effect in {"NoSchedule", "NoExecute"} and not tolerates(pod, taint)
        for taint in node.taints
    )


def labels_of_namespace(snapshot: Snapshot, namespace: str) -> dict[str, str]:
    """What is known of a namespace, and its name, which every namespace carries."""
    return {"kubernetes.io/metadata.name": namespace} | dict(
        dict(snapshot.namespaces).get(namespace, ())
    )


def term_selects(snapshot: Snapshot, owner: Pod, term: PodAffinityTerm, other: Pod) -> bool:
    """Whether an affinity term of ``owner`` selects ``other``."""
    if not term.namespaces and term.namespace_selector is None:
        inside = other.namespace == owner.namespace
    else:
        inside = other.namespace in term.namespaces or selected(
            term.namespace_selector, labels_of_namespace(snapshot, other.namespace)
        )
    return inside and selected(term.selector, dict(other.labels))


def ports_clash(a: HostPort, b: HostPort) -> bool:
    """Whether two host ports cannot be on one node."""
    same_address = a.ip == b.ip or WILDCARD in {a.ip, b.ip}
    return (a.protocol, a.port) == (b.protocol, b.port) and same_address


def disks_clash(a: Disk, b: Disk) -> bool:
    """Whether two inline disks cannot be on one node."""
    if (a.kind, a.ids) != (b.kind, b.ids):
        return False
    if a.kind == "rbd" and not set(a.monitors) & set(b.monitors):
        return False
    return a.kind == "awsElasticBlockStore" or not (a.read_only and b.read_only)
