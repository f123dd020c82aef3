"""Reserved: whom a reservation holds back, and what it leaves to them.

The nodes of a reservation will be needed at its time: whoever goes there and stays beyond that has
to fit beside what is kept. Who is sure to be gone by then may use all of the room, so nothing is
said of them here. Source: FORMULATION §C15; Mu'alem and Feitelson, "Utilization, predictability,
workloads, and user runtime estimates in scheduling the IBM SP2 with backfilling", 2001.
"""

from collections.abc import Iterator

import numpy as np

from batchsched.feasibility.columns import IntArray
from batchsched.feasibility.problem import Problem
from batchsched.feasibility.resources import PODS, table
from batchsched.snapshot.ends import STARTS_WITHIN_S, duration_s, end_s, keeps_running
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.reservation import Reservation
from batchsched.snapshot.snapshot import holding


class HeldBack:
    """Asks of pods whether a reservation holds them back; false where there is none.

    Args:
        reservation: The reservation.
    """

    def __init__(self, reservation: Reservation | None) -> None:
        """Know whom the room is for."""
        self._reservation = reservation
        self._owners = frozenset(reservation.pods) if reservation is not None else frozenset()

    def __bool__(self) -> bool:
        """Whether anybody may be held back."""
        return self._reservation is not None

    def __call__(self, pod: Pod) -> bool:
        """Whether the pod, placed now, may still be there when the room is needed."""
        made = self._reservation
        if made is None or pod.spec.priority > made.priority or pod.key in self._owners:
            return False
        takes_s = None if made.until_s is None else duration_s(pod)
        if made.until_s is None or takes_s is None:
            return True
        return made.at_s + STARTS_WITHIN_S + takes_s > made.until_s


def room_beside(problem: Problem, reservation: Reservation) -> tuple[IntArray, IntArray]:
    """What a reservation leaves to those that it holds back.

    Returns:
        [K] the reserved nodes, as indices; [K, R + 1] of each resource of the problem what is left
        of them, pods last: allocatable less what is kept, and what pods hold that run on.
    """
    index = {node.name: n for n, node in enumerate(problem.nodes)}
    kept = [(index[name], amounts) for name, amounts in reservation.nodes if name in index]
    nodes = np.array([n for n, _ in kept], dtype=np.int64)
    columns = (*problem.resources, PODS)
    at = {n: k for k, (n, _) in enumerate(kept)}
    room = table([problem.nodes[n].allocatable for n, _ in kept], columns)
    room -= table([amounts for _, amounts in kept], columns)
    for pod, node in _staying(problem, reservation):
        k = at.get(index.get(node, -1))
        if k is not None:
            room[k] -= table([(*pod.requests, (PODS, 1))], columns)[0]
    return nodes, np.maximum(room, 0)


def _staying(problem: Problem, reservation: Reservation) -> Iterator[tuple[Pod, str]]:
    """Who holds a place now and may still hold it then, those that might be evicted too."""
    owners = frozenset(reservation.pods)
    nominated = [pod for pod in problem.fixed.pods if pod.node is None]
    for pod in (*holding(problem.snapshot), *nominated):
        if pod.key in owners:
            continue
        if reservation.until_s is None:
            stays = keeps_running(pod)
        else:
            end = end_s(pod, reservation.at_s)
            stays = end is None or end > reservation.until_s
        if stays:
            yield pod, pod.node or pod.nominated_node or ""
