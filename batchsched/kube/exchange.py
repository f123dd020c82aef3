"""One exchange on a connection that is open: a request in one piece, and the whole of its answer.

HTTP/1.1 as API servers and proxies speak it, and no more. ``http.client`` reads the head of each
answer as if it were an e-mail, which was half of the time that a binding takes here: of a plan of
ten thousand pods, seconds. So it makes the connections and reads streams, and what is called often
goes this way. Any oddity ends the exchange, and who called drops the connection. Knows no TLS, no
proxies and nothing of Kubernetes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http.client import BadStatusLine, HTTPException, IncompleteRead, RemoteDisconnected
from typing import BinaryIO

LINE_BYTES_MAX = 65536
"""Of a header; ``http.client``'s own limit, as the next one."""
HEADERS_MAX = 100
FIRST_FINAL, NO_CONTENT, NOT_MODIFIED = 200, 204, 304
_FORBIDDEN = frozenset("\r\n\0")


@dataclass(frozen=True, slots=True)
class Answered:
    """A whole answer; the names of its headers in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    stays: bool = True
    """Whether the server lets the connection be used again."""


def request_of(method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """A request as bytes.

    Raises:
        ValueError: A header would end where it must not, or is not Latin-1.
    """
    if not _FORBIDDEN.isdisjoint(target) or " " in target:
        raise ValueError(f"{target!r}: no path of a request")
    lines = [f"{method} {target} HTTP/1.1"]
    for name, value in headers.items():
        if not _FORBIDDEN.isdisjoint(value):
            raise ValueError(f"header {name}: a line may not end in it")
        lines.append(f"{name}: {value}")
    if body is not None or method not in {"GET", "HEAD", "DELETE"}:
        lines.append(f"Content-Length: {len(body or b'')}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def answer_from(stream: BinaryIO) -> Answered:
    """Read an answer to the end, from a buffered stream.

    Raises:
        http.client.HTTPException: It is none, or not whole.
        OSError: The network failed.
    """
    version, status, headers = _head(stream)
    while status < FIRST_FINAL:  # 100 and its like only say that there is more to come
        version, status, headers = _head(stream)
    connection = headers.get("connection", "").lower()
    stays = "close" not in connection if version == b"HTTP/1.1" else "keep-alive" in connection
    length = headers.get("content-length")
    if status in {NO_CONTENT, NOT_MODIFIED}:
        body = b""
    elif headers.get("transfer-encoding", "").lower() == "chunked":
        body = _chunks(stream)
    elif length is not None:
        body = _exactly(stream, _number(length.encode(), 10))
    else:
        body, stays = stream.read(), False
    return Answered(status, body, headers, stays)


def _head(stream: BinaryIO) -> tuple[bytes, int, dict[str, str]]:
    """Version, status and headers."""
    line = stream.readline(LINE_BYTES_MAX + 1)
    if not line:
        raise RemoteDisconnected("Remote end closed connection without response")
    version, _, rest = line.partition(b" ")
    number = rest[:3]
    if not version.startswith(b"HTTP/1.") or not number.isdigit() or not line.endswith(b"\n"):
        raise BadStatusLine(line[:100].decode("latin-1"))
    return version, int(number), _headers(stream)


def _headers(stream: BinaryIO) -> dict[str, str]:
    """The headers to the empty line; of those that come twice, both."""
    found: dict[str, str] = {}
    for _ in range(HEADERS_MAX + 1):
        line = stream.readline(LINE_BYTES_MAX + 1)
        if line in {b"\r\n", b"\n"}:
            return found
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or not line.endswith(b"\n") or name != name.strip():
            raise HTTPException(f"no header: {line[:100]!r}")
        key, text = name.lower(), value.strip()
        found[key] = f"{found[key]}, {text}" if key in found else text
    raise HTTPException(f"more than {HEADERS_MAX} headers")


def _chunks(stream: BinaryIO) -> bytes:
    """A body that comes in pieces, each after its size; what may follow them is dropped."""
    parts: list[bytes] = []
    while True:
        line = stream.readline(LINE_BYTES_MAX + 1)
        if not line.endswith(b"\n"):
            raise IncompleteRead(b"".join(parts))
        size = _number(line.partition(b";")[0].strip(), 16)
        if not size:
            _headers(stream)
            return b"".join(parts)
        parts.append(_exactly(stream, size))
        if _exactly(stream, 2) != b"\r\n":
            raise HTTPException("a chunk is longer than it says")


def _exactly(stream: BinaryIO, size: int) -> bytes:
    found = stream.read(size)
    if len(found) < size:
        raise IncompleteRead(found, size - len(found))
    return found


def _number(text: bytes, base: int) -> int:
    """A number of digits and nothing else: ``int`` would take signs, blanks and underscores."""
    if not text or text.strip(b"0123456789abcdefABCDEF"):
        raise HTTPException(f"no size: {text[:100]!r}")
    try:
        return int(text, base)
    except ValueError:
        raise HTTPException(f"no size: {text[:100]!r}") from None
