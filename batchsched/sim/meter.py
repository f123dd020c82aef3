"""The meter: what became of every pod, and how full the cluster was. Exact, by integration.

It listens to the truth of the embedded cluster, not to what the scheduler was shown.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from batchsched.cycle import GroupKey, PodKey
from batchsched.daemon.ports import PodChange
from batchsched.sim.cluster import SimCluster
from batchsched.snapshot.pod import Pod, Quantities

GPU_WORD = "gpu"
"""A resource with this word in its name counts as GPUs (nvidia.com/gpu, amd.com/gpu)."""


@dataclass(slots=True)
class Life:
    """One pod, from its creation to its end, in seconds of the simulation."""

    pod: PodKey
    group: GroupKey | None
    min_count: int
    requests: Quantities
    created_s: float
    bound_s: float | None = None
    ended_s: float | None = None
    node: str | None = None

    @property
    def gpus(self) -> int:
        """How many whole GPUs it asks for."""
        return gpus(self.requests)


@dataclass(frozen=True, slots=True)
class Usage:
    """How full the cluster is at a time: shares of what the nodes have."""

    at_s: float
    cpu: float
    memory: float
    gpu: float
    running: int
    waiting: int


def gpus(quantities: Quantities) -> int:
    """The GPUs among quantities."""
    return sum(amount for resource, amount in quantities if GPU_WORD in resource)


class Meter:
    """Measures one run."""

    def __init__(self, cluster: SimCluster) -> None:
        """Listen to the cluster from now on."""
        self.lives: dict[str, Life] = {}
        """By uid."""
        self.samples: list[Usage] = []
        self._cluster = cluster
        self._used: Counter[str] = Counter()
        self._held = self._waiting = 0
        cluster.listeners.append(self.note)

    def note(self, change: PodChange) -> None:
        """Take note of a change of a pod."""
        now_s = self._cluster.clock.now_s()
        old, new = change.old, change.new
        if old is None and new is not None:
            group = change.group
            key, least = (group.key, group.min_count) if group is not None else (None, 0)
            life = Life(new.key, key, least, new.spec.requests, now_s)
            self.lives[new.uid] = life
            self._waiting += 1
        if _holds(new) and not _holds(old) and new is not None:
            life = self.lives[new.uid]
            life.bound_s, life.node = now_s, new.node
            self._move(new, 1)
            self._waiting -= 1
        elif _holds(old) and not _holds(new) and old is not None:
            self.lives[old.uid].ended_s = now_s
            self._move(old, -1)
        elif new is None and old is not None and old.node is None:
            self.lives[old.uid].ended_s = now_s
            self._waiting -= 1

    def sample(self) -> Usage:
        """Take note of how full the cluster is now."""
        total: Counter[str] = Counter()
        for node in self._cluster.nodes.values():
            total.update(dict(_by_kind(node.allocatable)))
        cpu, memory, gpu = (
            self._used[kind] / total[kind] if total[kind] else 0.0
            for kind in ("cpu", "memory", "gpu")
        )
        now_s = self._cluster.clock.now_s()
        usage = Usage(now_s, cpu, memory, gpu, self._held, self._waiting)
        self.samples.append(usage)
        return usage

    def _move(self, pod: Pod, sign: int) -> None:
        self._held += sign
        for kind, amount in _by_kind(pod.requests):
            self._used[kind] += sign * amount


def _holds(pod: Pod | None) -> bool:
    return pod is not None and pod.node is not None and not pod.terminal


def _by_kind(quantities: Quantities) -> Iterable[tuple[str, int]]:
    for resource, amount in quantities:
        if GPU_WORD in resource:
            yield "gpu", amount
        elif resource in {"cpu", "memory"}:
            yield resource, amount
