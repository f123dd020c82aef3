"""Exchanges: exact on two nodes, never worse, within every row, and the same from the same seed."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from batchsched.constraints import default_constraints
from batchsched.objectives.placed import Placed
from batchsched.scheduler import Compiler
from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.pod import HostPort, OwnerRef, Pod
from batchsched.snapshot.snapshot import pending
from batchsched.solver.exchange import best_disjoint, exchange_of
from batchsched.solver.incumbent import Incumbent
from batchsched.solver.model import IntArray, Model
from batchsched.solver.neighbourhood import Draw
from tests.builders import make_node, make_pod, make_snapshot, make_spec

MOVES = Allowance(preemption=True, moves_max=None)


def running(name: str, node: str, cpu: int, priority: int = 0) -> Pod:
    """A pod of a ReplicaSet of its own, so that it can move."""
    owner = {"owner": OwnerRef("apps/v1", "ReplicaSet", name, f"uid-{name}")}
    return make_pod(name, node=node, spec=make_spec(cpu=cpu, priority=priority), pod=owner)


def model_of(*pods: Pod, nodes: int) -> Model:
    """Nodes of four cores, the tiers those of placed pods."""
    snapshot = make_snapshot([make_node(f"n{i}", cpu=4000) for i in range(nodes)], list(pods))
    rules = default_constraints()
    model = Compiler(snapshot, pending(snapshot), MOVES, rules, (), whole=False).evicting()
    model.rank(Placed().tiers(model))
    return model


def worth(model: Model, x: IntArray) -> list[int]:
    return [int(stage.tier.objective(len(x)) @ x) for stage in model.stages]


def exchanged(model: Model, x: IntArray, seed: int = 0) -> IntArray:
    """What exchanges for each tier in turn make of a point; every row holds."""
    program = model.freeze()
    point = Incumbent(program, x)
    objectives = [stage.tier.objective(program.width) for stage in model.stages]
    draw = Draw(model, program, seed)
    for objective in objectives * 4:
        where = draw.draw(point, objective, 16, [])
        columns = where.columns
        own = [each[columns] for each in objectives]
        part = point.part(columns)
        exchange = exchange_of(model, where, part, own, point.x[columns])
        if exchange is not None:
            assert point.put(columns, exchange.run(draw.generator()))
    assert program.accepts(point.x)
    return point.x


def start_of(model: Model) -> IntArray:
    assert model.start is not None
    return model.start


@pytest.mark.parametrize("seed", range(20))
def test_of_all_disjoint_sets_the_two_that_are_worth_most_are_found(seed: int) -> None:
    first, second = np.random.default_rng(seed).normal(size=(2, 32))
    first[seed % 8 :: 8] = second[seed % 5 :: 5] = -np.inf
    second[0] = 0.0
    a, b = best_disjoint(first, second)
    assert a & b == 0
    best = max(first[i] + second[j] for i, j in product(range(32), repeat=2) if i & j == 0)
    assert first[a] + second[b] == best


def test_room_that_is_scattered_over_nodes_is_gathered_for_who_is_short() -> None:
    """A core is free on each of four nodes, the fourth of what the pod asks for."""
    sizes = (500, 500, 1000, 1000)
    pods = [running(f"p{n}{i}", f"n{n}", cpu) for n in range(4) for i, cpu in enumerate(sizes)]
    model = model_of(*pods, make_pod("waits", cpu=4000), nodes=4)
    x = exchanged(model, start_of(model))
    assert worth(model, x)[-1] == len(pods) + 1


def test_a_pod_of_higher_priority_is_worth_more_than_all_of_lower_ones() -> None:
    pods = [running(f"p{i}", f"n{i // 4}", 1000) for i in range(8)]
    model = model_of(*pods, make_pod("urgent", spec=make_spec(cpu=4000, priority=9)), nodes=2)
    assert worth(model, exchanged(model, start_of(model))) == [1, 4, 4]


@pytest.mark.parametrize("seed", range(10))
def test_it_is_never_worse_and_the_same_from_the_same_seed(seed: int) -> None:
    random = np.random.default_rng(seed)
    pods = [
        running(f"p{n}{i}", f"n{n}", int(random.integers(600, 1300)), int(random.integers(3)))
        for n in range(5)
        for i in range(3)
    ]
    short = [
        make_pod(f"w{i}", spec=make_spec(cpu=int(random.integers(500, 1500)), priority=i % 3))
        for i in range(4)
    ]
    model = model_of(*pods, *short, nodes=5)
    x = exchanged(model, start_of(model), seed)
    assert worth(model, x) >= worth(model, start_of(model))
    assert np.array_equal(x, exchanged(model, start_of(model), seed))


def test_rules_that_it_does_not_know_are_kept() -> None:
    """Pods of one host port stay apart, though together they would leave room for the short one."""
    apart = make_spec(cpu=1000, host_ports=(HostPort(80),))
    kept = [replace(running(f"p{n}", f"n{n}", 1000), spec=apart) for n in range(2)]
    model = model_of(*kept, make_pod("waits", cpu=4000), nodes=2)
    assert worth(model, exchanged(model, start_of(model)))[-1] == 2


def test_where_nobody_is_short_there_is_nothing_to_exchange_for() -> None:
    model = model_of(running("a", "n0", 1000), make_pod("waits", cpu=1000), nodes=2)
    program = model.freeze()
    point, nothing = Incumbent(program, start_of(model)), np.zeros(program.width, dtype=np.int64)
    where = Draw(model, program, 0).draw(point, nothing, 2, [])
    part = point.part(where.columns)
    assert exchange_of(model, where, part, [], point.x[where.columns]) is None
