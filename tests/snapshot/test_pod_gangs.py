"""Gangs as they are written for other schedulers: whose they are, how they count, what is wrong."""

import json
from typing import Any

import pytest

from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.snapshot import Snapshot
from tests.snapshot.manifests import obj, pod, snapshot_of

Raw = dict[str, Any]
KOORDINATOR, KUEUE, YUNIKORN, KAI = (
    "gang.scheduling.koordinator.sh",
    "kueue.x-k8s.io",
    "yunikorn.apache.org",
    "scheduling.run.ai",
)
VOLCANO, UPSTREAM = "scheduling.volcano.sh", "scheduling.k8s.io"


def member(
    name: str = "a", labels: Raw | None = None, notes: Raw | None = None, **spec: Any
) -> Raw:
    return pod(name, metadata={"labels": labels or {}, "annotations": notes or {}}, **spec)


def group(api: str, version: str = "v1beta1", notes: Raw | None = None, **spec: Any) -> Raw:
    found = obj("PodGroup", "g", api=f"{api}/{version}", namespace="default", spec=spec)
    return {**found, "metadata": {**found["metadata"], "annotations": notes or {}}}


def only(snapshot: Snapshot) -> PodGroup:
    """The one group, of which every pod is a member."""
    (found,) = snapshot.groups
    assert snapshot.group_of == tuple((entry.key, 0) for entry in snapshot.pods)
    return found


def koordinator(name: str = "a", least: str = "2", **more: str) -> Raw:
    notes = {f"{KOORDINATOR}/name": "g", f"{KOORDINATOR}/min-available": least}
    return member(name, notes={**notes, **{f"{KOORDINATOR}/{key}": more[key] for key in more}})


def sliced(name: str, **notes: str) -> Raw:
    gang = {"batchsched.io/gang": "g", "batchsched.io/min-available": "2"}
    return member(name, notes=gang | {f"batchsched.io/slice-{key}": notes[key] for key in notes})


def test_slices_are_a_key_and_a_size_that_all_members_say() -> None:
    group = only(snapshot_of(*(sliced(name, topology="rack", size="2") for name in "ab")))
    assert (group.slice_topology, group.slice_size, group.problem) == ("rack", 2, None)


@pytest.mark.parametrize(
    ("notes", "problem"),
    [
        ({"topology": "rack"}, "slice-size is missing; write a whole number from 1"),
        ({"topology": "rack", "size": "some"}, 'slice-size is "some"; write a whole number from 1'),
        ({"topology": "rack", "size": "0"}, 'slice-size is "0"; write a whole number from 1'),
        ({"size": "2"}, "slice-topology is missing; write both or none"),
    ],
)
def test_half_of_what_makes_slices_is_a_mistake_that_is_told(notes: Raw, problem: str) -> None:
    group = only(snapshot_of(sliced("a", **notes), sliced("b", **notes)))
    assert problem in (group.problem or "")
    assert group.slice_topology is None


def test_members_that_disagree_about_slices_wait() -> None:
    group = only(
        snapshot_of(sliced("a", topology="rack", size="2"), sliced("b", topology="rack", size="3"))
    )
    assert "write the same on all pods of the gang" in (group.problem or "")


def kueue(name: str, total: str = "3", **spec: Any) -> Raw:
    labels, notes = {f"{KUEUE}/pod-group-name": "g"}, {f"{KUEUE}/pod-group-total-count": total}
    return member(name, labels, notes, **spec)


def yunikorn(name: str, task: str, tasks: Any = None, app: str = "g") -> Raw:
    notes = {f"{YUNIKORN}/task-group-name": task}
    if tasks is not None:
        notes[f"{YUNIKORN}/task-groups"] = json.dumps(tasks)
    return member(name, {"applicationId": app} if app else {}, notes)


def tasks(**least: int) -> list[Raw]:
    return [{"name": name, "minMember": count, "minResource": {}} for name, count in least.items()]


def test_koordinators_annotations_make_a_gang() -> None:
    assert only(snapshot_of(koordinator("a"), koordinator("b"))) == PodGroup(
        KOORDINATOR, "default", "g", 2
    )


def test_koordinators_labels_make_the_same_gang() -> None:
    key = "pod-group.scheduling.sigs.k8s.io"
    labelled = member("b", {f"{key}/name": "g", f"{key}/min-available": "2"})
    assert only(snapshot_of(koordinator("a"), labelled)).min_count == 2
    assert only(snapshot_of(labelled)) == PodGroup(KOORDINATOR, "default", "g", 2)


def test_a_total_below_the_minimum_is_a_problem() -> None:
    found = only(snapshot_of(koordinator(**{"total-number": "1"})))
    assert "less than its minimum of 2" in str(found.problem)


def test_a_gang_that_starts_together_with_itself_alone_is_a_gang() -> None:
    assert only(snapshot_of(koordinator(groups='["default/g"]'))).problem is None


def test_a_kueue_group_is_all_its_pods() -> None:
    assert only(snapshot_of(kueue("a"), kueue("b"))) == PodGroup(KUEUE, "default", "g", 3)


def test_pods_that_are_done_count_for_a_kueue_group() -> None:
    done = kueue("c", status={"phase": "Succeeded"})
    assert only(snapshot_of(kueue("a"), kueue("b"), done)).min_count == 2
    failed = kueue("c", status={"phase": "Failed"})
    assert only(snapshot_of(kueue("a"), kueue("b"), failed)).min_count == 3


@pytest.mark.parametrize("total", ["0", "many"])
def test_a_kueue_group_needs_its_total(total: str) -> None:
    assert "pod-group-total-count of gang default/g is" in str(
        only(snapshot_of(kueue("a", total))).problem
    )


def test_an_application_of_yunikorn_needs_all_its_task_groups() -> None:
    wanted = tasks(driver=1, worker=2)
    found = snapshot_of(
        yunikorn("d", "driver", wanted), yunikorn("w-0", "worker"), yunikorn("w-1", "worker")
    )
    parts = (("driver", 1), ("worker", 2))
    assert only(found) == PodGroup(YUNIKORN, "default", "g", 3, parts=parts)


@pytest.mark.parametrize(
    ("pods", "said"),
    [
        ([yunikorn("a", "w", tasks(w=2), app="")], "set the label applicationId"),
        ([yunikorn("a", "w")], "is missing"),
        ([yunikorn("a", "w", {"name": "w"})], "cannot be read"),
        ([yunikorn("a", "w", [{"name": "w", "minMember": "2"}])], "cannot be read"),
        ([yunikorn("a", "w", [3])], "cannot be read"),
        ([yunikorn("a", "other", tasks(w=2))], 'no task group "other"'),
        ([yunikorn("a", "w", tasks(w=2)), yunikorn("b", "w", tasks(w=3))], "write the same"),
    ],
)
def test_an_application_that_yunikorn_would_not_start_is_a_problem(
    pods: list[Raw], said: str
) -> None:
    assert said in str(only(snapshot_of(*pods)).problem)


def kai(name: str = "a", subgroup: str | None = None) -> Raw:
    labels = {"kai.scheduler/subgroup-name": subgroup} if subgroup else {}
    return member(name, labels, {"pod-group-name": "g"})


def test_a_group_of_kai_is_named_by_an_annotation() -> None:
    level = {"topology": "t", "requiredTopologyLevel": "rack", "preferredTopologyLevel": "block"}
    found = only(snapshot_of(kai(), group(KAI, "v2alpha2", minMember=2, topologyConstraint=level)))
    assert found == PodGroup(
        KAI, "default", "g", 2, required_topology="rack", preferred_topology="block"
    )
    assert "create it in scheduling.run.ai" in str(only(snapshot_of(kai())).problem)


def test_the_subgroups_of_kai_are_counted_together() -> None:
    subgroups = [{"name": "leader", "minMember": 1}, {"name": "workers", "minMember": 2}]
    declared = group(KAI, "v2alpha2", minMember=1, subGroups=subgroups)
    pods = [kai("l", "leader"), *(kai(f"w-{n}", "workers") for n in range(2))]
    parts = (("leader", 1), ("workers", 2))
    assert only(snapshot_of(*pods, declared)) == PodGroup(KAI, "default", "g", 3, parts=parts)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            {
                "subGroups": [
                    *({"name": name, "parent": "c"} for name in "ab"),
                    {"name": "c", "minSubGroup": 1},
                ]
            },
            "need not all start",
        ),
        ({"subGroups": [{"name": "a"}, {"name": "b"}], "minSubGroup": 1}, "need not all start"),
        (
            {"subGroups": [{"name": "a", "topologyConstraint": {"requiredTopologyLevel": "rack"}}]},
            "topologies of their own",
        ),
    ],
)
def test_subgroups_that_are_more_than_counted_wait(spec: Raw, said: str) -> None:
    assert said in str(only(snapshot_of(kai(), group(KAI, "v2alpha2", **spec))).problem)


def test_nested_subgroups_of_kai_start_all_and_the_innermost_have_the_pods() -> None:
    inner = [{"name": name, "parent": "all", "minMember": 1} for name in ("a", "b")]
    declared = group(KAI, "v2alpha2", subGroups=[*inner, {"name": "all", "minSubGroup": 2}])
    found = only(snapshot_of(kai("p", "a"), kai("q", "b"), declared))
    assert (found.problem, found.min_count, found.parts) == (None, 2, (("a", 1), ("b", 1)))


def test_kais_minimum_on_the_pods_makes_a_gang_of_their_owner() -> None:
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "u", "controller": True}
    notes = {
        "kai.scheduler/batch-min-member": "2",
        "kai.scheduler/topology-required-placement": "rack",
        "kai.scheduler/topology-preferred-placement": "block",
    }
    pods = [pod(name, metadata={"annotations": notes, "ownerReferences": [owner]}) for name in "ab"]
    assert only(snapshot_of(*pods)) == PodGroup("kai.scheduler", "default", "j", 2, "rack", "block")


def test_a_replica_of_a_leader_worker_set_is_a_gang_of_its_size() -> None:
    key = "leaderworkerset.sigs.k8s.io"
    notes = {"batchsched.io/gang": "owner", f"{key}/size": "4"}

    def replica(name: str, at: str) -> Raw:
        return member(name, {f"{key}/name": "l", f"{key}/group-index": at}, notes)

    found = snapshot_of(replica("l-0", "0"), replica("l-0-1", "0"), replica("l-1", "1"))
    api = "leaderworkerset.x-k8s.io"
    assert found.groups == (PodGroup(api, "default", "l-0", 4), PodGroup(api, "default", "l-1", 4))
    assert [at for _, at in found.group_of] == [0, 0, 1]


def volcano(name: str, task: str) -> Raw:
    notes = {f"{VOLCANO}/group-name": "g", "volcano.sh/task-spec": task}
    return member(name, notes=notes)


def test_every_task_of_volcano_has_its_minimum() -> None:
    declared = group(VOLCANO, minMember=3, minTaskMember={"ps": 1, "worker": 2})
    found = only(snapshot_of(volcano("p", "ps"), volcano("w-0", "worker"), declared))
    assert (found.min_count, found.parts) == (3, (("ps", 1), ("worker", 2)))


def test_a_task_that_succeeded_is_needed_no_more() -> None:
    declared = group(VOLCANO, minMember=4, minTaskMember={"ps": 1, "worker": 2})
    done = volcano("w-0", "worker") | {"status": {"phase": "Succeeded"}}
    found = only(snapshot_of(volcano("p", "ps"), done, volcano("w-1", "worker"), declared))
    assert (found.min_count, found.parts) == (3, (("ps", 1), ("worker", 1)))


def test_both_annotations_of_volcano_name_its_group() -> None:
    for key in ("scheduling.k8s.io/group-name", f"{VOLCANO}/group-name"):
        found = only(snapshot_of(member(notes={key: "g"}), group(VOLCANO, minMember=3)))
        assert found == PodGroup(VOLCANO, "default", "g", 3)


def upstream(**spec: Any) -> Raw:
    return group(UPSTREAM, schedulingPolicy={"gang": {"minCount": 1}}, **spec)


def test_the_priority_of_a_group_is_that_of_its_pods() -> None:
    of_group, alone = (
        pod("a", schedulingGroup={"podGroupName": "g"}, priority=5),
        pod("b", priority=5),
    )
    found = snapshot_of(of_group, alone, upstream(priority=100, preemptionPolicy="Never"))
    assert [(p.spec.priority, p.spec.preemption_never) for p in found.pods] == [
        (100, True),
        (5, False),
    ]


@pytest.mark.parametrize(
    ("mode", "whole"),
    [
        ({"all": {}}, True),
        ({"single": {}}, False),
        ("PodGroup", True),
        ("Pod", False),
        (None, False),
    ],
)
def test_the_disruption_mode_is_read_in_all_versions(mode: Any, *, whole: bool) -> None:
    assert snapshot_of(upstream(disruptionMode=mode)).groups[0].goes_whole is whole


def test_the_gangs_of_the_contract_come_before_those_of_others() -> None:
    notes = {
        "batchsched.io/gang": "own",
        "batchsched.io/min-available": "1",
        f"{KOORDINATOR}/name": "other",
        "pod-group-name": "third",
    }
    assert only(snapshot_of(member(notes=notes))).name == "own"
