"""How an optimum answers when its input changes: relations that need no oracle to know the answer.

What does not change the problem must not change a tier, however the plan's ties fall; what only
adds room must not cost a pod.
"""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from batchsched.plan.plan import Plan
from batchsched.snapshot.pod import Pod, Quantities, Toleration
from batchsched.snapshot.snapshot import Snapshot
from tests.oracles.test_random_clusters import planned
from tests.strategies import HOSTNAME, Object, random_cluster, snapshot_of

SEEDS = range(1000, 1025)


def drawn(seed: int) -> list[Object]:
    return random_cluster(random.Random(seed))


def values(plan: Plan) -> list[tuple[str, int]]:
    return [(tier.name, tier.value) for tier in plan.tiers]


def placed(plan: Plan) -> list[int]:
    return [tier.value for tier in plan.tiers if tier.name.startswith("placed/")]


def renamed(thing: Any, names: dict[str, str]) -> Any:
    """The same document with some strings replaced, wherever they stand."""
    if isinstance(thing, dict):
        return {key: renamed(value, names) for key, value in thing.items()}
    if isinstance(thing, list):
        return [renamed(value, names) for value in thing]
    return names.get(thing, thing) if isinstance(thing, str) else thing


def names_of(objects: list[Object], kind: str) -> list[str]:
    return [o["metadata"]["name"] for o in objects if o["kind"] == kind]


def each_pod(snapshot: Snapshot, change: Callable[[int, Pod], Pod]) -> Snapshot:
    return replace(snapshot, pods=tuple(change(i, p) for i, p in enumerate(snapshot.pods)))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_documents_changes_nothing(seed: int) -> None:
    objects = drawn(seed)
    shuffled = random.Random(seed).sample(objects, len(objects))
    first, second = planned(snapshot_of(objects)), planned(snapshot_of(shuffled))
    assert first.model_dump_json() == second.model_dump_json()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_input_gives_the_same_plan(seed: int) -> None:
    first, second = planned(snapshot_of(drawn(seed))), planned(snapshot_of(drawn(seed)))
    assert first.model_dump_json() == second.model_dump_json()


@pytest.mark.parametrize("kind", ["Node", "Pod"])
@pytest.mark.parametrize("seed", SEEDS)
def test_names_change_no_tier(seed: int, kind: str) -> None:
    objects = drawn(seed)
    old = sorted(names_of(objects, kind))
    names = {name: f"z-{len(old) - i:03}-{name}" for i, name in enumerate(old)}
    other = renamed(objects, names)
    assert values(planned(snapshot_of(objects))) == values(planned(snapshot_of(other)))


@pytest.mark.parametrize("profile", ["default", "spread", "least-fragmentation"])
@pytest.mark.parametrize("seed", SEEDS)
def test_units_change_no_tier(seed: int, profile: str) -> None:
    """Seven times the room and seven times the requests; the limit of pods stays."""

    def scaled(amounts: Quantities) -> Quantities:
        return tuple((r, a if r == "pods" else 7 * a) for r, a in amounts)

    snapshot = snapshot_of(drawn(seed))
    nodes = tuple(replace(n, allocatable=scaled(n.allocatable)) for n in snapshot.nodes)
    other = each_pod(
        replace(snapshot, nodes=nodes),
        lambda _, pod: replace(
            pod,
            requests=scaled(pod.requests),
            spec=replace(pod.spec, requests=scaled(pod.spec.requests)),
        ),
    )
    assert values(planned(snapshot, profile)) == values(planned(other, profile))


@pytest.mark.parametrize("seed", SEEDS)
def test_pods_that_cannot_be_told_apart_count_as_if_they_could(seed: int) -> None:
    """A toleration of a taint that nobody has makes each pod a class of its own."""
    snapshot = snapshot_of(drawn(seed))
    other = each_pod(
        snapshot,
        lambda i, pod: replace(
            pod,
            spec=replace(
                pod.spec,
                tolerations=(*pod.spec.tolerations, Toleration(f"own-{i}", "Exists")),
            ),
        ),
    )
    first, second = planned(snapshot), planned(other)
    assert values(first) == values(second)
    assert first.solver.classes <= second.solver.classes


@pytest.mark.parametrize("seed", SEEDS)
def test_a_twin_of_a_node_costs_no_pod(seed: int) -> None:
    """A twin without a hostname opens no new domain, so every old plan is still a plan."""
    objects = drawn(seed)
    node = next(o for o in objects if o["kind"] == "Node")
    twin = renamed(node, {node["metadata"]["name"]: "twin"})
    twin["metadata"]["labels"].pop(HOSTNAME, None)
    before, after = planned(snapshot_of(objects)), planned(snapshot_of([*objects, twin]))
    assert placed(after) >= placed(before)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_pod_that_is_left_out_may_as_well_not_be_there(seed: int) -> None:
    objects = drawn(seed)
    before = planned(snapshot_of(objects))
    left = {(pod.namespace, pod.name) for pod in before.unplaced[:1]}
    fewer = [
        o
        for o in objects
        if o["kind"] != "Pod" or (o["metadata"]["namespace"], o["metadata"]["name"]) not in left
    ]
    after = {t.name: t.value for t in planned(snapshot_of(fewer)).tiers}
    wanted = {t.name: t.value for t in before.tiers if t.name.startswith("placed/")}
    assert all(after.get(name, 0) == value for name, value in wanted.items())


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_bound_leaves_nothing_more_to_place(seed: int) -> None:
    """Carry the plan out; the next plan places nothing more of the highest priority.

    Without claims, as binding a pod settles where its volumes are, which is not carried out here;
    and without spreading and affinity, which the pods that run now need not keep any more.
    """
    objects = drawn(seed)
    for o in objects:
        if o["kind"] == "Pod":
            o["spec"].pop("volumes", None)
            o["spec"].pop("topologySpreadConstraints", None)
            o["spec"].get("affinity", {}).pop("podAffinity", None)
    first = planned(snapshot_of(objects))
    where = {(b.namespace, b.name): b.node for b in first.bindings}
    for o in objects:
        if o["kind"] == "Pod" and (o["metadata"]["namespace"], o["metadata"]["name"]) in where:
            o["spec"]["nodeName"] = where[o["metadata"]["namespace"], o["metadata"]["name"]]
            o["status"]["phase"] = "Running"
    second = planned(snapshot_of(objects))
    left = {t.name: t.bound - t.value for t in first.tiers if t.name.startswith("placed/")}
    assert all(not left.get(t.name) for t in second.tiers)
    tops = [t.value for t in second.tiers if t.name == f"placed/priority={top_priority(first)}"]
    assert sum(tops) == 0


def top_priority(plan: Plan) -> int:
    """The highest priority with pending pods."""
    return max(
        (int(t.name.partition("=")[2]) for t in plan.tiers if "placed/" in t.name), default=0
    )
