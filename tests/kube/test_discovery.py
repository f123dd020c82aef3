"""The kinds that we read are found where they are served, in the newest version that we know."""

import pytest

from batchsched.kube.discovery import RESOURCES, Resource, Served, served
from batchsched.kube.errors import RefusedError
from batchsched.snapshot.kinds import DECODERS
from batchsched.snapshot.objects import READ
from tests.kube.api_server import FakeApi, status
from tests.kube.served import connected

GROUP = next(r for r in RESOURCES if r.kind == ("scheduling.k8s.io", "PodGroup"))


def found(api: FakeApi, resource: Resource) -> Served | None:
    with connected(api.answer) as connection:
        return served(connection, resource)


def test_exactly_the_kinds_that_files_may_hold_are_read_live() -> None:
    kinds = {(group, name) for group, names in READ.items() for name in names}
    assert {resource.kind for resource in RESOURCES} == kinds
    assert set(DECODERS) == kinds - {("", "Pod")}


def test_core_kinds_are_always_there_and_cost_no_request() -> None:
    api = FakeApi()
    assert found(api, RESOURCES[0]) == Served("v1", "/api/v1/nodes")
    assert not api.requests


@pytest.mark.parametrize(
    ("offered", "version"),
    [
        (["v1alpha2"], "v1alpha2"),
        (["v1alpha2", "v1alpha3"], "v1alpha3"),
        (["v1alpha3", "v1beta1", "v1"], "v1beta1"),
        (["v2"], None),
        ([], None),
    ],
)
def test_the_newest_version_that_has_the_kind_is_taken(
    offered: list[str], version: str | None
) -> None:
    api = FakeApi()
    api.apis = {f"scheduling.k8s.io/{v}": ["podgroups"] for v in offered}
    api.apis["scheduling.k8s.io/v1"] = ["priorityclasses"]
    expected = Served(version, f"/apis/scheduling.k8s.io/{version}/podgroups") if version else None
    assert found(api, GROUP) == expected


def test_composites_are_found_where_groups_are_served_in_a_newer_version_than_they() -> None:
    api, composites = FakeApi(), "compositepodgroups"
    api.apis = {
        "scheduling.k8s.io/v1beta1": ["podgroups"],
        "scheduling.k8s.io/v1alpha3": ["podgroups", composites],
    }
    resource = next(r for r in RESOURCES if r.plural == composites)
    path = f"/apis/scheduling.k8s.io/v1alpha3/{composites}"
    assert found(api, resource) == Served("v1alpha3", path)


def test_a_group_without_the_kind_is_as_good_as_none() -> None:
    api = FakeApi()
    api.apis = {"scheduling.k8s.io/v1beta1": ["workloads"]}
    assert found(api, GROUP) is None
    api.apis = {}
    assert found(api, GROUP) is None


def test_a_server_that_cannot_say_is_no_server_without_the_kind() -> None:
    api = FakeApi()
    api.failures["/apis/scheduling.k8s.io"] = [status(503, "starting")]
    with pytest.raises(RefusedError, match=r"GET /apis/scheduling.k8s.io: 503 starting"):
        found(api, GROUP)
