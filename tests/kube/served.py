"""A server on loopback that answers as a test says, request by request."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from kubernetes.client import Configuration

from batchsched.kube.connection import Connection


@dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What is answered: a whole body, or a stream of chunks, which may be cut off."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    chunks: Iterator[bytes] | None = None
    cut: bool = False
    """The stream ends without its end: the connection is closed."""
    closes: bool = False
    """The connection is closed afterwards, without a word before."""


Answering = Callable[[Request], Answer]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or every answer waits 40 ms
    answering: Answering

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name is theirs
        """Say nothing."""

    def _any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        body = self.rfile.read(length)
        if len(body) < length:  # no whole request came
            self.close_connection = True
            return
        asked = Request(self.command, url.path, query, headers, body)
        answer = type(self).answering(asked)
        self.close_connection = self.close_connection or answer.closes
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.chunks is None:
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in answer.chunks:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            self.wfile.flush()
        if answer.cut:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _any  # noqa: N815 -- the names are theirs


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing where a client left: that is what tests do."""


@contextmanager
def serving(answering: Answering, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve on a free port, and give the address."""
    server = _Server(
        ("127.0.0.1", 0), type("Handler", (_Handler,), {"answering": staticmethod(answering)})
    )
    if tls is not None:
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def connected(answering: Answering) -> Iterator[Connection]:
    """A connection to a server that answers so."""
    with serving(answering) as host:
        connection = Connection(Configuration(host=host))
        try:
            yield connection
        finally:
            connection.close()
