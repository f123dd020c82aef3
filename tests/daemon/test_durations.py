"""Durations as Go writes them."""

import pytest

from batchsched.daemon.durations import seconds, written


@pytest.mark.parametrize(
    ("text", "expected_s"),
    [
        ("0", 0.0),
        ("0s", 0.0),
        ("500ms", 0.5),
        ("15s", 15.0),
        ("1m30s", 90.0),
        ("1.5h", 5400.0),
        ("1h0.5m", 3630.0),
        (".5s", 0.5),
        ("250us", 0.00025),
    ],
)
def test_what_go_writes_is_read(text: str, expected_s: float) -> None:
    assert seconds(text) == pytest.approx(expected_s)


@pytest.mark.parametrize(
    "text", ["", "15", "s", "-1s", "1d", "1 s", "1m 30s", 15, None, True, "9" * 30 + "h"]
)
def test_anything_else_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="write 500ms, 15s or 1m30s"):
        seconds(text)


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [(0.0, "0s"), (0.5, "500ms"), (2.5, "2.5s"), (90.0, "1m30s"), (3600.0, "1h"), (60.0, "1m")],
)
def test_what_is_written_is_what_go_would_read(duration_s: float, text: str) -> None:
    assert written(duration_s) == text
    assert seconds(text) == duration_s
