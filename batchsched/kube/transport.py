"""Kept connections to one server: requests go there and whole answers come back.

The standard library's ``http.client`` connects and reads streams, and ``exchange`` does the rest:
a call has to be cheap, for a plan of ten thousand pods is ten thousand calls, from one process,
beside a loop that wants the interpreter as well.

Knows TLS and proxies, and nothing of Kubernetes. It repeats nothing: a request that failed may have
arrived. But an idle connection that the server has closed meanwhile is not used, so that this is no
failure at all.
"""

import base64
import http.client
import select
import socket
import ssl
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import BinaryIO, TypeAlias
from urllib.parse import unquote, urlsplit

from batchsched.kube.exchange import Answered, answer_from, request_of

CONNECT_TIMEOUT_S = 10.0
PORTS = {"http": 80, "https": 443}
Fence: TypeAlias = Callable[[], None]
"""Raises where a request may not be sent any more."""
KEEP_ALIVE = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 9))
"""client-go's, where the system has them: or a watch would not notice a path that is dead."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is, as a URL says it."""

    scheme: str
    host: str
    port: int
    prefix: str = ""
    """Of every path."""
    user: str = ""
    """Name and password, as a proxy's may have them."""

    @property
    def authority(self) -> str:
        """Host and port as requests name them: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @classmethod
    def of(cls, url: str) -> "Address":
        """Read a URL; without a scheme it is HTTP.

        Raises:
            ValueError: It is none, or of another kind.
        """
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in PORTS or not parts.hostname:
            raise ValueError(f"{url}: not an address of the form http(s)://HOST[:PORT]")
        user = unquote(parts.netloc.rpartition("@")[0])
        try:
            port = parts.port or PORTS[parts.scheme]
        except ValueError as error:
            raise ValueError(f"{url}: {error}") from None
        return cls(parts.scheme, parts.hostname, port, parts.path.rstrip("/"), user)


@dataclass(frozen=True)
class Route:
    """How to get to a server.

    Args:
        server: Where it is.
        context: Makes the TLS context, when it is needed first: certificates are read only then.
        server_name: The name in the server's certificate, if it is not its host.
        proxy: Where to go instead: a tunnel to the server if that speaks TLS.
        proxy_headers: Sent to the proxy.
    """

    server: Address
    context: Callable[[], ssl.SSLContext]
    server_name: str = ""
    proxy: Address | None = None
    proxy_headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what the standard library cannot do.

        Raises:
            ValueError: The proxy wants TLS itself.
        """
        if self.proxy is not None and self.proxy.scheme != "http":
            raise ValueError(f"proxy {self.proxy.host}: only proxies of http:// are supported")

    @cached_property
    def tls(self) -> ssl.SSLContext | None:
        """What the server is spoken to with; None: plain text. Two threads may make it twice."""
        return self.context() if self.server.scheme == "https" else None

    @cached_property
    def told_proxy(self) -> dict[str, str]:
        """What the proxy is told: who we are, if its address says it."""
        if self.proxy is None or not self.proxy.user:
            return dict(self.proxy_headers)
        credentials = base64.b64encode(self.proxy.user.encode()).decode()
        return {"Proxy-Authorization": f"Basic {credentials}", **self.proxy_headers}

    @property
    def forwarded(self) -> bool:
        """Whether a proxy is given whole requests, and no tunnel."""
        return self.proxy is not None and self.server.scheme == "http"


class _Kept(http.client.HTTPConnection):
    """A connection that is used again and again, by one thread at a time."""

    def __init__(self, route: Route) -> None:
        self.default_port = PORTS[route.server.scheme]
        first = route.proxy or route.server
        super().__init__(first.host, first.port, timeout=CONNECT_TIMEOUT_S)
        self._route = route
        self._prefix = route.server.prefix
        self._always = {"Host": route.server.authority, "Accept-Encoding": "identity"}
        self._answers: BinaryIO | None = None
        if route.forwarded:
            self._prefix = f"http://{route.server.authority}{route.server.prefix}"
            self._always |= route.told_proxy
        elif route.proxy is not None:
            self.set_tunnel(route.server.host, route.server.port, route.told_proxy)

    def connect(self) -> None:
        """Connect, through a tunnel if need be, and speak TLS in it."""
        super().connect()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in KEEP_ALIVE:
            if hasattr(socket, name):
                self.sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        if (tls := self._route.tls) is not None:
            name = self._route.server_name or self._route.server.host
            self.sock = tls.wrap_socket(self.sock, server_hostname=name)
        self._said = select.poll()
        self._said.register(self.sock, select.POLLIN)

    def is_usable(self) -> bool:
        """Whether it is open and silent: what a server says unasked is that it closes."""
        return self.sock is not None and not self._said.poll(0)

    def wait_at_most(self, timeout_s: float) -> None:
        """Connect, if it is not connected; from now on each wait has this limit."""
        if self.sock is None:
            self.timeout = min(CONNECT_TIMEOUT_S, timeout_s)
            self.connect()
        self.sock.settimeout(timeout_s)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        fence: Fence | None = None,
    ) -> Answered:
        """Send a request in one piece, at once after the fence was asked; the whole answer."""
        request = request_of(method, self._prefix + path, {**self._always, **headers}, body)
        if self._answers is None:
            self._answers = self.sock.makefile("rb")
        if fence is not None:
            fence()
        self.sock.sendall(request)
        return answer_from(self._answers)

    def begin_stream(self, path: str, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        """Ask for what comes bit by bit; its answer has begun."""
        self.request("GET", self._prefix + path, None, {**self._always, **headers})
        return self.getresponse()

    def close(self) -> None:
        """Close it, and what reads from it."""
        answers, self._answers = self._answers, None
        super().close()
        if answers is not None:
            answers.close()


class Transport:
    """Connections to one server, kept while idle; for many threads.

    Args:
        route: How to get there.
        idle_max: How many are kept.
    """

    def __init__(self, route: Route, idle_max: int) -> None:
        """Connect to nothing yet."""
        self._route, self._idle_max = route, idle_max
        self._idle: deque[_Kept] = deque()  # its ends are atomic
        weakref.finalize(self, _close, self._idle)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        timeout_s: float,
        fence: Fence | None = None,
    ) -> Answered:
        """Send a request and take in the whole answer.

        Args:
            method: ``GET``, ``POST``, ...
            path: With its query.
            body: What is sent.
            headers: Of the request.
            timeout_s: For the answer to begin, and then between its parts.
            fence: Called at the last moment. What it raises, this raises, and nothing was sent.

        Raises:
            OSError: The network failed, or the time was up.
            http.client.HTTPException: What came is no answer.
        """
        kept = self._usable()
        try:
            kept.wait_at_most(timeout_s)
            found = kept.ask(method, path, body, headers, fence)
        except BaseException:
            kept.close()
            raise
        if found.stays:
            self._keep(kept)
        else:
            kept.close()
        return found

    @contextmanager
    def stream(
        self, path: str, headers: Mapping[str, str], idle_s: float
    ) -> Iterator[http.client.HTTPResponse]:
        """Ask for what comes bit by bit, on a connection of its own, closed at the end.

        Args:
            path: With its query.
            headers: Of the request.
            idle_s: How long the server may be silent.

        Raises:
            OSError: The network failed, or the server was silent for too long.
            http.client.HTTPException: What came is no answer.
        """
        kept = _Kept(self._route)
        try:
            kept.wait_at_most(idle_s)
            yield kept.begin_stream(path, headers)
        finally:
            kept.close()

    def close(self) -> None:
        """Close what is idle; whoever forgets it is forgiven."""
        _close(self._idle)

    def _usable(self) -> _Kept:
        """The connection that was idle for the shortest time, or a new one."""
        while True:
            try:
                kept = self._idle.pop()
            except IndexError:
                return _Kept(self._route)
            if kept.is_usable():
                return kept
            kept.close()

    def _keep(self, kept: _Kept) -> None:
        if len(self._idle) < self._idle_max:
            self._idle.append(kept)
        else:
            kept.close()


def _close(idle: deque[_Kept]) -> None:
    while idle:
        idle.pop().close()
