"""Who is asked about, alone or after all others, and what is said of who is placed."""

from dataclasses import replace

from batchsched.explain.explaining import explain
from batchsched.explain.explanation import Explanation
from batchsched.explain.question import Means
from batchsched.explain.subject import Subject
from batchsched.profile import default_profile
from batchsched.scheduler import Limits
from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.snapshot import Snapshot
from tests.builders import make_node, make_pod, make_replicas, make_snapshot

MEANS = Means(
    profile=default_profile(),
    limits=Limits(time_limit_s=5.0, workers=1, deterministic=True),
    clock=lambda: 0.0,
    end_s=60.0,
)


def why(snapshot: Snapshot, name: str, *, group: bool = False, means: Means = MEANS) -> Explanation:
    """The explanation of a pod or a group."""
    return explain(snapshot, Subject("podgroup" if group else "pod", "default", name), means)


def test_who_comes_first_is_told_of_where_there_is_room_for_one() -> None:
    first, second = make_pod("a", cpu=3000, priority=1), make_pod("b", cpu=3000)
    said = why(make_snapshot([make_node()], [first, second]), "b")
    assert [(fact.kind, said.proven) for fact in said.facts] == [("capacity", True)]
    assert "pending pods that are placed before it" in said.message
    assert "default/a ended" in " ".join(remedy.message for remedy in said.remedies)


def test_eviction_is_a_help_where_the_victims_are_of_lower_priority() -> None:
    runs = make_pod("r", cpu=3000, node="n1")
    for priority, kinds in ((0, ["wait", "priority"]), (5, ["wait", "evict"])):
        said = why(
            make_snapshot([make_node()], [runs, make_pod(cpu=3000, priority=priority)]), "p1"
        )
        assert [each.kind for each in said.remedies] == ["request", *kinds, "nodes"]


def test_the_lowest_priority_that_helps_is_told_with_whom_it_evicts() -> None:
    """Of three who run, the one of priority 7 is enough, and it takes 8."""
    runs = [make_pod(f"r{p}", cpu=3000, node=f"n{p}", priority=p) for p in (7, 9, 20)]
    nodes = [make_node(f"n{p}") for p in (7, 9, 20)]
    said = why(make_snapshot(nodes, [*runs, make_pod(cpu=3000, priority=3)]), "p1")
    told = [each.message for each in said.remedies if each.kind == "priority"]
    assert told == ["raise the priority to 8 and allow preemption, which evicts default/r7"]


def test_who_comes_after_other_pending_pods_is_told_how_to_go_before_them() -> None:
    pods = [make_pod("a", cpu=3000, priority=4), make_pod("b", cpu=3000)]
    said = why(make_snapshot([make_node()], pods), "b")
    told = [each.message for each in said.remedies if each.kind == "priority"]
    assert told == ["raise the priority to 5"]


def test_what_belongs_to_the_system_is_not_outranked() -> None:
    runs = make_pod("r", cpu=3000, node="n1", priority=2_000_000_000)
    said = why(make_snapshot([make_node()], [runs, make_pod(cpu=3000)]), "p1")
    assert "priority" not in {each.kind for each in said.remedies}


def test_nodes_are_like_one_that_would_take_the_pod_however_few_there_are() -> None:
    nodes = [make_node(f"n{i:02}", labels={"shelf": f"s{i}"}) for i in range(30)]
    only = make_node("only", labels={"disk": "ssd"}, cpu=2000)
    pods = [make_pod("r", cpu=2000, node="only"), make_pod(node_selector={"disk": "ssd"}, cpu=1000)]
    said = why(make_snapshot([*nodes, only], pods), "p1")
    told = [each.message for each in said.remedies if each.kind == "nodes"]
    assert told == ["add 1 node like only"]


def test_who_may_preempt_is_placed() -> None:
    pods = [make_pod("r", cpu=3000, node="n1"), make_pod(cpu=3000, priority=5)]
    means = replace(MEANS, allowance=Allowance(preemption=True))
    assert why(make_snapshot([make_node()], pods), "p1", means=means).status == "Placed"


def test_a_pod_that_its_gang_does_without_is_asked_about_alone() -> None:
    pods = make_replicas(3, "g", cpu=2000)
    group = PodGroup("batchsched.io", "default", "gang", min_count=2)
    snapshot = make_snapshot([make_node()], pods, groups={group: pods})
    said = why(snapshot, "g-0002")
    assert (said.pods, [fact.kind for fact in said.facts]) == (("default/g-0002",), ["capacity"])
    assert why(snapshot, "gang", group=True).status == "Placed"


def test_pods_that_need_not_be_together_are_asked_about_as_a_whole() -> None:
    pods = make_replicas(3, "g", cpu=2000)
    group = PodGroup("batchsched.io", "default", "gang")
    said = why(make_snapshot([make_node()], pods, groups={group: pods}), "gang", group=True)
    assert {fact.kind for fact in said.facts} == {"gang-minimum", "capacity"}


def test_another_node_has_its_price() -> None:
    pods = [make_pod("r", node="a"), make_pod(cpu=1000)]
    said = why(make_snapshot([make_node("a"), make_node("b")], pods), "p1")
    assert [(each.node, each.message) for each in said.alternatives] == [
        ("b", "packing/fewest-nodes would be 2 instead of 1")
    ]


def test_a_time_that_is_up_proves_nothing() -> None:
    means = replace(MEANS, end_s=-1.0)
    said = why(make_snapshot([make_node()], [make_pod(cpu=9000)]), "p1", means=means)
    assert not said.proven
