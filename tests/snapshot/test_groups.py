"""Which pods form a gang: every dialect, their order, and what is wrong with broken groups."""

from typing import Any

import pytest

from batchsched.snapshot.errors import InputError
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.snapshot import Snapshot
from tests.snapshot.manifests import obj, pod, snapshot_of

GANG, MIN = "batchsched.io/gang", "batchsched.io/min-available"
UPSTREAM, COSCHEDULING, OLD, VOLCANO = (
    "scheduling.k8s.io",
    "scheduling.x-k8s.io",
    "scheduling.sigs.k8s.io",
    "scheduling.volcano.sh",
)


def group(api: str, name: str = "g", **spec: Any) -> dict[str, Any]:
    return obj("PodGroup", name, api=f"{api}/v1beta1", namespace="default", spec=spec)


def upstream(name: str = "g", **spec: Any) -> dict[str, Any]:
    return group(UPSTREAM, name, **{"schedulingPolicy": {"gang": {"minCount": 2}}, **spec})


def labelled(name: str = "p", key: str = "scheduling.x-k8s.io/pod-group") -> dict[str, Any]:
    return pod(name, metadata={"labels": {key: "g"}})


def gang(name: str, count: str | None = "2", **spec: Any) -> dict[str, Any]:
    notes = {GANG: "g"} | ({MIN: count} if count is not None else {})
    return pod(name, metadata={"annotations": notes}, **spec)


def only(snapshot: Snapshot) -> PodGroup:
    """The one group, of which every pod is a member."""
    (found,) = snapshot.groups
    assert snapshot.group_of == tuple((entry.key, 0) for entry in snapshot.pods)
    return found


def test_an_upstream_pod_group_is_named_by_the_spec() -> None:
    member = pod(schedulingGroup={"podGroupName": "g"})
    rack = {"topology": [{"key": "rack"}]}
    assert only(snapshot_of(member, upstream(schedulingConstraints=rack))) == PodGroup(
        UPSTREAM, "default", "g", 2, required_topology="rack"
    )


def test_a_basic_group_lets_its_pods_come_one_by_one() -> None:
    member = pod(schedulingGroup={"podGroupName": "g"})
    found = only(snapshot_of(member, upstream(schedulingPolicy={"basic": {}})))
    assert (found.min_count, found.problem) == (0, None)


@pytest.mark.parametrize("api", [COSCHEDULING, OLD])
@pytest.mark.parametrize(
    "label", ["scheduling.x-k8s.io/pod-group", "pod-group.scheduling.sigs.k8s.io"]
)
def test_either_label_finds_the_group_of_either_coscheduling_api(api: str, label: str) -> None:
    found = only(snapshot_of(labelled(key=label), group(api, minMember=3)))
    assert found == PodGroup(api, "default", "g", 3)


def test_volcano_groups_are_named_by_an_annotation() -> None:
    member = pod(metadata={"annotations": {"scheduling.k8s.io/group-name": "g"}})
    assert only(snapshot_of(member, group(VOLCANO, minMember=3))) == PodGroup(
        VOLCANO, "default", "g", 3
    )


def test_annotations_alone_make_a_gang() -> None:
    found = only(snapshot_of(gang("a"), gang("b", None), gang("c")))
    assert found == PodGroup("batchsched.io", "default", "g", 2)


def test_the_first_dialect_that_a_pod_uses_counts() -> None:
    member = pod(
        schedulingGroup={"podGroupName": "g"},
        metadata={
            "labels": {"scheduling.x-k8s.io/pod-group": "other"},
            "annotations": {GANG: "third", "scheduling.k8s.io/group-name": "fourth"},
        },
    )
    assert only(snapshot_of(member, upstream())).api == UPSTREAM


@pytest.mark.parametrize(
    ("member", "api"),
    [
        (pod(schedulingGroup={"podGroupName": "g"}), UPSTREAM),
        (labelled(), COSCHEDULING),
        (labelled(key="pod-group.scheduling.sigs.k8s.io"), OLD),
        (pod(metadata={"annotations": {"scheduling.k8s.io/group-name": "g"}}), VOLCANO),
    ],
)
def test_a_group_that_does_not_exist_is_a_problem_with_a_name(
    member: dict[str, Any], api: str
) -> None:
    other_namespace = upstream()
    other_namespace["metadata"]["namespace"] = "elsewhere"
    found = next(g for g in snapshot_of(member, other_namespace).groups if g.namespace == "default")
    assert (found.api, found.name) == (api, "g")
    assert str(found.problem).startswith("PodGroup default/g does not exist")


def test_groups_of_other_apis_are_not_taken_for_ours() -> None:
    stranger = group("scheduling.example.com", minMember=1)
    found = only(snapshot_of(labelled(), stranger))
    assert "does not exist" in str(found.problem)


def test_a_group_without_pods_is_kept() -> None:
    found = snapshot_of(upstream())
    assert [entry.name for entry in found.groups] == ["g"]
    assert found.group_of == ()


def test_members_that_disagree_are_a_problem_that_names_two_of_them() -> None:
    found = only(snapshot_of(gang("a", "2"), gang("b", "3")))
    assert 'min-available is "2" on pod default/a and "3" on default/b' in str(found.problem)


@pytest.mark.parametrize("text", ["0", "-1", "many", "2.5", "", None])
def test_a_gang_needs_a_whole_number_from_one(text: str | None) -> None:
    assert "write a whole number from 1" in str(only(snapshot_of(gang("a", text))).problem)


def test_members_of_several_schedulers_are_a_problem() -> None:
    found = only(snapshot_of(gang("a"), gang("b", schedulerName="other")))
    assert "several schedulers (default-scheduler, other)" in str(found.problem)


def test_ended_members_contradict_nobody() -> None:
    ended = gang("b", "7", schedulerName="other", status={"phase": "Succeeded"})
    assert only(snapshot_of(gang("a"), ended)).problem is None


def test_topology_annotations_hold_for_the_gang() -> None:
    notes = {
        GANG: "g",
        MIN: "1",
        "batchsched.io/required-topology": "rack",
        "batchsched.io/preferred-topology": "zone",
    }
    found = only(snapshot_of(pod(metadata={"annotations": notes})))
    assert (found.required_topology, found.preferred_topology) == ("rack", "zone")


def test_a_group_and_its_pods_cannot_require_two_topologies() -> None:
    notes = {"batchsched.io/required-topology": "zone"}
    member = pod(schedulingGroup={"podGroupName": "g"}, metadata={"annotations": notes})
    rack = {"topology": [{"key": "rack"}]}
    found = only(snapshot_of(member, upstream(schedulingConstraints=rack)))
    assert "requires one rack" in str(found.problem)


def of_job(name: str, job: str = "j", **metadata: Any) -> dict[str, Any]:
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": "u", "controller": True}
    notes = {GANG: "owner"}
    return pod(name, metadata={"annotations": notes, "ownerReferences": [owner], **metadata})


def job(name: str = "j", owner: str | None = None, **spec: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    if owner:
        api = "jobset.x-k8s.io/v1alpha2"
        reference = {"apiVersion": api, "kind": "JobSet", "name": owner, "controller": True}
        metadata = {"ownerReferences": [reference]}
    return obj("Job", name, api="batch/v1", namespace="default", spec=spec, metadata=metadata)


@pytest.mark.parametrize(
    ("spec", "count"),
    [
        ({}, 1),
        ({"parallelism": 3}, 3),
        ({"parallelism": 3, "completions": 2}, 2),
        ({"parallelism": 3, "completions": 9}, 3),
    ],
)
def test_the_pods_of_a_job_form_a_gang_of_its_parallelism(spec: dict[str, Any], count: int) -> None:
    found = only(snapshot_of(of_job("a"), of_job("b"), job(**spec)))
    assert found == PodGroup("batch", "default", "j", count)


@pytest.mark.parametrize(("done", "count"), [(1, 3), (3, 1), (8, 0)])
def test_who_succeeded_started_already_and_a_job_counts_them_itself(done: int, count: int) -> None:
    whole = job(parallelism=4, completions=10)
    whole["status"] = {"succeeded": done}
    ended = of_job("b")
    ended["status"] = {"phase": "Succeeded"}
    assert only(snapshot_of(of_job("a"), ended, whole)).min_count == count


def test_the_pods_of_a_job_set_form_one_gang_over_all_its_jobs() -> None:
    template = {"spec": {"parallelism": 2}}
    jobs = [{"name": "w", "replicas": 3, "template": template}, {"name": "d", "template": {}}]
    whole = obj(
        "JobSet",
        "js",
        api="jobset.x-k8s.io/v1alpha2",
        namespace="default",
        spec={"replicatedJobs": jobs},
    )
    by_job = of_job("a", "js-w-0")
    by_label = of_job("b", "js-d-0", labels={"jobset.sigs.k8s.io/jobset-name": "js"})
    found = only(snapshot_of(by_job, by_label, whole, job("js-w-0", owner="js", parallelism=2)))
    assert found == PodGroup("jobset.x-k8s.io", "default", "js", 7)


def test_an_owner_that_is_not_in_the_snapshot_is_a_problem() -> None:
    assert "Job default/j does not exist" in str(only(snapshot_of(of_job("a"))).problem)


def test_a_pod_without_an_owner_cannot_be_in_its_owners_gang() -> None:
    lonely = pod("lonely", metadata={"annotations": {GANG: "owner"}})
    assert "no Job, JobSet or LeaderWorkerSet owns it" in str(only(snapshot_of(lonely)).problem)


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        (upstream(schedulingPolicy={}), "spec.schedulingPolicy"),
        (upstream(schedulingPolicy=None), "spec.schedulingPolicy"),
        (
            upstream(schedulingPolicy={"gang": {"minCount": 0}}),
            "spec.schedulingPolicy.gang.minCount",
        ),
        (
            upstream(schedulingConstraints={"topology": [{}]}),
            "spec.schedulingConstraints.topology[0].key",
        ),
        (group(COSCHEDULING, minMember=-1), "spec.minMember"),
        (group(VOLCANO, minMember="three"), "spec.minMember"),
        (job(parallelism=-1), "spec.parallelism"),
    ],
)
def test_what_the_api_server_refuses_is_refused(entry: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as refused:
        snapshot_of(entry)
    assert refused.value.field == field
