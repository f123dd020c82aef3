"""Drained (FORMULATION.md §O4): as many nodes as can be stand empty, and then few pods move.

Empty is a node whose pods are a DaemonSet's, static, or on their way out: what `kubectl drain`
leaves alone or waits for. Pods of nodes that are not emptied stay, or as many of them move as is
allowed, to make room. It is a rule and an objective at once: the rule comes before pods are placed,
so that nobody is placed by moves that are not allowed. Not for profiles: a cluster is drained by
somebody who asks for it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from batchsched.feasibility.problem import Problem
from batchsched.objectives._charged_nodes import charged
from batchsched.plan.reading import seat
from batchsched.plan.state import FinalState, Violation, among
from batchsched.snapshot.pod import OwnerRef
from batchsched.solver.model import IntArray, Model, Tier
from batchsched.solver.sums import BoolArray, Entries, add_up

ROUNDING = 1e-9
"""What sums of doubles may be off, relatively; on the side on which the bound holds."""


def occupies(owner: OwnerRef | None) -> bool:
    """Whether a pod of this owner has to leave before its node is empty."""
    return owner is None or owner.kind not in {"DaemonSet", "Node"}


@dataclass(frozen=True, slots=True)
class Drained:
    """Two tiers: nodes that are empty in the end, and running pods that leave their node.

    Attributes:
        moves_max: How many pods may leave nodes that are not emptied; ``None`` is any number.
    """

    moves_max: int | None = 0
    name: str = "drained"

    def post(self, model: Model) -> None:
        """Charge each node that could be empty and is not; who leaves, leaves such a node."""
        problem = model.problem
        counted = np.array([occupies(c.pods[0].owner) for c in problem.classes], dtype=np.bool_)
        nodes, used = charged(model, self.name, counted, ~_occupied(problem))
        used_of = np.full(len(problem.nodes), -1, dtype=np.int64)
        used_of[nodes] = used
        self._post_moves(model, used_of)

    def tiers(self, model: Model) -> Sequence[Tier]:
        """Nodes that are empty; then each pod that stays."""
        problem = model.problem
        used = np.concatenate(
            [
                np.arange(first, first + count)
                for rule, kind, first, count in model.blocks
                if (rule, kind) == (self.name, "columns")
            ]
        )
        kept = model.cells(problem.running).columns
        size = int(problem.class_size[problem.running].sum())
        could, cost = int((~_occupied(problem)).sum()), np.full(len(used), -1, dtype=np.int64)
        return [
            Tier(self.name, used, cost, constant=could, highest=-_least_in_use(problem)),
            Tier("moves", kept, np.ones_like(kept), constant=-size, sign=-1, highest=size),
        ]

    def _post_moves(self, model: Model, used_of: IntArray) -> None:
        """Of nodes that are in use, so many running pods leave and no more."""
        problem = model.problem
        kept = model.cells(problem.running)
        used, there = used_of[kept.nodes], problem.upper[kept.classes, kept.nodes]
        empties = used >= 0
        if self.moves_max is None or not len(kept):
            return
        if self.moves_max == 0:  # class by class: the tighter relaxation
            rows = np.arange(len(kept))
            entries: list[Entries] = [(rows, kept.columns, 1)]
            entries.append((rows[empties], used[empties], -there[empties]))
            least = np.where(empties, 0, there)
            model.add_rows(self.name, len(kept), entries, lower=least, upper=least)
            return
        size = add_up(kept.nodes, there, len(problem.nodes))
        nodes = np.unique(kept.nodes[empties])
        entries = [(0, kept.columns, 1), (0, used_of[nodes], -size[nodes])]
        lower = int(there[~empties].sum()) - self.moves_max
        model.add_rows(self.name, 1, entries, lower=lower)

    def check(self, state: FinalState) -> Iterator[Violation]:
        """Who leaves a node that is not empty then is one of the few that may."""
        used = _used(state)
        leaving = sorted(among(state.snapshot.pods, state.evicted).items())
        helping = [pod for _, pod in leaving if pod.node in used]
        if self.moves_max is not None and len(helping) > self.moves_max:
            message = f"one of {len(helping)} that leave nodes in use, {self.moves_max} may"
            for pod in helping:
                yield Violation(self.name, pod.full_name, pod.node or "", message)

    def score(self, state: FinalState) -> Mapping[str, int]:
        """Count the nodes that are empty, and who has left."""
        return {self.name: len(state.nodes.keys() - _used(state)), "moves": len(state.evicted)}


def _used(state: FinalState) -> set[str]:
    """The nodes that are not empty in the final state."""
    kept = (pod for pod in state.kept if occupies(pod.owner) and not pod.deleting)
    return {seat(pod) for pod in kept} | {
        placed.node.name for placed in state.placed if occupies(placed.pod.owner)
    }


def _least_in_use(problem: Problem) -> int:
    """How many nodes that could be empty have to be in use, by the room of all nodes together.

    Resource by resource: the largest such nodes that have room, with the others, for all pods that
    run. It needs no relaxation, so there is a bound however little time there is.
    """
    could = ~_occupied(problem)
    running = problem.class_size * problem.running
    free = np.column_stack([problem.slots, problem.free]).astype(np.float64)
    asked = np.column_stack([np.ones_like(running), problem.requests]).astype(np.float64)
    missing = (running @ asked) * (1 - ROUNDING) - free[~could].sum(axis=0)
    largest_first = np.cumsum(-np.sort(-free[could], axis=0), axis=0)
    least = (largest_first < missing).sum(axis=0) + (missing > 0)
    return min(int(least.max(initial=0)), int(could.sum()))


def _occupied(problem: Problem) -> BoolArray:
    """[N] the nodes that cannot be empty, because of pods that stay there."""
    fixed = problem.fixed
    owners, of = fixed.owners
    staying = np.array([occupies(owner) for owner in owners], dtype=np.bool_)[of] & fixed.staying
    occupied = np.zeros(len(problem.nodes), dtype=np.bool_)
    occupied[problem.fixed_node[staying & (problem.fixed_node >= 0)]] = True
    return occupied
