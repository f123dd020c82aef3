"""The page in a real browser: nothing is fetched or breaks, and hands, keys and readers get on.

Skipped where there is no Chromium. How fast the page is, is measured by hand (docs/report.md):
nothing here asks the clock.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from batchsched.plan.plan import Binding, Plan, Unplaced
from batchsched.report.plan_page import plan_page
from batchsched.snapshot.snapshot import Snapshot
from tests.builders import make_node, make_pod, make_snapshot
from tests.report.chromium import Browser, chromium

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        chromium() is None, reason="no Chromium that starts on the PATH, and none in CHROMIUM"
    ),
]
PAGE_BYTES_MAX = 15_000_000
NODES, RACK_NODES, PODS_OF_NODE = 5_000, 40, 4
RACK, HOSTILE = "topology.example.com/rack", "</script><script>document.title='broken'</script>"
FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
DETAILS = "document.getElementById('map-node').innerText"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = chromium()
    assert program is not None
    with Browser(program, tmp_path_factory.mktemp("profile")) as found:
        yield found


def planned(nodes: int) -> tuple[Snapshot, Plan]:
    """Racks of nodes; on each node one pod runs and others are placed, one is left."""
    names = [f"n{i:04}" for i in range(nodes)]
    racks = [{"pool": "gpu", RACK: f"r{i // RACK_NODES:03}"} for i in range(nodes)]
    running = [make_pod(f"web-{name}", cpu=1000, node=name) for name in names]
    coming = [make_pod(f"job-{name}-{i}", cpu=500) for name in names for i in range(PODS_OF_NODE)]
    left = make_pod(HOSTILE, cpu=99_000)
    bound = [
        Binding(namespace="default", name=pod.name, uid="", node=names[i // PODS_OF_NODE])
        for i, pod in enumerate(coming)
    ]
    unplaced = Unplaced(namespace="default", name=HOSTILE, uid="", message="too large")
    plan = Plan(status="Feasible", bindings=tuple(bound), unplaced=(unplaced,))
    machines = [make_node(name, labels=rack) for name, rack in zip(names, racks, strict=True)]
    return make_snapshot(machines, [*running, *coming, left]), plan


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "small.html"
    snapshot, plan = planned(6)
    path.write_text(plan_page(plan, "plan.json", snapshot), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "large.html"
    snapshot, plan = planned(NODES)
    path.write_text(plan_page(plan, "plan.json", snapshot), encoding="utf-8")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_is_fetched_nothing_breaks_and_nothing_scrolls_sideways(
    browser: Browser, small: Path, folder: Path, width: int, scheme: str
) -> None:
    for page in (small, folder / "report.html"):
        browser.open(page, width=width, scheme=scheme)
        assert browser.value("document.documentElement.scrollWidth") <= width
        assert browser.value("document.title") != "broken"
        assert browser.problems == []


def test_light_and_dark_have_their_own_colours(browser: Browser, small: Path) -> None:
    browser.open(small)
    colour = "getComputedStyle(document.body).backgroundColor"
    light, pixels = browser.value(colour), "document.getElementById('map-canvas').toDataURL()"
    drawn = browser.value(pixels)
    browser.scheme("dark")
    browser.value(FRAMES)
    assert browser.value(colour) != light
    assert browser.value(pixels) != drawn


def test_the_pointer_says_what_is_on_a_node(browser: Browser, small: Path) -> None:
    browser.open(small)
    browser.value("document.getElementById('map-canvas').scrollIntoView()")
    x, y = browser.value(
        "(b => [b.left + 20, b.top + 50])(document.getElementById('map-canvas')"
        ".getBoundingClientRect())"
    )
    browser.point(x, y)
    said = browser.value(DETAILS)
    assert said.splitlines()[0] == "n0000"
    for text in ("gpu, rack r000", "3 cores of 4 cores", "5 pods", "default/web-n0000"):
        assert text in said


def test_on_a_phone_what_is_tapped_is_told_where_it_can_be_seen(
    browser: Browser, large: Path
) -> None:
    browser.open(large, width=360)
    browser.value("document.getElementById('map-canvas').scrollIntoView()")
    browser.point(30, 40)
    browser.value(FRAMES)
    top, bottom = browser.value(
        "(b => [b.top, b.bottom])(document.getElementById('map-node').getBoundingClientRect())"
    )
    assert 0 < top < bottom <= 900
    assert browser.value(DETAILS)


def test_keys_go_from_node_to_node(browser: Browser, small: Path) -> None:
    browser.open(small)
    browser.value("document.getElementById('map-frame').focus()")
    names = []
    for key in ("ArrowRight", "End", "ArrowLeft", "Home"):
        browser.press(key)
        names.append(browser.value(DETAILS).splitlines()[0])
    assert names == ["n0001", "n0005", "n0004", "n0000"]


def test_every_switch_is_reached_by_tab(browser: Browser, small: Path) -> None:
    browser.open(small)
    reached = []
    for _ in range(40):
        browser.press("Tab")
        reached.append(browser.value("document.activeElement.id || document.activeElement.name"))
    assert {"map-state", "map-resource", "map-frame"} <= set(reached)


def test_before_and_after_differ_and_the_table_says_so(browser: Browser, small: Path) -> None:
    browser.open(small)
    row = "document.querySelector('#node-rows tr').innerText"
    browser.value("document.getElementById('node-table').open = true; new Promise(setTimeout)")
    assert browser.value(row).split("\t")[:3] == ["n0000", "gpu, rack r000", "5"]
    browser.value("document.querySelector('input[name=map-state]').click()")
    assert browser.value(row).split("\t")[:3] == ["n0000", "gpu, rack r000", "1"]
    assert browser.value("document.getElementById('map-sum').innerText").startswith("now: ")


def test_a_gang_is_shown_alone_and_where_it_is_is_said(browser: Browser, folder: Path) -> None:
    browser.open(folder / "report.html")
    browser.value("document.querySelector('button[data-gang]').click()")
    assert browser.value("document.querySelector('button[data-gang]').ariaPressed") == "true"
    said = browser.value("document.getElementById('map-sum').innerText")
    assert said.endswith(". team/gang: 2 pods on 2 nodes")


def test_a_run_is_shown_window_by_window(browser: Browser, folder: Path) -> None:
    browser.open(folder / "report.html")
    summed = "document.getElementById('map-sum').innerText"
    full = browser.value(summed)
    browser.value(
        "(s => { s.value = 0; s.dispatchEvent(new Event('input')) })"
        "(document.getElementById('map-slider'))"
    )
    assert browser.value(summed) != full
    assert browser.value("document.getElementById('map-slider').ariaValueText")


def test_a_screen_reader_finds_headings_tables_and_the_map(browser: Browser, small: Path) -> None:
    browser.open(small)
    found = {
        (node["role"]["value"], node.get("name", {}).get("value", "")) for node in browser.tree()
    }
    assert ("heading", "Not placed, why, and what would help") in found
    assert any(role == "application" and "6 nodes" in name for role, name in found)
    assert not [
        pair for pair in found if pair[0] in {"button", "combobox", "table"} and not pair[1]
    ]


def test_without_scripts_all_but_the_map_is_there(browser: Browser, small: Path) -> None:
    browser.open(small, script=False)
    text = " ".join(
        str(node.get("name", {}).get("value", "")) for node in browser.tree() if "name" in node
    )
    for words in ("too large", "gpu, rack r000", "25 % → 75 %"):
        assert words in text


def test_paper_is_white_even_where_the_screen_is_dark(browser: Browser, small: Path) -> None:
    browser.open(small, scheme="dark")
    browser.value("dispatchEvent(new Event('beforeprint'))")
    assert browser.value("getComputedStyle(document.documentElement).colorScheme") == "light"
    assert browser.paper().startswith(b"%PDF")


def test_five_thousand_nodes_and_twenty_thousand_pods_are_a_page(
    browser: Browser, large: Path
) -> None:
    assert large.stat().st_size < PAGE_BYTES_MAX / 5
    browser.open(large)
    assert browser.problems == []
    browser.value("document.getElementById('map-frame').focus()")
    browser.press("End")
    assert browser.value(DETAILS).splitlines()[0] == "n4999"
    assert browser.value("document.querySelectorAll('*').length") < 4_000
