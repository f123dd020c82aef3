"""The re-check: may this still be bound, on the newest state that we know? Pure.

The whole plan was verified on the snapshot it was made from. Between then and the write the cluster
moves, and the API server checks neither room nor nodes nor rules. So each unit (a pod, or a gang)
is held against the newest state just before it is written, by simple means: ``Room``, kept up
change by change. And when something else changed than what we wrote, what is left of the plan is
held against every rule once more: ``outdated``.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from batchsched.cycle import Binding, PodKey
from batchsched.daemon.ports import Change, NodeChange
from batchsched.plan.state import Violation
from batchsched.plan.verify import Check, final_state
from batchsched.snapshot.allowance import NOTHING, Allowance
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod, Quantities
from batchsched.snapshot.snapshot import Snapshot, Window

Unit = tuple[Binding, ...]


def matters(change: Change) -> bool:
    """Whether a change may break a rule that held, or take room: more than a phase or a status."""
    if isinstance(change, NodeChange):
        return change.old != change.new
    if change.old is None or change.new is None:
        pod = change.new or change.old
        return pod is not None and pod.node is not None
    fields = ("node", "uid", "requests", "labels", "terminal")
    return any(getattr(change.old, name) != getattr(change.new, name) for name in fields)


class Room:
    """What is free on every node, and who waits; built once, then kept up.

    Args:
        snapshot: The newest.
        deciding: Pods that are being decided: what was kept for them before is free.
    """

    def __init__(self, snapshot: Snapshot, deciding: Collection[PodKey] = ()) -> None:
        """Take the room that pods hold, or that is kept for them, out of what nodes have."""
        self._deciding = frozenset(deciding)
        self.nodes = {node.name: node for node in snapshot.nodes}
        self.pods: dict[PodKey, Pod] = {}
        self._used: dict[str, Counter[str]] = {}
        self._holds: dict[PodKey, tuple[str, Quantities]] = {}
        for pod in snapshot.pods:
            self._show(pod)

    def note(self, change: Change) -> None:
        """Take in what a watch showed."""
        if isinstance(change, NodeChange):
            if change.new is not None:
                self.nodes[change.new.name] = change.new
            elif change.old is not None:
                self.nodes.pop(change.old.name, None)
        elif change.new is not None:
            self._show(change.new)
        elif change.old is not None:
            self.pods.pop(change.old.key, None)
            self.give_back(change.old.key)

    def take(self, binding: Binding) -> None:
        """Give a pod that waits its room."""
        self._put(binding.pod, binding.node, self.pods[binding.pod].spec.requests)

    def give_back(self, pod: PodKey) -> None:
        """Take a pod's room back."""
        held = self._holds.pop(pod, None)
        if held is not None:
            self._used[held[0]].subtract(_amounts(held[1]))

    def refusal(self, unit: Unit, leaving: Collection[PodKey] = ()) -> tuple[Binding, str] | None:
        """Say which binding of a unit may not be written, and why; None: all may.

        Args:
            unit: What is to be bound.
            leaving: Pods that will have left by then.
        """
        freed: dict[str, Counter[str]] = {}
        for key in (*leaving, *(binding.pod for binding in unit)):
            if key in self._holds:
                node, requests = self._holds[key]
                freed.setdefault(node, Counter()).update(_amounts(requests))
        asked: dict[str, Counter[str]] = {}
        for binding in unit:
            pod, target = self.pods.get(binding.pod), self.nodes.get(binding.node)
            if pod is None or pod.uid != binding.uid or pod.node is not None or pod.deleting:
                return binding, "the pod does not wait for a node any more"
            if pod.spec.gated:
                return binding, "the pod has scheduling gates now"
            if target is None:
                return binding, f"node {binding.node} is gone"
            asks = asked.setdefault(target.name, Counter())
            asks.update(_amounts(pod.spec.requests))
            short = self._short(target, asks, freed.get(target.name, Counter()))
            if short is not None:
                return binding, f"node {target.name} has not enough {short} any more"
        return None

    def _show(self, pod: Pod) -> None:
        self.pods[pod.key] = pod
        kept = None if pod.key in self._deciding else pod.nominated_node
        node = pod.node or kept
        if node is not None and not pod.terminal:
            self._put(pod.key, node, pod.requests if pod.node else pod.spec.requests)
        else:
            self.give_back(pod.key)

    def _put(self, key: PodKey, node: str, requests: Quantities) -> None:
        self.give_back(key)
        self._used.setdefault(node, Counter()).update(_amounts(requests))
        self._holds[key] = (node, requests)

    def _short(self, node: Node, asks: Counter[str], freed: Counter[str]) -> str | None:
        """Name a resource of which a node has less than is asked, some of what is used set free."""
        allocatable, used = dict(node.allocatable), self._used.get(node.name, Counter())
        for resource, amount in sorted(asks.items()):
            if amount and used[resource] - freed[resource] + amount > allocatable.get(resource, 0):
                return resource
        return None


def _amounts(requests: Quantities) -> dict[str, int]:
    """What a pod takes of a node: itself, too."""
    return {**dict(requests), "pods": 1}


def outdated(
    units: Iterable[Unit],
    evictions: Mapping[PodKey, str | None],
    snapshot: Snapshot,
    checks: Sequence[Check],
    allowance: Allowance = NOTHING,
) -> dict[PodKey, str]:
    """Hold units that are not written yet against every rule, on the newest snapshot.

    A unit in which somebody breaks a rule is left out whole; then the others are held against the
    rules without it, until what is left breaks none.

    Returns:
        The pods of the units that may not be bound, each with the reason.
    """
    left = list(units)
    pods = {pod.key: pod for pod in snapshot.pods}
    found: dict[PodKey, str] = {}
    while left:
        wanted = {binding.pod: binding for unit in left for binding in unit}
        window = Window(tuple(pods[key] for key in sorted(wanted) if _waits(pods, wanted[key])))
        present = {pod.key for pod in window.pods}
        broken = dict.fromkeys(wanted.keys() - present, "the pod does not wait for a node any more")
        placements = {key: wanted[key].node for key in present}
        state = final_state(snapshot, window, placements, evictions, allowance)
        violations = [violation for check in checks for violation in check.check(state)]
        broken |= _blamed(violations, placements)
        gone = {placed.pod.key for placed in state.placed}
        broken |= {
            key: f"node {wanted[key].node} is gone" for key in present - gone if key not in broken
        }
        if not broken:
            return found
        stays: list[Unit] = []
        for unit in left:
            first = next((broken[b.pod] for b in unit if b.pod in broken), None)
            if first is None:
                stays.append(unit)
            else:
                found |= {b.pod: broken.get(b.pod, f"its gang: {first}") for b in unit}
        left = stays
    return found


def _waits(pods: Mapping[PodKey, Pod], binding: Binding) -> bool:
    pod = pods.get(binding.pod)
    return pod is not None and pod.uid == binding.uid and pod.node is None and not pod.deleting


def _blamed(violations: Sequence[Violation], placements: Mapping[PodKey, str]) -> dict[PodKey, str]:
    """Who breaks rules: the placed pods named, or on the nodes named; everybody if neither is."""
    names = {f"{namespace}/{name}": (namespace, name) for namespace, name in placements}
    found: dict[PodKey, str] = {}
    for violation in violations:
        why = f"{violation.rule}: {violation.message}"
        if violation.pod in names:
            found.setdefault(names[violation.pod], why)
            continue
        here = [key for key, node in placements.items() if node == violation.node]
        for key in here or placements:
            found.setdefault(key, why)
    return found
