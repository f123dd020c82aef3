"""CompositePodGroups: which groups start together, and which wait for what."""

from collections.abc import Mapping, Sequence
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from batchsched.snapshot.composites import LEVELS_MAX
from batchsched.snapshot.encode_cluster import written
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.read import read
from batchsched.snapshot.snapshot import Snapshot
from tests.snapshot.manifests import obj, pod, snapshot_of

Raw = dict[str, Any]
TOPOLOGY: Raw = {"schedulingConstraints": {"topology": [{"key": "rack"}]}}
ALL: Raw = {"disruptionMode": {"all": {}}}


def group(name: str, above: str | None = None, least: int = 1, **spec: Any) -> Raw:
    """A PodGroup; a minimum of 0 makes it basic."""
    policy: Raw = {"gang": {"minCount": least}} if least else {"basic": {}}
    return _in_tree("PodGroup", "v1beta1", name, above, policy, spec)


def composite(name: str, least: int, above: str | None = None, **spec: Any) -> Raw:
    """A CompositePodGroup; a minimum of 0 makes it basic."""
    policy: Raw = {"gang": {"minGroupCount": least}} if least else {"basic": {}}
    return _in_tree("CompositePodGroup", "v1alpha3", name, above, policy, spec)


def _in_tree(kind: str, version: str, name: str, above: str | None, policy: Raw, spec: Raw) -> Raw:
    spec = {"schedulingPolicy": policy, **spec}
    spec |= {"parentCompositePodGroupName": above} if above else {}
    return obj(kind, name, api=f"scheduling.k8s.io/{version}", namespace="default", spec=spec)


def seen(*objects: Raw) -> Snapshot:
    """These objects, read; read again from what is written of them they are the same."""
    snapshot = snapshot_of(*objects)
    assert read([("written.json", written(snapshot))]) == snapshot
    return snapshot


def unions(*objects: Raw) -> dict[str, str]:
    """The names of the groups in the union of each group; no group may have a problem."""
    groups = seen(*objects).groups
    assert {each.problem for each in groups} == {None}
    return {each.name: "".join(name for _, name, _ in each.union) for each in groups}


def why(*objects: Raw) -> dict[str, str | None]:
    """What each group waits for."""
    return {each.name: each.problem for each in seen(*objects).groups}


def test_groups_of_a_composite_that_asks_for_all_start_together() -> None:
    objects = [composite("c", 2), group("a", "c"), group("b", "c"), group("d")]
    assert unions(*objects) == {"a": "ab", "b": "ab", "d": ""}
    first, second, _ = seen(*objects).groups
    assert first.unit == second.unit == first.key
    assert first.unit_count == second.unit_count == 2


@pytest.mark.parametrize("least", [0, 1])
def test_groups_of_a_composite_of_which_one_is_enough_come_by_themselves(least: int) -> None:
    assert unions(composite("c", least), group("a", "c"), group("b", "c")) == {"a": "", "b": ""}


def test_a_tree_that_starts_whole_is_one_union() -> None:
    objects = [
        composite("top", 2),
        *(composite(name, 2, "top") for name in ("left", "right")),
        *(group(name, above) for name, above in zip("abcd", ["left", "right"] * 2, strict=True)),
    ]
    assert unions(*objects) == dict.fromkeys("abcd", "abcd")


@pytest.mark.parametrize("least", [0, 1])
def test_below_a_composite_of_which_one_is_enough_each_tree_is_a_union(least: int) -> None:
    objects = [
        composite("top", least),
        *(composite(name, 2, "top") for name in ("left", "right")),
        *(group(name, above) for name, above in zip("abcd", ["left", "right"] * 2, strict=True)),
        group("e", "top"),
    ]
    assert unions(*objects) == {"a": "ac", "b": "bd", "c": "ac", "d": "bd", "e": ""}


def test_composites_of_other_namespaces_have_other_groups() -> None:
    other = group("b", "c")
    other["metadata"]["namespace"] = "other"
    assert why(composite("c", 1), group("a", "c"), other) == {
        "a": None,
        "b": "PodGroup other/b is in CompositePodGroup c, which does not exist; create it",
    }


def test_groups_wait_until_all_that_are_above_them_exist() -> None:
    gone = "CompositePodGroup default/c is in CompositePodGroup top, which does not exist"
    found = why(composite("c", 2, "top"), group("a", "c"), group("b", "c"))
    assert {str(problem).partition(";")[0] for problem in found.values()} == {gone}


def test_groups_wait_for_others_that_do_not_exist_yet() -> None:
    waits = "CompositePodGroup default/c waits for groups: 2 of 3 exist"
    objects = [composite("c", 3), group("a", "c"), group("b", "c")]
    assert why(*objects) == {"a": waits, "b": waits}
    assert set(unions(*objects, group("e", "c")).values()) == {"abe"}


def test_a_tree_waits_for_groups_below_that_do_not_exist_yet() -> None:
    waits = "CompositePodGroup default/left waits for groups: 1 of 2 exist"
    objects = [composite("top", 2), composite("left", 2, "top"), group("a", "left")]
    assert why(*objects, group("b", "top")) == {"a": waits, "b": waits}
    objects[0] = composite("top", 1)
    assert why(*objects, group("b", "top")) == {"a": waits, "b": None}


@pytest.mark.parametrize(
    ("objects", "said"),
    [
        ([composite("c", 2, **TOPOLOGY)], "requires one rack for all of its groups"),
        ([composite("c", 2), group("e", "c")], "starts with 2 of its 3 groups"),
        ([composite("c", 3), group("e", "c", 0)], "PodGroup default/e in it is basic"),
        ([composite("c", 1), group("e", "c", 0)], "PodGroup default/e in it is basic"),
        ([composite("c", 3), composite("d", 0, "c")], "Group default/d in it is basic"),
        (
            [composite("c", 3), composite("d", 1, "c"), group("e", "d"), group("f", "d")],
            "starts whole, and CompositePodGroup default/d in it with a part",
        ),
        ([composite("c", 0, **ALL)], "disrupted only all together"),
        ([composite("c", 1, "top"), composite("top", 0, **ALL)], "disrupted only all together"),
        ([composite("c", 2, priority=2)], "priority 1, CompositePodGroup default/c 2"),
        (
            [composite("c", 2, "top", priority=1), composite("top", 1, priority=3)],
            "Group default/c has priority 1, CompositePodGroup default/top 3",
        ),
        ([composite("c", 2, "d"), composite("d", 1, "c")], "in a ring of them"),
    ],
)
def test_what_is_not_kept_or_not_valid_waits_with_a_reason(objects: list[Raw], said: str) -> None:
    found = why(*objects, group("a", "c", priority=1), group("b", "c", priority=1))
    assert said in str(found["a"])
    assert said in str(found["b"])


@pytest.mark.parametrize("levels", [LEVELS_MAX, LEVELS_MAX + 1])
def test_trees_have_as_many_levels_as_kube_scheduler_takes(levels: int) -> None:
    chain = [composite(f"c{i}", 1, f"c{i + 1}" if i + 1 < levels else None) for i in range(levels)]
    found = why(*chain, group("a", "c0"))["a"]
    assert (found is None) == (levels <= LEVELS_MAX)


def test_priority_and_disruption_of_a_tree_are_those_of_its_groups() -> None:
    objects = [
        composite("top", 1, **ALL, priority=7, preemptionPolicy="Never"),
        composite("c", 1, "top"),
        group("a", "c"),
        pod("p", schedulingGroup={"podGroupName": "a"}, priority=3),
    ]
    snapshot = seen(*objects)
    (found,) = snapshot.groups
    assert (found.priority, found.preemption_never, found.goes_whole) == (7, True, True)
    assert snapshot.pods[0].spec.priority == 7


def test_a_gang_that_succeeded_is_no_basic_one() -> None:
    done = pod("p", schedulingGroup={"podGroupName": "a"}, status={"phase": "Succeeded"})
    assert unions(composite("c", 2), group("a", "c"), group("b", "c"), done)["b"] == "ab"


@st.composite
def trees(draw: st.DrawFn) -> list[Raw]:
    """Composites, each below one that comes before it or below none, and groups in them."""
    names = [f"c{i}" for i in range(draw(st.integers(1, 4)))]
    above = [draw(st.sampled_from([None, *names[:i]])) for i in range(len(names))]
    of = draw(st.lists(st.sampled_from(names), min_size=1, max_size=6))
    least = st.integers(0, 3)
    return [
        *(composite(name, draw(least), over) for name, over in zip(names, above, strict=True)),
        *(group(f"g{i}", over) for i, over in enumerate(of)),
    ]


@given(trees(), st.data())
def test_what_unions_allow_every_composite_allows(objects: list[Raw], data: st.DataObject) -> None:
    """The policies read anew, top down: any choice of unions without a problem is valid."""
    groups = seen(*objects).groups
    problem = {each.unit for each in groups if each.problem is not None}
    units = sorted({each.unit for each in groups} - problem)
    chosen = set(data.draw(st.lists(st.sampled_from(units)))) if units else set()
    _check(objects, {each.name for each in groups if each.unit in chosen})


@given(trees())
def test_who_needs_no_more_than_it_has_does_not_wait(objects: list[Raw]) -> None:
    """Where all composites ask for one or all of their groups, nobody waits."""
    inside = _inside(objects)
    for raw in objects:
        if raw["kind"] == "CompositePodGroup":
            count = len(inside.get(raw["metadata"]["name"], ()))
            raw["spec"]["schedulingPolicy"] = {"gang": {"minGroupCount": max(count, 1)}}
    empty = {raw["metadata"]["name"] for raw in objects} - set(inside)
    if all(raw["metadata"]["name"] not in empty for raw in objects if "Comp" in raw["kind"]):
        assert {each.problem for each in seen(*objects).groups} == {None}


def _inside(objects: Sequence[Raw]) -> dict[str, list[Raw]]:
    found: dict[str, list[Raw]] = {}
    for raw in objects:
        found.setdefault(raw["spec"].get("parentCompositePodGroupName", ""), []).append(raw)
    return found


def _check(objects: Sequence[Raw], started: set[str]) -> None:
    """Each gang of groups has started enough of them, or none of its pods has started."""
    inside = _inside(objects)
    for raw in objects:
        least = raw["spec"]["schedulingPolicy"].get("gang", {}).get("minGroupCount", 0)
        if raw["kind"] == "CompositePodGroup" and _touched(raw, inside, started):
            children = inside[raw["metadata"]["name"]]
            assert sum(_starts(child, inside, started) for child in children) >= least


def _touched(raw: Raw, inside: Mapping[str, Sequence[Raw]], started: set[str]) -> bool:
    name = raw["metadata"]["name"]
    if raw["kind"] == "PodGroup":
        return name in started
    return any(_touched(child, inside, started) for child in inside.get(name, ()))


def _starts(raw: Raw, inside: Mapping[str, Sequence[Raw]], started: set[str]) -> bool:
    name = raw["metadata"]["name"]
    if raw["kind"] == "PodGroup":
        return name in started
    least = raw["spec"]["schedulingPolicy"].get("gang", {}).get("minGroupCount", 0)
    count = sum(_starts(child, inside, started) for child in inside.get(name, ()))
    return count > 0 and count >= least


def test_groups_by_themselves_are_as_they_were() -> None:
    assert seen(group("a", least=3)).groups == (PodGroup("scheduling.k8s.io", "default", "a", 3),)
