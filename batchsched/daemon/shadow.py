"""Shadow mode: what would have become of the pods, had we decided? Nothing is written.

``ShadowCluster`` stands between the loop and a live cluster: it reads what there is, and says
"done" to every binding without sending it. So the loop goes on as if its pods held the room that
they were given, until a watch shows where the other scheduler has put them. ``Tally`` keeps, of
each pod that was seen waiting, when and where each of the two placed it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from batchsched.cycle import PodKey
from batchsched.daemon.ports import (
    Answer,
    BindWrite,
    Change,
    Cluster,
    NodeChange,
    NominateWrite,
    PodChange,
    Write,
)
from batchsched.daemon.watch import is_pending
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot

WRITES_MAX = 100_000
"""Which cost nothing here, so that a plan is done at once."""
PODS_MAX = 500_000
"""Pods that are followed; those that come later are not compared."""
REFUSAL = "shadow: nothing is written"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pod was placed, and when."""

    node: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Seen:
    """A pod that waited."""

    uid: str
    since_s: float
    group: tuple[tuple[str, str, str], int] | None
    """Its gang and the gang's minimum."""
    theirs: Place | None = None
    ours: Place | None = None

    def would_be(self) -> Place | None:
        """Where it would be if we helped: where they put it before we did, or where we would."""
        places = [place for place in (self.theirs, self.ours) if place is not None]
        return min(places, key=lambda place: place.at_s, default=None)


@dataclass(frozen=True, slots=True)
class Line:
    """What came of the pods under one scheduler."""

    name: str
    placed: int
    gangs: int
    nodes: int
    wait_s: float
    """The mean of those that were placed."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a shadow has seen."""

    pods: int
    gangs: int
    lines: tuple[Line, Line]
    """The other scheduler alone, and with us."""


class Tally:
    """Follows the pods that wait.

    Args:
        schedulers: Whose pods.
        now_s: The time.
    """

    def __init__(self, schedulers: tuple[str, ...], now_s: Callable[[], float]) -> None:
        """Have seen nobody."""
        self._schedulers, self._now_s = schedulers, now_s
        self._pods: dict[PodKey, Seen] = {}

    def begin(self, snapshot: Snapshot) -> None:
        """See who waits at the start."""
        group_of = {key: snapshot.groups[index] for key, index in snapshot.group_of}
        for pod in snapshot.pods:
            self._see(pod, group_of.get(pod.key))

    def note(self, changes: Iterable[Change]) -> None:
        """See who comes, and where the other scheduler puts them."""
        for change in changes:
            if isinstance(change, NodeChange):
                continue
            if change.new is not None:
                self._see(change.new, change.group)
            self._follow(change)

    def placed(self, key: PodKey, uid: str, node: str) -> None:
        """Take note of a binding that we would have written."""
        seen = self._pods.get(key)
        if seen is not None and seen.uid == uid and seen.ours is None:
            self._pods[key] = replace(seen, ours=Place(node, self._now_s()))

    def summary(self, other: str) -> Summary:
        """What came of all of them."""
        pods = list(self._pods.values())
        theirs, ours = [p.theirs for p in pods], [p.would_be() for p in pods]
        minimum = {seen.group[0]: seen.group[1] for seen in pods if seen.group is not None}
        lines = (_line(other, pods, theirs, minimum), _line("with batchsched", pods, ours, minimum))
        return Summary(len(pods), len(minimum), lines)

    def _see(self, pod: Pod, group: PodGroup | None) -> None:
        known = self._pods.get(pod.key)
        full = known is None and len(self._pods) >= PODS_MAX
        if full or not is_pending(pod, self._schedulers) or (known and known.uid == pod.uid):
            return
        gang = (group.unit, group.unit_count) if group is not None and group.unit_count else None
        self._pods[pod.key] = Seen(pod.uid, self._now_s(), gang)

    def _follow(self, change: PodChange) -> None:
        pod = change.new
        seen = self._pods.get(pod.key) if pod is not None else None
        if pod is None or pod.node is None or seen is None or seen.uid != pod.uid:
            return
        if seen.theirs is None:
            self._pods[pod.key] = replace(seen, theirs=Place(pod.node, self._now_s()))


def _line(
    name: str,
    pods: Sequence[Seen],
    places: Sequence[Place | None],
    minimum: dict[tuple[str, str, str], int],
) -> Line:
    """What came of the pods where each has one of these places."""
    placed = [(pod, place) for pod, place in zip(pods, places, strict=True) if place is not None]
    members: dict[tuple[str, str, str], int] = {}
    for pod, _ in placed:
        if pod.group is not None:
            members[pod.group[0]] = members.get(pod.group[0], 0) + 1
    waits = [place.at_s - pod.since_s for pod, place in placed]
    return Line(
        name=name,
        placed=len(placed),
        gangs=sum(count >= minimum[gang] for gang, count in members.items()),
        nodes=len({place.node for _, place in placed}),
        wait_s=sum(waits) / len(waits) if waits else 0.0,
    )


class ShadowCluster:
    """A live cluster, to which nothing is written.

    Args:
        cluster: The live one; only read.
        tally: Told of what it shows and of what we would have written.
        wake: Called when there are answers.
    """

    def __init__(self, cluster: Cluster, tally: Tally, wake: Callable[[], None]) -> None:
        """Stand in between."""
        self._cluster, self._tally, self._wake = cluster, tally, wake
        self._answers: list[Answer] = []
        self._begun = False

    def snapshot(self) -> Snapshot:
        """As the cluster."""
        snapshot = self._cluster.snapshot()
        if not self._begun:
            self._begun = True
            self._tally.begin(snapshot)
        return snapshot

    def changes(self) -> Sequence[Change]:
        """As the cluster."""
        changes = self._cluster.changes()
        self._tally.note(changes)
        return changes

    def free(self) -> int:
        """As many as anybody likes."""
        return WRITES_MAX

    def begin(self, write: Write) -> None:
        """Say that a binding was written; that anybody would leave is not to be had."""
        done = isinstance(write, BindWrite | NominateWrite)
        self._answers.append(Answer(write, None if done else REFUSAL))
        if isinstance(write, BindWrite) and not write.dry_run:
            self._tally.placed(write.binding.pod, write.binding.uid, write.binding.node)
        self._wake()

    def answers(self) -> Sequence[Answer]:
        """What was said."""
        answers, self._answers = self._answers, []
        return answers
