"""What stands around a measurement: limits, tables, the chart, and rivals on small problems."""

from typing import Any
from xml.etree import ElementTree as ET

import pandas as pd
import pytest

from tests.benchmarks.chart import Chart, Curve, log_log
from tests.benchmarks.limits import broken, read_limits
from tests.benchmarks.page import growth_chart, markdown, replaced
from tests.benchmarks.parts.never_worse import OWN, Compared
from tests.benchmarks.parts.priority_matters import Tried
from tests.benchmarks.parts.priority_matters import summary as summary_of_cell
from tests.benchmarks.process import run
from tests.benchmarks.rivals import POLICIES, PUBLISHED, TEXTBOOK, TEXTBOOK_MOVES, placed_by
from tests.builders import make_node, make_pod, make_replicas, make_snapshot


def test_a_figure_beyond_its_limit_is_named() -> None:
    rows = [{"name": "backlog of 3", "gap_percent": 2.0, "proven": False, "pods_per_s": 7}]
    limits = {"backlog *": {"gap_percent_max": 1.0, "proven_is": True, "pods_per_s_min": 9}}
    assert len(list(broken(rows, limits))) == 3


def test_a_figure_at_its_limit_is_within_it() -> None:
    rows = [{"name": "backlog of 3", "gap_percent": 1.0, "proven": True, "pods_per_s": 9}]
    limits = {"backlog *": {"gap_percent_max": 1.0, "proven_is": True, "pods_per_s_min": 9}}
    assert not list(broken(rows, limits))


def test_a_limit_of_other_rows_or_other_figures_says_nothing() -> None:
    limits: dict[str, dict[str, Any]] = {"window *": {"solve_s_max": 0}, "*": {"rows_max": 1}}
    assert not list(broken([{"name": "backlog of 3", "solve_s": 1.0}], limits))


def test_of_two_limits_on_the_same_figure_the_last_holds() -> None:
    limits: dict[str, dict[str, Any]] = {"*": {"rows_max": 1}, "* by a rival": {"rows_max": 9}}
    rows = [{"name": "backlog of 3", "rows": 5}, {"name": "backlog of 3 by a rival", "rows": 5}]
    assert list(broken(rows, limits)) == ["backlog of 3: rows is 5, rows_max = 1"]


def test_every_limit_is_of_a_known_form() -> None:
    endings = ("_max", "_min", "_is")
    limits = [limit for asked in read_limits().values() for limit in asked]
    assert limits
    assert not [limit for limit in limits if not limit.endswith(endings)]


def test_a_table_replaces_the_one_of_its_name_and_no_other() -> None:
    page = "a\n<!-- table: x -->\nold\n<!-- end -->\n<!-- table: y -->\nkept\n<!-- end -->\n"
    table = markdown(pd.DataFrame([{"name": "n", "solve_s": 1.5}]))
    changed = replaced(page, "x", table)
    assert "| n | 1.5 |" in changed
    assert "old" not in changed
    assert "kept" in changed
    assert replaced(page, "z", table) == page


def test_the_chart_is_valid_svg_and_names_its_curves() -> None:
    curves = [Curve("60 <classes>", [(10.0, 0.5), (1000.0, 40.0)])]
    root = ET.fromstring(log_log(Chart("x", "y", curves)))  # noqa: S314 -- our own
    words = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert "60 <classes>" in words
    assert "1,000" in words


def test_growth_is_drawn_by_classes_in_the_order_of_size() -> None:
    rows = [
        {"nodes": nodes, "nodes_x_classes": nodes * classes, "solve_s": float(nodes)}
        for nodes in (30, 10)
        for classes in (5, 2)
    ]
    curves = growth_chart(pd.DataFrame(rows)).curves
    assert [(curve.name, curve.points) for curve in curves] == [
        ("2 classes", [(20.0, 10.0), (60.0, 30.0)]),
        ("5 classes", [(50.0, 10.0), (150.0, 30.0)]),
    ]


@pytest.mark.slow
def test_a_process_is_measured_for_itself_and_not_for_its_parent() -> None:
    ballast = bytearray(300 * 2**20)
    done = run(["batchsched", "--version"])
    assert done.code == 0
    assert b"batchsched" in done.output
    assert done.seconds > 0
    assert done.memory_mib < len(ballast) // 2**20


@pytest.mark.parametrize("name", [*POLICIES, TEXTBOOK])
def test_rivals_place_what_fits_by_priority(name: str) -> None:
    pods = [*make_replicas(3, "low", cpu=2000), *make_replicas(2, "high", cpu=1000, priority=9)]
    snapshot = make_snapshot([make_node(cpu=4000)], pods)
    assert placed_by(name, snapshot, 10.0, 1)["tiers"] == [2, 1]


def test_the_textbook_with_moves_makes_room_by_moving_running_pods() -> None:
    nodes = [make_node(name, cpu=4000) for name in ("n1", "n2")]
    running = [make_pod(f"r{name}", cpu=2000, node=name) for name in ("n1", "n2")]
    snapshot = make_snapshot(nodes, [*running, make_pod("whole", cpu=4000, priority=9)])
    assert placed_by(TEXTBOOK, snapshot, 10.0, 1)["placed"] == 0
    assert placed_by(TEXTBOOK_MOVES, snapshot, 10.0, 1)["tiers"] == [1, 2]


def test_the_textbook_that_is_not_built_in_time_has_no_answer() -> None:
    snapshot = make_snapshot([make_node()], make_replicas(3, cpu=1000))
    row = placed_by(TEXTBOOK, snapshot, 0.0, 1)
    assert row["placed"] == 0
    assert row["proven"] is False


def test_the_published_model_moves_no_pod_that_may_stay() -> None:
    nodes = [make_node(name, cpu=4000) for name in ("n1", "n2")]
    running = [make_pod(f"r{name}", cpu=1000, node=name) for name in ("n1", "n2")]
    snapshot = make_snapshot(nodes, [*running, make_pod("p", cpu=3000, priority=9)])
    row = placed_by(PUBLISHED, snapshot, 10.0, 1)
    assert row["tiers"] == [1, 2]
    assert (row["disturbed"], row["evicted"]) == (0, 0)
    assert row["proven"]


def test_the_textbook_with_moves_that_has_no_time_leaves_the_cluster_as_it_is() -> None:
    snapshot = make_snapshot([make_node()], [make_pod("r", cpu=1000, node="n1"), make_pod("p")])
    assert placed_by(TEXTBOOK_MOVES, snapshot, 0.0, 1)["placed"] == 1


def test_an_instance_counts_as_better_where_a_higher_tier_gained_for_a_lower_one() -> None:
    tried = [
        Tried(start=(3, 5), value=(4, 2), bound=(4, 4)),
        Tried(start=(4, 4), value=(4, 4), bound=(4, 4)),
    ]
    row = summary_of_cell("cell", tried)
    assert row["can_be_better"] == 1
    assert row["better_percent"] == 100.0
    assert row["proven_percent"] == 50.0
    assert row["below_start"] == 0


def test_a_bound_is_refuted_only_by_a_plan_that_equals_the_tiers_above() -> None:
    refuted = Compared(0, value=(3, 2), bound=(3, 2), others={OWN: (3, 3)})
    bought = Compared(0, value=(3, 2), bound=(3, 2), others={OWN: (2, 9)})
    assert refuted.above_bound(OWN)
    assert refuted.worse_than(OWN)
    assert not bought.above_bound(OWN)
    assert not bought.worse_than(OWN)
