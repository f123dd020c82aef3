"""Limits: what the figures of a row have to keep to, by the row's name."""

import tomllib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tests.benchmarks.parts import Row

FILE = Path(__file__).with_name("limits.toml")
MOST, LEAST, IS = "_max", "_min", "_is"


def broken(rows: Sequence[Row], limits: dict[str, dict[str, Any]]) -> Iterator[str]:
    """A line for each figure that is not within a limit.

    Args:
        rows: What was measured.
        limits: For each pattern of names, ``FIGURE_max``, ``FIGURE_min`` or ``FIGURE_is``; where
            several patterns limit the same, the last one holds.
    """
    for row in rows:
        asked: dict[str, Any] = {}
        for pattern, limit in limits.items():
            if fnmatchcase(row["name"], pattern):
                asked |= limit
        yield from _broken(row, asked)


def read_limits() -> dict[str, dict[str, Any]]:
    """The limits of this project."""
    return tomllib.loads(FILE.read_text())


def _broken(row: Row, asked: dict[str, Any]) -> Iterator[str]:
    for limit, value in asked.items():
        figure, ending = limit[:-4] if limit[-4:] in {MOST, LEAST} else limit[:-3], limit[-4:]
        if figure not in row:
            continue
        found = row[figure]
        kept = (
            found <= value
            if ending == MOST
            else found >= value
            if ending == LEAST
            else found == value
        )
        if not kept:
            yield f"{row['name']}: {figure} is {found}, {limit} = {value}"
