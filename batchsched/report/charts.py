"""Charts: Vega-Lite specifications, made into static SVG when the page is written.

The page gets no script from them and stays one file (docs/adr/0011). Each chart is drawn twice,
wide for a desk and for paper, narrow for a phone, because text that shrinks with its picture cannot
be read; the style sheet shows one of the two. Colours are variables of that style sheet, so that
charts follow light and dark. What they say to the eye, a label and a table say to everybody else.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
from markupsafe import Markup, escape

WIDE_PX, NARROW_PX, HEIGHT_PX, ROW_PX, LABEL_PX = 960, 320, 150, 15, 190
FEWER = {"tickCount": 4, "labelLimit": 120}
"""Of what a narrow chart has less."""
SHADE = 0.04
"""Steps between the shades of a map: finer ones cannot be told apart, and make the page large."""
COLOURS = 6
Floats = npt.NDArray[np.float64]
Spec = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: steps from left to right."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float]


@dataclass(frozen=True, slots=True)
class Axes:
    """What the axes say: how numbers are written (d3-format), and what x is.

    ``x_time`` is a d3-time-format where x is in milliseconds, empty where x counts windows.
    """

    x_max: float
    x_min: float = 0.0
    x_time: str = ""
    y_max: float | None = None
    y_format: str = "~s"

    def x(self) -> Spec:
        """The encoding of x, on the whole range."""
        scale: Spec = {"domain": [self.x_min, self.x_max], "nice": False}
        axis: Spec = {"labelOverlap": True, "tickCount": 7, "grid": False}
        if self.x_time:
            axis["format"] = self.x_time
            return {"type": "temporal", "scale": {**scale, "type": "utc"}, "axis": axis}
        return {"type": "quantitative", "scale": scale, "axis": {**axis, "format": "d"}}

    def y(self) -> Spec:
        """The encoding of y, from zero."""
        scale: Spec = {"zero": True, "nice": self.y_max is None}
        if self.y_max is not None:
            scale["domainMax"] = self.y_max
        axis = {"format": self.y_format, "tickCount": 4}
        return {"type": "quantitative", "scale": scale, "axis": axis}


def steps(label: str, lines: Sequence[Line], axes: Axes) -> Markup:
    """A step chart; the first line is drawn last, on top, with its area filled."""
    rows = [
        {"x": x, "y": y, "line": number}
        for number, line in enumerate(lines)
        for x, y in zip(
            [*line.xs, axes.x_max], [*line.ys, line.ys[-1] if line.ys else 0.0], strict=True
        )
    ]
    where: Spec = {"x": {"field": "x", **axes.x()}, "y": {"field": "y", **axes.y()}}
    colour = {"field": "line", "type": "ordinal", "scale": _scale(len(lines)), "legend": None}
    shape = {"interpolate": "step-after", "strokeWidth": 1.75}
    layers: list[Spec] = [
        {
            "transform": [{"filter": "datum.line == 0"}],
            "mark": {"type": "area", "interpolate": "step-after", "opacity": 0.14},
            "encoding": {**where, "color": {"value": "var(--s0)"}},
        }
    ]
    layers += [
        {
            "transform": [{"filter": f"datum.line == {number}"}],
            "mark": {"type": "line", **shape},
            "encoding": {**where, "color": colour},
        }
        for number in range(len(lines) - 1, -1, -1)
    ]
    return _figure(label, {"data": {"values": rows}, "layer": layers, "height": HEIGHT_PX})


def columns(
    label: str, names: Sequence[str], values: Sequence[tuple[float, Sequence[float]]], axes: Axes
) -> Markup:
    """Stacked columns: for each x the amounts of all names, in their order."""
    rows = [
        {"x": x, "y": amount, "part": part}
        for x, amounts in values
        for part, amount in enumerate(amounts)
        if amount > 0
    ]
    wide = max(1.5, min(9.0, 0.6 * WIDE_PX / max(len(values), 1)))
    encoding = {
        "x": {"field": "x", **axes.x()},
        "y": {"field": "y", **axes.y()},
        "color": {"field": "part", "type": "ordinal", "scale": _scale(len(names)), "legend": None},
        "order": {"field": "part"},
    }
    mark = {"type": "bar", "width": wide}
    return _figure(
        label, {"data": {"values": rows}, "mark": mark, "encoding": encoding, "height": HEIGHT_PX}
    )


def heat(label: str, shares: Floats, names: Sequence[str], axes: Axes) -> Markup:
    """A map of rows over time, the fuller the darker."""
    width = shares.shape[1]
    span = (axes.x_max - axes.x_min) / max(width, 1)
    rows = [
        {"row": names[row], "a": axes.x_min + a * span, "b": axes.x_min + b * span, "v": share}
        for row in range(shares.shape[0])
        for a, b, share in _runs(shares[row])
        if share >= 0.005  # noqa: PLR2004 -- less is nothing that one could see
    ]
    y = {"field": "row", "type": "nominal", "sort": None, "scale": {"domain": list(names)}}
    encoding = {
        "x": {"field": "a", **axes.x()},
        "x2": {"field": "b"},
        "y": {**y, "axis": {"labelLimit": LABEL_PX, "labelOverlap": True}},
        "opacity": {
            "field": "v",
            "type": "quantitative",
            "scale": {"domain": [0, 1], "range": [0.12, 1], "clamp": True},
            "legend": None,
        },
    }
    spec = {
        "data": {"values": rows},
        "mark": {"type": "rect", "color": "var(--heat)"},
        "encoding": encoding,
        "height": {"step": ROW_PX},
    }
    return _figure(label, spec)


def _runs(shares: Floats) -> list[tuple[int, int, float]]:
    """Neighbouring cells that look the same, as one: (first, after last, share)."""
    rounded = np.round(shares / SHADE) * SHADE
    edges = [0, *(np.flatnonzero(np.diff(rounded)) + 1).tolist(), len(rounded)]
    return [(a, b, round(float(shares[a:b].mean()), 3)) for a, b in pairwise(edges) if b > a]


def share_bar(share: float, style: str = "s0") -> Markup:
    """A small bar for a table's cell, beside its number."""
    wide = 100 * max(0.0, min(share, 1.0))
    fill = f'<i class="{style}" style="width:{wide:.1f}%"></i>'
    return Markup(  # noqa: S704 -- a number and a class of ours
        f'<span class="bar" aria-hidden="true">{fill}</span>'
    )


def _scale(count: int) -> Spec:
    colours = [f"var(--s{number % COLOURS})" for number in range(count)]
    return {"domain": list(range(count)), "range": colours}


def _figure(label: str, spec: Spec) -> Markup:
    """The chart in both widths, one of which is shown."""
    wide, narrow = (_svg(spec, width) for width in (WIDE_PX, NARROW_PX))
    return Markup(  # noqa: S704 -- Vega escapes what it writes, and the label is escaped here
        f'<div class="chart" role="img" aria-label="{escape(label)}">'
        f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div></div>'
    )


def _svg(spec: Spec, width_px: int) -> str:
    """Static SVG: its own frame left out, and names in it that are its own on the page."""
    frame = {"width": width_px, "autosize": {"type": "fit-x", "contains": "padding"}}
    if width_px == NARROW_PX:
        spec = _narrowed(spec)
    return _converted(orjson.dumps({**spec, **frame, **_LOOK}).decode())


def _narrowed(spec: Spec) -> Spec:
    """The same with fewer and shorter labels on its axes, wherever they are in it."""

    def narrow(value: Any) -> Any:  # noqa: ANN401 -- any part of a specification
        if isinstance(value, list):
            return [narrow(each) for each in value]
        if not isinstance(value, dict):
            return value
        less = {key: FEWER[key] for key in FEWER if key in value}
        return {key: narrow(each) for key, each in {**value, **less}.items()}

    return {key: narrow(value) if key != "data" else value for key, value in spec.items()}


@lru_cache(maxsize=64)
def _converted(spec: str) -> str:
    from vl_convert import vegalite_to_svg  # noqa: PLC0415 -- 0.4 s and 80 MB, for charts alone

    svg = vegalite_to_svg(spec)
    svg = re.sub(r' (?:role|aria-[a-z]+)="[^"]*"', "", svg.replace(' version="1.1"', ""))
    return svg.replace("<svg ", '<svg aria-hidden="true" ', 1)


_LOOK: Spec = {
    "background": "transparent",
    "padding": 2,
    "config": {
        "view": {"stroke": None},
        "axis": {
            "domain": False,
            "ticks": False,
            "title": None,
            "gridColor": "var(--rule)",
            "labelColor": "var(--soft)",
            "labelFont": "inherit",
            "labelFontSize": 12,
            "labelPadding": 6,
        },
    },
}
