"""The re-check: may this still be bound, on the newest state that we know? Pure.

The whole plan was verified on the snapshot it was made from. Between then and the write the cluster
moves, and the API server checks neither room nor nodes nor rules. So each unit (a pod, or a gang)
is held against the newest state just before it is written, by simple means: ``Room``, kept up
change by change. And when something else changed than what we wrote, what is left of the plan is
held against every rule once more: ``outdated``.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from batchsched.cycle import Binding, PodKey
from batchsched.daemon.ports import Change, NodeChange
from batchsched.daemon.victims import victims_of
from batchsched.plan.plan import Plan
from batchsched.plan.reading import runs
from batchsched.plan.state import FinalState, Violation, among
from batchsched.plan.verify import Check, final_state
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
    units: Iterable[Unit], plan: Plan | None, snapshot: Snapshot, checks: Sequence[Check]
) -> dict[PodKey, str]:
    """Hold units that are not written yet against every rule, on the newest snapshot.

    A unit in which somebody breaks a rule is left out whole; then the others are held against the
    rules without it, until what is left breaks none. With a unit its victims are left out, too.

    Args:
        units: What is to be bound.
        plan: Whose evictions they wait for; None where nobody has to leave any more.
        snapshot: The newest.
        checks: The rules.

    Returns:
        The pods of the units that may not be bound, each with the reason.
    """
    left = list(units)
    pods, nodes = {pod.key: pod for pod in snapshot.pods}, {node.name for node in snapshot.nodes}
    found: dict[PodKey, str] = {}
    while left:
        wanted = {binding.pod: binding for unit in left for binding in unit}
        broken = _lost(wanted, pods, nodes)
        if not broken:  # who is lost asks for nothing, and is asked about no rule
            window = Window(tuple(pods[key] for key in sorted(wanted)))
            placements = {key: binding.node for key, binding in wanted.items()}
            state = _state(plan, left, snapshot, window, placements)
            violations = [violation for check in checks for violation in check.check(state)]
            broken = _blamed(violations, placements)
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


def _lost(
    wanted: Mapping[PodKey, Binding], pods: Mapping[PodKey, Pod], nodes: Collection[str]
) -> dict[PodKey, str]:
    """Who waits no more, or for a node that is gone."""
    found: dict[PodKey, str] = {}
    for key, binding in wanted.items():
        if not _waits(pods, binding):
            found[key] = "the pod does not wait for a node any more"
        elif binding.node not in nodes:
            found[key] = f"node {binding.node} is gone"
    return found


def _state(
    plan: Plan | None,
    units: Iterable[Unit],
    snapshot: Snapshot,
    window: Window,
    placements: Mapping[PodKey, str],
) -> FinalState:
    """The state that units lead to, those gone whom the plan evicts for them.

    Some may have left since, or be on their way: nobody asks any more whether they may go.
    """
    if plan is None or not plan.evictions:
        return final_state(snapshot, window, placements)
    to = {(each.namespace, each.name): each.to for each in plan.evictions}
    victims = victims_of(plan, (binding for unit in units for binding in unit), snapshot)
    pods = among(snapshot.pods, {victim.pod for victim in victims})
    there = {v.pod: pods[v.pod] for v in victims if v.pod in pods and pods[v.pod].uid == v.uid}
    evictions = {key: to[key] for key, pod in there.items() if runs(pod)}
    leaving = there.keys() - evictions.keys()
    if leaving:
        staying = tuple(pod for pod in snapshot.pods if pod.key not in leaving)
        snapshot = replace(snapshot, pods=staying)
    return final_state(snapshot, window, placements, evictions, plan.allowance.meant())


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
