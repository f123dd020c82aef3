"""Turns: the state of a greedy policy while it places one pod, or one gang, after the other.

Most pods ask for room alone: for them a turn is a few array operations over the nodes. Pods with
rules about other pods, ports or volumes are asked of the real filters at their turn, with everybody
who was placed before them.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from batchsched.feasibility.filters import FILTERS, verdicts
from batchsched.feasibility.problem import Gang, Problem
from batchsched.feasibility.scene import make_scene
from batchsched.feasibility.selection import of_term
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.pod import PodSpec
from batchsched.snapshot.snapshot import Snapshot

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
PodKey = tuple[str, str]
FIRST = ("cpu", "memory")
"""Resources that every score looks at; they come first in the columns."""


class Board:
    """What is free, and who was placed where.

    Args:
        problem: Candidates, room and classes.
        snapshot: For the filters.
        score: See ``policies.Score``.
    """

    def __init__(
        self,
        problem: Problem,
        snapshot: Snapshot,
        score: Callable[[Floats, Floats, Floats], Floats],
    ) -> None:
        """Start with what fixed pods leave."""
        self._problem, self._snapshot, self._score = problem, snapshot, score
        self._columns = _columns(problem)
        self._allocatable = _ordered(problem.allocatable, self._columns, absent=1)
        self._free = _ordered(problem.free, self._columns, absent=1)
        self._requests = _ordered(problem.requests, self._columns, absent=0)
        self._slots = problem.slots.copy()
        self._special = [_is_special(problem, c) for c in range(len(problem.classes))]
        self._hopeless: set[int] = set()
        self._placed: list[tuple[PodKey, int, int]] = []
        self._running = [_running(gang) for gang in problem.gangs]

    def placements(self) -> dict[PodKey, str]:
        """Pod to node."""
        return {key: self._problem.nodes[node].name for key, _, node in self._placed}

    def turn(self, pods: Sequence[tuple[PodKey, int]], gang: int | None) -> None:
        """Place a pod, or as much of a gang as fits if that is its minimum, else nothing of it.

        A gang that must stay in one domain is tried in each, the roomiest first.
        """
        if gang is None or self._problem.gangs[gang].group.min_count <= 0:
            for key, pod_class in pods:
                self._put(key, pod_class, None)
            return
        group = self._problem.gangs[gang].group
        allowed: list[Bools | None] = [None]
        if group.required_topology is not None:
            allowed = [*self._domains(group.required_topology, gang)]
        for mask in allowed:
            before = len(self._placed)
            for key, pod_class in pods:
                self._put(key, pod_class, mask)
            there = self._running[gang].copy()
            there.update(self._problem.classes[c].part for _, c, _ in self._placed[before:])
            if _is_whole(group, there):
                self._running[gang] = there
                return
            self._undo(before)

    def _put(self, key: PodKey, pod_class: int, mask: Bools | None) -> None:
        """Place one pod where it scores best, if anywhere."""
        if pod_class in self._hopeless:
            return
        requests = self._requests[pod_class]
        asks = requests > 0
        fits = self._problem.candidates[pod_class] & (self._slots > 0)
        fits &= (self._free[:, asks] >= requests[asks]).all(axis=1)
        if not fits.any():
            self._hopeless.add(pod_class)  # room only shrinks, until a gang is undone
            return
        if mask is not None:
            fits &= mask
        if self._special[pod_class] and fits.any():
            fits &= ~self._refused(pod_class)
        nodes = np.flatnonzero(fits)
        if not len(nodes):
            return
        scores = self._score(
            self._free[nodes] - requests, self._allocatable[nodes], requests.copy()
        )
        node = int(nodes[int(np.argmax(scores))])
        self._free[node] -= requests
        self._slots[node] -= 1
        self._placed.append((key, pod_class, node))

    def _undo(self, before: int) -> None:
        """Take back what was placed since."""
        for _, pod_class, node in self._placed[before:]:
            self._free[node] += self._requests[pod_class]
            self._slots[node] += 1
        del self._placed[before:]
        self._hopeless.clear()

    def _refused(self, pod_class: int) -> Bools:
        """[N] what the filters say now, with everybody who was placed before."""
        problem = self._problem
        names = [node.name for node in problem.nodes]
        pods = {pod.key: pod for each in problem.classes for pod in each.pods}
        fixed = [*problem.fixed.pods, *(pods[key] for key, _, _ in self._placed)]
        places = [names[node] if node >= 0 else None for node in problem.fixed_node.tolist()]
        places += [names[node] for _, _, node in self._placed]
        scene = make_scene(self._snapshot, (problem.classes[pod_class],), fixed, places)
        refused = np.zeros(len(names), dtype=np.bool_)
        for verdict in verdicts(scene, FILTERS):
            refused |= verdict.expanded()[0] > 0
        return refused

    def _domains(self, key: str, gang: int) -> list[Bools]:
        """The domains that a gang may take as masks [N], the roomiest first."""
        domains = self._problem.domains(key)
        pinned = {int(domains.of_node[n]) for n in self._problem.gangs[gang].running_nodes}
        masks = [
            domains.of_node == index
            for index in range(len(domains))
            if not pinned or index in pinned
        ]
        shares = self._free / np.maximum(self._allocatable, 1)
        return sorted(masks, key=lambda mask: -float(shares[mask].sum()))


def _running(gang: Gang) -> Counter[str | None]:
    """How many members run, by part; ``None`` where no part has a minimum."""
    of = Counter[str | None]()
    for (part, _), there in zip(gang.group.parts, gang.running_of, strict=True):
        of[part] = there
    of[None] = gang.running - of.total()
    return of


def _is_whole(group: PodGroup, there: Counter[str | None]) -> bool:
    enough = there.total() >= group.min_count
    return enough and all(there[part] >= least for part, least in group.parts)


def _columns(problem: Problem) -> list[int]:
    """The columns of the resources: cpu, memory (-1 where no class asks for it), the others."""
    index = {resource: i for i, resource in enumerate(problem.resources)}
    first = [index.get(resource, -1) for resource in FIRST]
    return first + [i for resource, i in index.items() if resource not in FIRST]


def _ordered(values: npt.NDArray[np.int64], columns: list[int], *, absent: int) -> Floats:
    """The columns in their order; where there is none, a resource that nobody uses."""
    extra = np.full((len(values), 1), absent, dtype=values.dtype)
    padded = np.concatenate([values, extra], axis=1)
    return padded[:, columns].astype(np.float64)


def _is_special(problem: Problem, pod_class: int) -> bool:
    """Whether pods of the class have rules that look at more than nodes and room."""
    spec = problem.classes[pod_class].spec
    if _has_own_rules(spec):
        return True
    for other in problem.classes:
        for term in other.spec.anti_affinity:
            who = of_term(term, other.namespace)
            if problem.selections.classes(who)[pod_class]:
                return True
    return False


def _has_own_rules(spec: PodSpec) -> bool:
    return bool(
        spec.affinity
        or spec.anti_affinity
        or spec.host_ports
        or spec.claims
        or spec.disks
        or any(constraint.hard for constraint in spec.spread)
    )
