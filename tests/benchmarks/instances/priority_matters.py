"""The grid of "Priority Matters" (Christensen, Giallorenzo, Mauro, arXiv 2511.08373), from seeds.

ReplicaSets of one to four pods, all nodes alike and just large enough for a wanted usage. The
pods, their priorities and the nodes are those that the published generator draws from the same
seed. Where the pods run at the start is not: theirs is kube-scheduler's own placement on an
emulated cluster, ours that of `least-allocated`, an approximation of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import count, islice
from random import Random

from batchsched.sim.policies import greedy
from batchsched.snapshot.pod import OwnerRef, Pod, PodSpec
from batchsched.snapshot.snapshot import Snapshot, pending
from tests.builders import make_node, make_pod, make_snapshot, make_spec

REPLICAS_MAX = 4
CPU_MILLI = (100, 1_000)
MEMORY = (10**8, 10**9)
CHOSEN_BELOW = 1.0
"""Usage from which on seeds are taken as they come; below, only those that leave a pod pending."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the grid. ``usage`` is what all pods ask for, as a share of all nodes."""

    nodes: int
    pods: int
    usage: float
    priorities: int = 4

    @property
    def name(self) -> str:
        """As the tables name it."""
        return f"{self.nodes}x{self.pods} at {self.usage:.2f}"


def instances(cell: Cell, how_many: int) -> Iterator[tuple[int, Snapshot]]:
    """The first instances of a cell with their seeds, 1 and on."""
    return islice(_instances(cell), how_many)


def _instances(cell: Cell) -> Iterator[tuple[int, Snapshot]]:
    for seed in count(1):
        snapshot = started(workload(cell, seed))
        if cell.usage >= CHOSEN_BELOW or pending(snapshot).pods:
            yield seed, snapshot


def workload(cell: Cell, seed: int) -> Snapshot:
    """All pods of an instance, pending, and its nodes."""
    sizes = list(_sizes(_stream(seed, "rs-sizes"), cell.pods))
    cpu, memory, base = (_stream(seed, label) for label in ("rs-cpu", "rs-mem", "base"))
    cpus = [cpu.randint(*CPU_MILLI) for _ in sizes]
    memories = [memory.randint(*MEMORY) for _ in sizes]
    priorities = [base.randint(1, cell.priorities) for _ in sizes]
    specs = [
        make_spec(cpu=cpu, memory=memory, priority=priority)
        for cpu, memory, priority in zip(cpus, memories, priorities, strict=True)
    ]
    pods = [pod for i, size in enumerate(sizes) for pod in _replica_set(i, size, specs[i])]
    nodes = [
        make_node(
            f"node-{i:02}",
            cpu=_node_size(cell, cpus, sizes),
            memory=_node_size(cell, memories, sizes),
        )
        for i in range(cell.nodes)
    ]
    return make_snapshot(nodes, pods)


def started(snapshot: Snapshot) -> Snapshot:
    """The cluster as `least-allocated` leaves it: what it placed runs, the rest is pending."""
    plan = greedy("least-allocated")(snapshot, pending(snapshot))
    node_of = {(binding.namespace, binding.name): binding.node for binding in plan.bindings}
    pods = tuple(
        replace(pod, node=node_of[pod.key], phase="Running") if pod.key in node_of else pod
        for pod in snapshot.pods
    )
    return replace(snapshot, pods=pods)


def _stream(seed: int, label: str) -> Random:
    """The published generator's stream of one label."""
    digest = blake2b(seed.to_bytes(16, "big") + b"\x00" + label.encode(), digest_size=16)
    return Random(int.from_bytes(digest.digest(), "big"))


def _sizes(random: Random, pods: int) -> Iterator[int]:
    left = pods
    while left:
        size = random.randint(1, min(REPLICAS_MAX, left))
        left -= size
        yield size


def _replica_set(number: int, size: int, spec: PodSpec) -> list[Pod]:
    """Its pods, created in the order of the ReplicaSets; who has an owner can be moved."""
    name = f"rs-{number:03}"
    fields = {
        "created": f"2026-01-01T{number // 60:02}:{number % 60:02}:00Z",
        "owner": OwnerRef("apps/v1", "ReplicaSet", name, f"uid-{name}"),
    }
    return [make_pod(f"{name}-{i}", spec=spec, pod=fields) for i in range(size)]


def _node_size(cell: Cell, amounts: list[int], sizes: list[int]) -> int:
    """What each node has of a resource, so that all pods together are the usage."""
    asked = sum(amount * size for amount, size in zip(amounts, sizes, strict=True))
    return max(*amounts, _ceil(_ceil(asked / cell.usage) / cell.nodes))


def _ceil(amount: float) -> int:
    return -int(-amount // 1)
