"""One connection to an API server: who we are, and how bytes go there and back.

Credentials are read by the ``kubernetes`` client (kubeconfig files, contexts, exec plug-ins, tokens
that are renewed, in-cluster): there kubectl's conventions are long, and the client knows them. Its
API classes are not used. They decode every object strictly, which takes seconds for a few thousand
pods, fails a whole list for one odd object, and makes an error of a binding that was written. Here
a request is a method, a path and JSON, and an answer of whatever status but 401 is a value. Bytes
go over ``transport``, made from the client's configuration.

Does not know what any object means, and retries nothing: what may be tried again, how often and
until when, is known only by who asks.
"""

from __future__ import annotations

import os
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson
import yaml

from batchsched import __version__
from batchsched.kube.errors import RefusedError, UnauthorizedError, UnreachableError
from batchsched.kube.transport import Address, Fence, Route, Transport
from batchsched.snapshot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from http.client import HTTPResponse

    from kubernetes.client import Configuration

UNAUTHORIZED, OK = 401, 200
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
    """Their names in lower case."""

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
        text = self.headers.get("retry-after") or ""
        return float(text) if text.isascii() and text.isdigit() else None

    def refusal(self, what: str) -> RefusedError:
        """This answer as an error, for who cannot go on without."""
        return RefusedError(what, self.status, self.reason, self.retry_after_s)


class Connection:
    """An API server and our credentials there; safe to use from many threads."""

    def __init__(self, configuration: Configuration, connections_max: int = 32) -> None:
        """Send nothing yet.

        Raises:
            InputError: The address of the server, or of the proxy, is none.
        """
        self._configuration = configuration
        try:
            self._transport = Transport(_route(configuration), connections_max)
        except ValueError as error:
            raise InputError(str(error)) from None
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

    def call(  # noqa: PLR0913 -- every one is a part of a request
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
        timeout_s: float = 10.0,
        fence: Fence | None = None,
    ) -> Reply:
        """Send one request and wait for the whole answer.

        Args:
            method: ``GET``, ``POST``, ...
            path: ``/api/v1/...``
            query: Parameters.
            body: What is sent: bytes as they are, all else as JSON.
            content_type: Of the body; patches have their own.
            timeout_s: For the answer to begin, and then between its parts.
            fence: Called just before anything is sent; what it raises, this raises.

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
            answer = self._transport.request(
                method, _url(path, query), data, headers, timeout_s, fence
            )
        reply = Reply(answer.status, answer.body, answer.headers)
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
        with (
            _unreachable(what),
            self._transport.stream(_url(path, query), self._headers(), idle_s) as answer,
        ):
            if answer.status != OK:
                _refuse(what, answer)
            yield from _lines(what, answer)

    def close(self) -> None:
        """Close what is idle; what is under way ends by itself."""
        self._transport.close()

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


def _route(configuration: Configuration) -> Route:
    """How to get to the server that a configuration names.

    Raises:
        ValueError: The address of the server, or of the proxy, is none.
    """
    from kubernetes.client.rest import should_bypass_proxies

    proxy, host = configuration.proxy, configuration.host
    if proxy and should_bypass_proxies(host, no_proxy=configuration.no_proxy or ""):
        proxy = None
    return Route(
        server=Address.of(host),
        context=lambda: _tls(configuration),
        server_name=configuration.tls_server_name or "",
        proxy=Address.of(proxy) if proxy else None,
        proxy_headers=dict(configuration.proxy_headers or {}),
    )


def _tls(configuration: Configuration) -> ssl.SSLContext:
    """Whom we trust, and our own certificate. As lenient as kubectl with authorities' forms."""
    data = getattr(configuration, "ca_cert_data", None)  # older clients write a file of it
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert or None, cadata=data)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not configuration.verify_ssl:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    return context


def _url(path: str, query: Mapping[str, str] | None) -> str:
    return f"{path}?{_encoded(tuple(query.items()))}" if query else path


@lru_cache(1024)
def _encoded(query: tuple[tuple[str, str], ...]) -> str:
    """Parameters as a URL has them: those of one binding are those of most."""
    return urlencode(query)


@contextmanager
def _unreachable(what: str) -> Iterator[None]:
    """Name what the network did."""
    try:
        yield
    except (HTTPException, OSError) as error:
        raise UnreachableError(what, error) from error


def _refuse(what: str, answer: HTTPResponse) -> None:
    """Raise what the server said instead of a stream."""
    headers = {name.lower(): value for name, value in answer.getheaders()}
    reply = Reply(answer.status, answer.read(), headers)
    if reply.status == UNAUTHORIZED:
        raise UnauthorizedError(what, reply.reason)
    raise reply.refusal(what)


def _lines(what: str, answer: HTTPResponse) -> Iterator[bytes]:
    """The lines of a stream, as they come."""
    rest = b""
    while chunk := answer.read1(CHUNK_BYTES):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if line:
                yield line
        if len(rest) > LINE_BYTES_MAX:
            raise UnreachableError(what, f"a line of more than {LINE_BYTES_MAX} bytes")
