"""Diff: placements to what a plan's file says of pods: bindings, evictions, unplaced, groups.

Knows who goes where, and why the others do not; knows nothing of how that was found.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from batchsched.plan.evictions import evictions
from batchsched.plan.groups import group_states
from batchsched.plan.order import binding_order
from batchsched.plan.plan import (
    Binding,
    Eviction,
    Plan,
    PlanAllowance,
    PlanPodGroup,
    PlanReservation,
    PlanSnapshot,
    PlanSolver,
    PlanTier,
    Unplaced,
    status_of,
)
from batchsched.plan.state import FinalState, Key
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Window

UNSCHEDULABLE = "Unschedulable"


@dataclass(frozen=True, slots=True)
class Why:
    """Why a pod stays pending: a word for machines, and kube-scheduler's sentence for people."""

    reason: str = UNSCHEDULABLE
    message: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a plan's file says of pods."""

    snapshot: PlanSnapshot
    allowance: PlanAllowance
    reservation: PlanReservation | None
    bindings: tuple[Binding, ...]
    evictions: tuple[Eviction, ...]
    unplaced: tuple[Unplaced, ...]
    pod_groups: tuple[PlanPodGroup, ...]

    def plan(self, tiers: Sequence[PlanTier], solver: PlanSolver) -> Plan:
        """The plan, with what was optimised and how."""
        return Plan(
            snapshot=self.snapshot,
            allowance=self.allowance,
            reservation=self.reservation,
            status=status_of(tuple(tiers)),
            tiers=tuple(tiers),
            bindings=self.bindings,
            evictions=self.evictions,
            unplaced=self.unplaced,
            pod_groups=self.pod_groups,
            solver=solver,
        )


def diff(
    state: FinalState, window: Window, reasons: Mapping[Key, Why], *, sha256: str = ""
) -> Decision:
    """What a final state means for each pending pod.

    Args:
        state: The final state that placements lead to (``verify.final_state``).
        window: The pending pods that were decided on.
        reasons: Pod to reason, for those that are not.
        sha256: Of the bytes that the snapshot was read from.
    """
    snapshot = state.snapshot
    group_of = {key: snapshot.groups[index].name for key, index in snapshot.group_of}
    pods = {pod.key: pod for pod in window.pods}
    made = snapshot.reservation
    messages = {key: why.message for key, why in reasons.items()}
    return Decision(
        snapshot=PlanSnapshot(
            sha256=sha256,
            nodes=len(snapshot.nodes),
            pods=len(snapshot.pods),
            pending=len(window.pods),
        ),
        allowance=PlanAllowance.of(state.allowance),
        reservation=PlanReservation.of(made) if made is not None else None,
        bindings=tuple(
            Binding(
                namespace=placed.pod.namespace,
                name=placed.pod.name,
                uid=placed.pod.uid,
                node=placed.node.name,
                pod_group=group_of.get(placed.pod.key),
            )
            for placed in binding_order(state)
            if placed.pod.key not in state.evicted
        ),
        evictions=evictions(state),
        unplaced=tuple(
            _unplaced(pods[pod.key], reasons.get(pod.key, Why()), group_of.get(pod.key))
            for pod in state.unplaced
        ),
        pod_groups=group_states(state, window, messages),
    )


def _unplaced(pod: Pod, why: Why, group: str | None) -> Unplaced:
    return Unplaced(
        namespace=pod.namespace,
        name=pod.name,
        uid=pod.uid,
        pod_group=group,
        reason=why.reason,
        message=why.message,
    )
