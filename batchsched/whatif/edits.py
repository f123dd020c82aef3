"""Edits: a snapshot and a change in, the changed snapshot out, with what that does to pods.

Each says what the cluster's own controllers would do: a pod whose node goes comes back as a pending
one if a controller owns it, else it is lost. Knows nothing of solving.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from batchsched.snapshot.errors import InputError
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.quantities import AMOUNT_MAX, QuantityError, amount, nano
from batchsched.snapshot.snapshot import Snapshot, pending

HOSTNAME = "kubernetes.io/hostname"
COPIES_MAX, PODS_MAX = 10_000, 100_000
"""Of one node, and of the pods of one workload: above that it is a slip of the keyboard."""


@dataclass(frozen=True, slots=True)
class Edited:
    """A changed snapshot, in words what was done, and what became of pods that lost their node."""

    snapshot: Snapshot
    said: tuple[str, ...] = ()
    returning: tuple[Pod, ...] = ()
    """Their controller makes them anew: pending in ``snapshot``."""
    lost: tuple[Pod, ...] = ()
    """Nobody does."""


def node_named(snapshot: Snapshot, name: str, option: str) -> Node:
    """The node of that name.

    Raises:
        InputError: There is none.
    """
    found = [node for node in snapshot.nodes if node.name == name]
    if not found:
        raise InputError(f"the snapshot has no node {name!r}", source=option)
    return found[0]


def copies(pattern: Node, count: int, taken: frozenset[str]) -> tuple[Node, ...]:
    """Fresh nodes like one: names and hostname labels that nobody has, and no uid."""
    made: list[Node] = []
    number = 0
    while len(made) < count:
        number += 1
        name = f"{pattern.name}-new-{number:04}"
        if name not in taken:
            labels = tuple(sorted((dict(pattern.labels) | {HOSTNAME: name}).items()))
            made.append(replace(pattern, name=name, uid="", labels=labels, unschedulable=False))
    return tuple(made)


def with_nodes(snapshot: Snapshot, nodes: tuple[Node, ...]) -> Snapshot:
    """The snapshot with more nodes, in order."""
    return replace(
        snapshot, nodes=tuple(sorted((*snapshot.nodes, *nodes), key=lambda node: node.name))
    )


def add_nodes(edited: Edited, pattern: Node, count: int) -> Edited:
    """Add empty nodes like one."""
    if not 1 <= count <= COPIES_MAX:
        raise InputError(f"{count} nodes; give 1 to {COPIES_MAX:,}", source="--add-nodes")
    taken = frozenset(node.name for node in edited.snapshot.nodes)
    made = copies(pattern, count, taken)
    said = f"add {count} × {pattern.name}"
    return _with(edited, with_nodes(edited.snapshot, made), said)


def remove_node(edited: Edited, name: str) -> Edited:
    """Take a node away. What runs there comes back as pending, or is lost."""
    snapshot = edited.snapshot
    node_named(snapshot, name, "--remove-node")
    here = [pod for pod in snapshot.pods if pod.node == name]
    alive = [pod for pod in here if not pod.terminal and not pod.deleting and not of_node(pod)]
    returning = {pod.key: anew(pod) for pod in alive if pod.owner is not None}
    lost = tuple(pod for pod in alive if pod.owner is None)
    pods = tuple(
        returning.get(pod.key, pod)
        for pod in snapshot.pods
        if pod.node != name or pod.key in returning
    )
    nodes = tuple(node for node in snapshot.nodes if node.name != name)
    if not nodes:
        raise InputError("no node would be left", source="--remove-node")
    changed = _with(edited, _known(replace(snapshot, nodes=nodes, pods=pods)), f"remove {name}")
    return replace(
        changed,
        returning=(*edited.returning, *returning.values()),
        lost=(*edited.lost, *lost),
    )


def cordon(edited: Edited, name: str) -> Edited:
    """Let nobody new on a node; who runs there stays."""
    node = node_named(edited.snapshot, name, "--cordon")
    nodes = tuple(
        replace(each, unschedulable=True) if each is node else each
        for each in edited.snapshot.nodes
    )
    return _with(edited, replace(edited.snapshot, nodes=nodes), f"cordon {name}")


def set_requests(edited: Edited, workload: str, requests: Mapping[str, int]) -> Edited:
    """Have the pending pods of a workload ask for other amounts; resources not named stay."""

    def change(pod: Pod) -> Pod:
        amounts = {**dict(pod.spec.requests), **requests}
        wanted = tuple(sorted((name, amount) for name, amount in amounts.items() if amount))
        return replace(pod, spec=replace(pod.spec, requests=wanted), requests=wanted)

    asked = ", ".join(f"{name} {amount}" for name, amount in sorted(requests.items()))
    said = f"let {workload} ask for {asked}"
    return _with(edited, _changed(edited.snapshot, workload, change, "--set-requests"), said)


def set_priority(edited: Edited, workload: str, priority: int) -> Edited:
    """Give the pending pods of a workload another priority."""

    def change(pod: Pod) -> Pod:
        return replace(pod, spec=replace(pod.spec, priority=priority))

    said = f"give {workload} priority {priority}"
    return _with(edited, _changed(edited.snapshot, workload, change, "--priority"), said)


def scale(edited: Edited, workload: str, count: int) -> Edited:
    """Have so many pending pods of a workload: the last ones go, or copies of the last one come."""
    if not 0 <= count <= PODS_MAX:
        raise InputError(f"{count} pods; give 0 to {PODS_MAX:,}", source="--scale")
    snapshot = edited.snapshot
    own = waiting_of(snapshot, workload, "--scale")
    gone = {pod.key for pod in own[count:]}
    taken = {pod.key for pod in snapshot.pods}
    names = (f"{own[-1].name}-new-{number:04}" for number in range(1, count + len(taken) + 1))
    free = (name for name in names if (own[-1].namespace, name) not in taken)
    more = [
        replace(own[-1], name=name, uid="")
        for name, _ in zip(free, range(count - len(own)), strict=False)
    ]
    pods = tuple(
        sorted((*(p for p in snapshot.pods if p.key not in gone), *more), key=lambda p: p.key)
    )
    group = dict(snapshot.group_of).get(own[-1].key)
    members = () if group is None else tuple((pod.key, group) for pod in more)
    group_of = tuple(sorted((*snapshot.group_of, *members)))
    changed = _known(replace(snapshot, pods=pods, group_of=group_of))
    return _with(edited, changed, f"scale {workload} from {len(own)} pending to {count}")


def amounts(text: str) -> dict[str, int]:
    """Amounts as a scheduler counts them, of ``cpu=500m,memory=1Gi``.

    Raises:
        InputError: A part is not ``RESOURCE=QUANTITY``, or is negative.
    """
    found = {}
    for part in text.split(","):
        resource, _, quantity = part.partition("=")
        if not resource or not quantity:
            raise InputError(
                f"is {text!r}; write WORKLOAD:cpu=500m,memory=1Gi", source="--set-requests"
            )
        try:
            value = nano(quantity)
        except QuantityError as error:
            raise InputError(str(error), source="--set-requests", field=resource) from None
        if value < 0:
            raise InputError("must not be negative", source="--set-requests", field=resource)
        found[resource] = min(amount(resource, value), AMOUNT_MAX)
    return found


def waiting_of(snapshot: Snapshot, workload: str, option: str) -> tuple[Pod, ...]:
    """The pending pods of a workload, by key.

    Args:
        snapshot: The cluster.
        workload: ``[NAMESPACE/]NAME``: of what owns the pods, of a ReplicaSet's Deployment, of
            their pod group, or of one pod.
        option: Who asks, for the refusal.

    Raises:
        InputError: It has none.
    """
    namespace, _, name = workload.rpartition("/")
    groups = dict(snapshot.group_of)
    found = []
    for pod in pending(snapshot).pods:
        index = groups.get(pod.key)
        names = {pod.name} if index is None else {pod.name, snapshot.groups[index].name}
        if pod.owner is not None:
            names.add(pod.owner.name)
            if pod.owner.kind == "ReplicaSet":
                names.add(pod.owner.name.rpartition("-")[0])
        if name in names and namespace in {"", pod.namespace}:
            found.append(pod)
    if not found:
        raise InputError(f"no pending pod belongs to {workload!r}", source=option)
    return tuple(found)


def settled(snapshot: Snapshot, places: Mapping[tuple[str, str], str]) -> Snapshot:
    """The snapshot in which pods run where they were placed."""
    pods = tuple(
        replace(pod, node=places[pod.key], phase="Running", requests=pod.spec.requests)
        if pod.key in places
        else pod
        for pod in snapshot.pods
    )
    return replace(snapshot, pods=pods)


def _changed(
    snapshot: Snapshot, workload: str, change: Callable[[Pod], Pod], option: str
) -> Snapshot:
    own = {pod.key for pod in waiting_of(snapshot, workload, option)}
    pods = tuple(change(pod) if pod.key in own else pod for pod in snapshot.pods)
    return replace(snapshot, pods=pods)


def _with(edited: Edited, snapshot: Snapshot, said: str) -> Edited:
    return replace(edited, snapshot=snapshot, said=(*edited.said, said))


def _known(snapshot: Snapshot) -> Snapshot:
    """Without members of groups that are no more."""
    keys = {pod.key for pod in snapshot.pods}
    return replace(snapshot, group_of=tuple(each for each in snapshot.group_of if each[0] in keys))


def of_node(pod: Pod) -> bool:
    """Whether a pod lives and dies with its node: a DaemonSet's, or a static one."""
    return pod.owner is not None and pod.owner.kind in {"DaemonSet", "Node"}


def anew(pod: Pod) -> Pod:
    """The pod that a controller makes for one that is gone."""
    spec = replace(pod.spec, node_name="", gated=False)
    return replace(
        pod,
        uid="",
        spec=spec,
        node=None,
        phase="Pending",
        nominated_node=None,
        requests=spec.requests,
    )
