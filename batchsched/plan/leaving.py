"""Leaving: which running pods a plan may take from their node, said again for the verifier.

Source: FORMULATION §1. In plain words and apart from what the model was made from; must not know
who was chosen.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchsched.plan.reading import runs
from batchsched.snapshot.parts import lack
from batchsched.snapshot.pod import Pod

if TYPE_CHECKING:
    from batchsched.plan.state import FinalState

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Way:
    """How a pod may leave."""

    preemptible: bool
    movable: bool


def may_go(state: "FinalState") -> dict[Key, Way]:
    """Everyone who may leave, and how."""
    allowance = state.allowance
    if not allowance or not (state.window_pods or allowance.draining):
        return {}
    able = [pod.spec.priority for pod in state.window_pods if not pod.spec.preemption_never]
    strongest = max(able) if able and allowance.preemption else None
    groups, weak = dict(state.snapshot.group_of), _weak_groups(state)
    found = {}
    for pod in state.snapshot.pods:
        if not runs(pod) or pod.node not in state.nodes or _belongs_to_its_node(pod):
            continue
        group = groups.get(pod.key)
        below = strongest is not None and pod.spec.priority < strongest
        way = Way(
            preemptible=below and group not in weak,
            movable=allowance.moves_max != 0 and group is None and _is_made_again(pod),
        )
        if way.preemptible or way.movable:
            found[pod.key] = way
    stuck = _stuck_groups(state, found)
    return {key: way for key, way in found.items() if groups.get(key) not in stuck}


def _belongs_to_its_node(pod: Pod) -> bool:
    return pod.owner is not None and pod.owner.kind in {"DaemonSet", "Node"}


def _is_made_again(pod: Pod) -> bool:
    """Whether a controller makes another one that is the same in all that matters."""
    if pod.owner is None or pod.requests != pod.spec.requests:
        return False
    return not pod.spec.resource_claims and all(not ref.ephemeral for ref in pod.spec.claims)


def _weak_groups(state: "FinalState") -> set[int]:
    """Groups not to be weakened: fewer run than they need, or others are tied to them."""
    running: dict[int, list[Pod]] = {}
    groups = dict(state.snapshot.group_of)
    for pod in state.snapshot.pods:
        if pod.key in groups and runs(pod):
            running.setdefault(groups[pod.key], []).append(pod)
    return {
        g
        for g, group in enumerate(state.snapshot.groups)
        if group.problem is not None or group.union or lack(group, running.get(g, ()))
    }


def _stuck_groups(state: "FinalState", leaving: Collection[Key]) -> set[int]:
    """Groups that go whole, and of which somebody runs who may not go."""
    whole = {g for g, group in enumerate(state.snapshot.groups) if group.goes_whole}
    members = {key: g for key, g in state.snapshot.group_of if g in whole}
    runners = [p for p in state.snapshot.pods if p.key in members and runs(p)] if members else []
    return {members[pod.key] for pod in runners if pod.key not in leaving}
