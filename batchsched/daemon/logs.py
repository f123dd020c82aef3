"""Logs: one JSON object a line for machines, the same as text for a terminal.

Whoever logs passes what it is about as ``extra`` (``pod``, ``node``, ``podGroup``, ``solveID``),
so that a line can be found by any of it. The time of a line is the wall clock's, for people.
"""

import logging
import sys
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

import orjson

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every record has; all else was passed as ``extra``."""


def set_up(form: Literal["json", "text"], level: str, stream: TextIO | None = None) -> None:
    """Send all logs of this process to a stream, standard error where none is named."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else PlainLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


class JsonLines(logging.Formatter):
    """``{"ts": ..., "level": "info", "msg": ..., ...}``."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever is in the message."""
        line = {
            "ts": _moment(record).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "msg": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


class PlainLines(logging.Formatter):
    """``15:04:05.000 INFO  msg  pod=a/b node=n1``."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and a traceback below it where there is one."""
        moment = _moment(record).astimezone().strftime("%H:%M:%S.%f")[:-3]
        fields = " ".join(f"{name}={value}" for name, value in _fields(record).items())
        line = f"{moment} {record.levelname:<7} {record.getMessage()}  {fields}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _moment(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """What the line is about, without what is empty."""
    return {
        name: value
        for name, value in vars(record).items()
        if name not in _STANDARD and value not in (None, "")
    }
