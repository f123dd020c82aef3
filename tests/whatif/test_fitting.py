"""The cheapest set of nodes: equal to a brute force over all sets, and told apart where none is."""

import itertools
from random import Random
from typing import Any

import pytest

from batchsched.profile import default_profile, named_profiles
from batchsched.scheduler import Limits, schedule
from batchsched.snapshot.errors import InputError
from batchsched.snapshot.snapshot import Snapshot, pending
from batchsched.testing.builders import make_node, make_pod, snapshot_of
from batchsched.whatif import fitting
from batchsched.whatif.edits import copies, with_nodes
from batchsched.whatif.fitting import Fit, fit_all
from batchsched.whatif.shapes import Shape, parse_shapes

LIMITS = Limits(time_limit_s=20, deterministic=True)


def still() -> float:
    """A clock that nothing depends on."""
    return 0.0


def shapes_of(*entries: dict[str, Any]) -> tuple[Shape, ...]:
    """Shapes as a file would hold them."""
    return parse_shapes([list(entries)], "shapes.yaml")


def fitted(snapshot: Snapshot, shapes: tuple[Shape, ...]) -> Fit:
    """What is found."""
    return fit_all(snapshot, pending(snapshot), default_profile(), shapes, LIMITS, still)


def cheapest(snapshot: Snapshot, shapes: tuple[Shape, ...]) -> float | None:
    """The cost of the cheapest of all sets on which a solve places everybody, one by one."""
    costs = []
    for counts in itertools.product(*(range((shape.count_max or 0) + 1) for shape in shapes)):
        nodes = [n for s, k in zip(shapes, counts, strict=True) for n in _copies(s, k)]
        whole = with_nodes(snapshot, tuple(nodes))
        own = named_profiles()["placed-only"]
        if not schedule(whole, pending(whole), own, LIMITS, still).unplaced:
            costs.append(float(sum(s.price * k for s, k in zip(shapes, counts, strict=True))))
    return min(costs, default=None)


def _copies(shape: Shape, count: int) -> Any:
    return copies(shape.node, count, frozenset())


def drawn(seed: int) -> tuple[Snapshot, tuple[Shape, ...]]:
    """A node, a few pods, and two or three shapes of which there are one to three."""
    random = Random(seed)
    pods = [
        make_pod(f"p{i}", requests={"cpu": random.choice([1000, 2000, 3000])})
        for i in range(random.randint(1, 6))
    ]
    shapes = shapes_of(
        *(
            {
                "name": f"s{i}",
                "price": random.choice([1, 1.5, "2.25", 4]),
                "max": random.randint(1, 3),
                "allocatable": {"cpu": random.randint(2, 6)},
            }
            for i in range(random.randint(2, 3))
        )
    )
    return snapshot_of(make_node("here", allocatable={"cpu": 2000}), *pods), shapes


@pytest.mark.parametrize("apart", [False, True], ids=["at once", "bought first"])
@pytest.mark.parametrize("seed", range(8))
def test_the_cost_is_that_of_a_brute_force(
    seed: int,
    apart: bool,  # noqa: FBT001 -- a parameter of the test
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    snapshot, shapes = drawn(seed)
    if apart:
        monkeypatch.setattr(fitting, "COLUMNS_MAX", 0)
    least, found = cheapest(snapshot, shapes), fitted(snapshot, shapes)
    if least is None:
        assert found.status == "Infeasible"
        return
    assert not found.plan.unplaced
    assert found.bound <= least <= found.cost
    if not apart:
        assert (found.cost, found.status) == (least, "Optimal")


def test_room_that_is_there_costs_nothing() -> None:
    pods = [make_pod("p", requests={"cpu": 1000})]
    snapshot = snapshot_of(make_node("here", allocatable={"cpu": 1000}), *pods)
    found = fitted(snapshot, shapes_of({"name": "s", "price": 1, "allocatable": {"cpu": 4}}))
    assert (found.bought, found.cost, found.status) == ((), 0.0, "Optimal")


def test_a_pod_that_no_shape_holds_is_left_with_its_reason() -> None:
    snapshot = snapshot_of(make_node("here"), make_pod("p", requests={"example.com/x": 1}))
    found = fitted(snapshot, shapes_of({"name": "s", "price": 1, "allocatable": {"cpu": 4}}))
    assert found.status == "Infeasible"
    assert "Insufficient example.com/x" in found.plan.unplaced[0].message


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"name": "s", "price": 1}, "node or allocatable"),
        ({"name": "s", "price": 0, "allocatable": {"cpu": 1}}, "price"),
        ({"name": "s", "price": 1, "allocatable": {"cpu": "x"}}, "allocatable"),
        ({"name": "s", "price": 1, "allocatable": {"pods": 0}}, "pods"),
        ("s", "object"),
    ],
)
def test_a_malformed_shape_is_refused(entry: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_shapes([[entry]], "shapes.yaml")


def test_two_shapes_of_one_name_are_refused() -> None:
    entry = {"name": "s", "price": 1, "allocatable": {"cpu": 1}}
    with pytest.raises(InputError, match="twice"):
        parse_shapes([[entry, entry]], "shapes.yaml")
