"""Pins: the running pods that keep their node from being drained, and why.

A pod is pinned where an eviction would be refused, or where nobody knows beforehand what comes
after it. Pods of DaemonSets and static ones pin nothing, nor does who is on its way out: `kubectl
drain` leaves those alone, and waits for these. Source: FORMULATION §O4; the eviction API.
"""

from collections.abc import Iterator

from batchsched.feasibility.running import leavers
from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.labels import selects
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import PodDisruptionBudget, Snapshot, Window, holding
from batchsched.whatif.edits import of_node

DRAINING = Allowance(moves_max=None, draining=True)

PodKey = tuple[str, str]


class Budgets:
    """The PodDisruptionBudgets of a snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Index them by namespace."""
        self._of: dict[str, list[PodDisruptionBudget]] = {}
        for budget in snapshot.budgets:
            self._of.setdefault(budget.namespace, []).append(budget)

    def of(self, pod: Pod) -> list[PodDisruptionBudget]:
        """Those that select a pod."""
        near = self._of.get(pod.namespace, ())
        return [budget for budget in near if selects(budget.selector, dict(pod.labels))]

    def objection(self, pod: Pod) -> str | None:
        """Why the API server would never evict the pod."""
        own = self.of(pod)
        if len(own) > 1:
            return f"{len(own)} PodDisruptionBudgets select it, so no eviction is served"
        if own and own[0].disruptions_allowed <= 0:
            return f"PodDisruptionBudget {own[0].namespace}/{own[0].name} allows no disruption"
        return None


def pins(snapshot: Snapshot, window: Window) -> dict[PodKey, tuple[str, str]]:
    """Of each pod that is pinned to a node: the node, and why."""
    movable = {each.pod.key for each in leavers(snapshot, window, DRAINING) if each.movable}
    nodes, budgets = {node.name for node in snapshot.nodes}, Budgets(snapshot)
    groups, found = dict(snapshot.group_of), dict(_nominated(snapshot, window))
    for pod in holding(snapshot):
        if pod.node is None or pod.node not in nodes or of_node(pod) or pod.deleting:
            continue
        why = budgets.objection(pod)
        if why is None and pod.key not in movable:
            why = _unmovable(pod, grouped=pod.key in groups)
        if why is not None:
            found[pod.key] = (pod.node, why)
    return found


def _nominated(snapshot: Snapshot, window: Window) -> Iterator[tuple[PodKey, tuple[str, str]]]:
    """Pods outside the window for which room is kept."""
    inside = {pod.key for pod in window.pods}
    for pod in snapshot.pods:
        waits = pod.node is None and not pod.terminal and pod.key not in inside
        if waits and pod.nominated_node and not of_node(pod) and not pod.deleting:
            yield pod.key, (pod.nominated_node, "room is kept for it by another scheduler")


def _unmovable(pod: Pod, *, grouped: bool) -> str:
    """Why it is not known what would come after the pod."""
    if pod.owner is None:
        return "no controller owns it"
    if grouped:
        return "it is of a pod group"
    if pod.requests != pod.spec.requests:
        return "it is being resized"
    return "it has claims that were made for it alone"
