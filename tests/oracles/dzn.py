"""Data as MiniZinc reads it."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Matrix:
    """A two-dimensional array with its index sets."""

    rows: str
    columns: str
    cells: list[list[Any]]


def written(value: Any) -> str:
    """A value as MiniZinc reads it."""
    if isinstance(value, bool | str):
        return json.dumps(value)
    if isinstance(value, set):
        return "{" + ", ".join(map(str, sorted(value))) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, Matrix):
        cells = ", ".join(written(cell) for row in value.cells for cell in row)
        return f"array2d({value.rows}, {value.columns}, [{cells}])"
    return str(value)
