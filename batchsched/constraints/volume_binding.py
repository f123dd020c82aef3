"""Volume binding: bound volumes can be used where the pod is, and unbound claims find one that can.

Source: FORMULATION §C12; kube-scheduler's VolumeBinding. A claim that waits for its first consumer
gets one choice for all its users: a static volume that no other claim gets, or provisioning where
they all are. Static volumes that the same claims may get and the same nodes reach are one kind, and
counted.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from batchsched.feasibility.problem import Problem
from batchsched.feasibility.problem_scene import scene_of
from batchsched.feasibility.scene import Scene
from batchsched.feasibility.volume_binding import (
    Shape,
    matching_volumes,
    provisionable,
    shape,
    spacious,
)
from batchsched.plan.claims import is_bound, without_volume
from batchsched.plan.reading import meets_terms
from batchsched.plan.state import FinalState, Placed, Violation
from batchsched.snapshot.storage import PersistentVolumeClaim
from batchsched.solver.model import IntArray, Model
from batchsched.solver.sums import BoolArray, Entries, Sums, numbered, sums


@dataclass(frozen=True, slots=True)
class VolumeBinding:
    """Volumes for the claims of placed pods."""

    name: str = "volume_binding"

    def post(self, model: Model) -> None:
        """Choices of claims that several pods use, or that compete for static volumes.

        Bound claims, and those that nobody else has to do with, are in the candidates.
        """
        scene = scene_of(model.problem) if model.problem.snapshot.claims else None
        claims = _claims(scene) if scene is not None else []
        if scene is None or not claims:
            return
        kinds = _kinds(scene, claims)
        takers: list[list[tuple[IntArray, int]]] = [[] for _ in kinds]
        for claim in claims:
            of_claim = [k for k, kind in enumerate(kinds) if claim.shape in kind.shapes]
            users = _users(model, claim)
            if claim.users > 1:
                self._post_shared(model, claim, users, kinds, of_claim, takers)
            else:
                self._post_own(model, claim, users, kinds, of_claim, takers)
        for kind, taking in zip(kinds, takers, strict=True):
            if kind.contested and taking:
                entries: list[Entries] = [(0, columns, factor) for columns, factor in taking]
                model.add_rows(self.name, 1, entries, upper=kind.count)

    def _post_own(
        self,
        model: Model,
        claim: "_Claim",
        users: Sums,
        kinds: list["_Kind"],
        of_claim: list[int],
        takers: list[list[tuple[IntArray, int]]],
    ) -> None:
        """A claim of one pod: ``x <= sum of y``, the volume kinds that it could take there."""
        node = users.cells.nodes
        usable = np.array([kinds[k].usable[node] for k in of_claim], dtype=np.bool_)
        usable = usable.reshape(len(of_claim), len(node))
        contested = np.array([kinds[k].contested for k in of_claim], dtype=np.bool_)
        sure = claim.provisioned[node] | usable[~contested].any(axis=0)
        # Where the one kind is of this node only, being there is taking it.
        local = np.array([kinds[k].usable.sum() == 1 for k in of_claim], dtype=np.bool_)
        alone = ~sure & (usable.sum(axis=0) == 1) & usable[local].any(axis=0)
        for at, k in enumerate(of_claim):
            direct = users.cells.columns[alone & usable[at]]
            if len(direct):
                takers[k].append((direct, 1))
        asking = ~sure & ~alone
        count, row = numbered(asking)
        if not count:
            return
        entries: list[Entries] = [(np.arange(count), users.cells.columns[asking], 1)]
        for at, k in enumerate(of_claim):
            rows = row[asking & usable[at]]
            if len(rows):
                column = model.add_columns(self.name, 1, 1)
                takers[k].append((column, 1))
                entries.append((rows, column, -1))
        model.add_rows(self.name, count, entries, upper=0)

    def _post_shared(
        self,
        model: Model,
        claim: "_Claim",
        users: Sums,
        kinds: list["_Kind"],
        of_claim: list[int],
        takers: list[list[tuple[IntArray, int]]],
    ) -> None:
        """A claim of several pods: ``users <= U (sum of y + z)`` on each node, one choice."""
        count, row = numbered(users.most > 0)
        entries: list[Entries] = [users.entries(row)]
        choices = []
        for k in of_claim:
            nodes = np.flatnonzero((row >= 0) & kinds[k].usable)
            if len(nodes):
                column = model.add_columns(self.name, 1, 1)
                takers[k].append((column, 1))
                entries.append((row[nodes], column, -users.most[nodes]))
                choices.append(column)
        made = np.flatnonzero((row >= 0) & claim.provisioned)
        if len(made):
            columns = model.add_columns(self.name, 1, len(made))
            entries.append((row[made], columns, -users.most[made]))
            choices.append(columns)
        if count:
            model.add_rows(self.name, count, entries, upper=0)
        if choices:
            model.add_rows(self.name, 1, [(0, np.concatenate(choices), 1)], upper=1)

    def reads(self, problem: Problem) -> Iterable[IntArray]:
        """Every node by itself, where pods have claims; else nothing."""
        concerned = any(c.spec.claims for c in problem.classes)
        return [np.arange(len(problem.nodes))] if concerned else []

    def check(self, state: FinalState) -> Iterator[Violation]:
        """Every claim of a placed pod has, or finds, a volume that its node reaches."""
        waiting: dict[tuple[str, str], list[Placed]] = {}
        for placed in state.placed:
            for ref, claim in state.storage.claims_of(placed.pod):
                problem = _unready(state, placed, claim, ephemeral=ref.ephemeral)
                if problem is not None:
                    message = f"claim {ref.name}: {problem}"
                    yield Violation(self.name, placed.pod.full_name, placed.node.name, message)
                elif claim is not None and not is_bound(claim):
                    waiting.setdefault(claim.key, []).append(placed)
        places = {key: frozenset(p.node.name for p in users) for key, users in waiting.items()}
        for key in without_volume(state, places):
            first = waiting[key][0]
            message = f"claim {key[1]}: no volume for it that all its users reach"
            yield Violation(self.name, first.pod.full_name, first.node.name, message)


def _unready(
    state: FinalState, placed: Placed, claim: PersistentVolumeClaim | None, *, ephemeral: bool
) -> str | None:
    """What is wrong with a claim, other claims aside."""
    if claim is None:
        return "there is none"
    if claim.phase == "Lost" or claim.deleting:
        return "it is lost, or being deleted"
    if ephemeral and (claim.owner is None or claim.owner.uid != placed.pod.uid):
        return "it is another pod's"
    if is_bound(claim):
        return _out_of_reach(state, placed, claim)
    made_by = state.storage.class_of(claim)
    if claim.volume_name or made_by is None or not made_by.wait_for_first_consumer:
        return "it is not bound, and will not be by a pod"
    return None


def _out_of_reach(state: FinalState, placed: Placed, claim: PersistentVolumeClaim) -> str | None:
    """What is wrong with the volume of a bound claim."""
    volume, node = state.storage.volume_of(claim), placed.node.name
    if volume is None:
        return f"its volume {claim.volume_name} does not exist"
    if not meets_terms(volume.node_affinity, node, state.census.labels[node]):
        return f"its volume {volume.name} cannot be used on the node"
    return None


@dataclass(frozen=True, slots=True, eq=False)
class _Claim:
    """An unbound claim: its shape, the classes [C] that use it, where it can be provisioned [N]."""

    shape: Shape
    classes: BoolArray
    users: int
    provisioned: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class _Kind:
    """Volumes that claims of the same shapes may get and that the same nodes [N] reach."""

    shapes: tuple[Shape, ...]
    usable: BoolArray
    count: int
    contested: bool
    """Whether more claims may want one than there are."""


def _claims(scene: Scene) -> list[_Claim]:
    """The unbound claims of pods to be placed that wait for their first consumer."""
    users: dict[tuple[str, str], list[int]] = {}
    for index, pods in enumerate(scene.classes):
        for claim in scene.storage.claims_of(pods.pods[0]) if pods.seat is None else ():
            if not is_bound(claim) and scene.storage.waits(claim):
                users.setdefault(claim.key, []).append(index)
    found = []
    for key in sorted(users):
        of_claim = shape(scene, scene.storage.claims[key])
        classes = np.zeros(len(scene.classes), dtype=np.bool_)
        classes[users[key]] = True
        count = sum(scene.classes[index].size for index in set(users[key]))
        made = provisionable(scene, of_claim) & spacious(scene, of_claim)
        if of_claim.selected_node is not None:
            made = made & scene.terms.named([of_claim.selected_node])
        found.append(_Claim(of_claim, classes, count, made))
    return found


def _kinds(scene: Scene, claims: list[_Claim]) -> list[_Kind]:
    """The static volumes that some claim may get, by kind."""
    wanting: dict[Shape, int] = {}
    for claim in claims:
        wanting[claim.shape] = wanting.get(claim.shape, 0) + 1
    shapes_of: dict[str, list[Shape]] = {}
    for each in wanting:
        for volume in matching_volumes(scene, each) if each.selected_node is None else ():
            shapes_of.setdefault(volume.name, []).append(each)
    grouped: dict[tuple[tuple[Shape, ...], bytes], tuple[BoolArray, int]] = {}
    for name in sorted(shapes_of):
        usable = scene.terms.any_of(scene.storage.volumes[name].node_affinity)
        key = (tuple(shapes_of[name]), np.packbits(usable).tobytes())
        grouped[key] = (usable, grouped.get(key, (usable, 0))[1] + 1)
    return [
        _Kind(shapes, usable, count, sum(wanting[each] for each in shapes) > count)
        for (shapes, _), (usable, count) in grouped.items()
    ]


def _users(model: Model, claim: _Claim) -> Sums:
    """The users of a claim on each node."""
    nodes = np.arange(len(model.problem.nodes), dtype=np.int64)
    return sums(model, claim.classes, nodes, len(nodes))
