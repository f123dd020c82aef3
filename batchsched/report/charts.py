"""Charts: our own inline SVG, drawn without text, which HTML around them holds.

Text inside an SVG shrinks with it, and a phone shows none of it; so the plot stretches, and labels
keep their size. Colours are classes of the page's style sheet, so that they follow light and dark.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

WIDTH, HEIGHT = 1000, 300
SHADE = 0.04
"""Steps between the shades of a map: finer ones cannot be told apart, and make the page large."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: steps from left to right."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float]


def steps(lines: Sequence[Line], x_max: float, y_max: float) -> Markup:
    """A step chart; the first line is drawn last, on top, with its area filled."""
    parts = [_frame()]
    for number in range(len(lines) - 1, -1, -1):
        path = _steps_path(lines[number], x_max, y_max)
        if number == 0 and lines[0].xs:
            end = f"{_x(x_max, x_max):.1f}"
            start = f"{_x(lines[0].xs[0], x_max):.1f}"
            area = f"{path} H{end} V{HEIGHT} H{start} Z"
            parts.append(f'<path class="area s0" d="{area}"/>')
        title = f"<title>{escape(lines[number].name)}</title>"
        parts.append(f'<path class="line s{number}" d="{path} H{WIDTH}">{title}</path>')
    return _svg(parts, "plot")


def _steps_path(line: Line, x_max: float, y_max: float) -> str:
    points = [
        (_x(x, x_max), HEIGHT * (1 - min(y / y_max, 1.0)) if y_max else HEIGHT)
        for x, y in zip(line.xs, line.ys, strict=True)
    ]
    if not points:
        return f"M0,{HEIGHT}"
    first, *rest = points
    return f"M{first[0]:.1f},{first[1]:.1f}" + "".join(f" H{x:.1f} V{y:.1f}" for x, y in rest)


def columns(values: Sequence[tuple[float, float, str, str]], x_max: float, y_max: float) -> Markup:
    """Thin columns: (x, y, class, title) each."""
    parts = [_frame()]
    width = max(2.0, min(8.0, WIDTH / max(len(values), 1) * 0.7))
    for x, y, style, title in values:
        tall = max(HEIGHT * min(y / y_max, 1.0), 2.0) if y_max else 2.0
        left = _x(x, x_max) - width / 2
        parts.append(
            f'<rect class="{style}" x="{left:.1f}" y="{HEIGHT - tall:.1f}" width="{width:.1f}" '
            f'height="{tall:.1f}"><title>{escape(title)}</title></rect>'
        )
    return _svg(parts, "plot")


def heat(shares: Floats, names: Sequence[str], bins: Sequence[str]) -> Markup:
    """A map of rows and columns, the fuller the darker."""
    rows, width = shares.shape
    cell_w, cell_h = WIDTH / max(width, 1), 20.0
    parts = []
    for row in range(rows):
        for start, end, share in _runs(shares[row]):
            if share < 0.005:  # noqa: PLR2004 -- nothing that one could see
                continue
            title = escape(f"{names[row]}, {bins[start]}: {100 * share:.0f} %")
            parts.append(
                f'<rect class="heat" x="{start * cell_w:.1f}" y="{row * cell_h + 1:.1f}" '
                f'width="{(end - start) * cell_w + 0.3:.1f}" height="{cell_h - 2:.1f}" '
                f'fill-opacity="{0.12 + 0.88 * min(share, 1.0):.2f}"><title>{title}</title></rect>'
            )
    box = f'viewBox="0 0 {WIDTH} {rows * cell_h:.0f}"'
    return _markup(
        f'<svg class="heatmap" {box} preserveAspectRatio="none" role="img">{"".join(parts)}</svg>'
    )


def _runs(shares: Floats) -> list[tuple[int, int, float]]:
    """Neighbouring cells that look the same, as one: (first, after last, share)."""
    rounded = np.round(shares / SHADE) * SHADE
    edges = [0, *(np.flatnonzero(np.diff(rounded)) + 1).tolist(), len(rounded)]
    return [(a, b, float(shares[a:b].mean())) for a, b in pairwise(edges) if b > a]


def share_bar(share: float, style: str = "s0") -> Markup:
    """A small bar for a table's cell."""
    wide = 100 * max(0.0, min(share, 1.0))
    return _markup(
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" width="100" height="8" rx="2"/>'
        f'<rect class="fill {style}" width="{wide:.1f}" height="8" rx="2"/></svg>'
    )


def stacked(parts: Sequence[tuple[str, float]]) -> Markup:
    """One bar of parts that add up, as (name, amount)."""
    total = sum(amount for _, amount in parts) or 1.0
    drawn, at = [], 0.0
    for number, (name, amount) in enumerate(parts):
        wide = WIDTH * amount / total
        title = f"<title>{escape(name)}: {amount:.2f} s</title>"
        drawn.append(
            f'<rect class="fill s{number % 6}" x="{at:.1f}" width="{wide:.1f}" height="30">'
            f"{title}</rect>"
        )
        at += wide
    return _markup(
        f'<svg class="stacked" viewBox="0 0 {WIDTH} 30" preserveAspectRatio="none" role="img">'
        f"{''.join(drawn)}</svg>"
    )


def _x(x: float, x_max: float) -> float:
    return WIDTH * x / x_max if x_max else 0.0


def _frame() -> str:
    ys = [f"{HEIGHT * k / 4:.0f}" for k in range(5)]
    return "".join(f'<line class="grid" x1="0" x2="{WIDTH}" y1="{y}" y2="{y}"/>' for y in ys)


def _svg(parts: Sequence[str], style: str) -> Markup:
    box = f'viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img"'
    return _markup(f'<svg class="{style}" {box}>{"".join(parts)}</svg>')


def _markup(svg: str) -> Markup:
    """Mark our own SVG as safe: all that came from elsewhere in it was escaped above."""
    return Markup(svg)  # noqa: S704 -- see above
