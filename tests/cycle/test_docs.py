"""docs/cycle.md shows the table of the code: what is not in the docs fails here."""

from dataclasses import fields
from pathlib import Path

from batchsched.cycle import ROWS, State, Timing


def rendered() -> str:
    """The table, as it stands in the page."""
    lines = ["| event | in | what happens | leads to |", "|---|---|---|---|"]
    for row in ROWS:
        states = "any" if len(row.states) == len(State) else ", ".join(row.states)
        leads_to = ", ".join(row.leads_to) or "–"
        lines.append(f"| `{row.event.__name__}` | {states} | {row.says} | {leads_to} |")
    return "\n".join(lines)


def test_the_page_shows_the_table_of_the_code(repository: Path) -> None:
    page = (repository / "docs" / "cycle.md").read_text(encoding="utf-8")
    assert rendered() in page, f"docs/cycle.md should hold:\n\n{rendered()}"


def test_the_page_names_every_limit(repository: Path) -> None:
    page = (repository / "docs" / "cycle.md").read_text(encoding="utf-8")
    assert not [f.name for f in fields(Timing) if f"`{f.name}`" not in page]
