"""Logs: a line is a JSON object that says what it is about, whatever was logged."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from batchsched.daemon import logs


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


def lines(form: str = "json", level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    logs.set_up("json" if form == "json" else "text", level, stream)
    return stream


def test_a_line_is_json_with_what_it_is_about() -> None:
    stream = lines()
    logging.getLogger("x").info(
        "bound %d", 1, extra={"pod": "a/b", "solveID": "w1-f", "node": None}
    )
    found = json.loads(stream.getvalue())
    assert found.pop("ts").endswith("Z")
    assert found == {"level": "info", "msg": "bound 1", "pod": "a/b", "solveID": "w1-f"}


def test_one_record_is_one_line_even_with_a_traceback_in_it() -> None:
    stream = lines()
    try:
        int("two\nlines")
    except ValueError:
        logging.getLogger("x").exception("failed\nbadly", extra={"what": {1: object}})
    (line,) = stream.getvalue().splitlines()
    assert "ValueError: invalid literal" in json.loads(line)["error"]


def test_what_is_below_the_level_is_not_written() -> None:
    stream = lines(level="warning")
    logging.getLogger("x").info("nobody reads this")
    assert not stream.getvalue()


def test_on_a_terminal_it_is_text() -> None:
    stream = lines("text")
    logging.getLogger("x").warning("bound", extra={"pod": "a/b"})
    assert stream.getvalue().endswith("WARNING bound  pod=a/b\n")
