"""Ageing: who has waited too long gets a reservation: the nodes where there is room soonest.

Bounded waiting as EASY backfilling has it, over an integer program. For the first of the window's
overdue units the cluster is looked at as it will be: everybody who says when they end is gone by
then, and the unit is placed alone, by the scheduler itself. The earliest moment at which that works
is found by bisection; where it put the pods then, their room is kept (FORMULATION §C15).

Made anew for each window from the cluster and the time, so there is nothing to clean up. The moment
never gets later by what we do: whoever goes to the reserved room is gone by then, so the same nodes
will do again in the next window. Only where nobody knows when, one choice could follow another and
none be free in the end: there the nodes of the window before are kept, if they will do still.

Reads no clock: the window says when it closed. Source: Lifka, "The ANL/IBM SP scheduling system",
1995.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from math import inf

import numpy as np

from batchsched.feasibility.crowd import Crowd
from batchsched.feasibility.resources import PODS, held, table
from batchsched.plan.plan import Plan
from batchsched.profile import Profile, Rule
from batchsched.scheduler import Limits, schedule
from batchsched.snapshot.allowance import NOTHING, Allowance
from batchsched.snapshot.ends import end_s, keeps_running
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.reservation import Reservation
from batchsched.snapshot.snapshot import Snapshot, Window, holding, pending

LOOK_SHARE = 0.3
"""Of the time limit, the most that it may take to look for room; the moment that is found then may
be later than it could be, which is no worse than a later window."""
TRY_SHARE = 0.25
"""Of that, the most for one look: 0.05 to 0.3 s on 10,000 nodes, see ``docs/benchmarks.md``."""

PodKey = tuple[str, str]
Clock = Callable[[], float]
Rank = tuple[int, float]
"""When a pod is gone: (0, its end); or (1, how many pods of its node do not say when they end)."""


def decide(  # noqa: PLR0913 -- as ``schedule``
    snapshot: Snapshot,
    window: Window,
    profile: Profile,
    limits: Limits,
    clock: Clock,
    *,
    allowance: Allowance = NOTHING,
    before: Plan | None = None,
    earlier: Reservation | None = None,
) -> Plan:
    """Keep room for who is overdue, if anybody is, and plan the window; all in the time limit."""
    start_s = clock()
    kept = with_reservation(snapshot, window, profile, limits, clock, earlier)
    if window.overdue and not limits.deterministic:
        left_s = limits.time_limit_s - (clock() - start_s)
        limits = replace(limits, time_limit_s=max(left_s, 0.0))
    return schedule(kept, window, profile, limits, clock, allowance=allowance, before=before)


def with_reservation(
    snapshot: Snapshot,
    window: Window,
    profile: Profile,
    limits: Limits,
    clock: Clock,
    earlier: Reservation | None = None,
) -> Snapshot:
    """The snapshot with room kept for the first overdue unit that can have any.

    Args:
        snapshot: The cluster.
        window: Whose ``overdue`` are looked at, as of ``now_s``.
        profile: Whose rules hold.
        limits: Of the window's solve.
        clock: Monotonic seconds.
        earlier: What was kept in the window before, by whoever remembers.
    """
    if not window.overdue:
        return snapshot
    waiting = {pod.key: pod for pod in pending(snapshot).pods}
    look = _Look(replace(snapshot, reservation=None), window.now_s, profile, limits, clock)
    for unit in window.overdue:
        pods = tuple(waiting[key] for key in unit if key in waiting)
        made = look.reservation(pods, earlier) if pods and not look.late() else None
        if made is not None:
            return replace(snapshot, reservation=made)
    return snapshot


class _Look:
    """Looks at the cluster as it will be.

    Args:
        snapshot: As it is.
        now_s: The time.
        profile: Whose rules hold; of tiers only that few nodes are used.
        limits: Of the window's solve.
        clock: Monotonic seconds.
    """

    def __init__(
        self, snapshot: Snapshot, now_s: float, profile: Profile, limits: Limits, clock: Clock
    ) -> None:
        """Rank who holds a place by when they are gone."""
        self._snapshot, self._now_s, self._clock = snapshot, now_s, clock
        tiers = (Rule(name="packing/fewest-nodes"),)
        self._profile = profile.model_copy(update={"objectives": tiers})
        share_s = LOOK_SHARE * limits.time_limit_s
        self._limits = replace(limits, time_limit_s=TRY_SHARE * share_s)
        self._until_s = inf if limits.deterministic else clock() + share_s
        holders = holding(snapshot)
        self._gone = dict(gone_by(holders, now_s))
        self._moments: list[Rank] = sorted(set(self._gone.values()))
        self._crowd = Crowd(holders)
        index = {node.name: n for n, node in enumerate(snapshot.nodes)}
        number = {moment: m for m, moment in enumerate(self._moments, start=1)}
        never = len(number) + 1
        nodes = [index.get(pod.node or "", -1) for pod in holders]
        gone = (self._gone.get(pod.key) for pod in holders)
        moments = [never if each is None else number[each] for each in gone]
        self._node_of = np.array(nodes, dtype=np.int64)
        self._moment_of = np.array(moments, dtype=np.int64)

    def late(self) -> bool:
        """Whether looking has taken all of its time."""
        return self._clock() > self._until_s

    def reservation(
        self, pods: tuple[Pod, ...], earlier: Reservation | None = None
    ) -> Reservation | None:
        """The room that some pods have soonest; ``None`` where they never fit."""
        found: dict[int, Mapping[PodKey, str]] = {}

        def fits(moment: int) -> bool:
            found[moment] = self._places(pods, moment)
            return bool(found[moment])

        # Moment m is when the first m are over: 0 is now.
        first, last = self._first_by_room(pods), len(self._moments)
        if first > last:
            return None
        best = first
        if not fits(first):
            best = last
            if first == last or not fits(last):
                return None
        while best - first > 1 and not self.late():
            middle = (first + best) // 2
            first, best = (first, middle) if fits(middle) else (middle, best)
        made = self._reserved(pods, best, found.get(best, {}))
        if made.until_s is not None or earlier is None or earlier.pods != made.pods:
            return made
        again = self._places(pods, last, {name for name, _ in earlier.nodes})
        return self._reserved(pods, last, again) if again else made

    def _first_by_room(self, pods: tuple[Pod, ...]) -> int:
        """The moment before which room alone keeps the unit out; past the last where that is all.

        A count over arrays: it spares solves on the moments before, and all of them for pods that
        no node could hold.
        """
        kinds, need = Counter(pod.spec.requests for pod in pods), self._need(pods)
        resources = sorted({name for requests in kinds for name, _ in requests} - {PODS})
        nodes = self._snapshot.nodes
        allocatable = table([node.allocatable for node in nodes], (*resources, PODS))

        def may_fit(moment: int) -> bool:
            of_node = np.where(self._moment_of <= moment, -1, self._node_of)
            there = np.bincount(of_node[of_node >= 0], minlength=len(nodes))
            free = allocatable - np.column_stack(
                [held(self._crowd, of_node, resources, len(nodes)), there]
            )
            found = 0
            for requests, count in kinds.items():
                asked = table([(*requests, (PODS, 1))], (*resources, PODS))[0]
                most = np.maximum(free[:, asked > 0], 0) // asked[asked > 0]
                found += min(count, int(most.min(axis=1).sum()))
            return found >= need

        return bisect_left(range(len(self._moments) + 1), 1, key=may_fit)

    def _need(self, pods: tuple[Pod, ...]) -> int:
        """How many of a unit must be placed if one is."""
        group_of = dict(self._snapshot.group_of)
        index = group_of.get(pods[0].key)
        if index is None:
            return 1
        running = sum(group_of.get(p.key) == index and not p.deleting for p in self._crowd)
        return max(1, self._snapshot.groups[index].min_count - running)

    def _places(
        self, pods: tuple[Pod, ...], moment: int, among: Collection[str] | None = None
    ) -> Mapping[PodKey, str]:
        """Where the pods go, alone, when the first so many moments are over; on some nodes only."""
        over = set(self._moments[:moment])
        staying = tuple(p for p in self._snapshot.pods if self._gone.get(p.key) not in over)
        nodes = self._snapshot.nodes
        if among is not None:
            nodes = tuple(node for node in nodes if node.name in among)
        then = replace(self._snapshot, pods=staying, nodes=nodes)
        plan = schedule(then, Window(pods), self._profile, self._limits, self._clock)
        return {(b.namespace, b.name): b.node for b in plan.bindings}

    def _reserved(
        self, pods: tuple[Pod, ...], moment: int, places: Mapping[PodKey, str]
    ) -> Reservation:
        """What these places take of each node."""
        kind, end = self._moments[moment - 1] if moment else (0, self._now_s)
        taken: dict[str, Counter[str]] = {}
        for pod in pods:
            if pod.key in places:
                amounts = {**dict(pod.spec.requests), "pods": 1}
                taken.setdefault(places[pod.key], Counter()).update(amounts)
        return Reservation(
            pods=tuple(sorted(pod.key for pod in pods)),
            priority=max(pod.spec.priority for pod in pods),
            at_s=self._now_s,
            until_s=None if kind else end,
            nodes=tuple((name, tuple(sorted(taken[name].items()))) for name in sorted(taken)),
        )


def gone_by(pods: Iterable[Pod], now_s: float) -> Iterable[tuple[PodKey, Rank]]:
    """When each pod is gone that ever is.

    Who does not say when comes after all who do; and of nodes that can only be waited for, those
    come first that the fewest pods have to leave.
    """
    silent: dict[str | None, list[PodKey]] = {}
    for pod in pods:
        end = end_s(pod, now_s)
        if end is not None:
            yield pod.key, (0, end)
        elif not keeps_running(pod):
            silent.setdefault(pod.node, []).append(pod.key)
    for keys in silent.values():
        yield from ((key, (1, float(len(keys)))) for key in keys)
