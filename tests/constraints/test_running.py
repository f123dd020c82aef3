"""Running pods that may go: rows and checks agree on every way to keep, evict and move."""

import random
from collections.abc import Callable, Mapping

import numpy as np
import pytest

from batchsched.constraints import default_constraints
from batchsched.plan.state import Violation
from batchsched.plan.verify import final_state
from batchsched.scheduler import Compiler
from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.snapshot import Snapshot
from batchsched.solver.extend import which_extend
from batchsched.solver.model import IntArray, Model
from tests.crowds import crowded_cluster, garrisoned_cluster
from tests.oracles.evicting import Scene
from tests.strategies import Object, snapshot_of

RULES = default_constraints()
SILENT = (object(),)
"""An objective that does not say what it reads of nodes: then none of them is spared."""
WAYS_MAX = 3_000
ALLOWANCES = (
    Allowance(preemption=True),
    Allowance(moves_max=None),
    Allowance(preemption=True, moves_max=1),
)

Key = tuple[str, str]
Drawn = Callable[[random.Random], list[Object]]


def counted(
    model: Model, leaving: Mapping[Key, str | None], places: Mapping[Key, str]
) -> IntArray | None:
    """A way as values of the count columns; ``None`` if no column stands for a part of it."""
    problem = model.problem
    node = {each.name: n for n, each in enumerate(problem.nodes)}
    table = np.zeros(problem.upper.shape, dtype=np.int64)
    known: set[Key] = set()
    for c, pods in enumerate(problem.classes):
        for pod in pods.pods:
            to = leaving.get(pod.key) if pods.returning else places.get(pod.key)
            if pods.seat is not None:
                to = None if pod.key in leaving else pod.node
            if to is not None:
                table[c, node[to]] += 1
                known.add(pod.key)
            elif pods.seat is not None:
                known.add(pod.key)
    if not known >= {*leaving, *places} or (table > problem.upper).any():
        return None
    return table[model.counts.classes, model.counts.nodes]


def objections(
    scene: Scene, leaving: Mapping[Key, str | None], places: Mapping[Key, str]
) -> list[Violation]:
    state = final_state(scene.snapshot, scene.window, places, leaving, scene.allowance)
    return [violation for rule in RULES for violation in rule.check(state)]


def disagreements(snapshot: Snapshot, allowance: Allowance) -> tuple[int, list[object]]:
    """How many ways there are, and those on which rows and checks disagree."""
    scene = Scene(snapshot, allowance)
    if scene.ways > WAYS_MAX:
        return 0, []
    model = Compiler(snapshot, scene.window, allowance, RULES, SILENT, whole=False).evicting()
    points, asked = [], []
    wrong: list[object] = []
    for leaving, places in scene.all_ways():
        found, point = objections(scene, leaving, places), counted(model, leaving, places)
        if point is not None:
            points.append(point)
            asked.append((leaving, places, found))
        elif not found:
            wrong.append(("no columns", leaving, places))
    table = np.array(points, dtype=np.int64).reshape(len(points), len(model.counts))
    accepted = which_extend(model.freeze(), table).tolist()
    wrong += [each for each, yes in zip(asked, accepted, strict=True) if yes == bool(each[2])]
    return len(points), wrong


@pytest.mark.parametrize("seed", range(60))
def test_rows_and_checks_agree_on_every_way(seed: int) -> None:
    snapshot = snapshot_of(crowded_cluster(random.Random(seed)))
    _, wrong = disagreements(snapshot, ALLOWANCES[seed % len(ALLOWANCES)])
    assert not wrong[:3]


@pytest.mark.parametrize("seed", range(60))
def test_rows_and_checks_agree_on_every_way_to_take_pods_from_gangs(seed: int) -> None:
    snapshot = snapshot_of(garrisoned_cluster(random.Random(seed)))
    _, wrong = disagreements(snapshot, Allowance(preemption=True))
    assert not wrong[:3]


@pytest.mark.parametrize("drawn", [crowded_cluster, garrisoned_cluster])
@pytest.mark.parametrize("seed", range(60))
def test_the_start_is_accepted_and_is_what_runs(seed: int, drawn: Drawn) -> None:
    snapshot = snapshot_of(drawn(random.Random(seed)))
    scene = Scene(snapshot, ALLOWANCES[seed % len(ALLOWANCES)])
    compiler = Compiler(snapshot, scene.window, scene.allowance, RULES, SILENT, whole=False)
    model = compiler.evicting()
    if model.start is not None:
        assert model.freeze().accepts(model.start)
        kept = model.cells(model.problem.running).columns
        assert model.start[: len(model.counts)].sum() == model.start[kept].sum()
    left_alone = {pod.key for pod in model.problem.left_alone}
    assert left_alone == scene.left_alone
