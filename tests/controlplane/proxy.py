"""A proxy before the API server, that sees every call of one client and may spoil it.

It speaks plain HTTP on loopback, and forwards as the user whose kubeconfig it was given. A test
gives it a function that is asked about each call, in the order in which they arrive, what is to
become of it. So a scheduler can be killed at its n-th write, before or after it took effect; and
answers can be lost, refused or cut off in the middle.

Who asks sees one server: the ``timeout`` of a request counts from its arrival here. What a busy
machine did not pass on in that time is not passed on any more.
"""

import http.client
import json
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from tests.controlplane.api import Api

OK = http.client.CREATED
HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


class Fate(Enum):
    """What becomes of a call; a number in place of it is the status that it is refused with."""

    PASS = auto()
    """It goes through."""
    LOSE = auto()
    """It goes through, and nobody hears of it: the connection ends without an answer."""
    DROP = auto()
    """It never arrives: the connection ends."""


@dataclass(frozen=True)
class Call:
    """A call of the client; ``number`` counts them from one."""

    number: int
    method: str
    path: str
    body: bytes = b""

    @property
    def writes(self) -> bool:
        """Whether it may change something."""
        return self.method != "GET"

    @property
    def watches(self) -> bool:
        """Whether it is a watch, which has no end of its own."""
        return "watch=" in self.path

    @property
    def binds(self) -> bool:
        """Whether it binds a pod, and not as a trial."""
        path, _, query = self.path.partition("?")
        return self.method == "POST" and path.endswith("/binding") and "dryRun=" not in query


Judge = Callable[[Call], Fate | int]


class Proxy:
    """Stands before an API server from ``with`` to its end.

    Args:
        api: Forwards calls as this user.
        judge: Asked of each call; by default all go through.
    """

    def __init__(self, api: Api, judge: Judge = lambda _: Fate.PASS) -> None:
        self.judge = judge
        self.calls: list[Call] = []
        self.answers: dict[int, int] = {}
        """What the API server answered, by the numbers of the calls."""
        self._api = api
        self._lock = threading.Lock()
        self._streams: set[http.client.HTTPConnection] = set()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self.cut_watches()
        self._server.server_close()

    def kubeconfig(self, folder: Path) -> Path:
        """Write a kubeconfig with which a client comes here."""
        port = self._server.server_address[1]
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "proxy", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
            "users": [{"name": "anybody", "user": {}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "anybody"}}],
            "current-context": "proxy",
        }
        file = folder / f"proxy-{port}.kubeconfig"
        file.write_text(json.dumps(content), encoding="utf-8")
        return file

    def cut_watches(self) -> None:
        """End all watches, in the middle of whatever they were telling."""
        with self._lock:
            streams, self._streams = self._streams, set()
        for stream in streams:
            if stream.sock is not None:
                # Who closes it does not wake who reads it, and the farewell of TLS would wait.
                with suppress(OSError):
                    socket.socket.shutdown(stream.sock, socket.SHUT_RDWR)

    def bound(self) -> Counter[str]:
        """How often each pod was bound, by the paths of the calls that did it."""
        done = (call for call in self.calls if call.binds and self.answers.get(call.number) == OK)
        return Counter(call.path.partition("?")[0] for call in done)

    def judged(self, method: str, path: str, body: bytes) -> tuple[Call, Fate | int]:
        """Count a call, and ask what is to become of it."""
        with self._lock:
            call = Call(len(self.calls) + 1, method, path, body)
            self.calls.append(call)
            return call, self.judge(call)

    def connect(self) -> http.client.HTTPSConnection:
        """A connection to the API server."""
        return self._api.connect()

    def streams(self, connection: http.client.HTTPConnection) -> None:
        """Note a connection that tells for as long as it is let."""
        with self._lock:
            self._streams.add(connection)

    def is_cut(self, connection: http.client.HTTPConnection) -> bool:
        """Whether a watch was ended from here."""
        with self._lock:
            return connection not in self._streams


def left_of(path: str, passed_s: float) -> str | None:
    """The path with what is left of its ``timeout``, if it has one; None: nothing is."""
    found = re.search(r"(?<=[?&]timeout=)(\d+)(?=ms)", path)
    if found is None:
        return path
    left_ms = int(found[0]) - round(passed_s * 1000)
    return f"{path[: found.start()]}{left_ms}{path[found.end() :]}" if left_ms > 0 else None


class _Server(ThreadingHTTPServer):
    """Listens for a proxy."""

    daemon_threads = True

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy

    def handle_error(self, *_: Any) -> None:
        """Say nothing: clients are killed here."""


class _Handler(BaseHTTPRequestHandler):
    """One connection of the client."""

    server: "_Server"
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        arrived_s = time.monotonic()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        call, fate = self.server.proxy.judged(self.command, self.path, body)
        if isinstance(fate, int):
            self._refuse(fate)
            return
        path = left_of(self.path, time.monotonic() - arrived_s)
        if fate is Fate.DROP or path is None:
            self.close_connection = True
            return
        connection = self.server.proxy.connect() if call.watches else self._kept
        try:
            self._forward(connection, call, fate, path)
        except (OSError, http.client.HTTPException):
            self.close_connection = True  # nobody is there, at one end or at the other
        finally:
            if call.watches or self.close_connection:
                connection.close()

    @cached_property
    def _kept(self) -> http.client.HTTPSConnection:
        """The connection on which the calls of this one go on."""
        return self.server.proxy.connect()

    def finish(self) -> None:
        """Close both connections."""
        self._kept.close()
        super().finish()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 -- the library asks for these

    def _forward(
        self, connection: http.client.HTTPConnection, call: Call, fate: Fate, path: str
    ) -> None:
        headers = {k: v for k, v in self.headers.items() if k.lower() != "host"}
        connection.request(call.method, path, call.body or None, headers)
        answer = connection.getresponse()
        self.server.proxy.answers[call.number] = answer.status
        if fate is Fate.LOSE:
            answer.read()
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        if call.watches and answer.status == http.client.OK:
            self._stream(connection, answer)
        else:
            content = answer.read()
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def _stream(
        self, connection: http.client.HTTPConnection, answer: http.client.HTTPResponse
    ) -> None:
        """Hand a watch on, line by line, until one of the three ends it."""
        self.server.proxy.streams(connection)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        line = b""
        try:
            for line in answer:
                if self.server.proxy.is_cut(connection):
                    break
                self.wfile.write(line)
                self.wfile.flush()
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            pass  # cut, or the client is gone
        if self.server.proxy.is_cut(connection):
            with suppress(OSError):
                self.wfile.write(line[: len(line) // 2])

    def _refuse(self, status: int) -> None:
        content = json.dumps(
            {"kind": "Status", "status": "Failure", "code": status, "message": "of the proxy"}
        ).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
