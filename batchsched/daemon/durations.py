"""Durations as Go writes them (``500ms``, ``1m30s``), which is how Kubernetes' configuration does.

Stricter than what workloads of the simulator may say: a number without a unit is refused, because
in a file of Kubernetes nobody could tell what it counts.
"""

import re

_UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_NUMBER = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)"
_UNIT = "ns|us|µs|ms|s|m|h"
_PART = re.compile(f"({_NUMBER})({_UNIT})")
PATTERN = f"^(0|({_NUMBER}({_UNIT}))+)$"
"""For JSON schemas too."""
DURATION_S_MAX = 365 * 24 * 3600.0


def seconds(text: object) -> float:
    """Read a duration.

    Raises:
        ValueError: It is none, or of more than a year.
    """
    if not isinstance(text, str) or re.fullmatch(PATTERN, text) is None:
        raise ValueError(f"{text!r} is no duration; write 500ms, 15s or 1m30s")
    total_s = sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(text))
    if total_s > DURATION_S_MAX:
        raise ValueError(f"{text!r} is more than a year; write 500ms, 15s or 1m30s")
    return total_s


def written(duration_s: float) -> str:
    """Write a duration to the millisecond: ``1m30s``, ``500ms``, ``2.5s``, ``0s``."""
    millis = round(duration_s * 1000)
    if 0 < millis < 1000:  # noqa: PLR2004 -- of a second
        return f"{millis}ms"
    minutes, millis = divmod(millis, 60_000)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours}h"] if hours else []
    parts += [f"{minutes}m"] if minutes else []
    parts += [f"{millis / 1000:g}s"] if millis or not parts else []
    return "".join(parts)
