"""A proxy before the API server, that sees every call of one client and may spoil it.

It speaks plain HTTP on loopback, and forwards as the user whose kubeconfig it was given. A test
gives it a function that is asked about each call, in the order in which they arrive, what is to
become of it. So a scheduler can be killed at its n-th write, before or after it took effect; and
answers can be lost, refused or cut off in the middle.
"""

import http.client
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from tests.controlplane.api import Api

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

    @property
    def writes(self) -> bool:
        """Whether it may change something."""
        return self.method != "GET"

    @property
    def watches(self) -> bool:
        """Whether it is a watch, which has no end of its own."""
        return "watch=" in self.path


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
                stream.sock.close()

    def judged(self, method: str, path: str) -> Fate | int:
        """Count a call, and ask what is to become of it."""
        with self._lock:
            call = Call(len(self.calls) + 1, method, path)
            self.calls.append(call)
            return self.judge(call)

    def connect(self) -> http.client.HTTPConnection:
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


class _Server(ThreadingHTTPServer):
    """Listens for a proxy."""

    daemon_threads = True

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy


class _Handler(BaseHTTPRequestHandler):
    """One connection of the client."""

    server: "_Server"
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fate = self.server.proxy.judged(self.command, self.path)
        if isinstance(fate, int):
            self._refuse(fate)
            return
        if fate is Fate.DROP:
            self.close_connection = True
            return
        connection = self.server.proxy.connect()
        try:
            self._forward(connection, body, fate)
        finally:
            connection.close()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 -- the library asks for these

    def _forward(self, connection: http.client.HTTPConnection, body: bytes, fate: Fate) -> None:
        headers = {k: v for k, v in self.headers.items() if k.lower() != "host"}
        connection.request(self.command, self.path, body or None, headers)
        answer = connection.getresponse()
        if fate is Fate.LOSE:
            answer.read()
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        if "watch=" in self.path and answer.status == http.client.OK:
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
        try:
            for line in answer:
                if self.server.proxy.is_cut(connection):
                    return
                self.wfile.write(line)
                self.wfile.flush()
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            return  # cut, or the client is gone

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
