"""Reservation: who is placed does not stay in the way of those who have waited long.

Source: FORMULATION §C15. Room is kept, and nothing else: ports, volumes and company are not. Pods
that are sure to be gone in time are not held back, nor are those of a higher priority.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from batchsched.feasibility.problem import Problem
from batchsched.feasibility.reserved import HeldBack, room_beside
from batchsched.plan.reading import seat
from batchsched.plan.state import FinalState, Violation, among
from batchsched.snapshot.ends import STARTS_WITHIN_S, duration_s, end_s, keeps_running
from batchsched.snapshot.pod import Pod, Quantities
from batchsched.snapshot.reservation import Reservation as Kept
from batchsched.solver.model import IntArray, Model
from batchsched.solver.sums import numbered


@dataclass(frozen=True, slots=True)
class Reservation:
    """On each reserved node, those that are held back fit beside what is kept."""

    name: str = "reservation"

    def post(self, model: Model) -> None:
        """``sum of q * x <= what is left`` for each resource, over the classes held back."""
        problem, made = model.problem, model.problem.snapshot.reservation
        if made is None:
            return
        held_back = HeldBack(made)
        held = np.array([c.seat is None and held_back(c.pods[0]) for c in problem.classes])
        nodes, room = room_beside(problem, made)
        row_of = np.full(len(problem.nodes), -1, dtype=np.int64)
        row_of[nodes] = np.arange(len(nodes))
        ones = np.ones((len(problem.classes), 1), dtype=np.int64)
        asked = np.hstack([problem.requests, ones])
        asked[~held.astype(np.bool_)] = 0
        for resource, amounts in enumerate(asked.T):
            if (divisor := int(np.gcd.reduce(amounts))) > 0:
                self._post(model, amounts // divisor, row_of, room[:, resource] // divisor)

    def _post(self, model: Model, weights: IntArray, row_of: IntArray, room: IntArray) -> None:
        """One row for each reserved node that somebody may come to."""
        cells = model.cells(weights > 0)
        rows = row_of[cells.nodes]
        there = np.zeros(len(room), dtype=np.bool_)
        there[rows[rows >= 0]] = True
        count, number = numbered(there)
        if count:
            chosen = rows >= 0
            entries = (number[rows[chosen]], cells.columns[chosen], weights[cells.classes[chosen]])
            model.add_rows(self.name, count, [entries], upper=room[there])

    def reads(self, problem: Problem) -> Iterable[IntArray]:
        """What is left of each node: of others there is no end."""
        made = problem.snapshot.reservation
        if made is None:
            return
        nodes, room = room_beside(problem, made)
        left = np.full((room.shape[1], len(problem.nodes)), -1, dtype=np.int64)
        left[:, nodes] = room.T
        yield left

    def check(self, state: FinalState) -> Iterator[Violation]:
        """On each reserved node: what is kept, who runs on, and who may not be gone in time."""
        made = state.snapshot.reservation
        if made is None:
            return
        running = _running_on(state, made)
        for name, kept in made.nodes:
            late = [each for each in state.receiving.get(name, ()) if _may_be_late(each.pod, made)]
            if not late:
                continue
            taken, asked = Counter(dict(kept)), Counter[str]()
            for pod in running.get(name, ()):
                taken.update(_amounts(pod.requests))
            for each in late:
                asked.update(_amounts(each.pod.spec.requests))
            allocatable = dict(late[0].node.allocatable)
            for resource, amount in sorted(asked.items()):
                left = max(0, allocatable.get(resource, 0) - taken[resource])
                if amount > left:
                    message = f"{amount} of {resource} requested, {left} are not kept for others"
                    yield Violation(self.name, late[-1].pod.full_name, name, message)


def _running_on(state: FinalState, made: Kept) -> dict[str, list[Pod]]:
    """Of each reserved node, who has a place there now and may have it still when it is needed."""
    found: dict[str, list[Pod]] = {name: [] for name, _ in made.nodes}
    owners = frozenset(made.pods)
    evicted = among(state.snapshot.pods, state.evicted).values() if state.evicted else ()
    for pod in (*state.kept, *evicted):
        there = found.get(seat(pod))
        if there is not None and pod.key not in owners and _runs_on(pod, made):
            there.append(pod)
    return found


def _runs_on(pod: Pod, made: Kept) -> bool:
    """Whether a pod that has its place may be there when the room is needed."""
    if made.until_s is None:
        return keeps_running(pod)
    end = end_s(pod, made.at_s)
    return end is None or end > made.until_s


def _may_be_late(pod: Pod, made: Kept) -> bool:
    """Whether a pod that is placed now may be there when the room is needed."""
    if pod.spec.priority > made.priority or pod.key in made.pods:
        return False
    takes_s, until_s = duration_s(pod), made.until_s
    in_time = takes_s is not None and until_s is not None
    return not in_time or made.at_s + STARTS_WITHIN_S + (takes_s or 0.0) > (until_s or 0.0)


def _amounts(requests: Quantities) -> dict[str, int]:
    """What a pod takes of a node: itself, too."""
    return {**dict(requests), "pods": 1}
