"""Health: what a kubelet and a Prometheus ask over HTTP.

``/livez`` (and ``/healthz``): the loop has turned lately, so the process is worth keeping.
``/readyz``: the caches are filled, also where another process leads: a standby that can take over
at once is ready. ``/metrics`` as Prometheus reads it. The answers are computed from two facts that
other threads set, so a hung loop cannot hang its own health check.
"""

import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from batchsched.daemon.metrics import CONTENT_TYPE
from batchsched.snapshot.errors import InputError

TURN_S_MAX = 60.0
"""A loop that has not turned for so long hangs: it wakes at least every few seconds."""
REQUEST_S_MAX = 10.0
_PLAIN = "text/plain; charset=utf-8"


class Health:
    """What is known of the process.

    Args:
        now_s: The time.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        """Begin alive, and not ready."""
        self._now_s = now_s
        self._turned_s = now_s()
        self.synced = False
        """Whether the caches are filled; set once they are."""

    def turned(self) -> None:
        """Take note that the loop turns."""
        self._turned_s = self._now_s()

    def live(self) -> str:
        """Why the process should be ended; empty: it should not."""
        since_s = self._now_s() - self._turned_s
        return f"the loop has not turned for {since_s:.0f} s" if since_s > TURN_S_MAX else ""

    def ready(self) -> str:
        """Why the process cannot take over; empty: it can."""
        return self.live() or ("" if self.synced else "the caches are not filled yet")


class HealthServer:
    """Serves some of the paths at an address.

    Args:
        address: ``host:port``; port 0 takes a free one.
        health: What is known.
        metrics: Gives what is scraped; None: not at this address.
        checks: Whether the health of the process is told here.
    """

    def __init__(
        self,
        address: str,
        health: Health,
        metrics: Callable[[], bytes] | None,
        *,
        checks: bool = True,
    ) -> None:
        """Listen.

        Raises:
            InputError: The address cannot be had.
        """
        answers: dict[str, Callable[[], tuple[HTTPStatus, str, bytes]]] = {}
        if checks:
            answers |= {path: lambda: _check(health.live()) for path in ("/livez", "/healthz")}
            answers["/readyz"] = lambda: _check(health.ready())
        if metrics is not None:
            answers["/metrics"] = lambda: (HTTPStatus.OK, CONTENT_TYPE, metrics())
        host, _, port = address.rpartition(":")
        try:
            self._server = _server(host.strip("[]"), int(port), answers)
        except OSError as error:
            what = f"{error.strerror or error}; set healthzBindAddress and metricsBindAddress"
            raise InputError(f"cannot be listened on: {what}", source=address) from None
        self._thread = threading.Thread(
            target=self._server.serve_forever, name=f"http {address}", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


def _check(trouble: str) -> tuple[HTTPStatus, str, bytes]:
    if trouble:
        return HTTPStatus.SERVICE_UNAVAILABLE, _PLAIN, f"{trouble}\n".encode()
    return HTTPStatus.OK, _PLAIN, b"ok\n"


def _server(
    host: str, port: int, answers: dict[str, Callable[[], tuple[HTTPStatus, str, bytes]]]
) -> ThreadingHTTPServer:
    """A server of these paths."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    class Request(BaseHTTPRequestHandler):
        timeout = REQUEST_S_MAX

        def do_GET(self) -> None:
            answer = answers.get(self.path.partition("?")[0])
            nothing = (HTTPStatus.NOT_FOUND, _PLAIN, b"not found\n")
            status, kind, body = answer() if answer is not None else nothing
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Probes come every few seconds; nobody wants a line of each."""

    return Server((host, port), Request)
