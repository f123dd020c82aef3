"""What a pod asks for and holds, to the milli-core: kube-scheduler's arithmetic."""

from typing import Any

import pytest

from batchsched.snapshot.errors import InputError
from batchsched.snapshot.quantities import AMOUNT_MAX
from tests.snapshot.manifests import container, node, pod, read_node, read_pod


def requests(**spec: Any) -> dict[str, int]:
    return dict(read_pod(**spec).spec.requests)


def sidecar(**amounts: Any) -> dict[str, Any]:
    return {**container("sidecar", **amounts), "restartPolicy": "Always"}


def test_containers_add_up() -> None:
    both = [container("a", cpu="1", memory="1Gi"), container("b", cpu="250m")]
    assert requests(containers=both) == {"cpu": 1250, "memory": 2**30}


def test_sums_are_rounded_and_not_their_parts() -> None:
    assert requests(containers=[container(name, cpu="100u") for name in "abc"]) == {"cpu": 1}


def test_an_init_container_counts_where_it_needs_more() -> None:
    start = [container("i", cpu="3"), container("j", memory="2Gi")]
    found = requests(containers=[container(cpu="1", memory="1Gi")], initContainers=start)
    assert found == {"cpu": 3000, "memory": 2 * 2**30}


def test_a_sidecar_adds_to_the_containers() -> None:
    found = requests(containers=[container(cpu="1")], initContainers=[sidecar(cpu="500m")])
    assert found == {"cpu": 1500}


def test_a_sidecar_counts_before_later_init_containers() -> None:
    start = [sidecar(cpu="2"), container("i", cpu="3")]
    assert requests(containers=[container(cpu="1")], initContainers=start) == {"cpu": 5000}


def test_a_sidecar_does_not_count_for_init_containers_before_it() -> None:
    start = [container("i", cpu="3"), sidecar(cpu="2")]
    assert requests(containers=[container(cpu="1")], initContainers=start) == {"cpu": 3000}


def test_pod_level_requests_replace_those_they_name() -> None:
    found = requests(
        containers=[container(cpu="1", memory="1Gi", **{"nvidia.com/gpu": "1"})],
        resources={"requests": {"cpu": "500m", "hugepages-2Mi": "4Mi"}},
    )
    assert found == {"cpu": 500, "memory": 2**30, "hugepages-2Mi": 2**22, "nvidia.com/gpu": 1}


def test_pod_level_limits_alone_change_nothing() -> None:
    found = requests(containers=[container(cpu="1")], resources={"limits": {"cpu": "8"}})
    assert found == {"cpu": 1000}


def test_pod_level_requests_of_other_resources_are_not_read() -> None:
    found = requests(resources={"requests": {"ephemeral-storage": "1Gi"}})
    assert found == {}


def test_overhead_comes_on_top_of_everything() -> None:
    found = requests(
        containers=[container(cpu="1")],
        resources={"requests": {"cpu": "2"}},
        overhead={"cpu": "250m", "memory": "10Mi"},
    )
    assert found == {"cpu": 2250, "memory": 10 * 2**20}


def test_zeros_are_left_out_and_limits_are_not_read() -> None:
    entry = container(**{"cpu": "0", "nvidia.com/gpu": "0"})
    entry["resources"]["limits"] = {"memory": "1Gi"}
    assert requests(containers=[entry]) == {}


def resized(spec_cpu: str, status: dict[str, Any], **fields: Any) -> dict[str, int]:
    """What a running pod of one container holds, given that container's status."""
    found = read_pod(
        pod(
            containers=[container(cpu=spec_cpu)],
            nodeName="n1",
            status={
                "phase": "Running",
                "containerStatuses": [{"name": "main", **status}],
                **fields,
            },
        )
    )
    assert dict(found.spec.requests) == {"cpu": int(spec_cpu) * 1000}
    return dict(found.requests)


def test_a_pod_that_grows_holds_what_it_asks_for() -> None:
    status = {"allocatedResources": {"cpu": "1"}, "resources": {"requests": {"cpu": "1"}}}
    assert resized("2", status) == {"cpu": 2000}


def test_a_pod_that_shrinks_holds_what_it_still_has() -> None:
    status = {"allocatedResources": {"cpu": "1"}, "resources": {"requests": {"cpu": "3"}}}
    assert resized("1", status) == {"cpu": 3000}


def test_an_infeasible_resize_does_not_count() -> None:
    status = {"allocatedResources": {"cpu": "1"}, "resources": {"requests": {"cpu": "1"}}}
    refused = [{"type": "PodResizePending", "reason": "Infeasible"}]
    deferred = [{"type": "PodResizePending", "reason": "Deferred"}]
    assert resized("8", status, conditions=refused) == {"cpu": 1000}
    assert resized("8", status, conditions=deferred) == {"cpu": 8000}


def test_a_container_without_resources_in_its_status_holds_what_it_asks_for() -> None:
    refused = [{"type": "PodResizePending", "reason": "Infeasible"}]
    assert resized("2", {"ready": True}, conditions=refused) == {"cpu": 2000}


def test_what_was_allocated_counts_only_beside_the_status_of_resources() -> None:
    """kube-scheduler looks at a container's status only if it has `resources`."""
    assert resized("1", {"allocatedResources": {"cpu": "3"}}) == {"cpu": 1000}


def test_a_pod_level_resize_counts_what_the_pod_asks_for_and_nothing_else() -> None:
    """Names come from the spec; without `status.resources` what was allocated says nothing."""

    def pod_level(**status: Any) -> dict[str, int]:
        raw = pod(
            containers=[container(cpu="1")],
            resources={"requests": {"cpu": "2"}},
            nodeName="n1",
            status={"phase": "Running", **status},
        )
        return dict(read_pod(raw).requests)

    assert pod_level(allocatedResources={"cpu": "3"}) == {"cpu": 2000}
    grown = {"requests": {"cpu": "3", "memory": "1Gi"}}
    assert pod_level(resources=grown, allocatedResources={"cpu": "2"}) == {"cpu": 3000}


def test_replicas_with_one_spec_may_hold_different_amounts() -> None:
    grown = {"resources": {"requests": {"cpu": "3"}}}
    assert resized("1", grown) == {"cpu": 3000}
    assert resized("1", {}) == {"cpu": 1000}


def test_a_resized_pod_level_request_counts_at_its_most() -> None:
    found = read_pod(
        pod(
            containers=[container(cpu="1")],
            resources={"requests": {"cpu": "2"}},
            nodeName="n1",
            status={"phase": "Running", "resources": {"requests": {"cpu": "4"}}},
        )
    )
    assert dict(found.requests) == {"cpu": 4000}


def test_a_pending_pod_asks_for_its_spec_whatever_its_status_says() -> None:
    status = {"containerStatuses": [{"name": "main", "resources": {"requests": {"cpu": "9"}}}]}
    assert dict(read_pod(pod(containers=[container(cpu="1")], status=status)).requests) == {
        "cpu": 1000
    }


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("-1", "negative"),
        (-1, "negative"),
        ("", "is empty"),
        ("NaN", "not a quantity"),
        ("1 Gi", "not a quantity"),
        (True, "must be a quantity"),
        ([], "must be a quantity"),
    ],
)
def test_a_bad_quantity_is_refused_with_its_field(value: Any, says: str) -> None:
    with pytest.raises(InputError) as refused:
        read_pod(containers=[container(cpu="1"), container("b", memory=value)])
    assert refused.value.field == "spec.containers[1].resources.requests.memory"
    assert says in refused.value.what


def test_extended_resources_come_in_whole_units() -> None:
    with pytest.raises(InputError, match=r"nvidia.com/gpu must be a whole number"):
        read_pod(containers=[container(**{"nvidia.com/gpu": "500m"})])


def test_more_than_can_be_counted_fits_nowhere() -> None:
    """Neither does such a request wrap around, nor does a node without end."""
    asks = dict(read_pod(pod(containers=[container(cpu="1e999", memory="9E")])).spec.requests)
    has = dict(read_node(node(allocatable={"cpu": "1e999", "memory": "9E"})).allocatable)
    assert asks == {"cpu": AMOUNT_MAX, "memory": AMOUNT_MAX}
    assert has == {"cpu": AMOUNT_MAX - 1, "memory": AMOUNT_MAX - 1}
