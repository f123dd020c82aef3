"""Text can be read and marks be seen, in light and in dark: contrast by the formula of WCAG 2."""

import re
from pathlib import Path

import pytest

import batchsched.report

STYLE = (Path(batchsched.report.__file__).parent / "templates" / "style.css").read_text("utf-8")
TEXT = ("ink", "soft", "good", "warn", "bad", "s0")
MARKS = ("run", *(f"s{i}" for i in range(6)), *(f"g{i}" for i in range(8)))
TEXT_LEAST, MARK_LEAST = 4.5, 3.0
"""WCAG 2.2, success criteria 1.4.3 and 1.4.11."""


def colours(scheme: str) -> dict[str, str]:
    """The variables of a scheme; what dark does not say is as in light."""
    blocks = re.findall(r"(?s):root(?::not\(\.paper\))? \{(.*?)\}", STYLE)
    used = blocks if scheme == "dark" else blocks[:1]
    return {
        name: value for block in used for name, value in re.findall(r"--([\w-]+): (#\w{6})", block)
    }


def luminance(colour: str) -> float:
    """Relative luminance, 0 to 1."""
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    """From 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_the_formula_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(scheme: str) -> None:
    found = colours(scheme)
    pairs = [(text, on) for text in TEXT for on in ("bg", "card")]
    pairs += [("ink", "track"), *((name, f"{name}-bg") for name in ("good", "warn", "bad"))]
    weak = {pair: contrast(found[pair[0]], found[pair[1]]) for pair in pairs}
    assert not {pair: value for pair, value in weak.items() if value < TEXT_LEAST}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_marks_can_be_seen(scheme: str) -> None:
    found = colours(scheme)
    weak = {name: contrast(found[name], found["card"]) for name in MARKS}
    assert not {name: value for name, value in weak.items() if value < MARK_LEAST}
