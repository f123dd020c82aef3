"""Regions bound what any plan can place, and a plan that follows them keeps every rule."""

import pytest

from batchsched.constraints import default_constraints
from batchsched.feasibility.compile import compile_problem
from batchsched.objectives.placed import Placed
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.snapshot import Snapshot, pending
from batchsched.solver import cpsat
from batchsched.solver.budget import Budget
from batchsched.solver.incumbent import Incumbent
from batchsched.solver.model import IntArray, Model
from batchsched.solver.regional import in_regions
from batchsched.solver.regions import Regions
from tests.benchmarks.instances.gangs_by_domain import gangs_by_domain
from tests.builders import HOSTNAME, ZONE, make_node, make_replicas, make_snapshot
from tests.constraints.pairs import drawn

SEARCH = cpsat.Search(10.0, deterministic=True)


def modelled(snapshot: Snapshot) -> tuple[Model, list[IntArray]]:
    """A model, and the objectives of its tiers."""
    model = Model(compile_problem(snapshot, pending(snapshot)))
    for rule in default_constraints():
        rule.post(model)
    model.rank(Placed().tiers(model))
    return model, [stage.tier.objective(model.columns) for stage in model.stages]


def bound_and_plan(model: Model, objectives: list[IntArray]) -> tuple[list[int], IntArray] | None:
    """The bounds with everything held at them, and a plan; nothing where nobody has a choice."""
    regions, budget = Regions.of(model), Budget(10.0, None)
    ladder = None if regions is None else regions.ladder(objectives, budget, 10.0)
    if regions is None or ladder is None or ladder.point is None:
        return None
    x = regions.rounded(ladder.point, objectives, budget, SEARCH)
    assert regions.program.accepts(x)
    plan = in_regions(model, Incumbent(model.freeze()), regions, x, Budget(10.0, None))
    bounds: list[int] = []
    for i in range(len(objectives)):
        bound = ladder.bound_of(i)(bounds)
        assert bound is not None
        bounds.append(bound)
    return bounds, plan


def test_no_plan_is_better_than_the_bound_and_the_plan_keeps_every_rule() -> None:
    asked = 0
    for snapshot in drawn(150, "gang", seed=5):
        model, objectives = modelled(snapshot)
        found = bound_and_plan(model, objectives) if objectives else None
        if found is None:
            continue
        (bound, *_), plan = found
        program = model.freeze()
        best = cpsat.maximise(program, objectives[0], None, SEARCH)
        assert best.optimal
        assert best.x is not None
        assert int(objectives[0] @ best.x) <= bound
        assert program.accepts(plan)
        asked += 1
    assert asked > 10


@pytest.mark.parametrize("asked", [0.9, 1.2])
def test_gangs_that_want_a_rack_or_a_zone_are_placed_close_to_the_bound(asked: float) -> None:
    model, objectives = modelled(gangs_by_domain(64, 16, 24, running=0.4, asked=asked))
    found = bound_and_plan(model, objectives)
    assert found is not None
    (bound,), plan = found
    assert 0.8 * bound <= int(objectives[0] @ plan) <= bound


def test_a_gang_is_bound_for_the_one_domain_that_has_room_for_the_whole() -> None:
    nodes = [make_node(f"{zone}{i}", labels={ZONE: zone}) for zone in "abc" for i in range(2)]
    members = make_replicas(4, cpu=1500)
    busy = [
        pod for zone in "ac" for pod in make_replicas(1, f"busy-{zone}", cpu=3000, node=f"{zone}0")
    ]
    group = PodGroup("batchsched.io", "default", "g", 4, required_topology=ZONE)
    snapshot = make_snapshot(nodes, [*members, *busy], groups={group: members})
    model, objectives = modelled(snapshot)
    found = bound_and_plan(model, objectives)
    assert found is not None
    (bound,), plan = found
    counts = model.counts
    assert bound == 4
    assert {model.problem.nodes[n].name for n in counts.nodes[plan[: len(counts)] > 0]} == {
        "b0",
        "b1",
    }


@pytest.mark.parametrize("least", [1, 2])
@pytest.mark.parametrize("keys", [(ZONE, ZONE), (ZONE, None), (ZONE, HOSTNAME)])
def test_gangs_that_start_only_together_need_not_be_in_one_domain(
    least: int, keys: tuple[str | None, str | None]
) -> None:
    """Their rows are one bundle's; the bound was that of one domain for all of them."""
    nodes = [make_node(f"{zone}{i}", labels={ZONE: zone}) for zone in "ab" for i in range(2)]
    union = tuple(("default", name, "batchsched.io") for name in "gh")
    groups = {
        PodGroup(
            *("batchsched.io", "default", name, least),
            required_topology=key,
            union=union,
            union_count=2 * least,
        ): make_replicas(2, name, cpu=4000 if key != HOSTNAME else 2000)
        for name, key in zip("gh", keys, strict=True)
    }
    pods = [pod for members in groups.values() for pod in members]
    model, objectives = modelled(make_snapshot(nodes, pods, groups=groups))
    found = bound_and_plan(model, objectives)
    assert found is not None
    (bound,), plan = found
    assert 0 < int(objectives[0] @ plan) <= bound == 4


def test_without_a_choice_of_domains_there_are_no_regions() -> None:
    model, _ = modelled(make_snapshot([make_node()], make_replicas(2)))
    assert Regions.of(model) is None
