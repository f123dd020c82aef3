"""Ties: what leaves only together is freed together, and comes back together."""

import numpy as np

from batchsched.constraints import default_constraints
from batchsched.profile import default_profile, objectives_of
from batchsched.scheduler import Compiler
from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.snapshot import Snapshot, pending
from batchsched.solver.incumbent import Incumbent
from batchsched.solver.model import Model
from batchsched.solver.neighbourhood import Draw
from batchsched.solver.reprieve import reprieved
from batchsched.solver.ties import ties
from tests.builders import make_node, make_pod, make_snapshot

PREEMPTION = Allowance(preemption=True)


def cluster(*, whole: bool) -> Snapshot:
    """Full nodes; gangs of two, each on neighbours; and a pod that needs a node."""
    names = [f"n{i}" for i in range(4)]
    pods = [make_pod(f"r{i}", cpu=2000, node=name) for i, name in enumerate(names)]
    groups = {
        PodGroup("scheduling.k8s.io", "default", f"g{i}", 1, goes_whole=whole): pods[i : i + 2]
        for i in (0, 2)
    }
    urgent = make_pod("urgent", cpu=2000, priority=9)
    return make_snapshot(
        [make_node(name, cpu=2000) for name in names], [*pods, urgent], groups=groups
    )


def model_of(snapshot: Snapshot) -> Model:
    window, objectives = pending(snapshot), objectives_of(default_profile())
    rules = default_constraints()
    return Compiler(snapshot, window, PREEMPTION, rules, objectives, whole=False).evicting()


def test_members_of_a_gang_that_goes_whole_are_tied_and_others_are_not() -> None:
    for whole, found in ((True, [2, 2]), (False, [])):
        model = model_of(cluster(whole=whole))
        tie = ties(model, model.freeze())
        assert sorted(np.unique(tie[tie >= 0], return_counts=True)[1].tolist()) == found
        assert np.all(tie[model.cells(model.problem.waiting).columns] == -1)


def test_a_neighbourhood_of_one_node_frees_the_rest_of_the_gang_on_another() -> None:
    model = model_of(cluster(whole=True))
    program, counts = model.freeze(), model.counts
    assert model.start is not None
    point, tie = Incumbent(program, model.start), ties(model, program)
    objective = np.zeros(program.width, dtype=np.int64)
    objective[model.cells(model.problem.waiting).columns] = 1
    draw = Draw(model, program, seed=0)
    for _ in range(5):
        drawn = draw.draw(point, objective, 1, [])
        freed = drawn.columns[drawn.columns < len(counts)]
        tied = freed[tie[freed] >= 0]
        assert len(np.unique(counts.nodes[tied])) == 2
        assert len(np.unique(tie[tied])) == 1


def test_a_gang_that_nobody_needs_gone_is_reprieved_whole() -> None:
    model = model_of(cluster(whole=True))
    program = model.freeze()
    assert model.start is not None
    tie = ties(model, program)
    needed, spared = np.unique(tie[tie >= 0]).tolist()
    came = model.cells(model.problem.waiting).columns
    came = came[np.isin(model.counts.nodes[came], model.counts.nodes[tie == needed])][0]
    x = model.start.copy()
    x[: len(tie)][tie >= 0] = 0
    x[[needed, spared, came]] = 1
    assert program.accepts(x)
    better = reprieved(model, Incumbent(program, x))[: len(tie)]
    assert (better[tie == needed].sum(), better[tie == spared].sum()) == (0, 2)
