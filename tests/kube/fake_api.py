"""An API server in memory, as strict as the real one where writes depend on it.

Objects are JSON by path. Preconditions, conflicts and their messages, merge patches and dry-run
are as in Kubernetes (tests/controlplane asks the real one the same). ``faults`` are taken one by
one, by the calls that come next: a status, or an answer that is lost before or after the call was
done.
"""

from collections import deque
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from batchsched.kube.connection import Reply
from batchsched.kube.errors import UnauthorizedError, UnreachableError

Fault = int | Literal["lost before", "lost after"] | None
Json = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    timeout_s: float


@dataclass
class FakeApi:
    """The server; a ``Caller``."""

    objects: dict[str, Json] = field(default_factory=dict)
    faults: deque[Fault] = field(default_factory=deque)
    requests: list[Request] = field(default_factory=list)
    budgets: set[str] = field(default_factory=set)
    """Names of pods that a disruption budget protects."""
    on_leaving: Callable[[Request], None] = lambda _: None
    """Called before the body of a request leaves."""
    on_call: Callable[[Request], None] = lambda _: None
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "a fault"
    """Both of answers to faults."""
    _version: int = 0

    def call(  # noqa: PLR0913 -- as a connection takes it
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
        timeout_s: float = 10.0,
        fence: Callable[[], None] | None = None,
    ) -> Reply:
        """Answer, unless the next fault has another idea."""
        request = Request(method, path, query or {}, deepcopy(body), timeout_s)
        self.on_leaving(request)
        if fence is not None:
            fence()
        self.requests.append(request)
        self.on_call(request)
        fault = self.faults.popleft() if self.faults else None
        if fault == "lost before":
            raise UnreachableError(f"{method} {path}", "connection refused")
        if fault == 401:
            raise UnauthorizedError(f"{method} {path}", "Unauthorized")
        if isinstance(fault, int):
            return self._status(fault, self.message)
        reply = self._answer(request)
        if fault == "lost after":
            raise UnreachableError(f"{method} {path}", "connection reset")
        return reply

    def add(self, path: str, made: Json) -> Json:
        """Create an object."""
        self.objects[path] = self._stamped(made)
        return self.objects[path]

    def add_pod(self, name: str, **spec: Any) -> Json:
        """Create a pod in namespace default, its uid ``uid-NAME``."""
        metadata = {"namespace": "default", "name": name, "uid": f"uid-{name}"}
        return self.add(pod(name), {"metadata": metadata, "spec": spec, "status": {}})

    def _stamped(self, made: Json) -> Json:
        self._version += 1
        made.setdefault("metadata", {})["resourceVersion"] = str(self._version)
        return made

    def _answer(self, request: Request) -> Reply:
        path, part = request.path, ""
        if path.endswith(("/binding", "/eviction", "/status")):
            path, _, part = path.rpartition("/")
        elif request.method == "POST":
            return self._create(request)
        if path not in self.objects:
            return self._status(404, f"{path} not found")
        found = deepcopy(self.objects[path])
        answers: dict[str, Callable[[], Reply]] = {
            "binding": lambda: self._bind(request, self.objects[path]),
            "eviction": lambda: self._evict(request, path),
            "GET": lambda: Reply(200, orjson.dumps(found)),
            "PUT": lambda: self._put(request, found),
            "PATCH": lambda: self._patch(request, path, found),
            "DELETE": lambda: self._delete(request, path, request.body or {}),
        }
        return answers[part if part in answers else request.method]()

    def _bind(self, request: Request, found: Json) -> Reply:
        name, uid = found["metadata"]["name"], request.body["metadata"].get("uid")
        if uid and uid != found["metadata"]["uid"]:
            return self._status(409, f"Precondition failed: UID in precondition: {uid}")
        if found["metadata"].get("deletionTimestamp"):
            return self._status(409, f"pod {name} is being deleted, cannot be assigned to a host")
        if node := found["spec"].get("nodeName"):
            return self._status(409, f'pod {name} is already assigned to node "{node}"')
        if found["spec"].get("schedulingGates"):
            return self._status(409, f"pod {name} has non-empty .spec.schedulingGates")
        if request.query.get("dryRun") != "All":
            found["spec"]["nodeName"] = request.body["target"]["name"]
            found["status"].pop("nominatedNodeName", None)
            notes = request.body["metadata"].get("annotations", {})
            found["metadata"].setdefault("annotations", {}).update(notes)
            self._stamped(found)
        return self._status(201, "")

    def _evict(self, request: Request, path: str) -> Reply:
        if self.objects[path]["metadata"]["name"] in self.budgets:
            message = "Cannot evict pod as it would violate the pod's disruption budget."
            return self._status(429, message, causes=[{"reason": "DisruptionBudget"}])
        return self._delete(request, path, request.body["deleteOptions"])

    def _delete(self, request: Request, path: str, options: Json) -> Reply:
        uid = (options.get("preconditions") or {}).get("uid")
        if uid and uid != self.objects[path]["metadata"]["uid"]:
            return self._status(409, "Precondition failed: UID in precondition")
        if request.query.get("dryRun") != "All":
            self.objects[path]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        return self._status(200, "")

    def _create(self, request: Request) -> Reply:
        name = request.body["metadata"]["name"]
        path = f"{request.path}/{name}"
        if path in self.objects:
            return self._status(409, f"{name} already exists")
        return Reply(201, orjson.dumps(self.add(path, request.body)))

    def _put(self, request: Request, found: Json) -> Reply:
        if request.body["metadata"]["resourceVersion"] != found["metadata"]["resourceVersion"]:
            return self._status(409, "the object has been modified")
        return Reply(200, orjson.dumps(self.add(request.path, request.body)))

    def _patch(self, request: Request, path: str, found: Json) -> Reply:
        stated = request.body.get("metadata", {})
        if stated.get("uid", found["metadata"].get("uid")) != found["metadata"].get("uid"):
            return self._status(422, "metadata.uid: Invalid value: field is immutable")
        version = found["metadata"]["resourceVersion"]
        if stated.get("resourceVersion", version) != version:
            return self._status(409, "the object has been modified")
        conditions = request.body.get("status", {}).get("conditions")
        kept = {c["type"]: c for c in found.get("status", {}).get("conditions", [])}
        merge(found, request.body)
        if conditions is not None:
            for condition in conditions:
                kept[condition["type"]] = kept.get(condition["type"], {}) | condition
            found["status"]["conditions"] = list(kept.values())
        return Reply(200, orjson.dumps(self.add(path, found)))

    def _status(self, code: int, message: str, causes: list[Json] | None = None) -> Reply:
        body = {"kind": "Status", "message": message, "details": {"causes": causes or []}}
        return Reply(code, orjson.dumps(body), self.headers)


def merge(into: Json, patch: Json) -> None:
    """Merge a patch: null takes a field away."""
    for key, value in patch.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict):
            merge(into.setdefault(key, {}), value)
        else:
            into[key] = value


def pod(name: str, namespace: str = "default") -> str:
    """The path of a pod."""
    return f"/api/v1/namespaces/{namespace}/pods/{name}"
