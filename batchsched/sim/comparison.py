"""Comparison: one snapshot under several policies, each plan verified, in numbers side by side.

The policies are those of simulations: the solver, and what schedulers do without one. It asks each
once, and knows nothing of how they decide. Seconds are real ones, of the clock that it is given.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from batchsched.constraints import Constraint
from batchsched.objectives.least_fragmentation import LeastFragmentation
from batchsched.plan.plan import Plan
from batchsched.plan.verify import final_state, verify
from batchsched.sim.policies import Policy
from batchsched.snapshot.snapshot import Snapshot, Window
from batchsched.whatif.answer import Answer, Part, Side, side, waiting


class OfPriority(Part):
    """The pending pods of one priority, and how many are placed."""

    priority: int
    pending: int
    placed: int


class Compared(Part):
    """What one policy comes to."""

    policy: str
    side: Side
    priorities: tuple[OfPriority, ...]
    fragmentation: float
    """Of the free room, counted in the scarcest resource, the share that the typical pod cannot
    use (FORMULATION §O6)."""
    evicted: int
    moved: int
    violations: int
    """Rules of the final state that the plan breaks; a pod-by-pod policy looks at arrivals."""
    seconds: float


class Comparison(Answer):
    """The policies, in the order in which they were asked for."""

    kind: Literal["Comparison"] = "Comparison"
    policies: tuple[Compared, ...]


def compared(
    snapshot: Snapshot,
    window: Window,
    policies: Mapping[str, Policy],
    rules: Sequence[Constraint],
    clock: Callable[[], float],
) -> Comparison:
    """Ask each policy for a plan, and measure it.

    Args:
        snapshot: The cluster.
        window: The pending pods.
        policies: By name, in order.
        rules: That every plan is held against.
        clock: Monotonic seconds.
    """
    found = []
    for name, policy in policies.items():
        start_s = clock()
        plan = policy(snapshot, window)
        took_s = clock() - start_s
        broken = len(verify(plan, snapshot, window, rules))
        found.append(_measured(name, snapshot, window, plan, (broken, round(took_s, 3))))
    return Comparison(policies=tuple(found))


def _measured(
    name: str, snapshot: Snapshot, window: Window, plan: Plan, known: tuple[int, float]
) -> Compared:
    """One plan in numbers; what is known of it are broken rules and seconds."""
    placements = {(each.namespace, each.name): each.node for each in plan.bindings}
    evictions = {(each.namespace, each.name): each.to for each in plan.evictions}
    state = final_state(snapshot, window, placements, evictions, plan.allowance.meant())
    pending, placed = waiting(snapshot, plan)
    return Compared(
        policy=name,
        side=side(snapshot, plan),
        priorities=tuple(
            OfPriority(priority=p, pending=pending[p], placed=placed[p])
            for p in sorted(pending, reverse=True)
        ),
        fragmentation=round(LeastFragmentation().share_lost(state), 6),
        evicted=sum(each.to is None for each in plan.evictions),
        moved=sum(each.to is not None for each in plan.evictions),
        violations=known[0],
        seconds=known[1],
    )
