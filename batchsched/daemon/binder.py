"""The binder: writes what was decided, unit by unit, several calls in flight, in the plan's order.

A unit is a pod, or the members of a gang. Each is held against the newest room just before its
first write. There is no way to bind several pods at once, so a gang is committed in steps, each
ended before the next begins: all its bindings are tried by dry-run, its nodes are nominated (so
that others keep off, and a process after this one sees what was meant), then it is bound, in the
order of the plan. After the first refusal nothing more of the unit is written, and its nominations
are withdrawn. A unit that needs others to leave has its nodes nominated and its victims evicted:
tried by dry-run first, so that nobody leaves for a unit that cannot have all it needs.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from batchsched.cycle import Announce, BindFailed, Binding, Bound, Event, PodKey, Victim
from batchsched.daemon.assumed import Assumed
from batchsched.daemon.ports import (
    BindWrite,
    Cluster,
    DeleteWrite,
    EvictWrite,
    NominateWrite,
    Write,
)
from batchsched.daemon.recheck import Room
from batchsched.snapshot.labels import Pairs

Unit = tuple[Binding, ...]
Step = Sequence[Write]
Volumes = Mapping[PodKey, Pairs]
"""Of each pod that needs some: claim to volume."""
NO_VOLUMES: Volumes = MappingProxyType({})


@dataclass(slots=True, eq=False)
class _Job:
    """A unit on its way: the steps that are left, and how far the present one is."""

    unit: Unit
    steps: deque[Step]
    victims: tuple[Victim, ...] = ()
    unwritten: deque[Write] = field(default_factory=deque)
    in_flight: int = 0
    bound: set[PodKey] = field(default_factory=set)
    nominated: bool = False
    refused: BindFailed | None = None


class Binder:
    """Carries out units.

    Args:
        cluster: Where to write.
        assumed: Told of what is written before watches show it.
        room: Gives the room as it is now, up to date with all that watches have shown.
        announce: Told of each pod that was made to leave.
    """

    def __init__(
        self,
        cluster: Cluster,
        assumed: Assumed,
        room: Callable[[], Room],
        announce: Callable[[Announce], None] = lambda _: None,
    ) -> None:
        """Start with nothing to do."""
        self._cluster, self._assumed, self._room = cluster, assumed, room
        self._announce = announce
        self._waiting: deque[_Job] = deque()
        self._active: dict[_Job, None] = {}
        self._jobs_of: dict[Write, deque[_Job | None]] = {}
        """Of each write in flight, who waits for its answer; several where writes are equal."""
        self._loose: deque[Write] = deque()

    def bind(self, unit: Unit, notes: Pairs = (), volumes: Volumes = NO_VOLUMES) -> None:
        """Queue a unit to be bound, with annotations, and the volumes of its pods."""
        last = [BindWrite(b, notes=notes, volumes=volumes.get(b.pod, ())) for b in unit]
        steps: list[Step] = [last]
        if len(unit) > 1:
            tries = [BindWrite(binding, dry_run=True, notes=notes) for binding in unit]
            steps = [tries, _nominations(unit), *steps]
        self._waiting.append(_Job(unit, deque(steps)))

    def preempt(self, unit: Unit, victims: tuple[Victim, ...]) -> None:
        """Queue a unit to have its nodes kept, and its victims evicted."""
        evictions = [EvictWrite(v.pod, v.uid, cause(v, unit)) for v in victims]
        tries = [replace(write, dry_run=True) for write in evictions]
        steps: list[Step] = [tries, _nominations(unit), evictions]
        self._waiting.append(_Job(unit, deque(steps), victims))

    def write(self, writes: Iterable[Write]) -> None:
        """Queue writes that belong to no unit, before all else; a refusal changes nothing.

        They are withdrawals and deletions: who is refused is gone, or will be seen again.
        """
        self._loose.extend(writes)

    def withdraw(self, unit: Iterable[Binding]) -> None:
        """Keep nothing for these pods any more; nobody has to leave for a unit of theirs."""
        pods = set[PodKey]()
        for binding in unit:
            pods.add(binding.pod)
            self._assumed.forget(binding.pod)
            self._loose.append(NominateWrite(binding.pod, binding.uid, None))
        unwanted = [
            job
            for job in (*self._waiting, *self._active)
            if job.victims and not pods.isdisjoint(binding.pod for binding in job.unit)
        ]
        self._waiting = deque(job for job in self._waiting if job not in unwanted)
        for job in unwanted:
            if job in self._active:
                self._stop(job, "its nodes are kept no more")

    def left(self) -> list[Unit]:
        """The units of which nothing was written yet."""
        return [job.unit for job in self._waiting if not job.victims]

    def refuse(self, why: dict[PodKey, str]) -> list[Event]:
        """Take units back of which nothing was written yet: those of the pods that are named."""
        kept: deque[_Job] = deque()
        events: list[Event] = []
        for job in self._waiting:
            named = next((b.pod for b in job.unit if b.pod in why and not job.victims), None)
            if named is None:
                kept.append(job)
            else:
                events.append(BindFailed(named, why[named]))
        self._waiting = kept
        return events

    def drop(self) -> None:
        """Begin nothing more; what is in flight is answered still, and nobody is nominated."""
        self._waiting.clear()
        self._loose.clear()
        for job in list(self._active):
            job.nominated = False
            self._stop(job, "another process leads")

    def idle(self) -> bool:
        """Whether all that was asked for is done and answered."""
        return not (self._waiting or self._active or self._loose or self._jobs_of)

    def step(self) -> list[Event]:
        """Take answers in and begin what may be begun, until nothing moves; never waits."""
        events: list[Event] = []
        moving = True
        while moving:
            answered = self._answers(events)
            moving = self._begin(events) or answered
        return events

    def _answers(self, events: list[Event]) -> bool:
        answers = self._cluster.answers()
        for answer in answers:
            job = self._answered(answer.write)
            if answer.refusal is None:
                self._tell(answer.write)
            if job is not None:
                job.in_flight -= 1
                self._take(job, answer.write, answer.refusal, events)
                if not job.in_flight and not job.unwritten:
                    self._advance(job, events)
        return bool(answers)

    def _answered(self, write: Write) -> _Job | None:
        """Whose write this was; None if nobody's."""
        jobs = self._jobs_of[write]
        job = jobs.popleft()
        if not jobs:
            del self._jobs_of[write]
        return job

    def _tell(self, write: Write) -> None:
        """Tell people of whom we made leave."""
        if isinstance(write, DeleteWrite):
            self._announce(Announce(write.pod, write.uid, "GangReleased", write.message))
        elif isinstance(write, EvictWrite) and not write.dry_run:
            self._announce(Announce(write.pod, write.uid, "Preempted", write.message))

    def _take(self, job: _Job, write: Write, refusal: str | None, events: list[Event]) -> None:
        """Take in what became of one write."""
        if refusal is not None:
            pod = write.binding.pod if isinstance(write, BindWrite) else write.pod
            if job.refused is None:
                own = pod in {binding.pod for binding in job.unit}
                why = refusal if own else f"{'/'.join(pod)} may not be evicted: {refusal}"
                job.refused = BindFailed(pod if own else job.unit[0].pod, why)
            job.unwritten.clear()
        elif isinstance(write, BindWrite) and not write.dry_run:
            job.bound.add(write.binding.pod)
            events.append(Bound(write.binding.pod, write.binding.uid, write.binding.node))

    def _advance(self, job: _Job, events: list[Event]) -> None:
        """A step is over: begin the next, or end the unit."""
        if job.refused is None and job.steps:
            step = job.steps.popleft()
            job.nominated = job.nominated or isinstance(step[0], NominateWrite)
            job.unwritten.extend(step)
            return
        self._end(job)
        if job.refused is not None:
            events.append(job.refused)

    def _stop(self, job: _Job, why: str) -> None:
        """Write nothing more of a unit: it ends with its last answer, or now if none is awaited."""
        job.refused = job.refused or BindFailed(job.unit[0].pod, why)
        job.unwritten.clear()
        if not job.in_flight:
            self._end(job)

    def _end(self, job: _Job) -> None:
        del self._active[job]
        if job.refused is not None:
            self._take_back(job)

    def _take_back(self, job: _Job) -> None:
        """Give back the room of those of a refused unit that are not bound."""
        room = self._room()
        for binding in job.unit:
            if binding.pod not in job.bound:
                self._assumed.forget(binding.pod)
                room.give_back(binding.pod)
                if job.nominated:
                    self._loose.append(NominateWrite(binding.pod, binding.uid, None))

    def _begin(self, events: list[Event]) -> bool:
        """Begin writes while the cluster takes some, units in their order."""
        begun = False
        while self._cluster.free() > 0:
            write = self._next(events)
            if write is None:
                break
            self._cluster.begin(write)
            begun = True
        return begun

    def _next(self, events: list[Event]) -> Write | None:
        """The next write, counted as in flight."""
        if self._loose:
            write = self._loose.popleft()
            self._jobs_of.setdefault(write, deque()).append(None)
            return write
        job = next((job for job in self._active if job.unwritten), None)
        while job is None and self._waiting:
            job = self._admit(self._waiting.popleft(), events)
        if job is None:
            return None
        write = job.unwritten.popleft()
        job.in_flight += 1
        self._jobs_of.setdefault(write, deque()).append(job)
        return write

    def _admit(self, job: _Job, events: list[Event]) -> _Job | None:
        """Hold a unit against the newest room, and take its room; None if it is refused."""
        room = self._room()
        refusal = room.refusal(job.unit, [victim.pod for victim in job.victims])
        if refusal is not None:
            binding, why = refusal
            events.append(BindFailed(binding.pod, why))
            return None
        for binding in job.unit:
            if job.victims:
                self._assumed.nominate(binding)
            else:
                self._assumed.bind(binding)
            room.take(binding)
        self._active[job] = None
        self._advance(job, events)
        return job


def cause(victim: Victim, unit: Unit) -> str:
    """For whom a victim leaves, in kube-scheduler's words and the name that people know."""
    waiting = [binding for binding in unit if binding.pod in victim.waiting] or unit
    first = waiting[0]
    return f"Preempted by pod {first.uid} ({'/'.join(first.pod)}) on node {first.node}"


def _nominations(unit: Unit) -> Step:
    return [NominateWrite(binding.pod, binding.uid, binding.node) for binding in unit]


def deletions(pods: Iterable[tuple[PodKey, str]], message: str) -> list[Write]:
    """The writes that delete pods ``(key, uid)``."""
    return [DeleteWrite(pod, uid, message) for pod, uid in pods]
