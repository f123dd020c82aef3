"""Faults: what goes wrong in a simulation, drawn from a seed, until it stops.

Each seed draws which kinds of fault there are at all and how often (swarm testing): a run in which
everything fails now and then tests less than many runs in which one thing fails often.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TypeVar

from batchsched.daemon.ports import Answer, BindWrite, Change, Write
from batchsched.sim.cluster import IN_FLIGHT_MAX, SimCluster
from batchsched.snapshot.pod import Pod, PodSpec
from batchsched.snapshot.snapshot import Snapshot

Result = TypeVar("Result")
KIND_OFF = 0.4
"""How likely it is that a kind of fault does not occur in a run."""


class Crashed(BaseException):
    """The scheduler process was killed. Derived like KeyboardInterrupt: nobody may catch it."""


@dataclass(frozen=True, slots=True)
class Rates:
    """How likely each fault is, per occasion."""

    crash: float
    """before or after each API call"""
    refused: float
    """a write is refused without having taken effect"""
    lost_pod: float
    """somebody deletes the pod just before it is bound"""
    watch_delay_max_s: float
    solve_fails: float
    solve_takes_max_s: float
    lost_nodes: int
    """nodes that leave in the run, and come back after a while"""
    intruders: int
    """pods that another scheduler binds, where it sees room"""


def draw_rates(random: Random) -> Rates:
    """Draw which faults a run has, and how often."""

    def rate(most: float) -> float:
        return 0.0 if random.random() < KIND_OFF else random.uniform(0.05, 1.0) * most

    watch_delay_max_s = rate(8.0)
    return Rates(
        crash=rate(0.05),
        refused=rate(0.3),
        lost_pod=rate(0.1),
        watch_delay_max_s=watch_delay_max_s,
        solve_fails=rate(0.5),
        solve_takes_max_s=rate(20.0),
        lost_nodes=round(rate(4.0)),
        # Two schedulers with late watches do over-commit nodes, in any cluster: no fault of ours.
        intruders=0 if watch_delay_max_s else round(rate(100.0)),
    )


class Faults:
    """The faults of one run.

    Args:
        seed: The same seed, the same faults.
        until_s: When they stop; after that everything works.
        rates: How often; drawn from the seed when not given.
    """

    def __init__(self, seed: int, until_s: float, rates: Rates | None = None) -> None:
        """Draw the rates."""
        self._random = Random(seed)
        self.rates = rates or draw_rates(self._random)
        self.until_s = until_s
        self._now: Callable[[], float] = lambda: 0.0

    def schedule(self, cluster: SimCluster) -> None:
        """Let nodes leave and come back."""
        self._now = cluster.clock.now_s
        names = sorted(cluster.nodes)
        for _ in range(self.rates.lost_nodes):
            name = self._random.choice(names)
            at_s = self._random.uniform(0.0, self.until_s * 0.8)
            away_s = self._random.uniform(1.0, self.until_s * 0.2)
            cluster.clock.at(at_s, partial(_leave, cluster, name))
            node = cluster.nodes[name]
            cluster.clock.at(at_s + away_s, partial(cluster.add_node, node))

        for number in range(self.rates.intruders):
            at_s = self._random.uniform(0.0, self.until_s * 0.9)
            cluster.clock.at(at_s, partial(self._intrude, cluster, number))

    def _intrude(self, cluster: SimCluster, number: int) -> None:
        """Let another scheduler bind a pod to a node with room for it, for a while."""
        cpu_milli = self._random.choice((500, 1000, 2000, 4000))
        open_nodes = [name for name in sorted(cluster.nodes) if _room(cluster, name) >= cpu_milli]
        if not open_nodes:
            return
        requests = (("cpu", cpu_milli),)
        pod = Pod(
            namespace="elsewhere",
            name=f"intruder-{number}",
            spec=PodSpec(scheduler_name="default-scheduler", requests=requests),
            node=self._random.choice(open_nodes),
            phase="Running",
            requests=requests,
        )
        made = cluster.create(pod)
        leaves_s = cluster.clock.now_s() + self._random.uniform(5.0, 60.0)
        cluster.clock.at(leaves_s, partial(cluster.delete, made.key, made.uid, "done"))

    def happens(self, rate: float) -> bool:
        """Whether something that happens at this rate happens now."""
        return rate > 0 and self._now() < self.until_s and self._random.random() < rate

    def watch_delay_s(self) -> float:
        """How late a watch is."""
        if not self.happens(1.0 if self.rates.watch_delay_max_s else 0.0):
            return 0.0
        return self._random.uniform(0.0, self.rates.watch_delay_max_s)

    def solve(self) -> tuple[float, bool]:
        """How long a solve takes, and whether it fails."""
        slow = self.happens(0.5 if self.rates.solve_takes_max_s else 0.0)
        takes_s = self._random.uniform(0.0, self.rates.solve_takes_max_s) if slow else 0.0
        return takes_s, self.happens(self.rates.solve_fails)


def _room(cluster: SimCluster, node: str) -> int:
    """The cpu that is free on a node, in truth."""
    there = (pod for pod in cluster.pods.values() if pod.node == node and not pod.terminal)
    used = sum(dict(pod.requests).get("cpu", 0) for pod in there)
    return dict(cluster.nodes[node].allocatable).get("cpu", 0) - used


def _leave(cluster: SimCluster, name: str) -> None:
    if name in cluster.nodes:
        cluster.lose_node(name)


class FaultyCluster:
    """The port of a process that may be killed at any call, and whose writes may be refused."""

    def __init__(self, cluster: SimCluster, faults: Faults) -> None:
        """Stand in front of the cluster."""
        self._cluster, self._faults = cluster, faults
        self._answers: list[Answer] = []

    def snapshot(self) -> Snapshot:
        """As the port says."""
        return self._call(self._cluster.snapshot)

    def changes(self) -> Sequence[Change]:
        """As the port says."""
        return self._call(self._cluster.changes)

    def free(self) -> int:
        """As the port says."""
        return IN_FLIGHT_MAX - len(self._answers)

    def begin(self, write: Write) -> None:
        """As the port says."""
        self._answers.append(Answer(write, self._carried_out(write)))

    def answers(self) -> Sequence[Answer]:
        """As the port says."""
        answers, self._answers = self._answers, []
        return answers

    def _carried_out(self, write: Write) -> str | None:
        rates = self._faults.rates
        if self._faults.happens(rates.refused):
            return "500 Internal Server Error: etcdserver: request timed out"
        bound = isinstance(write, BindWrite) and not write.dry_run
        if isinstance(write, BindWrite) and bound and self._faults.happens(rates.lost_pod):
            self._cluster.delete(write.binding.pod, write.binding.uid, "somebody wanted it")
        return self._call(lambda: self._cluster.carry_out(write))

    def _call(self, call: Callable[[], Result]) -> Result:
        """Call, with a chance to be killed before it and after it."""
        if self._faults.happens(self._faults.rates.crash):
            raise Crashed
        answer = call()
        if self._faults.happens(self._faults.rates.crash):
            raise Crashed
        return answer
