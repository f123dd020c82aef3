"""The live cluster as the whole port: what watches show, and what is written.

Reading is the cache's, writing the writer's; here the two meet. A pod whose claims wait for their
first consumer gets, before it is bound, what ``volumes`` chooses on the newest snapshot that was
asked for (a binding does not ask for a newer one, which takes time); volumes that were given away
and are not seen to be are remembered, so that none is given twice.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from batchsched.cycle import PodKey
from batchsched.daemon.ports import Answer, BindWrite, Change, Clock, Write
from batchsched.kube.volumes import Choice, before_bind, choices
from batchsched.kube.writer import Writer
from batchsched.plan.claims import is_bound
from batchsched.plan.storage import Storage
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot

if TYPE_CHECKING:
    from batchsched.kube.steps import Steps


class Reading(Protocol):
    """The reading half of the port: the cache."""

    def snapshot(self) -> Snapshot:
        """Give the newest state that the watches have shown; the same object if nothing changed."""
        ...

    def changes(self) -> Sequence[Change]:
        """Give what the watches showed since the last call, in order; never waits."""
        ...


class KubeCluster:
    """Implements ``daemon.ports.Cluster``; for one thread, as the loop is."""

    def __init__(self, cache: Reading, writer: Writer, clock: Clock) -> None:
        """Put the halves together; both are started, and stopped, by whoever made them."""
        self._cache, self._writer, self._clock = cache, writer, clock
        self._shown = Snapshot()
        self._storage: tuple[Snapshot, Storage] | None = None
        self._taken: dict[BindWrite, tuple[Choice, ...]] = {}
        self._refused: list[Answer] = []

    def snapshot(self) -> Snapshot:
        """Give the newest state that the watches have shown."""
        self._shown = self._cache.snapshot()
        return self._shown

    def changes(self) -> Sequence[Change]:
        """Give what the watches showed since the last call."""
        return self._cache.changes()

    def free(self) -> int:
        """How many writes may be begun now."""
        return self._writer.free()

    def begin(self, write: Write) -> None:
        """Begin a write, after what has to be done for the pod's volumes."""
        before: Steps | None = None
        if isinstance(write, BindWrite) and not write.dry_run:
            chosen = self._chosen(write)
            if isinstance(chosen, str):
                self._refused.append(Answer(write, chosen))
                return
            if chosen:
                self._taken[write] = chosen
                before = before_bind(chosen, self._clock.now_s())
        self._writer.begin(write, before)

    def answers(self) -> Sequence[Answer]:
        """Give what was answered since the last call."""
        found = [*self._refused, *self._writer.answers()]
        self._refused.clear()
        for answer in found:
            if answer.refusal is not None and isinstance(answer.write, BindWrite):
                self._taken.pop(answer.write, None)
        return found

    def _chosen(self, write: BindWrite) -> tuple[Choice, ...] | str:
        """The volumes for a pod's claims; a refusal if there are none for it."""
        pod = pod_of(self._shown, write.binding.pod)
        if pod is None or not pod.spec.claims or pod.uid != write.binding.uid:
            return ()
        storage = self._stored()
        if all(claim is not None and is_bound(claim) for _, claim in storage.claims_of(pod)):
            return ()
        nodes = self._shown.nodes
        at = bisect_left(nodes, write.binding.node, key=lambda node: node.name)
        found = nodes[at].labels if at < len(nodes) and nodes[at].name == write.binding.node else ()
        given, planned = self._given(), dict(write.volumes)
        return choices(write.binding, pod, dict(found), storage, given, planned)

    def _stored(self) -> Storage:
        """The claims and volumes of the newest snapshot, by name."""
        if self._storage is None or self._storage[0] is not self._shown:
            self._storage = (self._shown, Storage(self._shown))
        return self._storage[1]

    def _given(self) -> dict[str, tuple[str, str]]:
        """The volumes that were given away and are not shown to be."""
        storage, found = self._stored(), dict[str, tuple[str, str]]()
        for write, chosen in list(self._taken.items()):
            here = [c for c in chosen if c.volume is not None and not _is_shown(c, storage)]
            found |= {c.volume: (c.namespace, c.claim) for c in here if c.volume is not None}
            if not here:
                del self._taken[write]
        return found


def pod_of(snapshot: Snapshot, key: PodKey) -> Pod | None:
    """A pod by its key: they are sorted by it."""
    at = bisect_left(snapshot.pods, key, key=lambda pod: pod.key)
    found = snapshot.pods[at] if at < len(snapshot.pods) else None
    return found if found is not None and found.key == key else None


def _is_shown(choice: Choice, storage: Storage) -> bool:
    """Whether the watches show that a volume is its claim's."""
    volume = storage.volumes.get(choice.volume or "")
    return volume is None or (volume.claim is not None and volume.claim[2] == choice.uid)
