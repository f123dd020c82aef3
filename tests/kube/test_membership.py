"""Unions of gangs as watches show their pods one by one (``test_store`` has the rest)."""

from batchsched.kube.membership import Membership
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
