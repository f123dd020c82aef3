"""A chart as an SVG of its own, for a page: curves over two logarithmic axes.

The charts of the report follow the style sheet of its page; one that stands alone in docs/ brings
its own words and colours, which read on light and on dark.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 20, 50
COLOURS = ("#2a78c8", "#d9822b", "#3a9d5d", "#a05ab4")
GREY = "#888888"


@dataclass(frozen=True, slots=True)
class Curve:
    """Points with positive coordinates, from left to right."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Chart:
    """Curves, and what the axes say."""

    x_name: str
    y_name: str
    curves: Sequence[Curve]


@dataclass(frozen=True, slots=True)
class _Axis:
    """Powers of ten, from one to another, along so many pixels."""

    first: int
    last: int
    start: float
    end: float

    def at(self, value: float) -> float:
        """The pixel of a value."""
        share = (log10(value) - self.first) / (self.last - self.first)
        return self.start + share * (self.end - self.start)

    @property
    def ticks(self) -> list[float]:
        """The powers of ten."""
        return [10.0**power for power in range(self.first, self.last + 1)]


def log_log(chart: Chart) -> str:
    """The chart as SVG. A thin line shows what linear growth looks like."""
    points = [point for curve in chart.curves for point in curve.points]
    x = _axis([px for px, _ in points], LEFT, WIDTH - RIGHT)
    y = _axis([py for _, py in points], HEIGHT - BOTTOM, TOP)
    parts = [*_grid(x, y), *_linear(x, y, points), *_names(chart)]
    for number, curve in enumerate(chart.curves):
        parts += _curve(curve, COLOURS[number % len(COLOURS)], x, y)
    box = f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13"'
    body = "\n".join(parts)
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box}>\n{body}\n</svg>\n'


def _axis(values: Sequence[float], start: float, end: float) -> _Axis:
    first, last = floor(log10(min(values))), ceil(log10(max(values)))
    return _Axis(first, max(last, first + 1), start, end)


def _grid(x: _Axis, y: _Axis) -> list[str]:
    parts = []
    for tick in x.ticks:
        parts += [
            _line(x.at(tick), y.start, x.at(tick), y.end, 'stroke-opacity="0.25"'),
            _text(x.at(tick), y.start + 18, f"{tick:,g}", "middle"),
        ]
    for tick in y.ticks:
        parts += [
            _line(x.start, y.at(tick), x.end, y.at(tick), 'stroke-opacity="0.25"'),
            _text(x.start - 8, y.at(tick) + 4, f"{tick:g}", "end"),
        ]
    return parts


def _linear(x: _Axis, y: _Axis, points: Sequence[tuple[float, float]]) -> list[str]:
    """A line of slope one through the middle of the points, cut where the chart ends."""
    offset = sum(log10(py) - log10(px) for px, py in points) / len(points)
    first, last = max(x.first, y.first - offset), min(x.last, y.last - offset)
    ends = [(x.at(10**power), y.at(10 ** (power + offset))) for power in (first, last)]
    (x1, y1), (x2, y2) = ends
    dashed = 'stroke-dasharray="4 4"'
    return [_line(x1, y1, x2, y2, dashed), _text(x2 + 8, y2 + 4, "linear", "start")]


def _names(chart: Chart) -> list[str]:
    middle = (HEIGHT - BOTTOM + TOP) / 2
    turned = f'transform="rotate(-90 18 {middle:g})"'
    return [
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, chart.x_name, "middle"),
        _text(18, middle, chart.y_name, "middle", turned),
    ]


def _curve(curve: Curve, colour: str, x: _Axis, y: _Axis) -> list[str]:
    at = [(x.at(px), y.at(py)) for px, py in curve.points]
    path = " ".join(f"{px:.1f},{py:.1f}" for px, py in at)
    dots = [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="{colour}"/>' for px, py in at]
    last_x, last_y = at[-1]
    name = _text(last_x + 8, last_y + 4, curve.name, "start", colour=colour)
    return [f'<polyline points="{path}" fill="none" stroke="{colour}"/>', *dots, name]


def _line(x1: float, y1: float, x2: float, y2: float, more: str) -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="{GREY}" {more}/>'


def _text(x: float, y: float, words: str, anchor: str, more: str = "", colour: str = GREY) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"'
    return f"<text {place} {more}>{escape(words)}</text>"
