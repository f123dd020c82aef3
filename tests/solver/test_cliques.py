"""Cliques of a model: counts of which a node takes one pod at most, and no others."""

from batchsched.constraints import default_constraints
from batchsched.feasibility.compile import compile_problem
from batchsched.objectives.fewest_nodes import FewestNodes
from batchsched.snapshot.snapshot import Snapshot, pending
from batchsched.solver.model import Model
from batchsched.solver.relax import relax
from tests.builders import ZONE, make_node, make_pod, make_snapshot, make_spec, pod_term


def _model(snapshot: Snapshot) -> Model:
    model = Model(compile_problem(snapshot, pending(snapshot)))
    for constraint in default_constraints():
        constraint.post(model)
    return model


def _apart(key: str) -> Snapshot:
    """Three pods of which no two may be in a domain of the key, on nodes of two zones."""
    spec = make_spec(cpu=100, anti_affinity=(pod_term({"app": "a"}, key),))
    pods = [make_pod(f"p{i}", labels={"app": "a"}, spec=spec) for i in range(3)]
    zones = ("a", "a", "b")
    return make_snapshot([make_node(f"n{i}", labels={ZONE: z}) for i, z in enumerate(zones)], pods)


def test_pods_that_keep_each_other_off_a_node_are_a_clique_on_each() -> None:
    """One column a node, as the three pods are of one class."""
    clique, columns = _model(_apart("kubernetes.io/hostname")).cliques()
    assert sorted(zip(clique.tolist(), columns.tolist(), strict=True)) == [(0, 0), (1, 1), (2, 2)]


def test_a_row_over_several_nodes_is_no_clique() -> None:
    """Zone a has two nodes: each takes one pod at most, and they are not one clique."""
    clique, columns = _model(_apart(ZONE)).cliques()
    assert sorted(columns.tolist()) == [0, 1, 2]
    assert len(set(clique.tolist())) == len(columns)


def test_the_relaxation_knows_that_pods_apart_need_a_node_each() -> None:
    """By their requests alone, a tenth of a node would be enough for the three."""
    model = _model(_apart("kubernetes.io/hostname"))
    tier = FewestNodes().tiers(model)[0]
    program = model.freeze()
    everyone = model.counts.columns
    program = program.with_row(everyone, everyone * 0 + 1, 3)
    relaxed = relax(program, tier.objective(program.width), 10.0, deterministic=True)
    assert relaxed.bound == -3
