"""How much a pod asks for, and holds: the arithmetic of kube-scheduler's NodeResourcesFit.

The semantics are those of Kubernetes' ``component-helpers/resource``: containers and sidecars add
up, init containers need what they ask for on top of the sidecars declared before them, pod-level
requests replace cpu, memory and huge pages, overhead comes on top. A running pod holds the greatest
of what it asks for, was promised and has, container by container, while a resize is under way (the
status counts only where it has ``resources``).
Everything is in nanos until the end: kube-scheduler rounds the sum, not the summands.
"""

from collections.abc import Mapping

from batchsched.snapshot.api_pod import (
    ContainerModel,
    ContainerStatusModel,
    PodResizeModel,
    PodSpecModel,
    ResourceModel,
)
from batchsched.snapshot.decode import quantities
from batchsched.snapshot.pod import Quantities

Nanos = dict[str, int]


def requested(spec: PodSpecModel) -> Quantities:
    """What a pod that is not bound yet asks for."""
    return quantities(_total(spec, None))


def held(spec: PodSpecModel, status: PodResizeModel) -> Quantities:
    """What a bound pod holds, in-place resize included."""
    return quantities(_total(spec, status))


def is_sidecar(container: ContainerModel) -> bool:
    """An init container that keeps running."""
    return container.restart_policy == "Always"


def _total(spec: PodSpecModel, status: PodResizeModel | None) -> Nanos:
    total = _of_containers(spec, status)
    wanted = (spec.resources and spec.resources.requests) or {}
    if any(_pod_level(name) for name in wanted):
        most = _greatest(_levels(wanted, status))
        total.update({n: most.get(n, 0) for n in wanted if _pod_level(n)})
    _add(total, spec.overhead or {})
    return total


def _of_containers(spec: PodSpecModel, status: PodResizeModel | None) -> Nanos:
    """Containers and sidecars together, or the most that starting needs, whichever is more."""
    running: Nanos = {}
    for container in spec.containers:
        _add(running, _of_container(container, status))
    sidecars: Nanos = {}
    starting: Nanos = {}
    for container in spec.init_containers or ():
        need = _of_container(container, status if is_sidecar(container) else None)
        if is_sidecar(container):
            _add(running, need)
            _add(sidecars, need)
            starting = _greatest([starting, sidecars])
        else:
            starting = _greatest([starting, _sum(need, sidecars)])
    return _greatest([running, starting])


def _of_container(container: ContainerModel, status: PodResizeModel | None) -> Mapping[str, int]:
    """The requests of one container, or more while it is being resized."""
    wanted = _requests(container.resources)
    given = _status_of(container.name, status)
    if status is None or given is None or given.resources is None:
        return wanted
    levels = [given.allocated_resources or {}, _requests(given.resources)]
    return _greatest(levels if _infeasible(status) else [wanted, *levels])


def _status_of(name: str | None, status: PodResizeModel | None) -> ContainerStatusModel | None:
    """The status of the container of that name, if there is one."""
    if status is None:
        return None
    every = [*(status.container_statuses or ()), *(status.init_container_statuses or ())]
    return next((entry for entry in every if entry.name == name), None)


def _levels(wanted: Mapping[str, int], status: PodResizeModel | None) -> list[Mapping[str, int]]:
    """What counts for pod-level requests."""
    if status is None or status.resources is None:
        return [wanted]
    levels = [_requests(status.resources), status.allocated_resources or {}]
    return levels if _infeasible(status) else [wanted, *levels]


def _infeasible(status: PodResizeModel) -> bool:
    """Whether the kubelet refused the resize for good, so that the spec does not count."""
    for condition in status.conditions or ():
        if condition.type == "PodResizePending":
            return condition.reason == "Infeasible"
    return False


def _pod_level(resource: str) -> bool:
    """What may be asked for by the pod as a whole."""
    return resource in {"cpu", "memory"} or resource.startswith("hugepages-")


def _requests(resources: ResourceModel | None) -> Mapping[str, int]:
    return (resources and resources.requests) or {}


def _add(total: Nanos, more: Mapping[str, int]) -> None:
    for name, value in more.items():
        total[name] = total.get(name, 0) + value


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> Nanos:
    total = dict(one)
    _add(total, other)
    return total


def _greatest(levels: list[Mapping[str, int]]) -> Nanos:
    """Resource by resource, the most of any."""
    most: Nanos = {}
    for level in levels:
        for name, value in level.items():
            if value > most.get(name, -1):
                most[name] = value
    return most
