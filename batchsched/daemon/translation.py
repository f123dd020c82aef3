"""A plan in the words of the cycle, and in the annotations that bound pods get. Pure."""

from collections.abc import Collection, Iterable, Mapping
from hashlib import sha256

from batchsched.cycle import Binding, PlanReady, PodKey, Victim, together
from batchsched.daemon.victims import beyond_budgets, in_doubt, victims_of
from batchsched.plan.claims import volumes_of
from batchsched.plan.plan import Plan
from batchsched.plan.verify import final_state
from batchsched.snapshot.labels import Pairs
from batchsched.snapshot.snapshot import Snapshot, Window

SOLVE_ID, TIERS = "batchsched.io/solve-id", "batchsched.io/tiers"


def notes_of(window: int, plan: Plan) -> Pairs:
    """The annotations of the pods that a plan binds: which solve it was, and how good."""
    digest = sha256(plan.to_json()).hexdigest()[:10]
    tiers = "; ".join(f"{t.name} {t.value} of {t.bound}" for t in plan.tiers)
    return ((SOLVE_ID, f"w{window}-{digest}"), (TIERS, tiers))


def bindings_of(plan: Plan, snapshot: Snapshot) -> tuple[Binding, ...]:
    """The bindings in binding order, each with the gang that it is written with."""
    group_of = {key: snapshot.groups[index] for key, index in snapshot.group_of}
    found = []
    for b in plan.bindings:
        group = group_of.get((b.namespace, b.name))
        gang = group.unit if group is not None and group.unit_count > 0 else None
        found.append(Binding((b.namespace, b.name), b.uid, b.node, gang))
    return tuple(found)


def volumes_by_pod(nodes: Mapping[PodKey, str], snapshot: Snapshot) -> dict[PodKey, Pairs]:
    """The volumes that pods rely on: a plan says where they go, not what their claims get."""
    if not snapshot.claims:
        return {}
    window = Window(tuple(p for p in snapshot.pods if p.node is None and p.key in nodes))
    return volumes_of(final_state(snapshot, window, nodes))


def plan_ready(
    window: int,
    plan: Plan,
    snapshot: Snapshot,
    outdated: Mapping[PodKey, str],
    gone: Collection[PodKey] = (),
) -> PlanReady:
    """What the cycle is told of a plan.

    Those stay unplaced, too, for whom budgets do not let go all that would have to. Where somebody
    of a gang that leaves has left since, the others may be enough: that is decided anew.

    Args:
        window: Its number.
        plan: The plan.
        snapshot: What it was made from.
        outdated: The pods that have lost their place since, each with the reason.
        gone: The victims that have left since.
    """

    def needed(bindings: Iterable[Binding]) -> tuple[Victim, ...]:
        victims = victims_of(plan, bindings, snapshot)
        return tuple(victim for victim in victims if victim.pod not in gone)

    bindings = tuple(b for b in bindings_of(plan, snapshot) if b.pod not in outdated)
    doubtful = in_doubt(victims_of(plan, bindings, snapshot), gone, snapshot)
    again = {
        b.pod: "a gang that was to leave for it has changed"
        for unit in together(bindings)
        for b in unit
        if not doubtful.isdisjoint(b.pod for b in unit)
    }
    bindings = tuple(b for b in bindings if b.pod not in again)
    refused = beyond_budgets(bindings, needed(bindings), snapshot)
    bindings = tuple(b for b in bindings if b.pod not in refused)
    victims = needed(bindings)
    unplaced = [((u.namespace, u.name), u.message) for u in plan.unplaced]
    unplaced = sorted([*unplaced, *refused.items()])
    late = tuple(sorted({**outdated, **again}.items()))
    return PlanReady(window, bindings, tuple(unplaced), victims, late)
