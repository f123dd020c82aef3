"""The API server as tests speak to it: raw JSON over kept connections, and nothing clever.

Not the client that batchsched uses, on purpose: what a test sets up and what it looks at must not
pass through the code under test. Idle connections are kept; thousands of calls go through ``each``.
"""

import base64
import http.client
import socket
import ssl
import tempfile
import time
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
MENDS_ITSELF = 500
TRIES_MAX = 30
WATCH_S_MAX = 3600
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"
Object = dict[str, Any]
Headers = list[tuple[str, str]]
"""Pairs: who acts for a user of several groups says so in several headers of one name."""
T = TypeVar("T")
R = TypeVar("R")


class ApiError(Exception):
    """The API server said no.

    Attributes:
        code: The HTTP status.
        reason: Its one word for it, such as ``Forbidden``.
        retry_s: When it asks to be asked again, as it does while it starts; else 0.
        passes: Whether the same call may do better later.
    """

    def __init__(self, code: int, body: bytes) -> None:
        try:
            status = orjson.loads(body)
        except orjson.JSONDecodeError:
            status = {"message": body.decode(errors="replace")}
        self.code = code
        self.reason: str = status.get("reason", "")
        self.retry_s: int = (status.get("details") or {}).get("retryAfterSeconds", 0)
        self.passes = code == http.client.TOO_MANY_REQUESTS or code >= MENDS_ITSELF
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

    def watch(self, path: str, resource_version: str, **query: str) -> "Watch":
        """Follow what changes in a collection after a resource version."""
        asked = {"watch": "true", "resourceVersion": resource_version, **query}
        return Watch(self.connect(WATCH_S_MAX), path + _query(asked), self._headers)

    def each(self, call: Callable[[T], R], arguments: Iterable[T]) -> list[R]:
        """Call for every argument, sixteen at a time; the answers come in order."""
        with ThreadPoolExecutor(THREADS) as threads:
            return list(threads.map(call, arguments))

    def _call(
        self, method: str, path: str, body: Object | None = None, kind: str = "application/json"
    ) -> Object:
        payload = None if body is None else orjson.dumps(body)
        headers = [*self._headers, ("Content-Type", kind)]
        tried = 0
        while True:
            tried += 1
            code, content = self._answer(method, path, payload, headers)
            if code < http.client.BAD_REQUEST:
                answer: Object = orjson.loads(content)
                return answer
            error = ApiError(code, content)
            if not error.retry_s or tried == TRIES_MAX:
                raise error
            time.sleep(error.retry_s)

    def _answer(
        self, method: str, path: str, payload: bytes | None, headers: Headers
    ) -> tuple[int, bytes]:
        """Ask over an idle connection; where the server closed it meanwhile, over a new one."""
        while True:
            fresh = not self._idle
            connection = self.connect(CALL_S_MAX) if fresh else self._idle.pop()
            try:
                _send(connection, method, path, headers, payload)
                response = connection.getresponse()
                content = response.read()
            except (http.client.HTTPException, OSError):
                connection.close()
                if fresh:
                    raise
            else:
                self._idle.append(connection)
                return response.status, content

    def connect(self, timeout_s: int = CALL_S_MAX) -> http.client.HTTPSConnection:
        """A new connection, on which calls are made as this user if he has a certificate."""
        return http.client.HTTPSConnection(
            self._host, self._port, context=self._tls, timeout=timeout_s
        )


class Watch:
    """The events of a watch, as (type, object), until the server or somebody else ends it."""

    def __init__(
        self, connection: http.client.HTTPSConnection, path: str, headers: Headers
    ) -> None:
        self._connection = connection
        _send(connection, "GET", path, headers)
        self._response = connection.getresponse()
        if self._response.status >= http.client.BAD_REQUEST:
            content = self._response.read()
            self.close()
            raise ApiError(self._response.status, content)
        # Without the connection: it forgets the socket of an answer that has no end.
        self._socket = connection.sock

    def __iter__(self) -> Iterator[tuple[str, Object]]:
        try:
            for line in self._response:
                event = orjson.loads(line)
                yield event["type"], event["object"]
        except (http.client.HTTPException, OSError):
            return  # cut: as good an end as any
        finally:
            self.close()

    def end(self) -> None:
        """End it, from any thread: who iterates sees the end of the stream."""
        # The farewell of TLS would wait for the one who iterates; the socket below has none.
        socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        self._response.close()
        self._connection.close()


def collection(kind: str, namespace: str | None = None, group: str = "v1") -> str:
    """The path of all objects of a kind, as ``pods`` in a namespace."""
    root = f"/api/{group}" if group == "v1" else f"/apis/{group}"
    return f"{root}/namespaces/{namespace}/{kind}" if namespace else f"{root}/{kind}"


def path_of(thing: Object) -> str:
    """The path of a pod or a node that was read: lists leave its kind out, so its shape tells."""
    meta = thing["metadata"]
    kind, namespace = ("pods", meta["namespace"]) if "namespace" in meta else ("nodes", None)
    return f"{collection(kind, namespace)}/{meta['name']}"


def _send(
    connection: http.client.HTTPSConnection,
    method: str,
    path: str,
    headers: Headers,
    payload: bytes | None = None,
) -> None:
    connection.putrequest(method, path)
    for name, value in headers:
        connection.putheader(name, value)
    if payload is not None:
        connection.putheader("Content-Length", str(len(payload)))
    connection.endheaders(payload)


def _query(query: dict[str, str]) -> str:
    return f"?{urlencode(query)}" if query else ""


def _current(config: Object) -> tuple[Object, Object]:
    """The cluster and the user of the current context."""

    def named(entries: list[Object], name: str, what: str) -> Object:
        return next(entry[what] for entry in entries if entry["name"] == name)

    context = named(config["contexts"], config["current-context"], "context")
    cluster = named(config["clusters"], context["cluster"], "cluster")
    return cluster, named(config["users"], context["user"], "user")


def _acting(user: Object) -> Headers:
    """The headers that say who calls, where the certificate does not."""
    headers = [("Authorization", f"Bearer {user['token']}")] if "token" in user else []
    if "as" in user:
        headers.append(("Impersonate-User", user["as"]))
        headers.extend(("Impersonate-Group", group) for group in user.get("as-groups", ()))
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
