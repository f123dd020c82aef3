"""Evictions: who leaves its node, where to, and for whom.

Several placed pods may need what a victim leaves; named is one that preempts it: on its node if
there is one, of the highest priority. A move is for the pod of highest priority that comes to the
node it leaves, if one does.
"""

from collections.abc import Iterable, Iterator

from batchsched.plan.plan import Binding, Eviction
from batchsched.plan.state import FinalState, Placed, Violation
from batchsched.snapshot.pod import Pod


def evictions(state: FinalState) -> tuple[Eviction, ...]:
    """The evictions of a final state, sorted by pod."""
    to = {placed.pod.key: placed.node.name for placed in state.placed}
    return tuple(
        Eviction(
            namespace=pod.namespace,
            name=pod.name,
            uid=pod.uid,
            from_=pod.node or "",
            to=to.get(key),
            reason="Moved" if key in to else "Preempted",
            for_=_beneficiary(state, pod, moves=key in to),
        )
        for key in sorted(state.evicted)
        for pod in (state.by_key[key],)
    )


def _beneficiary(state: FinalState, pod: Pod, *, moves: bool) -> str | None:
    """For whom a pod leaves; a victim always leaves for somebody."""
    here = _pending(state, state.receiving.get(pod.node or "", ()))
    if moves:
        found = here
    else:
        found = [p for p in here if _preempts(p, pod)]
        found = found or [p for p in _pending(state, state.placed) if _preempts(p, pod)]
    best = min(found, key=lambda other: (-other.spec.priority, other.key), default=None)
    return best.full_name if best is not None else None


def _pending(state: FinalState, placed: Iterable[Placed]) -> list[Pod]:
    """The pending ones among placed pods."""
    return [p.pod for p in placed if p.pod.key not in state.evicted]


def _preempts(pod: Pod, victim: Pod) -> bool:
    return pod.spec.priority > victim.spec.priority and not pod.spec.preemption_never


def causes(
    evicted: Iterable[Eviction], bindings: Iterable[Binding], state: FinalState
) -> Iterator[Violation]:
    """What a plan says of the pods that others leave for, where it is not so."""
    bound = {f"{each.namespace}/{each.name}": (each.namespace, each.name) for each in bindings}
    for each in evicted:
        victim = state.by_key.get((each.namespace, each.name))
        cause = state.by_key.get(bound[each.for_]) if each.for_ in bound else None
        problem = None
        if each.for_ is None:
            problem = "preempted, and not said for whom" if each.reason == "Preempted" else None
        elif cause is None:
            problem = f"leaves for {each.for_}, which the plan does not place"
        elif victim is not None and each.reason == "Preempted" and not _preempts(cause, victim):
            problem = f"preempted for {each.for_}, which may not do that"
        if problem is not None:
            yield Violation("plan", f"{each.namespace}/{each.name}", each.from_, problem)
