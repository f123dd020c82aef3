"""The page says what the tables say, is whole in itself, and lets no name of a pod write markup."""

import base64
import hashlib
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import orjson
import pytest

from batchsched.plan.plan import Eviction, Plan, read_plan
from batchsched.report import charts
from batchsched.report.folder import NO_WINDOW, _cases
from batchsched.report.plan_page import plan_page
from batchsched.report.simulation_page import simulation_page
from batchsched.report.tables import COLUMNS, Tables, banded, read_tables, usage_map
from batchsched.sim.policies import greedy
from batchsched.sim.scenario import PodArrival, Scenario
from batchsched.sim.simulation import Simulation
from batchsched.snapshot.errors import InputError
from tests.builders import make_node, make_pod, make_snapshot
from tests.report.conftest import HOSTILE

VOID = {"meta", "input", "br"}
SVG = re.compile(r"<svg.*?</svg>", re.DOTALL)


class Outline(HTMLParser):
    """Asserts that every element is closed, in order; notes headings, tables, ids and switches."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[int] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.tables = self.captions = self.bare_heads = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        self.ids += [value for key, value in attrs if key == "id" and value]
        self.targets += [value or "" for key, value in attrs if key in {"href", "for"}]
        self.tables += tag == "table"
        self.captions += tag == "caption"
        self.bare_heads += tag == "th" and "scope" not in found

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def check_whole(page: str) -> None:
    """One file, well-formed, nothing from elsewhere, one script, which is ours and named so."""
    outline = Outline()
    outline.feed(SVG.sub("", page))
    assert not outline.open
    assert len(set(outline.ids)) == len(outline.ids)
    assert {target.removeprefix("#") for target in outline.targets} <= set(outline.ids)
    assert outline.headings[0] == 1
    steps = zip(outline.headings, outline.headings[1:], strict=False)
    assert all(after <= before + 1 for before, after in steps)
    assert outline.captions == outline.tables
    assert outline.bare_heads == 0
    plain = page.replace('xmlns="http://www.w3.org/2000/svg"', "")
    plain = plain.replace('xmlns:xlink="http://www.w3.org/1999/xlink"', "")
    assert not re.findall(r"src=|url\(|@import|https?://", plain)
    assert not re.findall(r'href="(?!#)', plain)
    for script in re.findall(r"<script>(.*?)</script>", page, re.DOTALL):
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"script-src &#39;sha256-{digest}&#39;" in page or f"'sha256-{digest}'" in page


@pytest.fixture
def tables(folder: Path) -> Tables:
    return read_tables(folder)


def test_the_folder_holds_what_the_manual_says(folder: Path, repository: Path) -> None:
    manual = (repository / "docs" / "simulate.md").read_text(encoding="utf-8")
    found = {path.name for path in folder.iterdir() if path.is_file()}
    assert found == {f"{name}.csv" for name in COLUMNS} | {
        "summary.json",
        "report.html",
        "explanations.json",
    }
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
    assert banded(shares, [f"node-{i:03}" for i in range(10)], most=1)[1] == ["node-000 … 009"]


def test_charts_are_drawn_for_desk_and_phone_and_say_what_they_are() -> None:
    axes = charts.Axes(x_max=10.0)
    svg = charts.steps('a "label"', [charts.Line("a", [0.0, 5.0], [0.0, 1.0])], axes)
    assert svg.count("<svg") == 2
    assert 'role="img" aria-label="a &#34;label&#34;"' in svg
    assert "var(--s0)" in svg


def test_what_a_chart_shows_stands_in_it_whatever_it_is_called() -> None:
    shares = np.array([[0.0, 1.0, 1.0, 0.5]])
    svg = charts.heat("h", shares, [HOSTILE], charts.Axes(x_max=4.0))
    assert "<script>" not in svg
    assert svg.count("var(--heat)") == 2 * 2


def test_empty_charts_are_drawn() -> None:
    axes = charts.Axes(x_max=10.0, y_max=1.0)
    assert "<svg" in charts.steps("l", [charts.Line("a", [], [])], axes)
    assert "<svg" in charts.columns("l", ["a"], [], axes)
    assert "<svg" in charts.heat("l", np.zeros((2, 4)), ["a", "b"], axes)


def test_pods_that_no_window_had_yet_are_told_apart() -> None:
    late = PodArrival(99.9, make_pod("late", cpu=1000))
    short = Scenario(name="s", base=make_snapshot([make_node()]), duration_s=100.0, pods=[late])
    (case,) = _cases(Simulation(short, greedy("best-fit")).run(), None)
    assert (case.subject, case.message, case.waiting) == ("default/late", NO_WINDOW, True)


def test_the_library_of_charts_waits_until_one_is_drawn() -> None:
    code = "import batchsched.report.simulation_page, sys; print('vl_convert' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_same_chart_is_the_same_bytes() -> None:
    drawn = []
    for _ in range(2):
        charts._converted.cache_clear()
        drawn.append(charts.columns("l", ["a"], [(1.0, (2.0,))], charts.Axes(x_max=2.0)))
    assert drawn[0] == drawn[1]


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
