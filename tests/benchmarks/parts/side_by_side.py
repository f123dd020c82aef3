"""Side by side: the same pods on the same cluster, and how many of them each scheduler places.

By kube-scheduler as it comes, by kube-scheduler set up to pack (MostAllocated, GPUs included), and
by `batchsched run`. All of them know the pods' groups, and run before the first pod is created; the
pods come in their order, within a second or two. A run ends when everything has a node, or nothing
was bound for a while.
"""

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks.instances.side_by_side import GPU, Backlog, fragmentation, gangs, mixed
from tests.benchmarks.parts import Options, Row
from tests.controlplane import build
from tests.controlplane.api import Api, Object, collection
from tests.controlplane.definitions import KUBERNETES
from tests.controlplane.objects import create_nodes
from tests.controlplane.plane import ControlPlane
from tests.controlplane.scheduling import OURS, scheduling

SETTLED_S = 8.0
"""Nothing was bound for so long: nothing more will be."""
POLL_S = 0.2
TIMES = 12
THEIRS = "default-scheduler"
PACKS = {
    "profiles": [
        {
            "schedulerName": THEIRS,
            "pluginConfig": [
                {
                    "name": "NodeResourcesFit",
                    "args": {
                        "scoringStrategy": {
                            "type": "MostAllocated",
                            "resources": [
                                {"name": "cpu", "weight": 1},
                                {"name": "memory", "weight": 1},
                                {"name": GPU, "weight": 5},
                            ],
                        }
                    },
                }
            ],
        }
    ]
}
Start = Callable[[ControlPlane, Path], AbstractContextManager[object]]


def side_by_side(options: Options) -> Iterator[Row]:
    """Every backlog by every scheduler."""
    for make in (fragmentation, mixed, gangs):
        for who, start in SCHEDULERS.items():
            with (
                tempfile.TemporaryDirectory(dir=options.folder) as folder,
                ControlPlane(build.program(), Path(folder) / "plane") as plane,
            ):
                yield placed(plane, "default", Path(folder), make(TIMES), who, start)


def placed(
    plane: ControlPlane, namespace: str, folder: Path, backlog: Backlog, who: str, start: Start
) -> Row:
    """Have a scheduler place a backlog, and count."""
    api, scheduler = plane.api(), OURS if who == OURS else THEIRS
    create_nodes(api, backlog.nodes)
    for group in backlog.groups:
        api.create(collection("podgroups", namespace, KUBERNETES), group)
    with start(plane, folder):
        for pod in backlog.pods:
            spec = {**pod["spec"], "schedulerName": scheduler}
            api.create(collection("pods", namespace), {**pod, "spec": spec})
        pods = _settled(api, namespace)
    return _row(f"{backlog.name}, {who}", backlog, pods)


def _settled(api: Api, namespace: str) -> list[Object]:
    """The pods, when all are bound or nothing moves any more."""
    bound, since_s = 0, time.monotonic()
    while True:
        pods: list[Object] = api.get(collection("pods", namespace))["items"]
        now = sum("nodeName" in pod["spec"] for pod in pods)
        if now > bound:
            bound, since_s = now, time.monotonic()
        if bound == len(pods) or time.monotonic() - since_s > SETTLED_S:
            return pods
        time.sleep(POLL_S)


def _row(name: str, backlog: Backlog, pods: list[Object]) -> Row:
    here = [pod for pod in pods if "nodeName" in pod["spec"]]
    of_group = Counter(group for pod in here if (group := _group_of(pod)))
    sizes = {
        group["metadata"]["name"]: group["spec"]["schedulingPolicy"]["gang"]["minCount"]
        for group in backlog.groups
    }
    whole = sum(of_group[group] >= size for group, size in sizes.items())
    return Row(
        name=name,
        pods=len(pods),
        placed=len(here),
        left=len(pods) - len(here),
        gangs=len(sizes),
        gangs_whole=whole,
        half_started=sum(0 < of_group[group] < size for group, size in sizes.items()),
        gpus=sum(map(_gpus, here)),
        gpus_there=sum(int(node["status"]["allocatable"][GPU]) for node in backlog.nodes),
    )


def _group_of(pod: Object) -> str | None:
    group: str | None = pod["spec"].get("schedulingGroup", {}).get("podGroupName")
    return group


def _gpus(pod: Object) -> int:
    return int(pod["spec"]["containers"][0]["resources"]["requests"][GPU])


@contextmanager
def _kube_scheduler(plane: ControlPlane, config: dict[str, Any] | None) -> Iterator[None]:
    plane.start_kube_scheduler(config=config)
    try:
        yield
    finally:
        plane.stop_kube_scheduler()


@contextmanager
def _batchsched(plane: ControlPlane, folder: Path) -> Iterator[None]:
    with scheduling(plane.admin, folder, {"window": {}, "solve": {}}) as scheduler:
        scheduler.wait_until_it_has_read()
        yield


SCHEDULERS: dict[str, Start] = {
    "kube-scheduler": lambda plane, _: _kube_scheduler(plane, None),
    "kube-scheduler, MostAllocated": lambda plane, _: _kube_scheduler(plane, PACKS),
    OURS: _batchsched,
}
