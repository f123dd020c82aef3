"""Order: how placed pods are bound, so that each passes kube-scheduler's filters at its turn.

Only rules between pods depend on the order: required affinity and hard spread.
"""

from batchsched.plan.state import FinalState, Placed


def binding_order(state: FinalState) -> tuple[Placed, ...]:
    """The placed pods in binding order."""
    return state.placed
