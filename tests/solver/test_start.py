"""The start: everybody stays and nothing is placed; who breaks a rule so is named."""

import numpy as np

from batchsched.constraints import default_constraints
from batchsched.feasibility.compile import compile_problem
from batchsched.scheduler import Compiler
from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot, pending
from batchsched.solver.model import Model
from batchsched.solver.start import find_start
from tests.builders import make_node, make_pod, make_snapshot, pod_term

PREEMPTION = Allowance(preemption=True)
URGENT = make_pod("urgent", cpu=1000, priority=100)


def left_alone(*pods: Pod, cpu: int = 4000) -> list[str]:
    """Names of those who may go by what is allowed, and stay because of what is broken."""
    snapshot = make_snapshot([make_node("n1", cpu=cpu), make_node("n2")], [*pods, URGENT])
    rules = default_constraints()
    model = Compiler(snapshot, pending(snapshot), PREEMPTION, rules, (), whole=False).evicting()
    return [pod.name for pod in model.problem.left_alone]


def test_on_a_node_with_room_nobody_is_left_alone() -> None:
    assert left_alone(make_pod("a", node="n1", cpu=4000), make_pod("b", node="n2")) == []


def test_who_takes_of_what_is_over_committed_is_left_alone() -> None:
    pods = [make_pod("cores", node="n1", cpu=2000), make_pod("memory", node="n1", memory=1)]
    assert left_alone(*pods, cpu=1000) == ["cores"]


def test_two_that_refuse_each_other_are_left_alone() -> None:
    refuses = make_pod("a", node="n1", anti_affinity=(pod_term({"app": "x"}),))
    other, far = (make_pod(n, labels={"app": "x"}, node=f"n{i}") for i, n in ((1, "b"), (2, "c")))
    assert left_alone(refuses, other, far) == ["a", "b"]


def test_many_that_refuse_many_are_left_alone_with_all_that_they_refuse() -> None:
    refusing = [make_pod(f"a{i}", node="n1", anti_affinity=(pod_term({"app": "x"}),)) for i in "12"]
    refused = [make_pod(f"b{i}", node="n1", labels={"app": "x"}) for i in "12"]
    assert left_alone(*refusing, *refused) == ["a1", "a2", "b1", "b2"]


def gang() -> Snapshot:
    members = [make_pod(name, node="n1", cpu=1000) for name in "abc"]
    groups = {PodGroup("batchsched.io", "default", "g", 2): members}
    return make_snapshot([make_node("n1")], [*members, URGENT], groups=groups)


def test_the_rules_columns_are_set_so_that_the_start_holds() -> None:
    snapshot = gang()
    model = Model(compile_problem(snapshot, pending(snapshot), PREEMPTION))
    for rule in default_constraints():
        rule.post(model)
    start, broken = find_start(model)
    assert not len(broken)
    assert model.columns > len(model.counts), "the gang has a column that says it runs"
    assert model.freeze().accepts(start)
    assert int(np.sum(start[: len(model.counts)])) == 3
