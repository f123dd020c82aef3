"""A stand-in for Job controllers: work is a pod that has to succeed, and is tried until one does.

Nobody else here makes pods anew: those that a kubelet refused, that were evicted, or that went down
with their node. Each try is a pod of another name, with the same spec and the same gang.
"""

from collections import Counter
from collections.abc import Iterable

from tests.controlplane.api import Api, Object, collection, path_of
from tests.controlplane.objects import create_pods

WORK = "batchsched.io/work"
"""The label of a pod that names its work."""


class Jobs:
    """All work in a namespace; somebody has to turn it."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api, self._namespace = api, namespace
        self._work: dict[str, Object] = {}
        self._pods: dict[str, str] = {}
        self._tries: Counter[str] = Counter()
        self.done = 0
        self.failed: Counter[str] = Counter()
        """Why pods failed, by reason; ``Gone`` where somebody deleted them."""

    def add(self, pods: Iterable[Object]) -> None:
        """Take on work: pods as they are to be created."""
        new = {pod["metadata"]["name"]: pod for pod in pods}
        self._work |= new
        self._create(new)

    def left(self) -> int:
        """How much of the work is not done."""
        return len(self._work)

    def turn(self) -> None:
        """See what became of the pods: take away what has ended, and make anew what failed."""
        pods = self._api.get(collection("pods", self._namespace), labelSelector=WORK)["items"]
        there = {pod["metadata"]["labels"][WORK]: pod for pod in pods if self._is_last(pod)}
        anew = []
        for work in sorted(self._work):
            status = there[work]["status"] if work in there else {"phase": "Failed"}
            if status.get("phase") == "Succeeded":
                self.done += 1
                del self._work[work], self._pods[work]
            elif status.get("phase") == "Failed":
                self.failed[status.get("reason", "Gone")] += 1
                anew.append(work)
        at_work = {_gang(pod) for pod in self._work.values()}
        self._api.each(self._take_away, [pod for pod in pods if _is_over(pod, at_work)])
        self._create(anew)

    def _is_last(self, pod: Object) -> bool:
        meta = pod["metadata"]
        return bool(self._pods.get(meta["labels"][WORK]) == meta["uid"])

    def _take_away(self, pod: Object) -> None:
        uid = {"uid": pod["metadata"]["uid"]}
        self._api.delete(path_of(pod), {"gracePeriodSeconds": 0, "preconditions": uid})

    def _create(self, names: Iterable[str]) -> None:
        made = create_pods(self._api, self._namespace, [self._try(name) for name in names])
        self._pods |= {pod["metadata"]["labels"][WORK]: pod["metadata"]["uid"] for pod in made}

    def _try(self, name: str) -> Object:
        """The pod of the next try."""
        self._tries[name] += 1
        meta = self._work[name]["metadata"]
        labels = {**meta.get("labels", {}), WORK: name}
        named = {**meta, "name": f"{name}-try{self._tries[name]}", "labels": labels}
        return {**self._work[name], "metadata": named}


def _gang(pod: Object) -> str:
    """The gang of a pod; its own name where it has none."""
    name: str = pod["metadata"]["name"]
    return str(pod["metadata"].get("annotations", {}).get("batchsched.io/gang", name))


def _is_over(pod: Object, at_work: set[str]) -> bool:
    """Whether nobody needs a pod: a gang's that succeeded count until all of the gang have."""
    phase = pod["status"].get("phase")
    return phase == "Failed" or (phase == "Succeeded" and _gang(pod) not in at_work)
