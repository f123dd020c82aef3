"""One connection to an API server: who we are, and how bytes go there and back.

Credentials are read by the ``kubernetes`` client (kubeconfig files, contexts, exec plug-ins, tokens
that are renewed, in-cluster), and so is the pool made (TLS, proxies, server names): there kubectl's
conventions are long, and the client knows them. Its API classes are not used. They decode every
object strictly, which takes seconds for a few thousand pods, fails a whole list for one odd object,
and makes an error of a binding that was written. Here a request is a method, a path and JSON, and
an answer of whatever status but 401 is a value.

Does not know what any object means, and retries nothing: what may be tried again, how often and
until when, is known only by who asks.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson
import urllib3
import yaml

from batchsched import __version__
from batchsched.kube.errors import RefusedError, UnauthorizedError, UnreachableError
from batchsched.snapshot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kubernetes.client import Configuration
    from urllib3 import BaseHTTPResponse

UNAUTHORIZED, OK = 401, 200
CONNECT_TIMEOUT_S = 10.0
LINE_BYTES_MAX = 32 * 1024**2
"""Of a watch. What etcd stores is below 2 MiB; written as an event it may grow."""
CHUNK_BYTES = 1024**2
_DEFAULT_FILE = "~/.kube/config"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server answered, of whatever status."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Their names in any case."""

    def json(self) -> Any:
        """The body as a value; ``None`` where it is no JSON."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None

    @property
    def reason(self) -> str:
        """What the server says about a refusal: the message of its Status, or its text."""
        found = self.json()
        message = found.get("message") if isinstance(found, dict) else None
        if isinstance(message, str) and message:
            return message
        return self.body[:500].decode(errors="replace").strip() or "(no reason given)"

    @property
    def retry_after_s(self) -> float | None:
        """After how long the server wants to be asked again (``Retry-After``), if it says so."""
        text = self.headers.get("Retry-After") or ""
        return float(text) if text.isascii() and text.isdigit() else None

    def refusal(self, what: str) -> RefusedError:
        """This answer as an error, for who cannot go on without."""
        return RefusedError(what, self.status, self.reason, self.retry_after_s)


class Connection:
    """An API server and our credentials there; safe to use from many threads."""

    def __init__(self, configuration: Configuration, connections_max: int = 32) -> None:
        """Make the pool; nothing is sent yet."""
        from kubernetes.client.rest import RESTClientObject

        configuration.connection_pool_maxsize = connections_max
        configuration.retries = False  # see the module: who asks knows whether it may be repeated
        configuration.keep_alive = True  # or a watch would not notice a path that is dead
        self._configuration = configuration
        self._pool: urllib3.PoolManager = RESTClientObject(configuration).pool_manager
        self._renewing = threading.Lock()
        self.host: str = configuration.host.rstrip("/")

    @classmethod
    def open(
        cls, *, kubeconfig: str | None = None, context: str | None = None, connections_max: int = 32
    ) -> Connection:
        """Find the cluster and the credentials as kubectl does.

        Args:
            kubeconfig: A file; else ``$KUBECONFIG`` (a list of files, merged), ``~/.kube/config``,
                or the service account of the pod that we run in.
            context: One of the kubeconfig; else its current one.
            connections_max: How many connections are kept alive.

        Raises:
            InputError: The kubeconfig cannot be used, or there is none.
        """
        return cls(_configuration(kubeconfig or None, context or None), connections_max)

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
        timeout_s: float = 10.0,
    ) -> Reply:
        """Send one request and wait for the whole answer.

        Args:
            method: ``GET``, ``POST``, ...
            path: ``/api/v1/...``
            query: Parameters.
            body: What is sent: bytes as they are, all else as JSON.
            content_type: Of the body; patches have their own.
            timeout_s: For the answer to begin, and then between its parts.

        Raises:
            UnreachableError: There was no whole answer. A write may have been done all the same.
            UnauthorizedError: 401.
        """
        what = f"{method} {path}"
        data = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
        headers = self._headers()
        if data is not None:
            headers["Content-Type"] = content_type
        with _unreachable(what):
            answer = self._pool.request(
                method,
                self._url(path, query),
                body=data,
                headers=headers,
                timeout=urllib3.Timeout(total=timeout_s),
            )
            reply = Reply(answer.status, answer.data, answer.headers)
        if reply.status == UNAUTHORIZED:
            raise UnauthorizedError(what, reply.reason)
        return reply

    def lines(self, path: str, query: Mapping[str, str], *, idle_s: float) -> Iterator[bytes]:
        """Read a watch line by line; the plain end of the stream ends the iterator.

        A line that was cut off by the end is no line. Closing the iterator closes the stream.

        Args:
            path: ``/api/v1/pods``
            query: Parameters, ``watch=1`` among them.
            idle_s: How long the server may be silent.

        Raises:
            UnreachableError: It could not be begun, it broke, or was silent for too long.
            UnauthorizedError: 401.
            RefusedError: Another status than 200.
        """
        what = f"watch {path}"
        timeout = urllib3.Timeout(connect=min(CONNECT_TIMEOUT_S, idle_s), read=idle_s)
        with _unreachable(what):
            answer = self._pool.request(
                "GET",
                self._url(path, query),
                headers=self._headers(),
                timeout=timeout,
                preload_content=False,
            )
        try:
            if answer.status != OK:
                _refuse(what, answer)
            yield from _lines(what, answer)
        finally:
            answer.close()

    def close(self) -> None:
        """Close what is idle; what is under way ends by itself."""
        self._pool.clear()

    def _url(self, path: str, query: Mapping[str, str] | None) -> str:
        return f"{self.host}{path}?{urlencode(query)}" if query else f"{self.host}{path}"

    def _headers(self) -> dict[str, str]:
        """Who we are; tokens are renewed here, when it is time, by one thread for all."""
        headers = {"Accept": "application/json", "User-Agent": f"batchsched/{__version__}"}
        with self._renewing:
            settings: Any = self._configuration.auth_settings()
        for setting in settings.values():
            if setting["value"]:
                headers[setting["key"]] = setting["value"]
        return headers


def _configuration(kubeconfig: str | None, context: str | None) -> Configuration:
    """The cluster and the credentials, from wherever they come.

    Raises:
        InputError: They come from nowhere.
    """
    # The whole of the client is imported with these, so not before a cluster is asked for.
    from kubernetes.client import Configuration
    from kubernetes.config import (
        ConfigException,
        load_incluster_config,
        load_kube_config,
    )

    configuration, named = Configuration(), kubeconfig or os.environ.get("KUBECONFIG")
    try:
        if named or context or Path(_DEFAULT_FILE).expanduser().exists():
            load_kube_config(named or _DEFAULT_FILE, context, configuration)
        else:
            load_incluster_config(configuration)
    except ConfigException as error:
        source = "--kubeconfig" if kubeconfig else named and "KUBECONFIG"
        raise InputError(f"{error}; {_ADVICE}", source=source) from None
    except (yaml.YAMLError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        # The client expects a well-formed file, and says so with whatever fails first.
        raise InputError(f"cannot be read as a kubeconfig: {error}", source=named) from None
    return configuration


_ADVICE = "name a file with --kubeconfig or KUBECONFIG, or run in a cluster"


@contextmanager
def _unreachable(what: str) -> Iterator[None]:
    """Name what the network did."""
    try:
        yield
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise UnreachableError(what, error) from error


def _refuse(what: str, answer: BaseHTTPResponse) -> None:
    """Raise what the server said instead of a stream."""
    with _unreachable(what):
        reply = Reply(answer.status, answer.data, answer.headers)
    if reply.status == UNAUTHORIZED:
        raise UnauthorizedError(what, reply.reason)
    raise reply.refusal(what)


def _lines(what: str, answer: BaseHTTPResponse) -> Iterator[bytes]:
    """The lines of a stream, as they come."""
    rest = b""
    with _unreachable(what):
        for chunk in answer.stream(CHUNK_BYTES):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                if line:
                    yield line
            if len(rest) > LINE_BYTES_MAX:
                raise UnreachableError(what, f"a line of more than {LINE_BYTES_MAX} bytes")
