"""Bytes to plain values: JSON, JSON after JSON, or YAML with one or many documents.

Knows text and nothing about Kubernetes. Whatever the bytes are, the answer is values or an
``InputError``.
"""

import json
from collections.abc import Iterator
from typing import Any

import orjson

from batchsched.snapshot import yaml_values
from batchsched.snapshot.errors import InputError

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_UTF8_MARK = b"\xef\xbb\xbf"


def documents(data: bytes) -> Iterator[Any]:
    """Every document in the bytes; comment-only or empty ones are left out.

    Raises:
        InputError: if it is neither JSON nor YAML, or holds nothing at all.
    """
    if data.startswith(_UTF16):
        data = _text(data, "utf-16").encode()
    data = data.removeprefix(_UTF8_MARK)
    head = data[:4096].lstrip()
    if not head and not data.strip():
        raise InputError("is empty; a snapshot needs Kubernetes objects in JSON or YAML")
    if head[:1] in {b"{", b"["}:
        yield from _json_first(data, head)
        return
    yield from _yaml(data)


def _json_first(data: bytes, head: bytes) -> Iterator[Any]:
    """What starts like JSON: as JSON, else as a row of JSON documents, else perhaps as YAML."""
    try:
        row: list[Any] | None = [orjson.loads(data)]
        problem = ""
    except orjson.JSONDecodeError as error:
        row = _json_row(_text(data, "utf-8"))
        problem = f"not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})"
    if row is not None:
        yield from row
    elif head[1:].lstrip()[:1] in {b'"', b"{", b"[", b"}", b"]", b""}:
        raise InputError(problem + ("; the file ends early" if _ends_early(data) else ""))
    else:
        yield from _yaml(data)


def _json_row(text: str) -> list[Any] | None:
    """JSON documents one after the other (as jq prints them), or ``None``."""
    decoder = json.JSONDecoder()
    found, at = [], 0
    try:
        while at < len(text):
            _, end = decoder.raw_decode(text, at)
            found.append(orjson.loads(text[at:end]))
            at = _next_mark(text, end)
    except (ValueError, RecursionError):
        return None
    return found


def _next_mark(text: str, at: int) -> int:
    """Where the white space after ``at`` ends."""
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _ends_early(data: bytes) -> bool:
    """Whether the text stops before its brackets close (a cut-off download, most likely)."""
    return data[-4096:].rstrip()[-1:] not in {b"}", b"]"}


def _yaml(data: bytes) -> Iterator[Any]:
    found = False
    for value in yaml_values.values(_text(data, "utf-8")):
        if value is not None:
            found = True
            yield value
    if not found:
        raise InputError("holds no object, only empty documents or comments")


def _text(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(
            f"not text in UTF-8 (byte {error.start}); it must be JSON or YAML, or .gz of it"
        ) from None
