"""Homeward: sets of pods change nodes as wholes, where they fit, so that more pods stay."""

import numpy as np
import pytest

from batchsched.constraints import default_constraints
from batchsched.objectives.disruption import Disruption
from batchsched.objectives.placed import Placed
from batchsched.scheduler import Compiler
from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.pod import OwnerRef, Pod
from batchsched.snapshot.snapshot import pending
from batchsched.solver.homeward import homeward
from batchsched.solver.incumbent import Incumbent
from batchsched.solver.model import Model
from tests.builders import make_node, make_pod, make_snapshot, make_spec


def running(name: str, node: str, cpu: int, only_on: str | None = None) -> Pod:
    """A pod of a ReplicaSet of its own, so that it can move; each of a size of its own."""
    owner = {"owner": OwnerRef("apps/v1", "ReplicaSet", name, f"uid-{name}")}
    selector = {} if only_on is None else {"kubernetes.io/hostname": only_on}
    spec = make_spec(cpu=cpu, node_selector=selector)
    return make_pod(name, node=node, spec=spec, pod=owner)


def model_of(pods: list[Pod], sizes: list[int]) -> Model:
    """One node for each size, and a pod that waits, for else nobody may move."""
    nodes = [make_node(f"n{i}", cpu=cpu) for i, cpu in enumerate(sizes)]
    snapshot = make_snapshot(nodes, [*pods, make_pod("waits", cpu=1)])
    moves, rules = Allowance(moves_max=None), default_constraints()
    model = Compiler(snapshot, pending(snapshot), moves, rules, (), whole=False).evicting()
    for objective in (Placed(), Disruption()):
        model.rank(objective.tiers(model))
    return model


def moved_to(model: Model, to: dict[str, str]) -> Incumbent:
    """Everybody where they run, but for some."""
    assert model.start is not None
    x, names = model.start.copy(), [node.name for node in model.problem.nodes]
    for c, each in enumerate(model.problem.classes):
        if (name := each.pods[0].name) in to and not each.waits:
            x[model.column[c][model.column[c] >= 0]] = 0
            if each.returning:
                x[model.column[c, names.index(to[name])]] = 1
    program = model.freeze()
    assert program.accepts(x)
    return Incumbent(program, x)


def gone(model: Model, point: Incumbent) -> int:
    """How many pods are not where they ran."""
    (tier,) = (stage.tier for stage in model.stages if stage.tier.name == "disruption")
    assert point.program.accepts(homeward(model, point))
    return int(tier.objective(point.program.width) @ (point.program.upper - homeward(model, point)))


def test_three_nodes_that_changed_their_pods_in_a_circle_get_them_back() -> None:
    pods = [running(f"p{n}{i}", f"n{n}", 1000 + 10 * i + n) for n in range(3) for i in range(3)]
    model = model_of(pods, [4000] * 4)
    to = {f"p{n}{i}": f"n{(n + 1) % 3}" for n in range(3) for i in range(3)}
    assert gone(model, moved_to(model, to)) == 0


def test_pods_that_are_together_stay_together_and_most_of_them_come_home() -> None:
    """Two of n0 and one of n1 are on n1, the others on n0: the two come home, and one each goes."""
    pods = [running(f"p{n}{i}", f"n{n}", 1000 + 10 * i + n) for n in range(2) for i in range(3)]
    model = model_of(pods, [4000] * 2)
    to = {"p00": "n1", "p01": "n1", "p10": "n0", "p11": "n0"}
    assert gone(model, moved_to(model, to)) == 2


def test_a_set_does_not_go_where_it_does_not_fit() -> None:
    """Who ran on the small node is now with somebody large."""
    pods = [running("small", "n0", 1000), running("large", "n1", 3000)]
    model = model_of(pods, [1000, 4000])
    assert gone(model, moved_to(model, {"small": "n1"})) == 1


def test_a_set_does_not_go_where_one_of_its_pods_may_not_be() -> None:
    """Two of n1 are on n0, one of them with one who may only be there."""
    pods = [
        running("kept", "n0", 1000, only_on="n0"),
        running("a", "n1", 1000),
        running("b", "n1", 1010),
    ]
    model = model_of(pods, [4000] * 2)
    assert gone(model, moved_to(model, {"a": "n0", "b": "n0"})) == 2


@pytest.mark.parametrize("seed", range(20))
def test_it_is_never_worse_and_every_row_holds(seed: int) -> None:
    random = np.random.default_rng(seed)
    pods = [
        running(f"p{n}{i}", f"n{n}", 300 + 40 * n + 200 * i) for n in range(5) for i in range(3)
    ]
    model = model_of(pods, [4000] * 6)
    order = random.permutation(np.repeat(np.arange(6), 3))
    to = {pod.name: f"n{n}" for pod, n in zip(pods, order, strict=False) if pod.node != f"n{n}"}
    assert gone(model, moved_to(model, to)) <= len(to)
