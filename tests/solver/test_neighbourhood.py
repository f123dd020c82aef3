"""What is drawn together: who stands there, who is left, and nodes that exchanged pods."""

import numpy as np

from batchsched.constraints import default_constraints
from batchsched.feasibility.compile import compile_problem
from batchsched.objectives.disruption import Disruption
from batchsched.objectives.placed import Placed
from batchsched.scheduler import Compiler
from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.pod import OwnerRef, Pod
from batchsched.snapshot.snapshot import pending
from batchsched.solver.incumbent import Incumbent
from batchsched.solver.model import IntArray, Model
from batchsched.solver.neighbourhood import GRAINS, Draw, Neighbourhood
from tests.builders import make_node, make_pod, make_snapshot, make_spec

MOVES = Allowance(moves_max=None)
NOBODY: list[IntArray] = []


def running(name: str, node: str, cpu: int) -> Pod:
    """A pod of a ReplicaSet of its own, so that it can move."""
    owner = {"owner": OwnerRef("apps/v1", "ReplicaSet", name, f"uid-{name}")}
    return make_pod(name, node=node, cpu=cpu, pod=owner)


def model_of(*pods: Pod, nodes: int) -> Model:
    """Nodes of four cores."""
    snapshot = make_snapshot([make_node(f"n{i}", cpu=4000) for i in range(nodes)], list(pods))
    rules = default_constraints()
    model = Compiler(snapshot, pending(snapshot), MOVES, rules, (), whole=False).evicting()
    for objective in (Placed(), Disruption()):
        model.rank(objective.tiers(model))
    return model


def start_of(model: Model) -> Incumbent:
    assert model.start is not None
    return Incumbent(model.freeze(), model.start)


def column(model: Model, pod: str, node: str, *, moved: bool = False) -> int:
    """Of a pod on a node: of one that runs where it runs, or comes back there."""
    names = [n.name for n in model.problem.nodes]
    (c,) = (
        c
        for c, each in enumerate(model.problem.classes)
        if each.pods[0].name == pod and each.returning == moved
    )
    return int(model.column[c, names.index(node)])


def drawn(model: Model, point: Incumbent, tier: str, size: int, seed: int = 0) -> Neighbourhood:
    (objective,) = (
        stage.tier.objective(model.columns) for stage in model.stages if stage.tier.name == tier
    )
    return Draw(model, model.freeze(), seed).draw(point, objective, size, NOBODY)


def test_who_runs_elsewhere_is_complete_and_does_not_come() -> None:
    pods = [running("a", "n0", 3000), running("b", "n1", 2900), running("c", "n2", 2800)]
    model = model_of(*pods, make_pod("waits", cpu=2000), nodes=3)
    where = drawn(model, start_of(model), "placed/priority=0", 2)
    names = "abc"
    here = {names[n] for n in where.nodes.tolist()}
    counts = model.counts
    freed = {model.problem.classes[c].pods[0].name for c in counts.classes[where.columns]}
    assert freed == here | {"waits"}


def test_nodes_that_exchanged_pods_are_drawn_together() -> None:
    """Where a pod was and where it is now; not the node that has no part in it."""
    pods = [running("a", "n0", 3000), running("b", "n1", 500), running("c", "n2", 2000)]
    model = model_of(*pods, make_pod("waits", cpu=4000), nodes=4)
    point = start_of(model)
    columns = [column(model, "a", "n0"), column(model, "a", "n3", moved=True)]
    assert point.put(np.array(columns), np.array([0, 1]))
    for seed in range(10):
        assert sorted(drawn(model, point, "disruption", 4, seed).nodes.tolist()) == [0, 3]


def test_the_burden_is_what_pods_take_of_the_node_where_the_short_class_almost_fits() -> None:
    pods = [running("a", "n0", 3000), running("b", "n1", 2500)]
    model = model_of(*pods, make_pod("waits", cpu=2000), nodes=2)
    seeds = (drawn(model, start_of(model), "placed/priority=0", 2, seed) for seed in range(20))
    told = next(where for where in seeds if where.burden.any())
    burden = dict(zip(told.columns.tolist(), told.burden.tolist(), strict=True))
    # Everybody is counted by the tier, and once more on n1, the emptier one.
    assert burden[column(model, "a", "n0")] == 3 * GRAINS // 4
    assert burden[column(model, "a", "n1", moved=True)] == 2 * 3 * GRAINS // 4


def test_idle_nodes_do_not_crowd_out_those_that_hold_pods_however_many_they_are() -> None:
    """Three pods are spread over 300 nodes: most draws of eight nodes have all three."""
    spec = make_spec(requests={"cpu": 1000})
    pods = [make_pod(f"pod-{i}", spec=spec) for i in range(3)]
    snapshot = make_snapshot([make_node(f"node-{i:03}", cpu=8000) for i in range(300)], pods)
    model = Model(compile_problem(snapshot, pending(snapshot)))
    for constraint in default_constraints():
        constraint.post(model)
    model.rank(Placed().tiers(model))
    program = model.freeze()
    x = program.lower.copy()
    x[[40, 140, 240]] = 1
    point, nothing = Incumbent(program, x), np.zeros(program.width, dtype=np.int64)
    holding = model.counts.nodes[[40, 140, 240]]
    draws = [Draw(model, program, seed).draw(point, nothing, 8, []) for seed in range(40)]
    assert sum(bool(np.isin(holding, each.nodes).all()) for each in draws) > 30
