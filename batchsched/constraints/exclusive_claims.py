"""Exclusive claims: a claim with access mode ReadWriteOncePod is used by one pod of the cluster.

Source: FORMULATION §C10; kube-scheduler's VolumeRestrictions. Claims of ephemeral volumes are one
pod's own and are not looked at.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from batchsched.feasibility.problem import Problem
from batchsched.plan.state import FinalState, Placed, Violation
from batchsched.snapshot.snapshot import Snapshot
from batchsched.snapshot.storage import READ_WRITE_ONCE_POD
from batchsched.solver.model import IntArray, Model


@dataclass(frozen=True, slots=True)
class ExclusiveClaims:
    """At most one pod for each ReadWriteOncePod claim."""

    name: str = "exclusive_claims"

    def post(self, model: Model) -> None:
        """``sum of all users <= 1`` for each such claim; a fixed user is in the candidates."""
        problem = model.problem
        exclusive = _exclusive(problem.snapshot)
        users: dict[tuple[str, str], list[int]] = {}
        for index, pods in enumerate(problem.classes):
            for ref in pods.spec.claims:
                if not ref.ephemeral and (pods.namespace, ref.name) in exclusive:
                    users.setdefault((pods.namespace, ref.name), []).append(index)
        for claim in sorted(users):
            classes = np.unique(users[claim])
            columns = model.cells(classes).columns
            if problem.class_size[classes].sum() > 1 and len(columns):
                model.add_rows(self.name, 1, [(0, columns, 1)], upper=1)

    def reads(self, problem: Problem) -> Iterable[IntArray]:
        """Nothing: it counts pods wherever they are."""
        del problem
        return ()

    def check(self, state: FinalState) -> Iterator[Violation]:
        """No placed pod shares such a claim with any other pod."""
        exclusive = _exclusive(state.snapshot)
        users: dict[tuple[str, str], list[Placed]] = {}
        kept = [pod for pod in state.kept if pod.spec.claims] if exclusive else ()
        for placed in (*state.stay(kept), *state.placed):
            for ref in placed.pod.spec.claims:
                if not ref.ephemeral and (placed.pod.namespace, ref.name) in exclusive:
                    users.setdefault((placed.pod.namespace, ref.name), []).append(placed)
        for claim in sorted(users):
            for placed in users[claim] if len(users[claim]) > 1 else ():
                if placed.new:
                    message = f"claim {claim[1]} is ReadWriteOncePod and has another user"
                    yield Violation(self.name, placed.pod.full_name, placed.node.name, message)


def _exclusive(snapshot: Snapshot) -> frozenset[tuple[str, str]]:
    """The claims that one pod alone may use."""
    return frozenset(c.key for c in snapshot.claims if READ_WRITE_ONCE_POD in c.access_modes)
