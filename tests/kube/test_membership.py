"""Unions of gangs as watches show what makes them one by one (``test_store`` has the rest)."""

from batchsched.kube.membership import Membership
from batchsched.snapshot.group import CompositePodGroup, PodGroup
from batchsched.snapshot.groups import KUBERNETES
from batchsched.snapshot.pod import Pod
from tests.builders import make_pod

MARK = "gang.scheduling.koordinator.sh"


def tied(name: str, other: str) -> Pod:
    """The pod of a gang of one that names another gang."""
    said = {"groups": f'["{other}"]', "min-available": "1", "name": name}
    notes = tuple((f"{MARK}/{key}", value) for key, value in said.items())
    return make_pod(name, pod={"annotations": notes})


def test_a_gang_is_told_of_again_when_one_of_its_union_comes_or_goes() -> None:
    membership, a, b = Membership(), tied("a", "b"), tied("b", "a")
    membership.put(None, a)
    assert [*membership.settle()] == [a]
    alone = membership.of(a.key)
    assert alone is not None
    assert alone.problem is not None
    membership.put(None, b)
    assert [*membership.settle()] == [a, b]
    groups, _ = membership.index()
    assert [group.problem for group in groups] == [None, None]
    assert groups[0].union == groups[1].union == (groups[0].key, groups[1].key)
    membership.put(b, None)
    assert [*membership.settle()] == [a]
    assert membership.index()[0] == (alone,)


def test_gangs_in_a_composite_are_told_of_again_whenever_one_part_of_it_comes_or_goes() -> None:
    membership, pod = Membership(), make_pod("p", pod_group="a")
    group, composite = (KUBERNETES, "PodGroup"), (KUBERNETES, "CompositePodGroup")
    membership.put(None, pod)
    membership.declare(group, ("default", "a"), in_all("a"))
    why = [told(membership, pod)]
    membership.declare(composite, ("default", "all"), CompositePodGroup("default", "all", 2))
    why.append(told(membership, pod))
    membership.declare(group, ("default", "b"), in_all("b"))
    why.append(told(membership, pod))
    found = membership.of(pod.key)
    assert found is not None
    assert [name for _, name, _ in found.union] == ["a", "b"]
    membership.declare(composite, ("default", "all"), None)
    why.append(told(membership, pod))
    gone = "PodGroup default/a is in CompositePodGroup all, which does not exist; create it"
    waits = "CompositePodGroup default/all waits for groups: 1 of 2 exist"
    assert why == [gone, waits, None, gone]


def in_all(name: str) -> PodGroup:
    """A gang of one in the composite "all"."""
    return PodGroup(KUBERNETES, "default", name, 1, parent="all")


def told(membership: Membership, pod: Pod) -> str | None:
    """What the group of a pod waits for, now that the pod was told of again."""
    assert [*membership.settle()] == [pod]
    found = membership.of(pod.key)
    assert found is not None
    return found.problem
