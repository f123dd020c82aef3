"""kube-scheduler itself, beside the filter report of the same cluster's export: both say the same.

Each waiting pod is asked about alone: a copy of it is given to kube-scheduler, and goes when that
has placed or refused it. Where it is placed, the report has no reason against that node; where it
is refused, the report has one against every node, and their message is kube-scheduler's.
"""

from collections.abc import Iterator
from copy import deepcopy

import orjson
import pytest

from batchsched.feasibility.explain import unschedulable_message
from batchsched.feasibility.report import Report, filter_report
from batchsched.snapshot.read import read
from batchsched.snapshot.snapshot import pending
from tests.controlplane.api import Api, Object, collection, path_of
from tests.controlplane.drawn import draw
from tests.controlplane.objects import create_nodes, create_pods
from tests.controlplane.plane import ControlPlane
from tests.controlplane.waiting import wait_for

CLUSTERS = 24
# Whom it would evict is another question.
NO_PREEMPTION = {
    "profiles": [{"plugins": {"postFilter": {"disabled": [{"name": "DefaultPreemption"}]}}}]
}


def exported(api: Api) -> Report:
    """What the filters say of the cluster as it is."""
    kinds = ("nodes", "pods", "namespaces")
    files = [(f"{kind}.json", orjson.dumps(api.get(collection(kind)))) for kind in kinds]
    snapshot = read(files)
    return filter_report(snapshot, pending(snapshot))


def asked(api: Api, namespace: str, waiting: Object) -> Object:
    """Give a copy of a pod to kube-scheduler, and return what it became."""
    copy = deepcopy(waiting)
    copy["metadata"]["name"] += "-asked"
    copy["spec"].pop("schedulerName")
    [pod] = create_pods(api, namespace, [copy])
    wait_for(lambda: has_an_answer(api.get(path_of(pod))))
    answered = api.get(path_of(pod))
    api.delete(path_of(pod), {"gracePeriodSeconds": 0})
    return answered


def has_an_answer(pod: Object) -> bool:
    """Whether it was placed or refused."""
    return "nodeName" in pod["spec"] or bool(pod["status"].get("conditions"))


@pytest.fixture
def scheduled(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """Stops the scheduler that a test starts when its cluster is there."""
    yield control_plane
    control_plane.stop_kube_scheduler()


@pytest.mark.parametrize("seed", range(CLUSTERS))
def test_kube_scheduler_places_and_refuses_as_the_report_says(
    scheduled: ControlPlane, namespace: str, seed: int
) -> None:
    api, cluster = scheduled.api(), draw(seed)
    waiting = [
        {**pod, "spec": {**pod["spec"], "schedulerName": "nobody"}} for pod in cluster.waiting
    ]
    create_nodes(api, cluster.nodes)
    create_pods(api, namespace, [*cluster.running, *waiting])
    report = exported(api)
    assert len(report) == len(waiting)
    scheduled.start_kube_scheduler(config=NO_PREEMPTION)
    for pod in waiting:
        said = report[f"{namespace}/{pod['metadata']['name']}"]
        answer = asked(api, namespace, pod)
        if node := answer["spec"].get("nodeName"):
            assert said[node] == []
        else:
            [condition] = answer["status"]["conditions"]
            expected = unschedulable_message(
                len(said), [(tuple(reasons), 1) for reasons in said.values()]
            )
            assert condition["message"] == expected
