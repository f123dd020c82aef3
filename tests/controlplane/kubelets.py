"""A stand-in for the kubelets of all nodes: pods that are bound run here, in the eyes of the API.

Nothing is executed. A bound pod is admitted as a kubelet would, or fails with ``OutOfcpu``; it
becomes Running, ends after what its annotation ``batchsched.io/expected-duration`` says, and is
gone when it is deleted. Nodes keep their leases as long as their kubelet is not lost.

One thread follows the pods and decides, in the order in which the API server tells of them, which
is the order in which they were bound; the calls are made by others.
"""

import datetime as dt
import http.client
import threading
from collections.abc import Callable
from functools import partial
from typing import Self

from batchsched.snapshot.durations import seconds
from tests.controlplane.admission import Admission, Refusal
from tests.controlplane.agenda import Agenda
from tests.controlplane.api import (
    STRATEGIC,
    THREADS,
    Api,
    ApiError,
    Object,
    Watch,
    collection,
    path_of,
)

DURATION = "batchsched.io/expected-duration"
BOUND = "spec.nodeName!="
LEASES = collection("leases", "kube-node-lease", "coordination.k8s.io/v1")
LEASE_S = 10
RETRY_S = 0.2
RUNNING_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready")
GONE = {http.client.NOT_FOUND, http.client.CONFLICT}
UNREACHABLE = "node.kubernetes.io/unreachable"
UNREACHABLE_TAINTS = [{"key": UNREACHABLE, "effect": e} for e in ("NoSchedule", "NoExecute")]
NO_ANSWER = (OSError, http.client.HTTPException)


class Kubelets:
    """Run bound pods from ``with`` to its end.

    Args:
        api: Calls of somebody who may change pods, nodes and leases.
        start_s: How long a pod takes from its admission until it runs.
        end_s: How long a pod takes to end when it is deleted; never longer than its grace period.
        pace: How many seconds of an annotated duration pass in a second.
        leases: Whether nodes keep leases: one call for each node every ten seconds.
    """

    def __init__(
        self,
        api: Api,
        *,
        start_s: float = 0,
        end_s: float = 0,
        pace: float = 1,
        leases: bool = True,
    ) -> None:
        self._api, self._start_s, self._end_s, self._pace = api, start_s, end_s, pace
        self._leases = leases
        self._admission = Admission()
        self._known: set[str] = set()
        self._ending: set[str] = set()
        self._lost: set[str] = set()
        self._watch: Watch | None = None
        self._listed, self._stopping = threading.Event(), threading.Event()
        self.errors: list[Exception] = []
        """What went wrong that a kubelet does not get over."""

    def __enter__(self) -> Self:
        self._agenda = Agenda(THREADS)
        self._follower = threading.Thread(target=self._follow, daemon=True)
        self._follower.start()
        self._listed.wait()
        if self._leases:
            self._agenda.after(0, self._renew)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        if self._watch is not None:
            self._watch.end()
        self._follower.join()
        self._agenda.close()
        if self.errors:
            raise ExceptionGroup("of the kubelets", self.errors)

    def lose(self, node: str) -> None:
        """Cut a node off: its pods stay as they are, and it is tainted as unreachable."""
        self._lost.add(node)
        self._set_ready(node, "Unknown", UNREACHABLE_TAINTS)

    def find(self, node: str) -> None:
        """Bring a lost node back; what its kubelet had to do is done then."""
        self._set_ready(node, "True", [])
        self._lost.discard(node)

    def _follow(self) -> None:
        while not self._stopping.is_set():
            try:
                self._list_and_watch()
            except (*NO_ANSWER, ApiError):
                self._stopping.wait(RETRY_S)
            except Exception as error:  # noqa: BLE001 -- the outermost loop of a thread: told at the end
                self.errors.append(error)
                self._listed.set()
                return

    def _list_and_watch(self) -> None:
        for node in self._api.get(collection("nodes"))["items"]:
            self._admission.learn(node)
        pods = self._api.get(collection("pods"), fieldSelector=BOUND)
        there = {pod["metadata"]["uid"] for pod in pods["items"]}
        for uid in self._known - there:
            self._gone(uid)
        for pod in sorted(pods["items"], key=_since):
            self._see(pod)
        version = pods["metadata"]["resourceVersion"]
        self._watch = self._api.watch(collection("pods"), version, fieldSelector=BOUND)
        self._listed.set()
        if self._stopping.is_set():
            self._watch.end()
        for kind, pod in self._watch:
            if kind == "ERROR":  # too old: list again
                return
            if kind == "DELETED":
                self._gone(pod["metadata"]["uid"])
            else:
                self._see(pod)

    def _see(self, pod: Object) -> None:
        """Decide what becomes of a bound pod."""
        uid, phase = pod["metadata"]["uid"], pod["status"].get("phase", "Pending")
        if phase in {"Succeeded", "Failed"}:
            self._admission.release(uid)
        elif "deletionTimestamp" in pod["metadata"]:
            self._end(pod)
        elif uid not in self._known and self._is_there(pod["spec"]["nodeName"]):
            self._known.add(uid)
            refusal = self._admission.admit(pod, runs=phase == "Running")
            self._begin(pod, refusal, runs=phase == "Running")

    def _is_there(self, node: str) -> bool:
        """A node may be younger than the last list; one that was never made has no kubelet."""
        if not self._admission.knows(node):
            try:
                self._admission.learn(self._api.get(f"{collection('nodes')}/{node}"))
            except ApiError as error:
                if error.code != http.client.NOT_FOUND:
                    raise
                return False
        return True

    def _begin(self, pod: Object, refusal: Refusal | None, *, runs: bool) -> None:
        if refusal is not None:
            failed = {"phase": "Failed", **refusal._asdict()}
            self._later(0, pod, partial(self._set_status, pod, failed))
            return
        if runs:
            self._let_run(pod)
        else:
            self._later(self._start_s, pod, partial(self._start, pod))

    def _end(self, pod: Object) -> None:
        """Take a pod away that somebody deleted, once."""
        uid = pod["metadata"]["uid"]
        if uid not in self._ending:
            self._ending.add(uid)
            grace_s = pod["metadata"].get("deletionGracePeriodSeconds", 0)
            at_once = {"gracePeriodSeconds": 0, "preconditions": {"uid": uid}}
            remove = partial(self._api.delete, path_of(pod), at_once)
            self._later(min(self._end_s, grace_s), pod, remove)

    def _gone(self, uid: str) -> None:
        self._admission.release(uid)
        self._known.discard(uid)
        self._ending.discard(uid)

    def _start(self, pod: Object) -> None:
        now = _now()
        conditions = [
            {"type": kind, "status": "True", "lastTransitionTime": now}
            for kind in RUNNING_CONDITIONS
        ]
        self._set_status(pod, {"phase": "Running", "startTime": now, "conditions": conditions})
        self._let_run(pod)

    def _let_run(self, pod: Object) -> None:
        """End it when its annotation says; a service has none and stays."""
        if duration := pod["metadata"].get("annotations", {}).get(DURATION):
            succeed = partial(self._set_status, pod, {"phase": "Succeeded"})
            self._later(seconds(duration) / self._pace, pod, succeed)

    def _set_status(self, pod: Object, status: Object) -> None:
        # With its uid: a pod of the same name is another pod.
        body = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": status}
        self._api.patch(f"{path_of(pod)}/status", body, STRATEGIC)

    def _later(self, delay_s: float, pod: Object, call: Callable[[], object]) -> None:
        self._agenda.after(delay_s, partial(self._try, pod, call))

    def _try(self, pod: Object, call: Callable[[], object]) -> None:
        """Call; later where the node is lost or nobody answers, never where the pod is gone."""
        try:
            if pod["spec"]["nodeName"] not in self._lost:
                call()
                return
        except ApiError as error:
            if error.code in GONE:
                return
            if not error.passes:
                self.errors.append(error)
                return
        except NO_ANSWER:
            pass
        self._later(RETRY_S, pod, call)

    def _renew(self) -> None:
        """Renew the lease of every node, and come back in ten seconds."""
        try:
            nodes = self._api.get(collection("nodes"))["items"]
            names = [node["metadata"]["name"] for node in nodes]
            self._api.each(self._renew_one, [name for name in names if name not in self._lost])
        except (*NO_ANSWER, ApiError):
            pass  # the next time, then: leases last four times as long
        self._agenda.after(LEASE_S, self._renew)

    def _renew_one(self, node: str) -> None:
        spec = {"holderIdentity": node, "leaseDurationSeconds": 4 * LEASE_S, "renewTime": _now()}
        try:
            self._api.patch(f"{LEASES}/{node}", {"spec": spec})
        except ApiError as error:
            if error.code != http.client.NOT_FOUND:
                raise
            self._api.create(LEASES, {"metadata": {"name": node}, "spec": spec})

    def _set_ready(self, node: str, status: str, taints: list[Object]) -> None:
        path = f"{collection('nodes')}/{node}"
        others = self._api.get(path)["spec"].get("taints", [])
        kept = [taint for taint in others if taint["key"] != UNREACHABLE]
        ready = {"type": "Ready", "status": status, "lastTransitionTime": _now()}
        self._api.patch(f"{path}/status", {"status": {"conditions": [ready]}}, STRATEGIC)
        self._api.patch(path, {"spec": {"taints": [*kept, *taints]}})


def _since(pod: Object) -> tuple[bool, int]:
    """Pods that run come first; the last change of the others is their binding."""
    pending = pod["status"].get("phase", "Pending") == "Pending"
    return pending, int(pod["metadata"]["resourceVersion"])


def _now() -> str:
    now = dt.datetime.now(dt.UTC)  # noqa: TID251 -- the API server lives in real time
    return now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
