"""The page says what the tables say, is whole in itself, and lets no name of a pod write markup."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import orjson
import pandas as pd
import pytest

from batchsched.plan.plan import Eviction, Plan, read_plan
from batchsched.report import charts
from batchsched.report.page import plan_page, simulation_page
from batchsched.report.tables import COLUMNS, Tables, banded, read_tables, reasons, usage_map
from batchsched.snapshot.errors import InputError
from tests.report.conftest import HOSTILE

VOID = {"meta", "line", "rect", "path", "br", "i"}


class Balanced(HTMLParser):
    """Asserts that every element is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID - {"i"} and tag not in {"rect", "path"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if tag not in {"rect", "path"}:
            assert self.open.pop() == tag


def check_whole(page: str) -> None:
    """One file, well-formed, nothing from elsewhere, no script."""
    parser = Balanced()
    parser.feed(page)
    assert not parser.open
    assert not re.findall(r"(?:src|href)=|url\(|@import|<script|https?://", page)


@pytest.fixture
def tables(folder: Path) -> Tables:
    return read_tables(folder)


def test_the_folder_holds_what_the_manual_says(folder: Path, repository: Path) -> None:
    manual = (repository / "docs" / "simulate.md").read_text(encoding="utf-8")
    found = {path.name for path in folder.iterdir() if path.is_file()}
    assert found == {f"{name}.csv" for name in COLUMNS} | {"summary.json", "report.html"}
    assert not [name for name in found if f"`{name}`" not in manual]
    for path in (folder / "plans" / "best-fit").iterdir():
        assert read_plan(path.read_bytes(), path.name).kind == "Plan"


def test_the_summary_is_for_scripts(folder: Path) -> None:
    summary = orjson.loads((folder / "summary.json").read_bytes())
    assert (summary["kind"], summary["seed"]) == ("SimulationSummary", 7)
    assert [each["placed"] for each in summary["policies"]] == [8, 8]


def test_the_page_of_a_simulation_is_whole(tables: Tables) -> None:
    page = simulation_page(tables)
    check_whole(page)
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page
    for text in ("policy best-fit placed 8 of 9 pods", "team/gang", "default/huge", "one note"):
        assert text in page


def test_the_page_of_a_plan_is_whole(folder: Path) -> None:
    path = max((folder / "plans" / "best-fit").iterdir())
    page = plan_page(read_plan(path.read_bytes(), path.name), path.name)
    check_whole(page)
    assert "placed/priority=0" in page


def test_the_page_of_a_plan_says_who_leaves_and_lets_no_name_write_markup() -> None:
    where = {"namespace": "a", "uid": "1", "from_": "n1", "for_": "a/p"}
    moved = Eviction(name="mover", to="n2", reason="Moved", **where)
    victim = Eviction(name=HOSTILE, reason="Preempted", **where)
    page = plan_page(Plan(status="Optimal", evictions=(moved, victim)), "plan.json")
    check_whole(page)
    assert HOSTILE not in page
    for text in ("Who leaves", "a/mover", "n2", "evicted", "running pods leave"):
        assert text in page


def test_the_map_adds_up_to_the_time_that_pods_held(tables: Tables) -> None:
    shares = usage_map(tables, "best-fit", 12)
    assert shares.shape == (2, 12)
    assert shares.max() <= 1.0 + 1e-9
    gpu_seconds = shares.sum() * 10.0 * 4
    assert gpu_seconds == pytest.approx(2 * 4 * 42.0, rel=1e-3)


def test_many_nodes_are_shown_in_bands() -> None:
    shares = np.arange(10.0)[:, None] * np.ones((10, 3)) / 10
    rows, names = banded(shares, [f"n{i}" for i in range(10)], most=5)
    assert rows[:, 0].tolist() == pytest.approx([0.05, 0.25, 0.45, 0.65, 0.85])
    assert names[0] == "n0 … n1"


def test_unplaced_pods_are_grouped_by_what_is_said_of_them() -> None:
    frame = pd.DataFrame({"namespace": "a", "name": list("xyz"), "message": ["m", "n", "n"]})
    found = [(row["message"], row["pods"], row["names"]) for row in reasons(frame)]
    assert found == [("n", 2, ["a/y", "a/z"]), ("m", 1, ["a/x"])]


def test_a_line_steps_and_ends_at_the_right_edge() -> None:
    svg = charts.steps([charts.Line("a", [0.0, 5.0], [0.0, 1.0])], x_max=10.0, y_max=1.0)
    assert 'd="M0.0,300.0 H500.0 V0.0 H1000"' in svg


def test_empty_charts_are_drawn() -> None:
    assert "<svg" in charts.steps([charts.Line("a", [], [])], 10.0, 1.0)
    assert "<svg" in charts.columns([], 10.0, 0.0)
    assert "<svg" in charts.heat(np.zeros((2, 4)), ["a", "b"], list("wxyz"))
    assert "<svg" in charts.stacked([])


@pytest.mark.parametrize("break_it", ["missing", "no json", "another kind", "columns"])
def test_what_is_no_folder_of_ours_is_refused(folder: Path, tmp_path: Path, break_it: str) -> None:
    for path in folder.glob("*.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    if break_it == "missing":
        (tmp_path / "pods.csv").unlink()
    elif break_it == "no json":
        (tmp_path / "summary.json").write_text("{", encoding="utf-8")
    elif break_it == "another kind":
        (tmp_path / "summary.json").write_text('{"kind": "Plan"}', encoding="utf-8")
    else:
        (tmp_path / "pods.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(InputError):
        read_tables(tmp_path)
