"""A recorded run is read in the order in which it happened; its page is that of its last plan."""

import os
from pathlib import Path

import orjson
import pytest

from batchsched.plan.plan import Plan, tier
from batchsched.report.plan_page import plan_page
from batchsched.report.recorded import is_record, read_recorded
from batchsched.snapshot.errors import InputError
from tests.report.test_page import check_whole


def write(folder: Path, name: str, at_s: int, *, placed: int | None) -> None:
    """One record, as `daemon/records.py` leaves it; without a plan where nothing was decided."""
    record = folder / name
    record.mkdir(parents=True)
    told = {"kind": "Window", "window": 1, "pods": ["d/a", "d/b"]}
    if placed is None:
        told["failure"] = "the solver broke down"
    else:
        plan = Plan(status="Feasible", tiers=(tier("placed/priority=0", placed, 2),))
        (record / "plan.json").write_bytes(plan.to_json())
    (record / "window.json").write_bytes(orjson.dumps(told))
    os.utime(record / "window.json", (at_s, at_s))


def test_windows_are_in_the_order_of_time_and_the_last_plan_is_the_pages(tmp_path: Path) -> None:
    write(tmp_path, "z-first", 1, placed=1)
    write(tmp_path, "a-second", 2, placed=2)
    write(tmp_path, "failed-third", 3, placed=None)
    run = read_recorded(tmp_path)
    assert [window.name for window in run.windows] == ["z-first", "a-second", "failed-third"]
    assert [window.gap for window in run.windows] == [0.5, 0.0, None]
    assert run.folder.name == "a-second"
    page = plan_page(run.plan, "records", windows=run.windows)
    check_whole(page)
    for text in ("Windows over time", "3 windows were recorded", "the solver broke down"):
        assert text in page


@pytest.mark.parametrize("content", [b"{", b"{}", b"[]"])
def test_what_is_no_record_is_refused(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, "w", 1, placed=1)
    (tmp_path / "w" / "window.json").write_bytes(content)
    assert is_record(tmp_path)
    with pytest.raises(InputError):
        read_recorded(tmp_path)


def test_records_without_any_plan_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "failed", 1, placed=None)
    with pytest.raises(InputError, match="no plan"):
        read_recorded(tmp_path)
