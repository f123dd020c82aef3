"""Carries out one plan through the ports, without a cycle: what `batchsched apply` does.

The plan was made from a snapshot, maybe hours ago. So it is held against every rule on the cluster
as it is now, and what does not hold any more is refused, a gang whole; victims are evicted, for
those only who can still be bound, and waited for; then what is left is held against the rules once
more, and bound in the plan's order. A pod that is where the plan has it is done: the same plan can
be applied again, after whatever stopped it.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from batchsched.cycle import Announce, BindFailed, Bound, PodKey, Victim, together
from batchsched.daemon.assumed import Assumed
from batchsched.daemon.binder import Binder, Unit, cause
from batchsched.daemon.ports import BindWrite, Clock, Cluster, EvictWrite, Write
from batchsched.daemon.recheck import Room, outdated
from batchsched.daemon.translation import bindings_of, plan_ready, volumes_by_pod
from batchsched.plan.plan import Plan
from batchsched.plan.verify import Check
from batchsched.snapshot.labels import Pairs

POLL_S = 0.1
What: TypeAlias = Literal[
    "Bound", "Bound already", "Would be bound", "Evicted", "Would be evicted", "Refused"
]


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a binding, or of a victim."""

    pod: PodKey
    node: str
    what: What
    why: str = ""


class Applying:
    """One application of one plan.

    Args:
        cluster: The cluster, read and in sync.
        clock: The time.
        wait: Waits for news, or so many seconds.
        checks: The rules of the plan's profile.
        notes: The annotations that bound pods get.
        announce: Told of each pod that was made to leave.
    """

    def __init__(
        self,
        cluster: Cluster,
        clock: Clock,
        wait: Callable[[float], None],
        checks: Sequence[Check],
        notes: Pairs = (),
        announce: Callable[[Announce], None] = lambda _: None,
    ) -> None:
        """Do nothing yet."""
        self._cluster, self._clock, self._wait = cluster, clock, wait
        self._checks, self._notes, self._announce = checks, notes, announce
        self._assumed = Assumed()
        self._room: Room | None = None
        self._done: list[Applied] = []

    def run(self, plan: Plan, victims_leave_in_s: float) -> list[Applied]:
        """Carry the plan out; give what became of each pod of it, in its order."""
        units, victims = self._begin(plan)
        units, victims = self._evict(units, victims, dry_run=True)
        units, victims = self._evict(units, victims, dry_run=False)
        nodes = {(each.namespace, each.name): each.from_ for each in plan.evictions}
        self._done += [Applied(v.pod, nodes[v.pod], "Evicted") for v in victims]
        if victims:
            self._await(victims, victims_leave_in_s)
            units = self._fitting(units, None)
        self._bind(units)
        return self._in_order(plan)

    def tried(self, plan: Plan) -> list[Applied]:
        """Try by dry-run, and change nothing; give what would become of each pod."""
        units, victims = self._begin(plan)
        units, victims = self._evict(units, victims, dry_run=True)
        nodes = {(each.namespace, each.name): each.from_ for each in plan.evictions}
        self._done += [Applied(v.pod, nodes[v.pod], "Would be evicted") for v in victims]
        tries = [BindWrite(b, dry_run=True, notes=self._notes) for unit in units for b in unit]
        refused = dict(zip((t.binding.pod for t in tries), self._performed(tries), strict=True))
        units = self._kept(units, {pod: why for pod, why in refused.items() if why is not None})
        self._done += [Applied(b.pod, b.node, "Would be bound") for unit in units for b in unit]
        return self._in_order(plan)

    def _begin(self, plan: Plan) -> tuple[list[Unit], tuple[Victim, ...]]:
        """Hold the plan against the cluster as it is: what may be bound, and who has to leave."""
        snapshot = self._cluster.snapshot()
        there = {pod.key: (pod.uid, pod.node) for pod in snapshot.pods}
        bindings = bindings_of(plan, snapshot)
        done = {b.pod for b in bindings if there.get(b.pod) == (b.uid, b.node)}
        self._done += [Applied(b.pod, b.node, "Bound already") for b in bindings if b.pod in done]
        present = [
            each
            for each in plan.evictions
            if there.get((each.namespace, each.name)) == (each.uid, each.from_)
        ]
        today = plan.model_copy(update={"evictions": tuple(present)})
        units = self._fitting(together(b for b in bindings if b.pod not in done), today)
        left = {b.pod for unit in units for b in unit}
        gone = {b.pod: "" for b in bindings if b.pod not in left}
        ready = plan_ready(0, today, snapshot, gone)
        return self._kept(units, dict(ready.unplaced)), ready.victims

    def _fitting(self, units: list[Unit], plan: Plan | None) -> list[Unit]:
        """Refuse what breaks a rule on the cluster as it is now; give what is left."""
        late = outdated(units, plan, self._cluster.snapshot(), self._checks)
        return self._kept(units, late)

    def _kept(self, units: Iterable[Unit], refused: Mapping[PodKey, str]) -> list[Unit]:
        """Refuse the units of these pods, each whole; give the others."""
        kept: list[Unit] = []
        for unit in units:
            first = next((refused[b.pod] for b in unit if b.pod in refused), None)
            if first is None:
                kept.append(unit)
                continue
            for b in unit:
                why = refused.get(b.pod, f"its gang: {first}")
                self._done.append(Applied(b.pod, b.node, "Refused", why))
        return kept

    def _evict(
        self, units: list[Unit], victims: tuple[Victim, ...], *, dry_run: bool
    ) -> tuple[list[Unit], tuple[Victim, ...]]:
        """Evict; refuse whoever waits for one that may not go. Gives who is left, and who goes."""
        unit_of = {b.pod: unit for unit in units for b in unit}
        causes = [cause(v, next(unit_of[p] for p in v.waiting if p in unit_of)) for v in victims]
        writes = [
            EvictWrite(v.pod, v.uid, why, dry_run) for v, why in zip(victims, causes, strict=True)
        ]
        refused: dict[PodKey, str] = {}
        going = []
        for victim, write, why in zip(victims, writes, self._performed(writes), strict=True):
            if why is None:
                going.append(victim)
                if not dry_run:
                    self._announce(Announce(victim.pod, victim.uid, "Preempted", write.message))
            else:
                because = f"{'/'.join(victim.pod)} may not be evicted: {why}"
                refused |= dict.fromkeys(victim.waiting, because)
        units = self._kept(units, refused)
        left = {b.pod for unit in units for b in unit}
        return units, tuple(v for v in going if left.intersection(v.waiting))

    def _await(self, victims: Sequence[Victim], leave_in_s: float) -> None:
        """Wait until the victims have left, or so long."""
        until_s = self._clock.now_s() + leave_in_s
        uids = {victim.uid for victim in victims}
        while self._clock.now_s() < until_s:
            if not any(p.uid in uids and not p.terminal for p in self._cluster.snapshot().pods):
                return
            self._wait(POLL_S)

    def _bind(self, units: list[Unit]) -> None:
        """Bind what is left, in order; after a refusal nothing more of its gang is written."""
        self._cluster.changes()
        snapshot = self._cluster.snapshot()
        self._room = Room(snapshot)
        binder = Binder(self._cluster, self._assumed, self._room_now)
        volumes = volumes_by_pod({b.pod: b.node for unit in units for b in unit}, snapshot)
        for unit in units:
            binder.bind(unit, self._notes, volumes)
        bound: set[PodKey] = set()
        refused: dict[PodKey, str] = {}
        while not binder.idle():
            for event in binder.step():
                if isinstance(event, Bound):
                    bound.add(event.pod)
                elif isinstance(event, BindFailed):
                    refused[event.pod] = event.reason
            if not binder.idle():
                self._wait(POLL_S)
        self._done += [Applied(b.pod, b.node, "Bound") for u in units for b in u if b.pod in bound]
        self._kept(
            [tuple(b for b in unit if b.pod not in bound) for unit in units],
            {b.pod: _whole(unit, refused) for unit in units for b in unit if b.pod not in bound},
        )

    def _room_now(self) -> Room:
        """The room, with all that the watches have shown by now."""
        assert self._room is not None
        for change in self._cluster.changes():
            self._assumed.shows(change)
            self._room.note(self._assumed.known(change))
        return self._room

    def _performed(self, writes: Sequence[Write]) -> list[str | None]:
        """Perform writes; why each was refused, None where it was not."""
        waiting, found = deque(writes), dict[Write, str | None]()
        while len(found) < len(writes):
            while waiting and self._cluster.free() > 0:
                self._cluster.begin(waiting.popleft())
            answers = self._cluster.answers()
            found |= {answer.write: answer.refusal for answer in answers}
            if not answers:
                self._wait(POLL_S)
        return [found[write] for write in writes]

    def _in_order(self, plan: Plan) -> list[Applied]:
        """What became of victims, then of the plan's bindings in their order."""
        order = {(b.namespace, b.name): at for at, b in enumerate(plan.bindings)}
        return sorted(self._done, key=lambda each: (order.get(each.pod, -1), each.pod))


def _whole(unit: Unit, refused: Mapping[PodKey, str]) -> str:
    """Why the rest of a unit was not bound."""
    for binding in unit:
        if binding.pod in refused:
            return refused[binding.pod]
    return "it was not answered"
