"""Who is asked about, alone or after all others, and what is said of who is placed."""

from dataclasses import replace
from itertools import count
from random import Random

import pytest

from batchsched.explain.explaining import Finding, explain, find_out
from batchsched.explain.explanation import Explanation
from batchsched.explain.question import Answer, Means
from batchsched.explain.subject import Subject
from batchsched.profile import default_profile
from batchsched.scheduler import Limits, schedule
from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.node import Taint
from batchsched.snapshot.reservation import Reservation
from batchsched.snapshot.snapshot import Snapshot, pending
from tests.builders import (
    GIB,
    ZONE,
    make_node,
    make_pod,
    make_replicas,
    make_snapshot,
    node_term,
    pod_term,
    requirement,
)

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


def test_preemption_is_for_all_that_is_pending_where_others_come_first() -> None:
    runs = [make_pod(f"r{i}", cpu=3000, node=f"n{i}", priority=-1) for i in range(2)]
    pods = [make_pod("a", cpu=3000, priority=4), make_pod("b", cpu=3000)]
    nodes = [make_node(f"n{i}") for i in range(2)]
    free = make_node("n2")
    found = find_out(
        make_snapshot([*nodes, free], [*runs, *pods]), Subject("pod", "default", "b"), MEANS
    )
    told = [each for each in helps(found) if each.startswith("allow preemption")]
    assert len(told) == 1
    assert "for all that is pending, which evicts default/r" in told[0]


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


def helps(found: Finding) -> list[str]:
    """What the remedies say; each is tried again."""
    assert found.question is not None
    for remedy in found.remedies:
        question, snapshot = remedy.tried(found.question, found.snapshot)
        assert question.ask(snapshot, seed=5) is Answer.YES
    return [remedy.message for remedy in found.remedies]


def test_who_is_kept_out_by_room_that_is_kept_for_others_is_told_for_whom() -> None:
    waits = make_pod("old", cpu=9000, priority=4)
    ends = make_pod("r", cpu=1000, node="n1")
    kept = (("n1", (("cpu", 3000), ("pods", 1))),)
    for until_s, kinds in ((1100.0, ["duration", "rule", "request"]), (None, ["rule", "request"])):
        made = Reservation((waits.key,), 4, 1000.0, until_s, kept)
        pods = [waits, ends, make_pod("p", cpu=2000)]
        snapshot = replace(make_snapshot([make_node()], pods), reservation=made)
        found = find_out(snapshot, Subject("pod", "default", "p"), MEANS)
        said = found.explanation
        [kept_out] = [fact for fact in said.facts if fact.kind == "reserved"]
        assert said.proven
        assert (kept_out.rule, kept_out.nodes, kept_out.pods) == (
            *("Reservation", ("n1",)),
            ("default/old",),
        )
        assert "room on n1 is kept for default/old" in kept_out.message
        assert [each.kind for each in said.remedies][: len(kinds)] == kinds
        assert "raise the priority to 5" in helps(found)
        told = any("batchsched.io/expected-duration: 95s" in each for each in helps(found))
        assert told == (until_s is not None)


def test_a_smaller_gang_is_told_in_numbers_where_that_is_not_enough() -> None:
    gang = make_replicas(2, "g", cpu=2000, node_selector={"disk": "tape"})
    group = PodGroup("batchsched.io", "default", "gang", min_count=3)
    snapshot = make_snapshot([make_node()], gang, groups={group: gang})
    found = find_out(snapshot, Subject("podgroup", "default", "gang"), MEANS)
    assert any("start with 2 instead of 3 pods" in each for each in helps(found))


def test_what_has_several_causes_is_told_what_to_do_together() -> None:
    """Each of three facts is enough to keep it out, so that no single one of them helps."""
    node = make_node(taints=[Taint("team", "a", "NoSchedule")])
    pod = make_pod(cpu=9000, memory=GIB, node_selector={"disk": "tape"})
    found = find_out(make_snapshot([node], [pod]), Subject("pod", "default", "p1"), MEANS)
    assert len(found.facts) == 1
    (said,) = helps(found)
    assert said.split("; and ") == [
        "drop this rule: only nodes with disk=tape",
        "tolerate team=a:NoSchedule, or remove it from its nodes",
        "ask for 4 cpu instead of 9 cpu",
    ]


def test_two_resources_that_no_node_has_are_both_lowered() -> None:
    nodes = [make_node(), make_node("n2", cpu=8000, memory=GIB)]
    pod = make_pod(cpu=9000, memory=40 * GIB)
    found = find_out(make_snapshot(nodes, [pod]), Subject("pod", "default", "p1"), MEANS)
    (said,) = helps(found)
    assert "ask for 8 cpu instead of 9 cpu" in said
    assert "GiB of memory instead of 40 GiB of memory" in said


def test_a_gang_that_is_too_large_and_too_many_starts_smaller_with_less() -> None:
    pods = make_replicas(4, "g", cpu=9000)
    group = PodGroup("batchsched.io", "default", "gang", min_count=5)
    snapshot = make_snapshot([make_node(), make_node("n2")], pods, groups={group: pods})
    found = find_out(snapshot, Subject("podgroup", "default", "gang"), MEANS)
    assert any("let the gang start with" in each and "ask for" in each for each in helps(found))


def test_other_nodes_have_their_prices_and_the_next_best_comes_first() -> None:
    likes = ((5, node_term(requirement("disk", "In", "ssd"))),)
    nodes = [make_node("a"), make_node("b"), make_node("c", labels={"disk": "ssd"}), make_node("d")]
    full = [make_pod("r", node="b"), make_pod("f", node="d", cpu=4000)]
    said = why(make_snapshot(nodes, [*full, make_pod(cpu=1000, preferred_nodes=likes)]), "p1")
    assert (
        "p1 on c. With all others where they are, 3/4 nodes are available: 1 Insuff" in said.message
    )
    assert [each.node for each in said.alternatives] == ["b", "a"]
    assert [each.message.split(" would")[0] for each in said.alternatives] == ["preferences"] * 2
    assert said.all_alternatives


@pytest.mark.parametrize("seed", range(6))
def test_no_node_is_cheaper_than_those_that_are_told_before_it(seed: int) -> None:
    """Each node alone, by what a pod pinned to it is worth; the told ones are the best of them."""
    rng = Random(seed)
    nodes = [make_node(f"n{i}", labels={"disk": rng.choice(["ssd", "hdd"])}) for i in range(9)]
    runs = [make_pod(f"r{i}", node=f"n{i}", cpu=rng.choice([500, 3500])) for i in range(0, 9, 2)]
    likes = ((1, node_term(requirement("disk", "In", "ssd"))),)
    pod = make_pod("x", cpu=1000, preferred_nodes=likes)

    def worth(name: str) -> list[int]:
        only = (node_term(fields=[requirement("metadata.name", "In", name)]),)
        there = replace(pod, spec=replace(pod.spec, node_affinity=only))
        snapshot = make_snapshot(nodes, [*runs, there])
        plan = schedule(snapshot, pending(snapshot), MEANS.profile, MEANS.limits, MEANS.clock)
        kept = [tier.value for tier in plan.tiers]
        return [
            -kept[0],
            *kept[1:2],
            -kept[2],
            *kept[3:],
        ]  # as the tiers go: more, less, more, less

    said = why(make_snapshot(nodes, [*runs, pod]), "x")
    told = [worth(each.node) for each in said.alternatives]
    free = sorted(worth(node.name) for node in nodes)
    assert said.alternatives
    assert told == [each for each in free if each[0] < 0][1 : 1 + len(told)]


def test_a_member_of_a_gang_has_its_alternatives_beside_the_others() -> None:
    pods = make_replicas(2, "g", cpu=3000)
    group = PodGroup("batchsched.io", "default", "gang", min_count=2, required_topology=ZONE)
    nodes = [make_node(n, labels={ZONE: zone}) for n, zone in zip("abcd", "xxxy", strict=True)]
    said = why(make_snapshot(nodes, pods, groups={group: pods}), "g-0000")
    assert [len(said.alternatives), said.all_alternatives] == [1, True]
    assert said.alternatives[0].message == "as good"


def test_a_time_that_is_up_proves_nothing() -> None:
    means = replace(MEANS, end_s=-1.0)
    said = why(make_snapshot([make_node()], [make_pod(cpu=9000)]), "p1", means=means)
    assert not said.proven


def test_without_a_proof_in_time_the_message_and_the_bound_are_told() -> None:
    """A second passes with each look at the clock: what relaxing says is all there is time for."""
    apart = (pod_term({"app": "g"}, ZONE),)
    pods = make_replicas(4, "g", labels={"app": "g"}, cpu=100, anti_affinity=apart)
    group = PodGroup("batchsched.io", "default", "gang", min_count=4)
    nodes = [make_node(f"n{i}", labels={ZONE: f"z{i % 3}"}) for i in range(30)]
    seconds = count()
    limits = Limits(time_limit_s=1.0, workers=1)
    means = replace(MEANS, clock=lambda: float(next(seconds)), limits=limits, end_s=1e9)
    said = why(make_snapshot(nodes, pods, groups={group: pods}), "gang", group=True, means=means)
    assert (said.status, said.proven, said.facts) == ("Unknown", False, ())
    assert said.message.startswith("0/30 nodes are available: 30 node(s) had no room for the whole")
    assert "No proof in time; placed/priority=0 ≤ " in said.message
