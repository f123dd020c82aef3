"""The page about benchmarks: its tables are written by the program that measures.

A table stands between two comments in docs/benchmarks.md that name it; what stands around is by
hand. Only columns that say something to a reader are shown; the CSV has all.
"""

import re
from collections.abc import Mapping
from math import isnan
from pathlib import Path

import pandas as pd

from tests.benchmarks.chart import Chart, Curve, log_log

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "benchmarks.md"
IMAGES = DOCS / "images"
SOLVE = (
    *("name", "columns", "rows", "placed", "gap_percent", "compile_s", "greedy_s", "relax_s"),
    *("search_s", "verify_s", "solve_s", "process_s", "memory_mib"),
)
COLUMNS: dict[str, tuple[str, ...]] = {
    "ladder": SOLVE,
    "rules": (*SOLVE, "pods_per_s"),
    "gangs": (*SOLVE, "proven"),
    "windows": ("name", "columns", "proven", "load_s", "solve_s", "memory_mib"),
    "rivals": ("name", "placed", "tiers", "seconds", "memory_mib", "booleans"),
    "growth": ("name", "columns", "gap_percent", "solve_s", "limit_s"),
}
"""Of parts where not all columns are shown."""


def write_tables(tables: Mapping[str, pd.DataFrame]) -> None:
    """Put tables in their places on the page."""
    text = PAGE.read_text(encoding="utf-8")
    for name, table in tables.items():
        shown = [c for c in COLUMNS.get(name, tuple(table.columns)) if c in table.columns]
        text = replaced(text, name, markdown(table[shown]))
    PAGE.write_text(text, encoding="utf-8")


def write_chart(name: str, table: pd.DataFrame) -> None:
    """Draw what a part has a chart for."""
    if name == "growth":
        IMAGES.mkdir(exist_ok=True)
        (IMAGES / "growth.svg").write_text(log_log(growth_chart(table)), encoding="utf-8")


def growth_chart(table: pd.DataFrame) -> Chart:
    """Seconds over nodes times classes, a curve for each number of classes, and a straight line."""
    curves = []
    for classes, rows in table.groupby(table["nodes_x_classes"] // table["nodes"]):
        ordered = rows.sort_values("nodes_x_classes")
        points = list(zip(ordered["nodes_x_classes"], ordered["solve_s"], strict=True))
        curves.append(Curve(f"{classes} classes", [(float(x), float(y)) for x, y in points]))
    return Chart("nodes × classes", "seconds until the gap is at most 1 %", curves)


def replaced(text: str, name: str, table: str) -> str:
    """The page with one table changed; as it is, where it has no place for it."""
    mark = re.escape(f"<!-- table: {name} -->")
    found = re.compile(f"({mark}\n).*?(<!-- end -->)", re.DOTALL)
    return found.sub(lambda match: f"{match[1]}{table}\n{match[2]}", text)


def markdown(table: pd.DataFrame) -> str:
    """A table as Markdown: numbers to the right, names as words."""
    numeric = [pd.api.types.is_numeric_dtype(kind) for kind in table.dtypes]
    head = [str(column).replace("_", " ") for column in table.columns]
    rule = ["---:" if right else "---" for right in numeric]
    body = [[_cell(value) for value in row] for row in table.itertuples(index=False)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *body])


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if isnan(value) else f"{value:,g}"
    return str(value)
