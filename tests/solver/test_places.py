"""Places: who of a class is placed, leaves or comes back, once the counts are known."""

from dataclasses import replace

import numpy as np

from batchsched.constraints import default_constraints
from batchsched.scheduler import Compiler
from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.pod import OwnerRef, Pod
from batchsched.snapshot.snapshot import Snapshot, pending
from batchsched.solver.model import Model
from batchsched.solver.places import Outcome, places_of
from batchsched.solver.solve import Solution
from tests.builders import make_node, make_pod, make_snapshot

OWNER = OwnerRef("apps/v1", "ReplicaSet", "web", "web")
MOVES = Allowance(preemption=True, moves_max=None)


def web(name: str, node: str | None = None, created: str = "") -> Pod:
    """A replica of one set; all are alike."""
    return make_pod(name, node=node, cpu=1000, pod={"owner": OWNER, "created": created})


def model_of(snapshot: Snapshot) -> Model:
    return Compiler(snapshot, pending(snapshot), MOVES, default_constraints(), (), False).evicting()


def outcome(model: Model, counts: dict[tuple[int, str], int]) -> Outcome:
    """What counts mean: running classes as they are, but for what is given by class and node."""
    assert model.start is not None
    x, problem = model.start.copy(), model.problem
    names = [node.name for node in problem.nodes]
    for (c, name), count in counts.items():
        x[model.column[c, names.index(name)]] = count
    return places_of(model, Solution(x, ()))


def classes(model: Model) -> tuple[int, int, int]:
    """The first class that waits, comes back, runs."""
    problem = model.problem
    masks = (problem.waiting, problem.returning, problem.running)
    waits, back, runs = (int(np.flatnonzero(mask)[0]) for mask in masks)
    return waits, back, runs


NODES = [make_node("n1"), make_node("n2"), make_node("n3")]


def test_of_those_that_run_the_youngest_leaves() -> None:
    pods = [web("a", "n1", "2026-02-01"), web("b", "n1", "2026-01-01"), make_pod("p", priority=1)]
    model = model_of(make_snapshot(NODES, pods))
    _, _, runs = classes(model)
    assert outcome(model, {(runs, "n1"): 1}).evictions == {("default", "a"): None}


def test_who_comes_back_is_given_a_node_and_who_is_left_is_a_victim() -> None:
    pods = [web("a", "n1", "2026-02-01"), web("b", "n1", "2026-01-01"), make_pod("p", priority=1)]
    model = model_of(make_snapshot(NODES, pods))
    _, back, runs = classes(model)
    found = outcome(model, {(runs, "n1"): 0, (back, "n2"): 1})
    assert found.evictions == {("default", "b"): "n2", ("default", "a"): None}
    assert found.exact


def test_who_would_come_back_to_its_node_stays() -> None:
    model = model_of(make_snapshot(NODES, [web("a", "n1"), make_pod("p", priority=1)]))
    _, back, runs = classes(model)
    found = outcome(model, {(runs, "n1"): 0, (back, "n1"): 1})
    assert found.evictions == {}
    assert not found.exact


def test_nobody_moves_for_a_pending_pod_of_its_own_kind() -> None:
    model = model_of(make_snapshot(NODES, [web("a", "n1"), web("p"), make_pod("q", priority=1)]))
    waits, back, runs = classes(model)
    found = outcome(model, {(runs, "n1"): 0, (back, "n2"): 1, (waits, "n1"): 1})
    assert found.evictions == {}
    assert found.placements == {("default", "p"): "n2"}


def test_a_pod_with_other_labels_is_not_of_its_kind() -> None:
    other = replace(web("p"), labels=(("app", "other"),))
    model = model_of(make_snapshot(NODES, [web("a", "n1"), other, make_pod("q", priority=1)]))
    waits, back, runs = classes(model)
    found = outcome(model, {(runs, "n1"): 0, (back, "n2"): 1, (waits, "n1"): 1})
    assert found.evictions == {("default", "a"): "n2"}
