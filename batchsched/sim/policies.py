"""Policies: the solver, and to compare with, what schedulers do without one, pod by pod.

``least-allocated`` and ``most-allocated`` score nodes as kube-scheduler does (NodeResourcesFit,
with NodeResourcesBalancedAllocation beside the former, as its default profile has them);
``best-fit`` takes the node with the least left. All have kube-scheduler's filters and queue order,
look at every node, and admit a gang whole or not at all. They are approximations: no preemption, no
preferred affinities, no assumed requests, and ties go to the first node by name.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from batchsched.ageing import decide
from batchsched.feasibility.compile import compile_problem
from batchsched.feasibility.problem import Problem
from batchsched.plan.diff import Why, diff
from batchsched.plan.plan import Plan, PlanSolver, PlanTier, tier
from batchsched.plan.verify import final_state
from batchsched.profile import Profile
from batchsched.scheduler import Limits
from batchsched.sim.turns import Board
from batchsched.snapshot.allowance import NOTHING, Allowance
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot, Window

Floats = npt.NDArray[np.float64]
Score = Callable[[Floats, Floats, Floats], Floats]
"""(what is left [N, R] after the pod, allocatable [N, R], the pod's requests [R]) to scores [N]."""
PodKey = tuple[str, str]


class Policy(Protocol):
    """Who decides."""

    def __call__(self, snapshot: Snapshot, window: Window, before: Plan | None = None) -> Plan:
        """Plan a window; ``before`` is the plan of the one before it."""
        ...


def least_allocated(left: Floats, allocatable: Floats, _: Floats) -> Floats:
    """LeastAllocated plus BalancedAllocation over cpu and memory, 0..100 each."""
    shares = _shares(left, allocatable)[:, :2]
    least = 100 * np.clip(shares, 0, 1).mean(axis=1)
    used = 1 - shares
    balanced = 100 * (1 - used.std(axis=1))
    return np.asarray(least + balanced)


def most_allocated(left: Floats, allocatable: Floats, requests: Floats) -> Floats:
    """MostAllocated over cpu, memory, and the extended resources that the pod asks for."""
    counted = requests > 0
    counted[:2] = True
    shares = 1 - _shares(left, allocatable)
    return np.asarray(100 * np.clip(shares[:, counted], 0, 1).mean(axis=1))


def best_fit(left: Floats, allocatable: Floats, _: Floats) -> Floats:
    """The least that is left, all resources as shares of the largest node's."""
    largest = np.maximum(allocatable.max(axis=0, initial=0), 1)
    return np.asarray(-(left / largest).sum(axis=1))


SCORES: dict[str, Score] = {
    "least-allocated": least_allocated,
    "most-allocated": most_allocated,
    "best-fit": best_fit,
}


def _shares(left: Floats, allocatable: Floats) -> Floats:
    """What is left as shares of what there is; 0 where there is none."""
    return np.asarray(left / np.maximum(allocatable, 1))


def greedy(name: str) -> Policy:
    """Make one of the greedy policies by its name."""
    score = SCORES[name]

    def policy(snapshot: Snapshot, window: Window, before: Plan | None = None) -> Plan:
        del before
        problem = compile_problem(snapshot, window)
        placements = place(problem, snapshot, score)
        message = f"0/{len(snapshot.nodes)} nodes are available: none has room ({name})"
        reasons = {p.key: Why(message=message) for p in window.pods if p.key not in placements}
        reasons |= {e.pod.key: Why(e.reason, e.message) for e in problem.excluded}
        decision = diff(final_state(snapshot, window, placements), window, reasons)
        return decision.plan(_tiers(window, placements), PlanSolver())

    return policy


def solver(
    profile: Profile,
    limits: Limits,
    clock: Callable[[], float],
    allowance: Allowance = NOTHING,
) -> Policy:
    """Make the policy that this project is about.

    Args:
        profile: Rules and tiers.
        limits: Of each window's solve.
        clock: Real seconds, for the time limit; virtual time stands still meanwhile.
        allowance: What may be done to running pods.
    """

    def policy(snapshot: Snapshot, window: Window, before: Plan | None = None) -> Plan:
        made = before.reservation if before is not None else None
        return decide(
            snapshot,
            window,
            profile,
            limits,
            clock,
            allowance=allowance,
            before=before,
            earlier=made.meant() if made is not None else None,
        )

    return policy


def place(problem: Problem, snapshot: Snapshot, score: Score) -> dict[PodKey, str]:
    """Place pods one by one: highest priority first, then oldest; a gang at its oldest pod."""
    board = Board(problem, snapshot, score)
    class_of = {pod.key: c for c, each in enumerate(problem.classes) for pod in each.pods}
    pods = [pod for each in problem.classes for pod in each.pods]
    for unit in _units(pods, class_of, problem):
        gang = problem.classes[class_of[unit[0].key]].group
        board.turn([(pod.key, class_of[pod.key]) for pod in unit], gang)
    return board.placements()


def _units(pods: Sequence[Pod], class_of: dict[PodKey, int], problem: Problem) -> list[list[Pod]]:
    """The pods in kube-scheduler's queue order (PrioritySort), gangs together."""
    ordered = sorted(pods, key=lambda pod: (-pod.spec.priority, pod.created, pod.key))
    units: dict[object, list[Pod]] = {}
    for pod in ordered:
        gang = problem.classes[class_of[pod.key]].group
        units.setdefault(pod.key if gang is None else gang, []).append(pod)
    return list(units.values())


def _tiers(window: Window, placements: dict[PodKey, str]) -> list[PlanTier]:
    """How many pods of each priority are placed; nothing is proven, so the bound is all of them."""
    counts: dict[int, list[int]] = {}
    for pod in window.pods:
        placed, there = counts.setdefault(pod.spec.priority, [0, 0])
        counts[pod.spec.priority] = [placed + (pod.key in placements), there + 1]
    return [
        tier(f"placed/priority={priority}", *counts[priority])
        for priority in sorted(counts, reverse=True)
    ]
