"""The API server as tests speak to it: raw JSON over kept connections, and nothing clever.

Not the client that batchsched uses, on purpose: what a test sets up and what it looks at must not
pass through the code under test. Idle connections are kept; thousands of calls go through ``each``.
"""

import base64
import http.client
import ssl
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import orjson
import yaml

THREADS = 16
CALL_S_MAX = 60
WATCH_S_MAX = 3600
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"
Object = dict[str, Any]
T = TypeVar("T")
R = TypeVar("R")


class ApiError(Exception):
    """The API server said no.

    Attributes:
        code: The HTTP status.
        reason: Its one word for it, such as ``Forbidden``.
    """

    def __init__(self, code: int, body: bytes) -> None:
        try:
            status = orjson.loads(body)
        except orjson.JSONDecodeError:
            status = {"message": body.decode(errors="replace")}
        self.code = code
        self.reason: str = status.get("reason", "")
        super().__init__(f"{code} {self.reason}: {status.get('message', '')}")


class Api:
    """Calls of one user.

    Args:
        kubeconfig: With a client certificate or a token in it; its current context counts.
    """

    def __init__(self, kubeconfig: Path) -> None:
        cluster, user = _current(yaml.safe_load(kubeconfig.read_text(encoding="utf-8")))
        address = urlsplit(cluster["server"])
        self._host, self._port = address.hostname or "", address.port or 443
        self._tls = _tls(cluster, user)
        self._headers = _acting(user)
        self._idle: deque[http.client.HTTPSConnection] = deque()

    def close(self) -> None:
        """Close all connections; a later call opens new ones."""
        while self._idle:
            self._idle.pop().close()

    def get(self, path: str, **query: str) -> Object:
        """Read an object or a list."""
        return self._call("GET", path + _query(query))

    def create(self, path: str, body: Object) -> Object:
        """Create an object in a collection, or call a subresource such as ``binding``."""
        return self._call("POST", path, body)

    def update(self, path: str, body: Object) -> Object:
        """Replace an object."""
        return self._call("PUT", path, body)

    def patch(self, path: str, body: Object, kind: str = MERGE) -> Object:
        """Merge something into an object."""
        return self._call("PATCH", path, body, kind)

    def delete(self, path: str, body: Object | None = None, **query: str) -> Object:
        """Delete an object, or with ``labelSelector`` and the like a whole collection."""
        return self._call("DELETE", path + _query(query), body)

    def bind(self, pod: Object, node: str) -> None:
        """Bind a pod, as a scheduler does."""
        meta = pod["metadata"]
        names = {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]}
        target = {"apiVersion": "v1", "kind": "Node", "name": node}
        body = {"apiVersion": "v1", "kind": "Binding", "metadata": names, "target": target}
        self.create(f"{path_of(pod)}/binding", body)

    def watch(self, path: str, resource_version: str) -> Iterator[tuple[str, Object]]:
        """Yield (type, object) of what changes, until the server closes the stream."""
        query = {
            "watch": "true",
            "resourceVersion": resource_version,
            "allowWatchBookmarks": "true",
        }
        connection = self._connect(WATCH_S_MAX)
        try:
            connection.request("GET", path + _query(query), headers=self._headers)
            response = connection.getresponse()
            if response.status >= http.client.BAD_REQUEST:
                raise ApiError(response.status, response.read())
            for line in response:
                event = orjson.loads(line)
                yield event["type"], event["object"]
        finally:
            connection.close()

    def each(self, call: Callable[[T], R], arguments: Iterable[T]) -> list[R]:
        """Call for every argument, sixteen at a time; the answers come in order."""
        with ThreadPoolExecutor(THREADS) as threads:
            return list(threads.map(call, arguments))

    def _call(
        self, method: str, path: str, body: Object | None = None, kind: str = "application/json"
    ) -> Object:
        payload = None if body is None else orjson.dumps(body)
        headers = self._headers | {"Content-Type": kind}
        code, content = self._answer(method, path, payload, headers)
        if code >= http.client.BAD_REQUEST:
            raise ApiError(code, content)
        answer: Object = orjson.loads(content)
        return answer

    def _answer(
        self, method: str, path: str, payload: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        """Ask over an idle connection; where the server closed it meanwhile, over a new one."""
        while True:
            fresh = not self._idle
            connection = self._connect(CALL_S_MAX) if fresh else self._idle.pop()
            try:
                connection.request(method, path, payload, headers)
                response = connection.getresponse()
                content = response.read()
            except (http.client.HTTPException, OSError):
                connection.close()
                if fresh:
                    raise
            else:
                self._idle.append(connection)
                return response.status, content

    def _connect(self, timeout_s: int) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            self._host, self._port, context=self._tls, timeout=timeout_s
        )


def collection(kind: str, namespace: str | None = None, group: str = "v1") -> str:
    """The path of all objects of a kind, as ``pods`` in a namespace."""
    root = f"/api/{group}" if group == "v1" else f"/apis/{group}"
    return f"{root}/namespaces/{namespace}/{kind}" if namespace else f"{root}/{kind}"


def path_of(thing: Object) -> str:
    """The path of a pod or a node that was read: lists leave its kind out, so its shape tells."""
    meta = thing["metadata"]
    kind, namespace = ("pods", meta["namespace"]) if "namespace" in meta else ("nodes", None)
    return f"{collection(kind, namespace)}/{meta['name']}"


def _query(query: dict[str, str]) -> str:
    return f"?{urlencode(query)}" if query else ""


def _current(config: Object) -> tuple[Object, Object]:
    """The cluster and the user of the current context."""

    def named(entries: list[Object], name: str, what: str) -> Object:
        return next(entry[what] for entry in entries if entry["name"] == name)

    context = named(config["contexts"], config["current-context"], "context")
    cluster = named(config["clusters"], context["cluster"], "cluster")
    return cluster, named(config["users"], context["user"], "user")


def _acting(user: Object) -> dict[str, str]:
    """The headers that say who calls, where the certificate does not."""
    headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
    if "as" in user:
        headers |= {"Impersonate-User": user["as"]}
    return headers


def _tls(cluster: Object, user: Object) -> ssl.SSLContext:
    """Trust who the kubeconfig trusts, and show its certificate if it has one."""
    trusted = _pem(cluster, "certificate-authority")
    tls = ssl.create_default_context(cadata=trusted.decode() if trusted else None)
    certificate, key = _pem(user, "client-certificate"), _pem(user, "client-key")
    if certificate and key:
        # ssl takes a certificate from a file only.
        with tempfile.NamedTemporaryFile() as file:
            file.write(certificate + key)
            file.flush()
            tls.load_cert_chain(file.name)
    return tls


def _pem(fields: Object, name: str) -> bytes | None:
    """What a kubeconfig holds itself, or names a file of."""
    if data := fields.get(f"{name}-data"):
        return base64.b64decode(data)
    return Path(fields[name]).read_bytes() if name in fields else None
