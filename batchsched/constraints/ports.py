"""Ports: two pods of one node do not listen on the same host port.

Source: FORMULATION §C3; kube-scheduler's NodePorts. Ports conflict when protocol and number are
equal and the addresses are too, or one of them is the wildcard.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from batchsched.feasibility.problem import Problem
from batchsched.plan.state import FinalState, Placed, Violation
from batchsched.solver.model import IntArray, Model
from batchsched.solver.sums import numbered, sums

WILDCARD = "0.0.0.0"  # noqa: S104 -- Kubernetes' wildcard, not an address that we listen on


@dataclass(frozen=True, slots=True)
class Ports:
    """One user for each host port of a node."""

    name: str = "ports"

    def post(self, model: Model) -> None:
        """On each node, for each port and address: one user of the address or the wildcard.

        Ports of fixed pods are in the candidates.
        """
        problem = model.problem
        nodes = np.arange(len(problem.nodes), dtype=np.int64)
        for users in _users(problem):
            mask = np.zeros(len(problem.classes), dtype=np.bool_)
            mask[users] = True
            if problem.class_size[mask].sum() <= 1:
                continue
            using = sums(model, mask, nodes, len(nodes))
            count, row = numbered(using.most > 1)
            if count:
                model.add_rows(self.name, count, [using.entries(row)], upper=1)

    def reads(self, problem: Problem) -> Iterable[IntArray]:
        """Nothing: ports of fixed pods keep classes off for good."""
        del problem
        return ()

    def check(self, state: FinalState) -> Iterator[Violation]:
        """No placed pod shares a port with another pod of its node."""
        for name, placed in state.receiving.items():
            if not any(each.pod.spec.host_ports for each in placed):
                continue
            held: dict[tuple[str, int], list[tuple[str, Placed]]] = {}
            for each in state.on_node[name]:
                for port in each.pod.spec.host_ports:
                    held.setdefault((port.protocol, port.port), []).append((port.ip, each))
            for each in placed:
                for port in each.pod.spec.host_ports:
                    holders = held[(port.protocol, port.port)]
                    other = next(
                        (p for ip, p in holders if p is not each and _same(ip, port.ip)), None
                    )
                    if other is not None:
                        message = (
                            f"host port {port.port}/{port.protocol} is also {other.pod.full_name}'s"
                        )
                        yield Violation(self.name, each.pod.full_name, name, message)


def _same(one: str, other: str) -> bool:
    """Whether two addresses of a node collide."""
    return one == other or WILDCARD in (one, other)


def _users(problem: Problem) -> Iterator[list[int]]:
    """For each port, and each address named with it, the classes of which a node takes one pod."""
    users: dict[tuple[str, int], dict[str, list[int]]] = {}
    for index, pods in enumerate(problem.classes):
        for port in sorted(set(pods.spec.host_ports)):
            by_ip = users.setdefault((port.protocol, port.port), {})
            by_ip.setdefault(port.ip, []).append(index)
    for key in sorted(users):
        wild = users[key].pop(WILDCARD, [])
        for ip in sorted(users[key]):
            yield sorted({*wild, *users[key][ip]})
        if not users[key]:
            yield wild
