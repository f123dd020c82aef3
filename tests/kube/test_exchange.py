"""Requests are written as they are read; answers are read whole, or they are none."""

from http.client import HTTPException, RemoteDisconnected
from io import BytesIO, RawIOBase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchsched.kube.exchange import answer_from, request_of


def test_a_request_is_one_piece_and_says_how_long_its_body_is() -> None:
    written = request_of("POST", "/api?a=1", {"Host": "a.example", "Accept": "*/*"}, b"{}")
    assert written == (
        b"POST /api?a=1 HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\nContent-Length: 2\r\n\r\n{}"
    )
    assert request_of("GET", "/", {}, None) == b"GET / HTTP/1.1\r\n\r\n"
    assert request_of("POST", "/", {}, None) == b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("value", ["a\r\nb", "a\nb", "a\0b"])
def test_nothing_of_a_header_or_a_path_becomes_a_line_of_its_own(value: str) -> None:
    with pytest.raises(ValueError, match="header Authorization"):
        request_of("GET", "/", {"Authorization": value}, None)
    with pytest.raises(ValueError, match="no path"):
        request_of("GET", value, {}, None)


@given(st.lists(st.binary(min_size=1, max_size=20), max_size=4))
def test_a_body_is_the_same_by_length_by_chunks_and_to_the_end(parts: list[bytes]) -> None:
    body = b"".join(parts)
    chunks = b"".join(b"%x;note\r\n%s\r\n" % (len(part), part) for part in parts)
    head, after = b"HTTP/1.1 201 Created\r\nX-A: one\r\nx-a:two \r\n", b"the next answer"
    by_length = BytesIO(head + b"Content-Length: %d\r\n\r\n" % len(body) + body + after)
    by_chunks = BytesIO(
        head + b"Transfer-Encoding: Chunked\r\n\r\n" + chunks + b"0\r\nTrailer: t\r\n\r\n" + after
    )
    to_the_end = BytesIO(head + b"\r\n" + body)
    for stream in (by_length, by_chunks, to_the_end):
        found = answer_from(stream)
        assert (found.status, found.body, found.headers["x-a"]) == (201, body, "one, two")
        assert found.stays == (stream is not to_the_end)
    assert by_length.read() == by_chunks.read() == after


@pytest.mark.parametrize(
    ("closes", "stays"),
    [
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n", b"HTTP/1.1 200\r\n"),
        (b"HTTP/1.0 200 OK\r\n", b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n"),
    ],
)
def test_a_connection_is_used_again_where_the_server_lets_it(closes: bytes, stays: bytes) -> None:
    assert not answer_from(BytesIO(closes + b"Content-Length: 0\r\n\r\n")).stays
    assert answer_from(BytesIO(stays + b"Content-Length: 0\r\n\r\n")).stays


def test_what_only_says_that_there_is_more_to_come_is_passed_over() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
    found = answer_from(BytesIO(early + b"HTTP/1.1 204 No Content\r\nX: 1\r\n\r\nrest"))
    assert (found.status, found.body, found.headers) == (204, b"", {"x": "1"})


WHOLE = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"


@pytest.mark.parametrize("length", range(len(WHOLE)))
def test_whatever_is_cut_off_is_no_answer(length: int) -> None:
    with pytest.raises(HTTPException) as error:
        answer_from(BytesIO(WHOLE[:length]))
    assert isinstance(error.value, RemoteDisconnected) == (length == 0)


@pytest.mark.parametrize(
    "text",
    [
        b"SSH-2.0-OpenSSH_9\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1_0\r\n\r\n0123456789",
        b"HTTP/1.1 200 OK\r\nContent-Length: f\r\n\r\n0123456789abcdef",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 101 + b"\r\n",
        b"HTTP/1.1 200 " + b"x" * 70_000,
    ],
)
def test_what_is_not_to_the_letter_is_no_answer(text: bytes) -> None:
    with pytest.raises(HTTPException):
        answer_from(BytesIO(text))


def test_what_the_network_says_is_passed_on() -> None:
    class Broken(BytesIO, RawIOBase):
        def readline(self, _: int | None = -1, /) -> bytes:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        answer_from(Broken())
