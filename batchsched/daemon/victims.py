"""Victims: who waits for whom to leave, and for whom nobody may be made to. Pure.

The API evicts one pod at a time, and what was evicted stays evicted. So it is known before the
first one leaves that all may whom a unit needs: those on its nodes, of a gang that leaves as a
whole all the others, and no more of one disruption budget than it allows. Must not know what
becomes of the writes.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from batchsched.cycle import Binding, PodKey, Victim, together, victims_by_pod
from batchsched.plan.plan import Plan
from batchsched.plan.reading import runs
from batchsched.plan.state import among
from batchsched.snapshot.labels import selects
from batchsched.snapshot.snapshot import Snapshot


def victims_of(plan: Plan, bindings: Iterable[Binding], snapshot: Snapshot) -> tuple[Victim, ...]:
    """Who has to leave, and who waits for it: who comes to its node, and who it leaves for.

    A victim that nobody waits for any more stays where it is. Those of a gang of which nobody stays
    have to leave for everyone who waits for one of them: half of it would run in vain.
    """
    if not plan.evictions:
        return ()
    key_of: dict[str, PodKey] = {}
    coming: dict[str, set[PodKey]] = {}
    for binding in bindings:
        key_of["/".join(binding.pod)] = binding.pod
        coming.setdefault(binding.node, set()).add(binding.pod)
    uids: dict[PodKey, str] = {}
    waiting: dict[PodKey, set[PodKey]] = {}
    for each in plan.evictions:
        key = (each.namespace, each.name)
        cause = key_of.get(each.for_ or "")
        uids[key] = each.uid
        waiting[key] = coming.get(each.from_, set()) | ({cause} if cause is not None else set())
    for members in _leaving_whole(uids, snapshot):
        everyone = set[PodKey]().union(*(waiting[key] for key in members))
        waiting |= dict.fromkeys(members, everyone)
    return tuple(
        Victim(key, uid, tuple(sorted(waiting[key]))) for key, uid in uids.items() if waiting[key]
    )


def departed(plan: Plan, newest: Snapshot) -> frozenset[PodKey]:
    """Whom the plan evicts and who is gone without that: nobody has to wait for them."""
    uids = {(each.namespace, each.name): each.uid for each in plan.evictions}
    pods = among(newest.pods, uids.keys()) if uids else {}
    there = {key for key, pod in pods.items() if pod.uid == uids[key] and not pod.terminal}
    return frozenset(uids.keys() - there)


def in_doubt(
    victims: Iterable[Victim], gone: Collection[PodKey], snapshot: Snapshot
) -> frozenset[PodKey]:
    """Who waits for a gang of which a victim is gone already: the others may not have to leave."""
    group_of = dict(snapshot.group_of) if gone else {}
    torn = {group_of[key] for key in gone if key in group_of}
    theirs = (victim.waiting for victim in victims if group_of.get(victim.pod, -1) in torn)
    return frozenset(pod for waiting in theirs for pod in waiting)


def _leaving_whole(leaving: Mapping[PodKey, str], snapshot: Snapshot) -> list[list[PodKey]]:
    """The members that leave, of each gang of which nobody stays."""
    group_of = dict(snapshot.group_of)
    found: dict[int, list[PodKey]] = {}
    for key in leaving:
        if key in group_of:
            found.setdefault(group_of[key], []).append(key)
    members = {key for key, group in snapshot.group_of if group in found} - leaving.keys()
    staying = {group_of[key] for key, pod in among(snapshot.pods, members).items() if runs(pod)}
    return [found[group] for group in sorted(found.keys() - staying)]


def beyond_budgets(
    bindings: Iterable[Binding], victims: Sequence[Victim], snapshot: Snapshot
) -> dict[PodKey, str]:
    """The pods of units that need more victims of one budget than it allows, each with the reason.

    Units come in their order, and each may have what those before it left. One alone that may not
    go is said by the API server, which knows more of it than we.
    """
    left = {budget: budget.disruptions_allowed for budget in snapshot.budgets}
    pods = among(snapshot.pods, {victim.pod for victim in victims}) if left else {}
    needs = victims_by_pod(victims)
    going: set[PodKey] = set()
    refused: dict[PodKey, str] = {}
    for unit in together(bindings) if pods else ():
        more = {v.pod for binding in unit for v in needs.get(binding.pod, ())} - going
        asked = {
            budget: sum(
                pods[key].namespace == budget.namespace
                and selects(budget.selector, dict(pods[key].labels))
                for key in more & pods.keys()
            )
            for budget in left
        }
        short = next((b for b, count in asked.items() if count > max(1, left[b])), None)
        if short is not None:
            why = f"budget: {short.namespace}/{short.name} does not allow all that have to leave"
            refused |= {binding.pod: why for binding in unit}
            continue
        going |= more
        for budget, count in asked.items():
            left[budget] -= count
    return refused
